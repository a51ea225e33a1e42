// Package queue decides when each recipient of each message is tried, and what
// follows from how it went.
//
// A message that was accepted is in the spool before the queue knows of it. Its
// recipients are the entries of the queue; each is in one of these places:
//
//	HOLD     in no list, until it is released
//	DEFER    in the timer wheel, until its next attempt is due
//	UNKNOWN  due: being given to the pre-delivery hook and resolved
//	ACTIVE   in the sub-queue of its destination, waiting for a free slot
//	SENDING  with a worker
//
// One goroutine, the schedule, owns all of that. It holds no locks and does no
// I/O: sessions, workers and operators post closures to its inbox, and it runs
// them in batches. Hooks, look-ups, deliveries and reports run on workers,
// which get copies of what they need and post back what came of it. A waiting
// entry costs a few words in a list, not a goroutine or a timer.
//
// An entry leaves with a done mark in the spool, written only after its outcome
// is known and, when a report is due, after the report is itself in the spool.
// A crash in between delivers twice; it does not lose.
package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/policy"
	"github.com/posthaste-mta/posthaste/internal/spool"
)

// ErrStopped is returned for work that arrives after Stop.
var ErrStopped = errors.New("queue: stopped")

// Courier resolves and delivers. Package delivery has the real one. Both calls
// may block on the network and are made from workers, many at a time.
type Courier interface {
	// Resolve finds the hosts to try. An Outcome, when not nil, is final for
	// this attempt.
	Resolve(context.Context, *delivery.Attempt) (*delivery.Destination, *delivery.Outcome)
	// Deliver makes the attempt. Cancelling the context ends it early with a
	// deferred outcome.
	Deliver(context.Context, *delivery.Attempt, *delivery.Destination) delivery.Outcome
}

// Options are what a Queue is built from.
type Options struct {
	Store   *spool.Store
	Courier Courier
	Events  Events
	NewID   func() envelope.ID // ids for the reports that the queue writes
	Metrics *Metrics           // nil: kept but not shown

	// Policies and Suspensions are those of the first moment; see SetPolicies
	// and SetSuspensions.
	Policies      *policy.Rules
	Suspensions   []*policy.Suspension
	PolicyMetrics *policy.Metrics // nil: kept but not shown
}

// Queue is the queue of one process. Its methods are safe for concurrent use.
type Queue struct {
	store    *spool.Store
	courier  Courier
	events   Events
	newID    func() envelope.ID
	metrics  *Metrics
	settings atomic.Pointer[Settings]

	reloading atomic.Bool // the schedule has yet to take settings
	policies  *policy.Metrics
	sizes     [priorities]PriorityMetrics

	rules       *policy.Rules // of the first moment
	suspensions []*policy.Suspension

	inbox   inbox
	crew    crew
	quotas  quotas
	stopped chan struct{} // closed by the schedule when it has ended

	ctx    context.Context // of deliveries; cancelled when draining takes too long
	cancel context.CancelFunc
	loader sync.WaitGroup
}

// New returns a Queue that does nothing until Start.
func New(o Options, s *Settings) *Queue {
	if o.Metrics == nil {
		o.Metrics = new(Metrics)
	}
	q := &Queue{
		store: o.Store, courier: o.Courier, events: o.Events,
		newID: o.NewID, metrics: o.Metrics,
		policies: o.PolicyMetrics, rules: o.Policies, suspensions: o.Suspensions,
		inbox:   inbox{wake: make(chan struct{}, 1)},
		crew:    crew{work: make(chan func())},
		stopped: make(chan struct{}),
	}
	q.quotas.size = &q.metrics.Quotas
	q.settings.Store(s)
	return q
}

// Priorities returns the sizes of each priority from 0, to be registered once
// with the label "priority".
func (q *Queue) Priorities() []*PriorityMetrics {
	var out []*PriorityMetrics
	for p := range q.sizes {
		out = append(out, &q.sizes[p])
	}
	return out
}

// Loaded returns how many messages are in memory.
func (q *Queue) Loaded() int { return int(q.metrics.InMemory.Load()) }

// Start begins scheduling and takes in what the spool kept from earlier runs,
// in the background. New messages may be added at once.
func (q *Queue) Start(ctx context.Context) {
	q.ctx, q.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go newSchedule(q).run()
	q.loader.Add(1)
	go q.recover(ctx)
}

// Stop starts no further attempt, waits for the running ones until ctx ends,
// then cuts them short. Entries that were waiting stay in the spool.
func (q *Queue) Stop(ctx context.Context) error {
	drained := make(chan struct{})
	q.inbox.post(func(s *schedule) { s.drain(drained) })
	var err error
	select {
	case <-drained:
	case <-ctx.Done():
		err = fmt.Errorf("queue: attempts cut short: %w", context.Cause(ctx))
		q.cancel()
		<-drained
	}
	q.cancel()
	q.loader.Wait()
	q.inbox.post(func(s *schedule) { s.ended = true })
	<-q.stopped
	q.crew.dismiss()
	return err
}

// Reload puts new settings in force for everything that is decided from now on.
// Running attempts keep the transport they began with.
func (q *Queue) Reload(s *Settings) {
	q.settings.Store(s)
	// One in the inbox stands for all: it takes the last. Otherwise whoever
	// reloads without pause would make everything stale before it can start.
	if q.reloading.CompareAndSwap(false, true) {
		q.inbox.post((*schedule).reloaded)
	}
}

// Body starts the body of a new message; see spool.Message.
func (q *Queue) Body() *spool.Message { return q.store.NewMessage() }

// Add stores m with its body and schedules its recipients. When it returns nil
// the message is on disk. On an error nothing of it remains.
func (q *Queue) Add(ctx context.Context, m *envelope.Message, body *spool.Message) error {
	if q.inbox.isClosed() {
		return ErrStopped
	}
	buf := envelopes.Get().(*[]byte)
	defer envelopes.Put(buf)
	*buf = m.Append((*buf)[:0])
	h, err := body.Commit(ctx, *buf, len(m.Recipients))
	if err != nil {
		return err
	}
	in := newMessage(h, m, nil)
	q.inbox.post(func(s *schedule) { s.admit(in, nil) })
	return nil
}

var envelopes = sync.Pool{New: func() any { return new([]byte) }}

// ask runs f on the schedule and waits for it.
func (q *Queue) ask(ctx context.Context, f func(*schedule)) error {
	done := make(chan struct{}) // closed by the schedule
	q.inbox.post(func(s *schedule) { f(s); close(done) })
	select {
	case <-done:
		return nil
	case <-q.stopped:
		return ErrStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// inbox is where everybody else leaves work for the schedule.
type inbox struct {
	mu     sync.Mutex
	calls  []func(*schedule)
	closed bool

	wake chan struct{} // holds one token while calls is not empty; never closed
}

func (in *inbox) post(f func(*schedule)) {
	in.mu.Lock()
	in.calls = append(in.calls, f)
	in.mu.Unlock()
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// take empties the inbox into the caller's hands and leaves spare in its place.
func (in *inbox) take(spare []func(*schedule)) []func(*schedule) {
	in.mu.Lock()
	defer in.mu.Unlock()
	calls := in.calls
	in.calls = spare
	return calls
}

func (in *inbox) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed = true
}

func (in *inbox) isClosed() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.closed
}

// crew runs functions on goroutines that are kept for the next one, so that
// their grown stacks are used again.
type crew struct {
	work   chan func() // closed by dismiss, after the last do
	parked atomic.Int32
	wg     sync.WaitGroup
}

// keepParked is how many idle workers are kept.
const keepParked = 512

func (c *crew) do(f func()) {
	select {
	case c.work <- f:
	default:
		c.wg.Add(1)
		go c.run(f)
	}
}

func (c *crew) run(f func()) {
	defer c.wg.Done()
	f()
	for c.parked.Add(1) <= keepParked {
		next, ok := <-c.work
		if !ok {
			break
		}
		c.parked.Add(-1)
		next()
	}
	c.parked.Add(-1)
}

func (c *crew) dismiss() {
	close(c.work)
	c.wg.Wait()
}

// unixMilli is the time of the wheel and of entries.
func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
