package backoff

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/policy"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// Queue is what a Watcher asks of the queue that it slows down.
type Queue interface {
	AddPolicy(ctx context.Context, d *policy.Dynamic, update bool) (id string, err error)
	ReplacePolicy(ctx context.Context, old, next *policy.Dynamic) (replaced bool, err error)
	Suspend(ctx context.Context, p *policy.Suspension, update bool) (id string, err error)
}

// Events are facts that leave a Watcher, from its own goroutine. Nil fields are
// not called.
type Events struct {
	// Changed is called when a step or a suspension is put in force, and with Step
	// 0 when all limits of a place have ended.
	Changed func(Change)
	// Failed is called when the queue did not take what was wanted.
	Failed func(error)
}

// Change is what a Watcher has done.
type Change struct {
	ID      string        // of the policy
	Step    int           // in force now, from 1; 0: none
	Suspend time.Duration // for so long nothing goes; 0: it is not suspended
	Rule    string        // that knew the reply; empty where a place recovers
	Reply   string
}

// Watcher is the back-off of one queue. Configure, Attempted and Metrics are safe
// for concurrent use.
type Watcher struct {
	queue   Queue
	events  Events
	metrics Metrics
	options atomic.Pointer[Options] // nil: off
	inbox   chan *complaint
	cancel  context.CancelFunc
	done    sync.WaitGroup

	// Of the goroutine.
	places map[place]*limit
	wake   time.Time // when a limit gives way next
	timer  *time.Timer
}

// Bounds of what complaints cost: those that wait to be looked at, and places
// that are known. A place takes about 1 KB.
const (
	maxWaiting = 1024
	maxPlaces  = 10_000
)

// New returns a Watcher that is off.
func New(q Queue, events Events) *Watcher {
	return &Watcher{queue: q, events: events, inbox: make(chan *complaint, maxWaiting), places: map[place]*limit{}}
}

// Metrics returns the counts of w.
func (w *Watcher) Metrics() *Metrics { return &w.metrics }

// Configure puts options in force, which have passed Check; nil turns back-off
// off. What is in force already goes on to its end.
func (w *Watcher) Configure(o *Options) { w.options.Store(o) }

// Start begins to act until ctx ends or Stop is called.
func (w *Watcher) Start(ctx context.Context) {
	ctx, w.cancel = context.WithCancel(ctx)
	w.timer = time.NewTimer(time.Hour)
	w.done.Go(func() { w.run(ctx) })
}

// Stop ends w and waits. Limits in force stay until their ends. A Watcher that was
// not started may be stopped.
func (w *Watcher) Stop() {
	if w.cancel != nil {
		w.cancel()
	}
	w.done.Wait()
}

// Attempted takes note of how an attempt ended. It does not block. What the peer
// did not say itself is no complaint. A delivery costs 2 ns, a failure that no
// rule knows some 3 µs; see BenchmarkAttempted.
func (w *Watcher) Attempted(v *queue.View, out *delivery.Outcome) {
	if out.Status == delivery.Delivered || !out.FromPeer {
		return
	}
	o := w.options.Load()
	if o == nil {
		return
	}
	c := o.judge(v, out)
	if c == nil {
		return
	}
	w.metrics.Complaints.Inc()
	select {
	case w.inbox <- c:
	default:
		w.metrics.Dropped.Inc()
	}
}

func (w *Watcher) run(ctx context.Context) {
	defer w.timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-w.inbox:
			w.hear(ctx, c, time.Now())
		case <-w.timer.C:
			w.relax(ctx, time.Now())
		}
	}
}

// hear lets the limit of a place react.
func (w *Watcher) hear(ctx context.Context, c *complaint, now time.Time) {
	l := w.places[c.place]
	if l == nil {
		if len(w.places) >= maxPlaces {
			w.metrics.Dropped.Inc()
			return
		}
		l = &limit{place: c.place}
		w.places[c.place] = l
		w.metrics.Places.Set(int64(len(w.places)))
	}
	if l.complain(c, now) {
		w.enforce(ctx, l, now, c)
	}
	w.wakeAt(l.next, now)
}

// relax lets those limits give way whose time has come, and forgets places at
// which nothing is in force or remembered.
func (w *Watcher) relax(ctx context.Context, now time.Time) {
	w.wake = time.Time{}
	for p, l := range w.places {
		if !now.Before(l.next) && l.relax(now) {
			w.metrics.Relaxed.Inc()
			w.enforce(ctx, l, now, nil)
		}
		if l.step == 0 && !now.Before(l.next) {
			delete(w.places, p)
			continue
		}
		w.wakeAt(l.next, now)
	}
	w.metrics.Places.Set(int64(len(w.places)))
}

// wakeAt has relax called at a time, if not before.
func (w *Watcher) wakeAt(at, now time.Time) {
	if w.wake.IsZero() || at.Before(w.wake) {
		w.wake = at
		w.timer.Reset(max(at.Sub(now), time.Millisecond))
	}
}
