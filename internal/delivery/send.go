package delivery

import (
	"context"
	"time"
)

// Send finds the hosts of an attempt and tries them in order, at once and outside
// of any queue. It ends early when ctx does.
func (c *Courier) Send(ctx context.Context, a *Attempt) Outcome { return c.attempt(ctx, a, 0) }

// Probe is Send for an attempt without a message. It ends the conversation after
// the login when until is StageAuth, and after the recipients were accepted when
// it is StageRcpt; that counts as Delivered. It makes a connection of its own.
func (c *Courier) Probe(ctx context.Context, a *Attempt, until Stage) Outcome {
	return c.attempt(ctx, a, until)
}

func (c *Courier) attempt(ctx context.Context, a *Attempt, until Stage) Outcome {
	start := time.Now()
	d, out := c.Resolve(ctx, a)
	switch {
	case out == nil:
		out = c.deliver(ctx, a, d, until)
	case ctx.Err() != nil:
		out = interrupted(StageResolve, context.Cause(ctx))
	}
	out.Duration = time.Since(start)
	return *out
}

// probe says as much of a transaction as was asked for.
func (c *client) probe(m *parcel) *Outcome {
	t := transaction{client: c, parcel: m}
	if m.until == StageAuth {
		return t.arrived()
	}
	if out := m.unfit(c, 0); out != nil {
		return out
	}
	c.info.Transactions++
	return t.run()
}

// arrived is the outcome of a probe that was not turned away.
func (t *transaction) arrived() *Outcome {
	return &Outcome{Status: Delivered, Stage: t.parcel.until, Reply: t.said, FromPeer: true}
}

// pipelinedProbe sends the commands of a probe, which have been put, in one
// write.
func (t *transaction) pipelinedProbe(commands []Stage) *Outcome {
	if out := t.flush(commands[0]); out != nil {
		return out
	}
	if out, _ := t.expectAll(commands); out != nil {
		return out
	}
	return t.arrived()
}
