package dns

import (
	"context"
	"errors"
	"net"
	"os"
)

// flight is one question under way, shared by all who ask it meanwhile. It runs
// on a goroutine of its own, so that the first to ask may leave without taking
// the answer from the others; when all have left it is cancelled.
type flight struct {
	done   chan struct{} // closed by the flight's goroutine when answer and err are set
	cancel context.CancelFunc
	answer *Answer
	err    error

	waiting int // guarded by Resolver.mu
}

// join waits for the answer to q with whoever else asks it.
func (r *Resolver) join(ctx context.Context, q question, s *settings, stale *Answer) (*Answer, error) {
	f, joined, err := r.board(q, s, stale)
	if err != nil {
		return nil, err
	}
	if joined {
		r.metrics.Dedup.Inc()
		defer r.metrics.Dedup.Dec()
	}
	select {
	case <-f.done:
		return f.answer, f.err
	case <-ctx.Done():
		r.leave(q, f)
		return nil, &Error{Name: q.name, Type: q.typ, Reason: reasonOf(ctx.Err()), Cause: ctx.Err()}
	}
}

// board finds the flight for q, or starts one.
func (r *Resolver) board(q question, s *settings, stale *Answer) (f *flight, joined bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil, false, &Error{Name: q.name, Type: q.typ, Reason: ErrStopped}
	}
	if f := r.flights[q]; f != nil {
		f.waiting++
		return f, true, nil
	}
	ctx, cancel := context.WithCancel(r.base)
	f = &flight{done: make(chan struct{}), cancel: cancel, waiting: 1}
	r.flights[q] = f
	r.wg.Go(func() { r.fly(ctx, f, q, s, stale) })
	return f, false, nil
}

// leave is called by one who waits no longer.
func (r *Resolver) leave(q question, f *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.waiting--; f.waiting == 0 {
		f.cancel()
		r.forgetLocked(q, f)
	}
}

// forgetLocked makes the next who asks start anew.
func (r *Resolver) forgetLocked(q question, f *flight) {
	if r.flights[q] == f {
		delete(r.flights, q)
	}
}

// fly asks the upstreams, caches what they say and tells all who wait.
func (r *Resolver) fly(ctx context.Context, f *flight, q question, s *settings, stale *Answer) {
	defer f.cancel()
	f.answer, f.err = r.fetch(ctx, q, s)
	failed := f.err != nil || f.answer.Err() != nil && Temporary(f.answer.Err())
	switch {
	case ctx.Err() != nil:
		// Nobody waits, or the resolver stops. It says nothing of the name.
	case failed && stale != nil:
		f.answer, f.err = r.keepStale(q, stale), nil
	case f.err == nil:
		r.keep(q, f.answer, s)
	default:
		r.keepError(q, f.err)
	}
	r.mu.Lock()
	r.forgetLocked(q, f)
	r.mu.Unlock()
	close(f.done)
}

// fetch waits for a slot and asks.
func (r *Resolver) fetch(ctx context.Context, q question, s *settings) (*Answer, error) {
	select {
	case s.slots <- struct{}{}:
	default:
		r.metrics.Pending.Inc()
		select {
		case s.slots <- struct{}{}:
			r.metrics.Pending.Dec()
		case <-ctx.Done():
			r.metrics.Pending.Dec()
			return nil, &Error{Name: q.name, Type: q.typ, Reason: ErrTimeout, Cause: ctx.Err()}
		}
	}
	defer func() { <-s.slots }()
	r.metrics.Running.Inc()
	defer r.metrics.Running.Dec()
	return s.ask(ctx, q)
}

// reasonOf sorts an error of the network or of a context.
func reasonOf(err error) error {
	var n net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &n) && n.Timeout() {
		return ErrTimeout
	}
	return ErrNetwork
}
