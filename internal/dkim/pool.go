package dkim

import (
	"context"
	"runtime"
	"sync"
)

// Pool bounds how many signatures are being made at once, whoever asks for them,
// so that a burst of signing shares the processors with everything else instead
// of taking them.
type Pool struct {
	slots   chan struct{} // holds one element per signature in the making; never closed
	metrics Metrics
}

// NewPool returns a Pool for n signatures at once; 0 means one per processor.
func NewPool(n int) *Pool {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	return &Pool{slots: make(chan struct{}, n)}
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
// the pool.
func (p *Pool) Do(ctx context.Context, sign func() error) error {
	p.metrics.Waiting.Inc()
	select {
	case p.slots <- struct{}{}:
		p.metrics.Waiting.Dec()
	case <-ctx.Done():
		p.metrics.Waiting.Dec()
		return ctx.Err()
	}
	p.metrics.Running.Inc()
	defer func() {
		p.metrics.Running.Dec()
		<-p.slots
	}()
	err := sign()
	if err != nil {
		p.metrics.Failed.Inc()
	} else {
		p.metrics.Signed.Inc()
	}
	return err
}
