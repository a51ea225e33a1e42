package backoff

import (
	"context"
	"errors"
	"time"

	"github.com/posthaste-mta/posthaste/internal/policy"
)

// Tag is that of all policies and suspensions of back-off.
const Tag = "backoff"

// inForce is what the queue has been given for a place.
type inForce struct {
	policy *policy.Dynamic // nil: nothing
	rule   string          // and why
	reply  string
	step   int // that was told of last
}

// enforce gives the queue what l has come to, because of c where that is not nil.
func (w *Watcher) enforce(ctx context.Context, l *limit, now time.Time, c *complaint) {
	if c != nil {
		l.now.rule, l.now.reply = c.rule.Name, c.reply
	}
	changed, err := w.limit(ctx, l, now)
	if err == nil && changed && c != nil && now.Before(l.resumes) {
		err = w.suspend(ctx, l, now)
	}
	switch {
	case err != nil:
		if w.events.Failed != nil && ctx.Err() == nil {
			w.events.Failed(err)
		}
		fallthrough
	case !changed:
		l.forget(now)
	default:
		w.tell(l, now, c)
	}
}

// forget gives up a place that is somebody else's now, until the next complaint.
func (l *limit) forget(now time.Time) {
	*l = limit{place: l.place, options: l.options, next: now}
}

// limit puts the policy of the present step in force, in the place of the one
// before unless somebody has changed or ended that.
func (w *Watcher) limit(ctx context.Context, l *limit, now time.Time) (changed bool, err error) {
	old := l.now.policy
	if l.step == 0 {
		l.now.policy = nil
		_, err = w.queue.ReplacePolicy(ctx, old, nil) // it may have come to its end by itself
		return err == nil, err
	}
	next, err := l.policy(now)
	if err != nil {
		return false, err
	}
	l.now.policy = next
	if old != nil {
		return w.queue.ReplacePolicy(ctx, old, next)
	}
	_, err = w.queue.AddPolicy(ctx, next, false)
	if errors.Is(err, policy.ErrExists) {
		return false, nil // an operator has put one there
	}
	return err == nil, err
}

// policy is the dynamic policy of the present step.
func (l *limit) policy(now time.Time) (*policy.Dynamic, error) {
	m, err := l.place.match()
	if err != nil {
		return nil, err
	}
	d := &policy.Dynamic{
		ID: l.place.id(), Kind: policy.KindBackoff, Fields: l.place.fields, If: m,
		Then: l.options.Steps[l.step-1], TTL: l.ends().Sub(now), Beside: true,
	}
	d.Then.Tag, d.Then.Properties = Tag, l.properties()
	return d, nil
}

// properties say who put it there and why.
func (l *limit) properties() map[string]any {
	return map[string]any{"author": Tag, "rule": l.now.rule, "reason": l.now.reply, "step": int64(l.step)}
}

// suspend stops the place until l.resumes.
func (w *Watcher) suspend(ctx context.Context, l *limit, now time.Time) error {
	m, err := l.place.match()
	if err != nil {
		return err
	}
	_, err = w.queue.Suspend(ctx, &policy.Suspension{
		ID: l.place.id(), Kind: policy.KindBackoff, If: m, Tag: Tag, Properties: l.properties(),
		TTL: l.resumes.Sub(now),
	}, true)
	return err
}

func (w *Watcher) tell(l *limit, now time.Time, c *complaint) {
	change := Change{ID: l.place.id(), Step: l.step}
	if c != nil {
		change.Rule, change.Reply = l.now.rule, l.now.reply
		change.Suspend = max(l.resumes.Sub(now), 0)
	}
	switch {
	case change.Suspend > 0:
		w.metrics.Suspended.Inc()
	case l.step == l.now.step:
		return // only its end is another
	case c != nil:
		w.metrics.Slowed.Inc()
	}
	l.now.step = l.step
	if w.events.Changed != nil {
		w.events.Changed(change)
	}
}
