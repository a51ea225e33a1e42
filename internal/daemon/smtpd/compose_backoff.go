package smtpd

import (
	"fmt"
	"slices"

	"github.com/posthaste-mta/posthaste/internal/backoff"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/policy"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// options composes those of the watcher, nil where it is off.
func (b *Backoff) options() (*backoff.Options, error) {
	if !b.Enabled {
		return nil, nil
	}
	o := &backoff.Options{Hold: b.Hold, Settle: min(b.Settle, b.Hold), Steps: backoff.DefaultSteps()}
	for _, name := range b.Fields {
		f, err := policy.ParseField(name)
		if err != nil {
			return nil, err
		}
		o.Fields |= policy.Of(f)
	}
	for i, text := range b.Rules {
		r, err := backoff.ParseRule(text)
		if err != nil {
			return nil, fmt.Errorf("rules[%d]: %w", i, err)
		}
		o.Rules = append(o.Rules, r)
	}
	if b.Standard {
		standard, err := backoff.Standard()
		if err != nil {
			return nil, err
		}
		o.Rules = append(o.Rules, standard...)
	}
	if len(b.Steps) > 0 {
		o.Steps = nil
	}
	for i := range b.Steps {
		o.Steps = append(o.Steps, b.Steps[i].compile())
	}
	return o, o.Check()
}

func (s *BackoffStep) compile() policy.Limits {
	return policy.Limits{
		Concurrency:     s.Concurrency.Value,
		Rate:            policy.Rate{Count: s.Rate.Value.Count, Interval: s.Rate.Value.Per},
		ConnectInterval: s.ConnectInterval,
	}
}

// count adds to policies what back-off needs to be counted: policies without
// limits, behind all others, over its fields.
func (b *Backoff) count(all []policy.Policy) ([]policy.Policy, error) {
	o, err := b.options()
	if o == nil || err != nil {
		return all, err
	}
	for _, fields := range o.Families() {
		counts := func(p policy.Policy) bool { return p.Fields == fields }
		if !slices.ContainsFunc(all, counts) {
			all = append(all, policy.Policy{Fields: fields})
		}
	}
	return all, nil
}

// configureBackoff puts what the policies say of back-off in force.
func (d *Daemon) configureBackoff(r *Running) {
	o, err := r.Policy.Backoff.options()
	if err != nil {
		d.log.Error(err.Error()) // loading has checked it
		return
	}
	d.backoff.Configure(o)
}

// watched has back-off see attempts before events do.
func (d *Daemon) watched(events queue.Events) queue.Events {
	told := events.Attempted
	events.Attempted = func(v *queue.View, out *delivery.Outcome, c queue.Conclusion) {
		d.backoff.Attempted(v, out)
		told(v, out, c)
	}
	return events
}
