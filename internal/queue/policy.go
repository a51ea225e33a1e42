package queue

import (
	"context"
	"time"

	"github.com/posthaste-mta/posthaste/internal/policy"
)

// SetPolicies replaces the policies of the file. Counters go on counting where
// the new ones have the same fields.
func (q *Queue) SetPolicies(ctx context.Context, r *policy.Rules) error {
	return q.ask(ctx, func(s *schedule) { s.engine.SetRules(r, s.clock) })
}

// SetSuspensions replaces the suspensions of the file.
func (q *Queue) SetSuspensions(ctx context.Context, list []*policy.Suspension) error {
	return q.ask(ctx, func(s *schedule) { s.engine.SetSuspensions(list, s.clock) })
}

// AddPolicy puts a dynamic policy in force, which is not changed afterwards, and
// returns its id. With update it replaces one like it; see policy.Engine.
func (q *Queue) AddPolicy(ctx context.Context, d *policy.Dynamic, update bool) (id string, err error) {
	d.Created = time.Now()
	asked := q.ask(ctx, func(s *schedule) { id, err = s.engine.AddPolicy(d, update, s.clock) })
	if asked != nil {
		return "", asked
	}
	return id, err
}

// DeletePolicy ends a dynamic policy and reports whether there was one.
func (q *Queue) DeletePolicy(ctx context.Context, id string) (found bool, err error) {
	err = q.ask(ctx, func(s *schedule) { found = s.engine.DeletePolicy(id, s.clock) })
	return found, err
}

// ReplacePolicy puts next in the place of old, or ends old where next is nil, if
// that is still in force as it was given to AddPolicy; see policy.Engine.
func (q *Queue) ReplacePolicy(ctx context.Context, old, next *policy.Dynamic) (replaced bool, err error) {
	asked := q.ask(ctx, func(s *schedule) { replaced, err = s.engine.ReplacePolicy(old, next, s.clock) })
	if asked != nil {
		return false, asked
	}
	return replaced, err
}

// Suspend puts a dynamic suspension in force, which is not changed afterwards,
// and returns its id. With update it replaces one like it.
func (q *Queue) Suspend(ctx context.Context, p *policy.Suspension, update bool) (id string, err error) {
	p.Created = time.Now()
	asked := q.ask(ctx, func(s *schedule) { id, err = s.engine.Suspend(p, update, s.clock) })
	if asked != nil {
		return "", asked
	}
	return id, err
}

// Resume ends a dynamic suspension and reports whether there was one.
func (q *Queue) Resume(ctx context.Context, id string) (found bool, err error) {
	err = q.ask(ctx, func(s *schedule) { found = s.engine.Resume(id) })
	return found, err
}

// Suspensions lists the suspensions in force.
func (q *Queue) Suspensions(ctx context.Context) (list []policy.SuspensionView, err error) {
	err = q.ask(ctx, func(s *schedule) { list = s.engine.Suspensions(s.clock) })
	return list, err
}

// Policies lists the dynamic policies and the counters.
func (q *Queue) Policies(ctx context.Context) (dynamic []policy.DynamicView, counters []policy.CounterView, err error) {
	err = q.ask(ctx, func(s *schedule) {
		dynamic, counters = s.engine.Dynamics(s.clock), s.engine.Counters(s.clock)
	})
	return dynamic, counters, err
}

// Refill gives counters back what their rates have used up: those whose values
// are the ones given. It returns how many they were.
func (q *Queue) Refill(ctx context.Context, where map[policy.Field]string) (n int, err error) {
	err = q.ask(ctx, func(s *schedule) { n = s.engine.Refill(where, s.clock) })
	return n, err
}

// gate returns what an attempt under an interval between connections asks before
// it connects: it waits until the interval allows one more, or the context ends.
func (q *Queue) gate(slot *policy.Reservation) func(context.Context) bool {
	return func(ctx context.Context) bool {
		for {
			var wait time.Duration
			err := q.ask(ctx, func(s *schedule) {
				if at, ok := s.engine.Connect(slot, s.clock); !ok {
					wait = time.Duration(at - s.clock)
				}
			})
			if err != nil {
				return false
			}
			if wait == 0 {
				return true
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return false
			}
		}
	}
}
