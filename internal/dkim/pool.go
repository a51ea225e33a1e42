package dkim

import (
	"context"
	"runtime"
	"slices"
	"sync"
)

// Pool makes signatures on goroutines of its own, so many at once and in the order
// in which they were asked for, whoever asks: a burst of signing shares the
// processors with everything else instead of taking them, and the deep stacks of
// public-key arithmetic are those of a few workers, not of every connection.
//
// Workers begin when there is something to do and end when there is not, so a Pool
// needs no end. To hand a signature over costs 1 µs (BenchmarkPool), a thousandth
// of one with RSA.
type Pool struct {
	most    int
	metrics Metrics

	mu      sync.Mutex
	workers int
	waiting []*signing // first come, first served
}

// signing is one signature that somebody waits for.
type signing struct {
	sign func() error
	done chan error // has room for the outcome; never closed
}

// NewPool returns a Pool for n signatures at once; 0 means one per processor.
func NewPool(n int) *Pool {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	return &Pool{most: n}
}

// Metrics returns the counters of the pool.
func (p *Pool) Metrics() *Metrics { return &p.metrics }

// Sign makes the signatures of several signers for one message, side by side as
// far as there is room, and returns the fields in the order of the signers. It
// returns early with the context's error while it waits for room; a signature
// that was begun is finished.
func (p *Pool) Sign(ctx context.Context, h *Header, b *Body, signers ...*Signer) ([][]byte, error) {
	fields := make([][]byte, len(signers))
	errs := make([]error, len(signers))
	var wait sync.WaitGroup
	for i, s := range signers {
		work := func() { errs[i] = p.Do(ctx, func() (err error) { fields[i], err = s.Sign(h, b); return err }) }
		if i == len(signers)-1 {
			work() // the only one, mostly
		} else {
			wait.Go(work)
		}
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return fields, nil
}

// Do runs one other act of signing, such as sealing a chain, within the bounds of
// the pool and on one of its goroutines. It returns early with the context's error
// while it waits for its turn; what was begun is finished.
func (p *Pool) Do(ctx context.Context, sign func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s := &signing{sign: sign, done: make(chan error, 1)}
	p.add(s)
	select {
	case err := <-s.done:
		return err
	case <-ctx.Done():
		if p.remove(s) {
			return ctx.Err()
		}
		return <-s.done
	}
}

// add lines the signature up and sees that somebody makes it.
func (p *Pool) add(s *signing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = append(p.waiting, s)
	p.metrics.Waiting.Inc()
	if p.workers < p.most {
		p.workers++
		go p.work()
	}
}

// remove takes a signature out of the line that nobody wants any more. It returns
// false when it has been begun.
func (p *Pool) remove(s *signing) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.waiting, s)
	if i < 0 {
		return false
	}
	p.waiting = slices.Delete(p.waiting, i, i+1)
	p.metrics.Waiting.Dec()
	return true
}

// work makes signatures until none waits.
func (p *Pool) work() {
	for s := p.next(); s != nil; s = p.next() {
		err := s.sign()
		if err != nil {
			p.metrics.Failed.Inc()
		} else {
			p.metrics.Signed.Inc()
		}
		p.metrics.Running.Dec()
		s.done <- err
	}
}

// next takes the first that waits. Nil ends the worker.
func (p *Pool) next() *signing {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		p.workers--
		return nil
	}
	s := p.waiting[0]
	p.waiting = slices.Delete(p.waiting, 0, 1)
	p.metrics.Waiting.Dec()
	p.metrics.Running.Inc()
	return s
}
