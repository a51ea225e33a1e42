package smtpd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/engine"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/policy"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// scriptPolicies is engine.Queue: the limits and suspensions of the queue that
// runs, or of none where scripts are only compiled.
type scriptPolicies struct{ queue func() *queue.Queue }

var errNoQueue = errors.New("smtpd: there is no queue here")

func (p scriptPolicies) live() (*queue.Queue, error) {
	if p.queue == nil || p.queue() == nil {
		return nil, errNoQueue
	}
	return p.queue(), nil
}

// Suspend implements engine.Queue.
func (p scriptPolicies) Suspend(ctx context.Context, s engine.Suspension) (string, error) {
	q, err := p.live()
	if err != nil {
		return "", err
	}
	m, err := scriptMatch(s.Match)
	if err != nil {
		return "", err
	}
	return q.Suspend(ctx, &policy.Suspension{
		ID: s.ID, If: m, Tag: s.Tag, Properties: scriptProperties(s.Properties), TTL: s.TTL,
	}, s.Update)
}

// AddPolicy implements engine.Queue.
func (p scriptPolicies) AddPolicy(ctx context.Context, s engine.Policy) (string, error) {
	q, err := p.live()
	if err != nil {
		return "", err
	}
	d := &policy.Dynamic{ID: s.ID, TTL: s.TTL}
	if d.Kind, err = policy.ParseKind(s.Type); err != nil {
		return "", err
	}
	for _, name := range s.Fields {
		f, err := policy.ParseField(name)
		if err != nil {
			return "", err
		}
		d.Fields |= policy.Of(f)
	}
	if d.If, err = scriptMatch(s.Condition); err != nil {
		return "", err
	}
	if d.Then, err = scriptLimits(&s); err != nil {
		return "", err
	}
	return q.AddPolicy(ctx, d, s.Update)
}

// scriptLimits reads the limits of a script; 0 is no limit (spec operations.md
// 14).
func scriptLimits(s *engine.Policy) (l policy.Limits, err error) {
	l = policy.Limits{Tag: s.Tag, Stop: s.Stop, Cluster: s.Cluster, Properties: scriptProperties(s.Properties)}
	if s.Concurrency != nil {
		n, err := whole(*s.Concurrency)
		if err != nil {
			return l, fmt.Errorf("concurrency: %w", err)
		}
		l.Concurrency = int(n)
	}
	if s.Rate != nil {
		if l.Rate.Count, err = whole(s.Rate.Messages); err != nil {
			return l, fmt.Errorf("rate: %w", err)
		}
		l.Rate.Interval = s.Rate.Per
	}
	if s.ConnectInterval != nil {
		l.ConnectInterval = *s.ConnectInterval
	}
	return l, nil
}

// whole reads a count: what is left of a number without its fraction.
func whole(f float64) (int64, error) {
	if math.IsNaN(f) || f < 0 || f > math.MaxInt32 {
		return 0, fmt.Errorf("want a number from 0, got %v", f)
	}
	return int64(f), nil
}

// scriptMatch reads a condition. A grouping may be written #name, as it was
// before it was &name.
func scriptMatch(list []engine.Match) (policy.Match, error) {
	texts := map[policy.Field][]string{}
	for _, m := range list {
		f, err := policy.ParseField(m.Field)
		if err != nil {
			return policy.Match{}, err
		}
		text := m.Value
		if name, ok := strings.CutPrefix(text, "#"); ok && f == policy.Grouping {
			text = "&" + name
		}
		texts[f] = append(texts[f], text)
	}
	return policy.NewMatch(texts, nil)
}

// scriptProperties are properties with the types that a file has.
func scriptProperties(a *value.Array) map[string]any {
	if a == nil || a.Len() == 0 {
		return nil
	}
	out := map[string]any{}
	for k, v := range a.All() {
		switch {
		case v.IsBoolean():
			out[k.Text()] = v.Truth()
		case v.IsNumber() && v.ToNumber() == math.Trunc(v.ToNumber()):
			out[k.Text()] = int64(v.ToNumber())
		case v.IsNumber():
			out[k.Text()] = v.ToNumber()
		default:
			out[k.Text()] = v.Text()
		}
	}
	return out
}

// DeletePolicy implements engine.Queue.
func (p scriptPolicies) DeletePolicy(ctx context.Context, id string) (bool, error) {
	q, err := p.live()
	if err != nil {
		return false, err
	}
	return q.DeletePolicy(ctx, id)
}
