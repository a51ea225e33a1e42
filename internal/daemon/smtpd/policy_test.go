package smtpd

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/policy"
)

// composeSmall composes a folder with these texts in the running file and in the
// three small ones.
func composeSmall(t *testing.T, app, policies, suspends, deliveries string) *snapshot {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"smtpd":          "servers: [{ id: a, listeners: [{ port: 2525 }] }]",
		"smtpd-app":      "servers: [{ id: a }]\ntransportgroups: [{ id: g, transports: [{ id: t }] }]\n" + app,
		"smtpd-policy":   policies,
		"smtpd-suspend":  suspends,
		"smtpd-delivery": deliveries,
	} {
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte("version: \"6.9\"\n"+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	startup, _, err := LoadStartup(filepath.Join(dir, "smtpd.yaml"), config.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	running, _, err := LoadRunning(startup, config.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := compose(startup, running, nil, new(scriptHost))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// engine has the rules of a snapshot in force.
func (s *snapshot) policyEngine(t *testing.T) *policy.Engine {
	t.Helper()
	rules, err := s.running.Policy.compile(s.running)
	if err != nil {
		t.Fatal(err)
	}
	suspensions, err := s.running.Suspend.compile(s.running)
	if err != nil {
		t.Fatal(err)
	}
	e := policy.New(policy.Options{})
	e.SetRules(rules, 0)
	e.SetSuspensions(suspensions, 0)
	return e
}

// sample is a value of a field, and value another.
func sample(f policy.Field) (value, other string) {
	switch f {
	case policy.LocalIP, policy.RemoteIP:
		return "192.0.2.7", "192.0.2.8"
	case policy.Grouping:
		return "&seven", "&eight"
	}
	return "seven.example", "eight.example"
}

// with is a tuple whose field f has a value, and its source.
func with(f policy.Field, value string) (policy.Tuple, *policy.Sources) {
	var local, remote netip.Addr
	v := policy.Values{}
	v[f] = value
	switch f {
	case policy.LocalIP:
		local = netip.MustParseAddr(value)
	case policy.RemoteIP:
		remote = netip.MustParseAddr(value)
	}
	return policy.NewTuple(v[policy.TenantID], v[policy.JobID], v[policy.TransportID], v[policy.Grouping],
		v[policy.RemoteMX], v[policy.RecipientDomain], remote), policy.NewSources(false, []policy.Source{{Addr: local}})
}

// starts returns how many of many attempts may start at once.
func starts(e *policy.Engine, f policy.Field, value string, now int64) (n int) {
	tuple, sources := with(f, value)
	l := e.Line(&tuple, sources)
	e.Add(l, 0, 50, now)
	e.Tick(now)
	var taken []*policy.Reservation
	for n < 50 {
		_, r := e.Next(now, nil)
		if r == nil {
			break
		}
		r.Describe(&tuple)
		e.Remove(l, 0, 1, now)
		taken = append(taken, r)
		n++
	}
	for _, r := range taken {
		e.Release(r, now)
	}
	e.Remove(l, 0, 50-n, now)
	e.Leave(l, now)
	return n
}

func eachField(t *testing.T, f func(t *testing.T, field policy.Field, value, other string)) {
	for field := policy.TenantID; field <= policy.RecipientDomain; field++ {
		t.Run(field.String(), func(t *testing.T) {
			value, other := sample(field)
			f(t, field, value, other)
		})
	}
}

// TestPolicyFields: every field can be counted by, and be a condition.
func TestPolicyFields(t *testing.T) {
	eachField(t, func(t *testing.T, f policy.Field, value, other string) {
		s := composeSmall(t, "", fmt.Sprintf("policies: [{ fields: [%s], conditions: [{ if: { %s: %q }, then: { concurrency: 3 } }], default: { concurrency: 5 } }]", f, f, value), "", "")
		e := s.policyEngine(t)
		if a, b := starts(e, f, value, 0), starts(e, f, other, 0); a != 3 || b != 5 {
			t.Errorf("%d and %d start, want 3 and 5", a, b)
		}
	})
}

// TestPolicyLists: a list of every field can stand in a condition.
func TestPolicyLists(t *testing.T) {
	eachField(t, func(t *testing.T, f policy.Field, value, other string) {
		app := fmt.Sprintf("lists: { %s: { l: [%q] } }", f, value)
		s := composeSmall(t, app, fmt.Sprintf("policies: [{ fields: [%s], conditions: [{ if: { %s: \"@l\" }, then: { concurrency: 3 } }] }]", f, f), "", "")
		e := s.policyEngine(t)
		if a, b := starts(e, f, value, 0), starts(e, f, other, 0); a != 3 || b != 50 {
			t.Errorf("%d and %d start, want 3 and 50", a, b)
		}
	})
}

// TestSuspendFields: every field can be suspended.
func TestSuspendFields(t *testing.T) {
	eachField(t, func(t *testing.T, f policy.Field, value, other string) {
		s := composeSmall(t, "", "", fmt.Sprintf("suspends: [{ %s: %q, tag: seven, properties: { a: 7 } }]", f, value), "")
		e := s.policyEngine(t)
		if a, b := starts(e, f, value, 0), starts(e, f, other, 0); a != 0 || b != 50 {
			t.Errorf("%d and %d start, want 0 and 50", a, b)
		}
		list := e.Suspensions(0)
		if len(list) != 1 || list[0].Tag != "seven" || fmt.Sprint(list[0].Properties["a"]) != "7" {
			t.Errorf("listed as %+v", list)
		}
	})
}

// TestDeliveryFields: settings can be chosen by every field, and the first
// condition that holds is taken alone.
func TestDeliveryFields(t *testing.T) {
	eachField(t, func(t *testing.T, f policy.Field, value, other string) {
		s := composeSmall(t, "", "", "", fmt.Sprintf(
			"delivery: { conditions: [{ if: { %s: %q }, then: { timeout: { connect: 7 } } }, { if: { %s: %q }, then: { timeout: { connect: 8 } } }], default: { retry: { count: 9 } } }",
			f, value, f, value))
		tuple, sources := with(f, value)
		tuple = tuple.From(sources.At(0))
		got := s.queue.ByDestination("t", &tuple)
		if got == nil || got.Delivery.ConnectTimeout != 7*time.Second || got.Retry.Count == 9 {
			t.Errorf("settings %+v", got)
		}
		tuple, sources = with(f, other)
		tuple = tuple.From(sources.At(0))
		if got := s.queue.ByDestination("t", &tuple); got != nil {
			t.Errorf("%s has settings of its own", other)
		}
	})
}

// TestDeliveryConditionSettings: what can stand under default can stand in a
// condition.
func TestDeliveryConditionSettings(t *testing.T) {
	for _, a := range deliveryArrivals {
		path := strings.Replace(a.path, "default", "conditions[].then", 1)
		t.Run(path, func(t *testing.T) {
			s := composeSmall(t, "", "", "", "delivery: { conditions: [{ if: { jobid: j }, then: { "+a.text+" } }] }")
			tuple, _ := with(policy.JobID, "j")
			got := s.queue.ByDestination("t", &tuple)
			if got == nil {
				t.Fatal("there are no settings")
			}
			s.queue.Transports["t"] = got
			if diff := cmp.Diff(a.want, a.got(s), sameAddress, samePrefix); diff != "" {
				t.Errorf("%s (-want +got):\n%s", a.text, diff)
			}
		})
	}
}

// TestPolicyLimits: each key of a limit has its effect, in a condition and as
// the default.
func TestPolicyLimits(t *testing.T) {
	const second = int64(time.Second)
	for _, where := range []string{"conditions: [{ if: { jobid: j }, then: %s }]", "default: %s"} {
		compose := func(limits string, more string) *policy.Engine {
			text := "policies: [{ fields: [jobid], " + fmt.Sprintf(where, limits) + " }" + more + "]"
			return composeSmall(t, "", text, "", "").policyEngine(t)
		}
		t.Run(where, func(t *testing.T) {
			e := compose("{ concurrency: 4 }", "")
			if n := starts(e, policy.JobID, "j", 0); n != 4 {
				t.Errorf("concurrency 4: %d start", n)
			}
			e = compose("{ rate: 6/60 }", "")
			if a, b := starts(e, policy.JobID, "j", second), starts(e, policy.JobID, "j", 11*second); a != 6 || b != 1 {
				t.Errorf("rate 6/60: %d start, and %d ten seconds later", a, b)
			}
			e = compose("{ connectinterval: 2.5 }", "")
			if n := starts(e, policy.JobID, "j", second); n != 1 {
				t.Errorf("connectinterval: %d start", n)
			}
			e = compose("{ stop: true }", ", { default: { concurrency: 1 } }")
			if n := starts(e, policy.JobID, "j", second); n != 50 {
				t.Errorf("stop: %d start", n)
			}
			e = compose("{ concurrency: 1, tag: seven, properties: { backoff-ttl: 7, b: true, c: x } }", "")
			tuple, sources := with(policy.JobID, "j")
			l := e.Line(&tuple, sources)
			e.Add(l, 0, 1, 0)
			_, r := e.Next(0, nil)
			if r == nil {
				t.Fatal("nothing starts")
			}
			applied := r.Applied.Policies()
			if len(applied) != 1 || applied[0].Limits.Tag != "seven" || fmt.Sprint(applied[0].Limits.Properties) != "map[b:true backoff-ttl:7 c:x]" {
				t.Errorf("applied %+v", applied)
			}
		})
	}
}

func TestPolicyAlgorithm(t *testing.T) {
	const second = int64(time.Second)
	for algorithm, want := range map[string]int{"tokenbucket": 1, "fixedwindow": 0} {
		e := composeSmall(t, "", "rate: { algorithm: "+algorithm+" }\npolicies: [{ default: { rate: 6/60 } }]", "", "").policyEngine(t)
		starts(e, policy.JobID, "j", second)
		if n := starts(e, policy.JobID, "j", 12*second); n != want {
			t.Errorf("%s: %d start after a sixth of the interval, want %d", algorithm, n, want)
		}
	}
}

// TestRollup: the older form that gives values a name in the fields.
func TestRollup(t *testing.T) {
	s := composeSmall(t, "lists: { remotemx: { gsuite: [\"*.google.example\"] } }",
		"policies: [{ fields: [{ remotemx: { gsuite: [\"@gsuite\"] } }], conditions: [{ if: { remotemx: \"#gsuite\" }, then: { concurrency: 2 } }], default: { concurrency: 5 } }]", "", "")
	e := s.policyEngine(t)
	if a, b := starts(e, policy.RemoteMX, "mx1.google.example", 0), starts(e, policy.RemoteMX, "mx.other.example", 0); a != 2 || b != 5 {
		t.Errorf("%d and %d start, want 2 and 5", a, b)
	}
}

func TestGroupingSettings(t *testing.T) {
	for _, tt := range []struct{ text, mx, domain, ip, want string }{
		{"default: remotemx", "MX.example", "d.example", "192.0.2.1", "mx.example"},
		{"default: recipientdomain", "mx.example", "d.example", "192.0.2.1", "d.example"},
		{"default: \"\"", "mx.example", "d.example", "192.0.2.1", ""},
		{"groupings: [{ id: g, remotemx: [\"*.example\"] }]", "mx.example", "d", "192.0.2.1", "&g"},
		{"groupings: [{ id: g, recipientdomain: [d.example] }]", "mx", "d.example", "192.0.2.1", "&g"},
		{"groupings: [{ id: g, remoteip: [192.0.2.0/24] }]", "mx", "d", "192.0.2.1", "&g"},
	} {
		s := composeSmall(t, "queues: { grouping: { "+tt.text+" } }", "", "", "")
		x := policy.NewTuple("", "", "", "", tt.mx, tt.domain, netip.MustParseAddr(tt.ip))
		if got := s.queue.Groupings.Of(&x); got != tt.want {
			t.Errorf("%s: grouping %q, want %q", tt.text, got, tt.want)
		}
	}
}
