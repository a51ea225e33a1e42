package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/engine"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// program notes what it is asked to do.
type program struct {
	err  error
	last any
}

func (p *program) Suspend(_ context.Context, s engine.Suspension) (string, error) {
	p.last = s
	return "s1", p.err
}

func (p *program) AddPolicy(_ context.Context, q engine.Policy) (string, error) {
	p.last = q
	return "p1", p.err
}

func (p *program) DeletePolicy(_ context.Context, id string) (bool, error) { return id == "p1", p.err }
func (p *program) Quota(name string) (count, bytes int64)                  { return int64(len(name)), 1 << 40 }

func (p *program) Concurrency(server, network string) (int, bool) {
	p.last = network
	return 7, server == "in"
}

func (p *program) Add(name string, labels []engine.Label, delta float64) bool {
	p.last = fmt.Sprintf("add %v %v", labels, delta)
	return name == "m"
}

func (p *program) Set(name string, labels []engine.Label, v float64) bool {
	p.last = fmt.Sprintf("set %v %v", labels, v)
	return name == "m"
}

func (p *program) Get(name string, _ []engine.Label) (engine.Metric, bool) {
	if name == "h" {
		return engine.Metric{Histogram: &engine.Histogram{Count: 3, Sum: 4.5, Buckets: []engine.Bucket{{Bound: 1, Count: 2}}}}, true
	}
	return engine.Metric{Value: 2.5}, name == "m"
}

func (p *program) CheckHost(_ context.Context, q engine.SenderQuery) (result, reason string) {
	why := fmt.Sprintf("%s %s %s %v", q.IP, q.Helo, q.Sender, q.Within)
	for _, a := range q.Servers {
		why += " " + netip.AddrPortFrom(a, q.Port).String()
	}
	return "pass", why
}

func machine(t *testing.T, p *program) *stdlibtest.Machine {
	l := value.NewLibrary(nil, value.Declarations{Builtins: engine.Builtins(engine.Options{Queue: p, Quotas: p, Servers: p, Metrics: p, Sender: p})})
	return stdlibtest.New(t, l, value.Setup{})
}

func TestFunctions(t *testing.T) {
	machine(t, &program{}).Check(t, []stdlibtest.Case{
		{`queue_suspend(["grouping" => "&google"], 60)`, `["id"=>"s1"]`},
		{`queue_policy(["remoteip"], [], ["rate" => ["10", "60"]], 60)`, `["id"=>"p1"]`},
		{`queue_policy([], [], ["rate" => 5], 60)`, `!queue_policy: argument 3 (policy): want a rate that is a list of messages and seconds, got an array`},
		{`queue_policy([], [], ["rate" => [1, 0]], 60)`, `!queue_policy: argument 3 (policy): want a rate that is a list of messages and seconds, got an array`},
		{`queue_policy_delete("p1")`, `true`},
		{`queue_policy_delete("p2")`, `false`},
		{`queue_quota("name")`, `["count"=>4,"bytes"=>1099511627776]`},
		{`server_concurrency("in")`, `7`},
		{`server_concurrency("in", "192.0.2.0/24")`, `7`},
		{`server_concurrency("out")`, `none`},
		{`metrics_increment("m", [])`, `true`},
		{`metrics_increment("x", [])`, `none`},
		{`metrics_get("m", [])`, `["value"=>2.5]`},
		{`metrics_get("h", [])`, `["count"=>3,"sum"=>4.5,"buckets"=>[0=>["bound"=>1,"count"=>2]]]`},
		{`metrics_get("x", [])`, `none`},
		{`spf_query("192.0.2.1", "mx.example.com", "joe@example.com")`, `["result"=>"pass","reason"=>"192.0.2.1 mx.example.com joe@example.com 20s"]`},
		{`spf_query("192.0.2.1", "x", "", ["timeout" => 2.5, "servers" => ["::1"], "port" => 5353])`, `["result"=>"pass","reason"=>"192.0.2.1 x  2.5s [::1]:5353"]`},
		{`spf("192.0.2.1", "x", "example.com")`, `"pass"`},
		{`spf("192.0.2.1", "x", "example.com", ["extended_result" => true])`, `["result"=>"pass"]`},
		{`spf_query("", "x", "", ["timeout" => 0])`, `!spf_query: option timeout: want seconds, got 0`},
		{`spf_query("", "x", "", ["port" => 0])`, `!spf_query: option port: want 1 to 65535, got 0`},
		{`spf_query("", "x", "", ["servers" => ["ns.example"]])`, `!spf_query: option servers: want addresses, got "ns.example"`},
	})
	machine(t, &program{err: errors.New("no")}).Check(t, []stdlibtest.Case{
		{`queue_suspend([], 60)`, `none`},
		{`queue_policy([], [], [], 60)`, `none`},
		{`queue_policy_delete("p1")`, `none`},
	})
	if l := engine.Builtins(engine.Options{}); len(l) != 0 {
		t.Errorf("a program without parts declares %d functions", len(l))
	}
}

// TestAsked: what scripts say arrives.
func TestAsked(t *testing.T) {
	p := &program{}
	m := machine(t, p)
	for source, want := range map[string]string{
		`metrics_increment("m", ["a" => "b"], 2)`: `add [{a b}] 2`,
		`metrics_decrement("m", ["a" => "b"])`:    `add [{a b}] -1`,
		`metrics_set("m", ["a" => 1], 3)`:         `set [{a 1}] 3`,
	} {
		m.Show(source)
		if p.last != want {
			t.Errorf("%s: got %v", source, p.last)
		}
	}
	m.Show(`queue_suspend(["transportid" => "mx", "localip" => "192.0.2.1"], 90, ["tag" => "t", "id" => "i", "update" => false, "properties" => ["a" => 1]])`)
	s := p.last.(engine.Suspension)
	if fmt.Sprintln(s.Match, s.TTL, s.ID, s.Tag, s.Update, value.FromArray(s.Properties).Text()) != `[{transportid mx} {localip 192.0.2.1}] 1m30s i t false ["a"=>1]`+"\n" {
		t.Errorf("got %+v", s)
	}
	m.Show(`queue_policy(["remotemx"], ["remotemx" => "*.example.com"], ["concurrency" => "5", "rate" => [10, 60], "connectinterval" => 0.5, "tag" => "t", "stop" => true, "cluster" => true], 60, ["type" => "x"])`)
	q := p.last.(engine.Policy)
	if fmt.Sprintln(q.Fields, q.Condition, *q.Concurrency, *q.Rate, *q.ConnectInterval, q.Tag, q.Stop, q.Cluster, q.Type, q.Update, q.TTL) !=
		`[remotemx] [{remotemx *.example.com}] 5 {10 1m0s} 500ms t true true x true 1m0s`+"\n" {
		t.Errorf("got %+v", q)
	}
	m.Show(`queue_policy([], [], [], -5)`)
	if q := p.last.(engine.Policy); q.Concurrency != nil || q.Rate != nil || q.ConnectInterval != nil || q.TTL != 0 {
		t.Errorf("got %+v", q)
	}
	if m.Show(`queue_suspend([], 1e300)`); p.last.(engine.Suspension).TTL < 90*365*24*time.Hour {
		t.Errorf("a long time is %v", p.last.(engine.Suspension).TTL)
	}
}
