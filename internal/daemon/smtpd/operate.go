package smtpd

import (
	"context"
	"os"
	"time"

	"github.com/posthaste-mta/posthaste/internal/control"
	"github.com/posthaste-mta/posthaste/internal/daemon"
	"github.com/posthaste-mta/posthaste/internal/metric"
	"github.com/posthaste-mta/posthaste/internal/telemetry"
)

// parts are what operators reach through the control socket.
func (d *Daemon) parts() control.Parts {
	return control.Parts{
		Queue: d.queue, Policies: d.queue, Files: smallFiles{d}, Config: configuration{d}, Resolver: resolver{d.courier, d.resolver},
		Process: process{&d.registry}, Log: logging{d.log}, Scripts: sharedByScripts{d.scripts.process}, Plugins: commands{d.scripts.plugins},
		Proxies: d.courier, Certificates: d.certs.keeper, Livestage: livestage{d},
	}
}

// controlEvents logs who did what.
func (d *Daemon) controlEvents() control.Events { return telemetry.ControlEvents(d.log) }

// configuration is control.Config.
type configuration struct{ d *Daemon }

func (c configuration) Reload(context.Context) ([]string, error) {
	warnings, err := c.d.reload()
	return warnings.Lines(), err
}

func (c configuration) Version() control.Version {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	return c.d.version
}

// smallFiles is control.Files.
type smallFiles struct{ d *Daemon }

func (f smallFiles) ReloadPolicy(ctx context.Context) ([]string, error) {
	warnings, err := f.d.ReloadPolicy(ctx)
	return warnings.Lines(), err
}

func (f smallFiles) ReloadSuspend(ctx context.Context) ([]string, error) {
	warnings, err := f.d.ReloadSuspend(ctx)
	return warnings.Lines(), err
}

func (f smallFiles) ReloadDelivery(ctx context.Context) ([]string, error) {
	warnings, err := f.d.ReloadDelivery(ctx)
	return warnings.Lines(), err
}

// process is control.Process.
type process struct{ registry *metric.Registry }

func (p process) Stats() []control.Stat {
	var out []control.Stat
	for _, s := range telemetry.Stats(p.registry) {
		out = append(out, control.Stat{Name: s.Name, Sample: s.Sample})
	}
	return out
}

// logging is control.Log.
type logging struct{ log *daemon.Logger }

func (l logging) Level() string { return levelName(l.log.Level()) }

func (l logging) SetLevel(name string) error {
	level, err := parseLevel(name)
	if err == nil {
		l.log.SetLevel(level)
	}
	return err
}

// processMetrics are those of the process itself.
type processMetrics struct {
	PID     metric.Func `name:"process_pid" help:"Process id."`
	Runtime metric.Func `name:"process_runtime" help:"Time since the start." unit:"seconds" kind:"counter"`
	Major   metric.Func `name:"process_version_major" help:"First number of the version." kind:"counter"`
	Minor   metric.Func `name:"process_version_minor" help:"Second number of the version." kind:"counter"`
	Patch   metric.Func `name:"process_version_patch" help:"Third number of the version." kind:"counter"`
}

func (d *Daemon) processMetrics() *processMetrics {
	major, minor, patch := daemon.VersionNumbers()
	constant := func(n int) metric.Func { return func() float64 { return float64(n) } }
	return &processMetrics{
		PID: constant(os.Getpid()), Runtime: func() float64 { return time.Since(d.began).Seconds() },
		Major: constant(major), Minor: constant(minor), Patch: constant(patch),
	}
}
