package script

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/metric"
)

// Pool bounds how many scripts run at once. Scripts that may not run yet wait in
// the order of their coming, those of the higher priority first.
//
// A script that waits for something outside has no place in the pool meanwhile
// (see value.Turn), and one that computes for more than ten milliseconds goes to
// the end of the line when others wait. So nothing that a script does holds up
// the others for longer than it takes to go once round those that want to run.
// The number of scripts that have begun is bounded too, as each holds memory; one
// beyond that waits for another to end. Who waits is a session or a worker of the
// queue, so their limits bound the line.
//
// It is safe for concurrent use. A nil Pool has no bounds.
type Pool struct {
	id      string
	metrics PoolMetrics
	crowd   atomic.Int64 // seats that wait; read without mu

	mu      sync.Mutex
	size    int // scripts that run at once
	most    int // scripts that have begun and not ended
	running int
	begun   int
	next    uint64           // ticket
	fresh   [priorities]line // have not begun
	again   [priorities]line // have begun, and waited for something or let others go first
	began   line             // all that have begun, for the watch
	watched bool             // the timer of the watch runs
}

// PoolMetrics are the gauges of one pool; the label id tells pools apart.
type PoolMetrics struct {
	Running     metric.Func `name:"threads_scripts_running" help:"Scripts of the pool that run."`
	Pending     metric.Func `name:"threads_scripts_pending" help:"Scripts that wait to begin."`
	Scripts     metric.Func `name:"threads_scripts_scripts" help:"Scripts that have begun: they run, wait for something, or wait to go on."`
	Rescheduled metric.Func `name:"threads_scripts_rescheduled" help:"Scripts that wait to go on."`
	MaxRunning  metric.Func `name:"threads_scripts_maxrunning" help:"Most scripts that run at once." kind:"counter"`
	MaxScripts  metric.Func `name:"threads_scripts_maxscripts" help:"Most scripts that have begun." kind:"counter"`
}

// priorities are those of connections and messages: 0 and 1.
const priorities = 2

// NewPool returns a pool for size scripts that run at once, and most that have
// begun. Both are at least 1.
func NewPool(id string, size, most int) *Pool {
	p := &Pool{id: id}
	p.Resize(size, most)
	read := func(f func() int64) metric.Func {
		return func() float64 {
			p.mu.Lock()
			defer p.mu.Unlock()
			return float64(f())
		}
	}
	p.metrics = PoolMetrics{
		Running:     read(func() int64 { return int64(p.running) }),
		Pending:     read(func() int64 { return p.fresh[0].n + p.fresh[1].n }),
		Scripts:     read(func() int64 { return int64(p.begun) }),
		Rescheduled: read(func() int64 { return p.again[0].n + p.again[1].n }),
		MaxRunning:  read(func() int64 { return int64(p.size) }),
		MaxScripts:  read(func() int64 { return int64(p.most) }),
	}
	return p
}

// ID returns the name of the pool.
func (p *Pool) ID() string { return p.id }

// Metrics returns the gauges of the pool.
func (p *Pool) Metrics() *PoolMetrics { return &p.metrics }

// Size returns how many scripts run at once; 0 for a pool without bounds.
func (p *Pool) Size() int {
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.size
}

// Resize changes the bounds. Scripts that run go on.
func (p *Pool) Resize(size, most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size, p.most = max(size, 1), max(most, size, 1)
	p.grantLocked()
}

// checker looks whether a script is still wanted, and ends it if not.
// *session.Connection is one.
type checker interface{ Check() }

// seat is one script in a pool. It implements value.Turn.
type seat struct {
	pool     *Pool
	priority uint8
	hook     *hookMetrics
	check    checker // nil: the script is always wanted
	state    seatState

	// Below: guarded by pool.mu.
	granted chan struct{} // receives one token when the seat may run; made when it waits
	ticket  uint64
	fresh   bool // has not begun
	waiting *line
	old     bool // was there when the watch came by
	prev    *seat
	next    *seat
	watch   struct{ prev, next *seat }
}

// seatState says where a seat is counted. Only the script itself reads it.
type seatState uint8

const (
	seatWaiting seatState = iota
	seatRunning
	seatResting
)

var seats = sync.Pool{New: func() any { return new(seat) }}

// enter waits until a script may begin. The error is the cause of ctx.
func (p *Pool) enter(ctx context.Context, priority uint8, hook *hookMetrics, check checker) (*seat, error) {
	s := seats.Get().(*seat)
	s.pool, s.priority, s.hook, s.check, s.fresh = p, min(priority, priorities-1), hook, check, true
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// leave ends a script, which need not be running.
func (s *seat) leave() {
	p := s.pool
	p.mu.Lock()
	switch s.state {
	case seatRunning:
		p.running--
		s.hook.Running.Dec()
	case seatResting:
		s.hook.Suspended.Dec()
	}
	p.begun--
	p.began.removeWatched(s)
	p.grantLocked()
	p.mu.Unlock()
	*s = seat{}
	seats.Put(s)
}

// take waits for the right to run.
func (s *seat) take(ctx context.Context) error {
	p := s.pool
	p.mu.Lock()
	if p.crowd.Load() == 0 && p.roomLocked(s) {
		p.beginLocked(s)
		p.mu.Unlock()
		s.state = seatRunning
		return nil
	}
	p.queueLocked(s)
	p.grantLocked() // those before it may be waiting for a script to end, and not for a place
	p.mu.Unlock()
	return s.wait(ctx)
}

// wait waits for what grantLocked gives.
func (s *seat) wait(ctx context.Context) error {
	s.hook.Pending.Inc()
	defer s.hook.Pending.Dec()
	select {
	case <-s.granted:
		s.state = seatRunning
		return nil
	case <-ctx.Done():
		return s.giveUp(ctx)
	}
}

// giveUp takes the seat out of its line, unless it was granted at this moment.
func (s *seat) giveUp(ctx context.Context) error {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.waiting == nil {
		<-s.granted
		s.state = seatRunning
		return nil // the script finds out by itself
	}
	p.unqueueLocked(s)
	return context.Cause(ctx)
}

// Rest implements value.Turn.
func (s *seat) Rest() {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	s.state = seatResting
	s.hook.Running.Dec()
	s.hook.Suspended.Inc()
	p.grantLocked()
}

// Resume implements value.Turn.
func (s *seat) Resume(ctx context.Context) error {
	s.state = seatWaiting
	s.hook.Suspended.Dec()
	return s.take(ctx)
}

// Pass implements value.Turn.
func (s *seat) Pass(ctx context.Context) error {
	if s.pool.crowd.Load() == 0 {
		return nil
	}
	p := s.pool
	p.mu.Lock()
	p.running--
	s.state = seatWaiting
	s.hook.Running.Dec()
	p.queueLocked(s)
	p.grantLocked() // perhaps to s itself, if all others wait for one to end
	p.mu.Unlock()
	return s.wait(ctx)
}

// roomLocked reports whether the seat may run now.
func (p *Pool) roomLocked(s *seat) bool {
	return p.running < p.size && (!s.fresh || p.begun < p.most)
}

// beginLocked makes the seat run.
func (p *Pool) beginLocked(s *seat) {
	p.running++
	s.hook.Running.Inc()
	if !s.fresh {
		return
	}
	s.fresh = false
	p.begun++
	p.began.addWatched(s)
	if !p.watched {
		p.watched = true
		time.AfterFunc(watchInterval, p.watch)
	}
}

func (p *Pool) queueLocked(s *seat) {
	if s.granted == nil {
		s.granted = make(chan struct{}, 1)
	}
	s.ticket = p.next
	p.next++
	s.waiting = &p.again[s.priority]
	if s.fresh {
		s.waiting = &p.fresh[s.priority]
	}
	s.waiting.add(s)
	p.crowd.Add(1)
}

func (p *Pool) unqueueLocked(s *seat) {
	s.waiting.remove(s)
	s.waiting = nil
	p.crowd.Add(-1)
}

// grantLocked gives free places to those who wait.
func (p *Pool) grantLocked() {
	for p.running < p.size {
		s := p.firstLocked()
		if s == nil {
			return
		}
		p.unqueueLocked(s)
		p.beginLocked(s)
		s.granted <- struct{}{}
	}
}

// firstLocked returns who is to run next, or nil. One that has not begun is
// passed over while as many have as may.
func (p *Pool) firstLocked() *seat {
	for priority := priorities - 1; priority >= 0; priority-- {
		first, other := p.again[priority].first, p.fresh[priority].first
		if p.begun >= p.most {
			other = nil
		}
		if first == nil || other != nil && other.ticket < first.ticket {
			first = other
		}
		if first != nil {
			return first
		}
	}
	return nil
}

// watchInterval is how often scripts that take their time are looked at.
const watchInterval = time.Second

// watch looks whether scripts that have been there for a while are still
// wanted: nobody reads from a client while its hook runs, so that it goes
// unnoticed when the client leaves.
func (p *Pool) watch() {
	for _, check := range p.longLasting() {
		check.Check()
	}
}

// longLasting returns the checks of the scripts that were there a while ago, and
// arms the timer again if there are scripts at all.
func (p *Pool) longLasting() (checks []checker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := p.began.first; s != nil; s = s.watch.next {
		if s.old && s.check != nil {
			checks = append(checks, s.check)
		}
		s.old = true
	}
	if p.watched = p.begun > 0; p.watched {
		time.AfterFunc(watchInterval, p.watch)
	}
	return checks
}

// line is a list of seats in order.
type line struct {
	first, last *seat
	n           int64
}

func (l *line) add(s *seat) {
	s.prev, s.next = l.last, nil
	if l.last == nil {
		l.first = s
	} else {
		l.last.next = s
	}
	l.last = s
	l.n++
}

func (l *line) remove(s *seat) {
	if s.prev == nil {
		l.first = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		l.last = s.prev
	} else {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
	l.n--
}

// addWatched and removeWatched do the same by the links of the watch.
func (l *line) addWatched(s *seat) {
	s.watch.prev, s.watch.next = l.last, nil
	if l.last == nil {
		l.first = s
	} else {
		l.last.watch.next = s
	}
	l.last = s
}

func (l *line) removeWatched(s *seat) {
	if s.watch.prev == nil {
		l.first = s.watch.next
	} else {
		s.watch.prev.watch.next = s.watch.next
	}
	if s.watch.next == nil {
		l.last = s.watch.prev
	} else {
		s.watch.next.watch.prev = s.watch.prev
	}
	s.watch.prev, s.watch.next = nil, nil
}

var _ value.Turn = (*seat)(nil)
