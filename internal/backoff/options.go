package backoff

import (
	"errors"
	"fmt"
	"time"

	"github.com/posthaste-mta/posthaste/internal/policy"
)

// Options say when and how far mail is slowed down. They are not changed once a
// Watcher has them.
type Options struct {
	// Fields tell places apart: what draws a complaint is slowed down where they
	// are the same. Where they have policy.Grouping and a destination belongs to
	// none, its recipient domain stands for that.
	Fields policy.Fields
	Rules  []Rule          // the first that fits counts
	Steps  []policy.Limits // from the fastest to the slowest
	Hold   time.Duration   // each step lasts this long after the last complaint
	// Settle is the time after a step in which further complaints are those of
	// attempts that were under way.
	Settle time.Duration
}

// Bounds of Options.
const (
	maxSteps = 16
	maxHold  = 24 * time.Hour
)

// Defaults of Options.
const (
	DefaultFields = policy.Fields(1<<policy.LocalIP | 1<<policy.Grouping)
	DefaultHold   = 10 * time.Minute
	DefaultSettle = 30 * time.Second
)

// DefaultSteps are those of Options where nothing else is wanted.
func DefaultSteps() []policy.Limits {
	return []policy.Limits{
		{Concurrency: 5, Rate: policy.Rate{Count: 60, Interval: time.Minute}},
		{Concurrency: 2, Rate: policy.Rate{Count: 20, Interval: time.Minute}},
		{Concurrency: 1, Rate: policy.Rate{Count: 5, Interval: time.Minute}},
		{Concurrency: 1, Rate: policy.Rate{Count: 1, Interval: time.Minute}},
	}
}

// Check says what is wrong.
func (o *Options) Check() error {
	switch {
	case o.Fields == 0:
		return errors.New("backoff: no fields to tell places apart by")
	case len(o.Steps) == 0 || len(o.Steps) > maxSteps:
		return fmt.Errorf("backoff: want 1 to %d steps, got %d", maxSteps, len(o.Steps))
	case o.Hold < time.Second || o.Hold > maxHold:
		return fmt.Errorf("backoff: want a hold from 1s to %s, got %s", maxHold, o.Hold)
	case o.Settle < 0 || o.Settle > o.Hold:
		return fmt.Errorf("backoff: want a settle of at most the hold of %s, got %s", o.Hold, o.Settle)
	}
	for i := range o.Steps {
		s := &o.Steps[i]
		if err := s.Check(); err != nil {
			return fmt.Errorf("backoff: step %d: %w", i+1, err)
		}
		if s.Concurrency == 0 && s.Rate.Count == 0 && s.ConnectInterval == 0 {
			return fmt.Errorf("backoff: step %d has no limit", i+1)
		}
	}
	return nil
}

// Families are the sets of fields over which the queue must count for o to have
// something to bound.
func (o *Options) Families() []policy.Fields {
	if !o.Fields.Has(policy.Grouping) {
		return []policy.Fields{o.Fields}
	}
	return []policy.Fields{o.Fields, o.byDomain()}
}

func (o *Options) byDomain() policy.Fields {
	return o.Fields&^policy.Of(policy.Grouping) | policy.Of(policy.RecipientDomain)
}
