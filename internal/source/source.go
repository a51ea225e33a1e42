// Package source is a load generator: it sends numbered messages to an SMTP or
// LMTP server over many connections as fast as they are taken, or at a given
// rate, and measures how long the server takes.
//
// Each session is a goroutine with one connection. It draws the next number,
// writes the commands of the transaction in one piece where PIPELINING is
// offered, hands the body to the kernel straight from a buffer that all sessions
// share, and reads replies without keeping them. Only a few header lines are
// made for each message, among them the mark (package sequence) by which a sink
// can find losses and duplicates.
//
// What becomes of a message is counted by recipient: acknowledged, refused for
// now or for good, or unacknowledged when the connection broke after the body
// had gone out and before the reply came. The last are not sent again, since the
// server may have them. A connection that breaks earlier costs nothing but
// another connection.
package source

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Source sends one run of messages. Run may be called once; everything else is
// safe for concurrent use.
type Source struct {
	// Metrics are the live counters.
	Metrics Metrics

	options  Options
	contents []*content
	drawn    atomic.Uint64 // the next message number
	connect  Histogram
	reply    Histogram
	failures failures

	mu    sync.Mutex
	begun time.Time
	ended time.Time
}

// New checks the options and prepares the messages.
func New(o Options) (*Source, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Source{options: o, contents: []*content{generate(o.Size, time.Now())}}
	if len(o.Files) > 0 {
		if s.contents, err = loadContents(o.Files); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// grace is how long messages that are under way may take once Run is told to
// end.
const grace = 10 * time.Second

// Run sends until all messages are out, the duration is over or ctx ends. It
// returns the error of the first session that had to give up; sessions beside it
// go on. A reply of the server is no error.
func (s *Source) Run(ctx context.Context) (Report, error) {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })()
	s.mark(&s.begun)
	issue := ctx
	if s.options.Duration > 0 {
		var stop context.CancelFunc
		issue, stop = context.WithTimeout(ctx, s.options.Duration)
		defer stop()
	}
	err := s.runSessions(issue, hard)
	s.mark(&s.ended)
	return s.Report(), err
}

func (s *Source) mark(t *time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*t = time.Now()
}

func (s *Source) runSessions(issue, hard context.Context) error {
	errs := make([]error, s.options.Sessions)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = s.newSession(issue, hard).run() })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return fmt.Errorf("source: %w", err)
		}
	}
	return nil
}

// next draws the number of the next message and waits until its time has come.
// It reports false when there is nothing more to send.
func (s *Source) next(ctx context.Context) (n uint64, ok bool) {
	if ctx.Err() != nil {
		return 0, false
	}
	n = s.drawn.Add(1) - 1
	if s.options.Messages > 0 && n >= s.options.Messages {
		return 0, false
	}
	if s.options.Rate > 0 && !wait(ctx, time.Until(s.due(n))) {
		return 0, false
	}
	s.Metrics.Started.Inc()
	return n, true
}

// due is when message n is to start: evenly spaced from the beginning of the
// run, so that a slow spell of the server is made up for.
func (s *Source) due(n uint64) time.Time {
	return s.begun.Add(time.Duration(float64(n) / s.options.Rate * float64(time.Second)))
}

// wait returns true after d, or false as soon as ctx ends.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
