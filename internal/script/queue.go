package script

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// Resources are what scripts refer to by id.
type Resources interface {
	// Certificate returns the pair of that id in the configured PKI.
	Certificate(id string) (*tls.Certificate, error)
	// Source returns the source address of that id.
	Source(id string) (delivery.Source, bool)
	// Transport returns the transport of that id.
	Transport(id string) (*delivery.Transport, bool)
}

// Queue is the hooks of the queue. It implements queue.Hooks and is safe for
// concurrent use.
type Queue struct {
	engine    *Engine
	resources Resources
	load      func(*queue.View) error // reads the envelope
	pre, post *Program                // nil: none

	preRuns, postRuns *runs
}

var _ queue.Hooks = (*Queue)(nil)

// errorDelay is how long an entry waits whose pre-delivery script failed (spec
// operations.md 9.2).
const errorDelay = 5 * time.Minute

// PreDelivery implements queue.Hooks.
func (q *Queue) PreDelivery(ctx context.Context, v *queue.View) queue.Decision {
	if q.pre == nil {
		return queue.Decision{}
	}
	failed := queue.Decision{Action: queue.Requeue, Delay: errorDelay, DelaySet: true, KeepRetry: true, Reason: "pre-delivery script failed"}
	if err := q.load(v); err != nil {
		q.engine.failed(q.pre, q.preRuns, v.ID.String(), err)
		return failed
	}
	carried := &cell{}
	d := q.decide(ctx, q.pre, q.preRuns, &queueHost{hooks: q, view: v}, carried, failed, func() value.Value { return preArguments(v) })
	d.Context = carried
	return d
}

// PostDelivery implements queue.Hooks.
func (q *Queue) PostDelivery(ctx context.Context, v *queue.View, r *queue.Result) queue.Decision {
	if q.post == nil {
		return queue.Decision{}
	}
	if err := q.load(v); err != nil {
		q.engine.failed(q.post, q.postRuns, v.ID.String(), err)
		return queue.Decision{}
	}
	carried, _ := r.Context.(*cell)
	host := &queueHost{hooks: q, view: v, delivered: r.Outcome != nil && r.Outcome.Status == delivery.Delivered}
	return q.decide(ctx, q.post, q.postRuns, host, carried, queue.Decision{}, func() value.Value { return postArguments(v, r) })
}

// decide runs a script of the queue.
func (q *Queue) decide(ctx context.Context, p *Program, r *runs, host *queueHost, carried *cell, failed queue.Decision, arguments func() value.Value) queue.Decision {
	v := host.view
	err := q.engine.run(ctx, p, &execution{
		runs: r, priority: v.Priority, host: host, transaction: v.ID.String(), context: carried,
		variables: func(name string) value.Value {
			if name == "message" {
				return messageValue(v, q.engine.options.Contents)
			}
			return arguments()
		},
	})
	var d queue.Decision
	var exited *value.Exit
	switch {
	case err == nil:
	case errors.As(err, &exited):
		d, _ = exited.Outcome.(queue.Decision)
	default:
		q.engine.failed(p, r, v.ID.String(), err)
		return failed
	}
	d.SetMetadata, d.Metadata = host.set, host.metadata
	return d
}
