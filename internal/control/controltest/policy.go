package controltest

import (
	"context"
	"net/netip"
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/policy"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// Policies has limits over jobid and over localip and grouping, with some
// traffic on them, in a real engine whose clock stands still.
type Policies struct {
	engine *policy.Engine
	now    int64
}

// NewPolicies returns them.
func NewPolicies() *Policies {
	google, err := policy.NewMatch(map[policy.Field][]string{policy.Grouping: {"&google"}}, nil)
	if err != nil {
		panic(err)
	}
	p := &Policies{now: int64(time.Hour)}
	p.engine = policy.New(policy.Options{NewID: envelopeID})
	p.engine.SetRules(policy.NewRules(0, []policy.Policy{
		{Fields: policy.Of(policy.JobID)},
		{Fields: policy.Of(policy.LocalIP, policy.Grouping), Conditions: []policy.Condition{{
			If:   google,
			Then: policy.Limits{Concurrency: 2, Rate: policy.Rate{Count: 120, Interval: time.Minute}, Tag: "google", Properties: map[string]any{"backoff-ttl": int64(3600)}},
		}}, Default: &policy.Limits{Concurrency: 20, ConnectInterval: 1500 * time.Millisecond}},
	}), p.now)
	for _, grouping := range []string{"&google", "&other"} {
		t := policy.NewTuple("", "job", "mx", grouping, "mx.test", "d.test", netip.MustParseAddr("198.51.100.1"))
		l := p.engine.Line(&t, policy.NewSources(false, []policy.Source{{Addr: netip.MustParseAddr("192.0.2.1")}}))
		p.engine.Add(l, 0, 5, p.now)
		for {
			_, r := p.engine.Next(p.now, nil)
			if r == nil {
				break
			}
			p.engine.Remove(l, 0, 1, p.now)
		}
	}
	p.engine.SetSuspensions([]*policy.Suspension{{If: google, Tag: "by the file"}}, p.now)
	return p
}

func envelopeID() string { return "00000000-0000-4000-8000-0000000000aa" }

// Policies implements control.Policies.
func (p *Policies) Policies(context.Context) ([]policy.DynamicView, []policy.CounterView, error) {
	return p.engine.Dynamics(p.now), p.engine.Counters(p.now), nil
}

// AddPolicy implements control.Policies.
func (p *Policies) AddPolicy(_ context.Context, d *policy.Dynamic, update bool) (string, error) {
	return p.engine.AddPolicy(d, update, p.now)
}

// DeletePolicy implements control.Policies.
func (p *Policies) DeletePolicy(_ context.Context, id string) (bool, error) {
	return p.engine.DeletePolicy(id, p.now), nil
}

// Refill implements control.Policies.
func (p *Policies) Refill(_ context.Context, where map[policy.Field]string) (int, error) {
	return p.engine.Refill(where, p.now), nil
}

// Suspensions implements control.Policies.
func (p *Policies) Suspensions(context.Context) ([]policy.SuspensionView, error) {
	return p.engine.Suspensions(p.now), nil
}

// Suspend implements control.Policies.
func (p *Policies) Suspend(_ context.Context, s *policy.Suspension, update bool) (string, error) {
	return p.engine.Suspend(s, update, p.now)
}

// Resume implements control.Policies.
func (p *Policies) Resume(_ context.Context, id string) (bool, error) {
	return p.engine.Resume(id), nil
}

// Files load.
type Files struct{ Err error }

// ReloadPolicy implements control.Files.
func (f *Files) ReloadPolicy(context.Context) ([]string, error) { return nil, f.Err }

// ReloadSuspend implements control.Files.
func (f *Files) ReloadSuspend(context.Context) ([]string, error) { return nil, f.Err }

// ReloadDelivery implements control.Files.
func (f *Files) ReloadDelivery(context.Context) ([]string, error) {
	return []string{"a warning"}, f.Err
}

// Explain implements control.Queue: the entry waits for a slot.
func (q *Queue) Explain(_ context.Context, id envelope.ID, number uint32) ([]queue.Explanation, error) {
	for i := range q.Len {
		v := q.At(i)
		if v.ID != id || number != 0 && v.Number != number {
			continue
		}
		return []queue.Explanation{{
			View: &v, Summary: "waits from 192.0.2.1: policy 2 [localip, grouping]: concurrency 2 of 2",
			Steps: []queue.Step{
				{At: v.Received, Kind: "accepted", Text: "accepted by inbound"},
				{Kind: "resolved", Text: "resolved to mx.d.test [198.51.100.1], grouping &google"},
				{At: Epoch, Kind: "waits", Text: "from 192.0.2.1: policy 2 [localip, grouping]: concurrency 2 of 2"},
			},
			Ways: []queue.Way{q.way()},
		}}, nil
	}
	return nil, queue.ErrGone
}

func (q *Queue) way() queue.Way {
	return queue.Way{
		WayView: policy.WayView{
			Local: "192.0.2.1", Why: policy.ByConcurrency,
			Counter: &policy.CounterView{
				Policy: 1, Fields: policy.Of(policy.LocalIP, policy.Grouping),
				Values: policy.Values{policy.LocalIP: "192.0.2.1", policy.Grouping: "&google"},
				Limits: policy.Limits{Concurrency: 2}, Used: 2,
			},
		},
		Since: Epoch, Holders: []string{envelopeID() + ":1"}, Text: "from 192.0.2.1: policy 2 [localip, grouping]: concurrency 2 of 2",
	}
}

// ExplainGroup implements control.Queue.
func (q *Queue) ExplainGroup(_ context.Context, name string) ([]queue.Explanation, error) {
	if name != "&google" {
		return nil, nil
	}
	x := queue.Explanation{Waiting: 7, Sending: 2, Summary: "waits", Ways: []queue.Way{q.way()}}
	x.Tuple.Values[policy.Grouping] = name
	return []queue.Explanation{x}, nil
}
