package controltest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/posthaste-mta/posthaste/internal/control"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/metric"
)

// Parts are all parts, with q as the queue.
func Parts(q *Queue) control.Parts {
	return control.Parts{Queue: q, Policies: NewPolicies(), Files: &Files{}, Config: &Config{}, Resolver: Resolver{}, Process: Process{}, Log: &Log{level: "info"}, Plugins: Plugins{}, Proxies: Proxies{}}
}

// Config loads as long as Err is nil.
type Config struct {
	Err      error
	Warnings []string
}

// Reload implements control.Config.
func (c *Config) Reload(context.Context) ([]string, error) { return c.Warnings, c.Err }

// Version implements control.Config.
func (c *Config) Version() control.Version {
	return control.Version{
		Program: "1.2.3", Path: "/etc/posthaste/smtpd-app.yaml", Schema: "6.9", Digest: "0123456789abcdef",
		Loaded: Epoch, Generation: 4,
	}
}

// Resolver knows example.test, and that gone.test does not exist.
type Resolver struct{}

// Query implements control.Resolver.
func (Resolver) Query(_ context.Context, domain string, seed envelope.ID, retry uint32) (*delivery.Destination, *delivery.Outcome) {
	switch domain {
	case "gone.test":
		return nil, &delivery.Outcome{Status: delivery.Failed, Err: errors.New("no such domain")}
	case "slow.test":
		return nil, &delivery.Outcome{Status: delivery.Deferred, Err: errors.New("timeout")}
	}
	hosts := []delivery.Host{
		{Name: "mx1." + domain, Addr: netip.MustParseAddrPort("192.0.2.1:25"), Preference: 10, Secure: true},
		{Name: "mx2." + domain, Addr: netip.MustParseAddrPort("[2001:db8::2]:25"), Preference: 10},
	}
	if retry%2 == 1 {
		hosts[0], hosts[1] = hosts[1], hosts[0]
	}
	return &delivery.Destination{Hosts: hosts}, nil
}

// Clear implements control.Resolver.
func (Resolver) Clear(name string) int {
	if name != "" {
		return 1
	}
	return 42
}

// Answers implements control.Resolver.
func (Resolver) Answers(yield func(control.Answer) bool) {
	for i := range 600 {
		if !yield(control.Answer{Name: fmt.Sprintf("d%d.test", i), Type: "MX", TTL: 5 * time.Minute, Records: []string{"10 mx.test"}}) {
			return
		}
	}
	yield(control.Answer{Name: "gone.test", Type: "MX", TTL: time.Minute, Error: "nxdomain", Secure: true})
}

// Process counts nothing.
type Process struct{}

// Stats implements control.Process.
func (Process) Stats() []control.Stat {
	connections := metric.Desc{Name: "servers_connections_concurrent", Help: "Open connections.", Kind: metric.GaugeKind}
	return []control.Stat{
		{Name: "queue.pickup.count", Sample: metric.Sample{Desc: metric.Desc{Name: "queue_pickup_count", Help: "Entries picked up."}, Value: 12345678}},
		{Name: "servers.in.connections.concurrent", Sample: metric.Sample{Desc: connections, Labels: []metric.Label{{Name: "serverid", Value: "in"}}, Value: 3}},
		{Name: "process.runtime", Sample: metric.Sample{Desc: metric.Desc{Name: "process_runtime", Help: "Uptime.", Unit: "seconds", Kind: metric.GaugeKind}, Value: 1.5}},
		{Name: "servers.out.connections.concurrent", Sample: metric.Sample{Desc: connections, Labels: []metric.Label{{Name: "serverid", Value: "out"}}, Value: 4}},
	}
}

// Log has a level.
type Log struct {
	mu    sync.Mutex
	level string
}

// Level implements control.Log.
func (l *Log) Level() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.level
}

// SetLevel implements control.Log.
func (l *Log) SetLevel(level string) error {
	if level != "debug" && level != "info" {
		return fmt.Errorf("unknown level %q: want debug or info", level)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.level = level
	return nil
}
