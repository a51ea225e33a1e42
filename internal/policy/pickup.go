package policy

import "net/netip"

// Reservation is a unit of every counter that binds an attempt, from Next to
// Release.
type Reservation struct {
	// Owner is for the caller.
	Owner any
	// Source is the address to leave from; its Index is -1 where the system
	// chooses.
	Source Source
	// MayConnect says that a new connection may be made. Where it is false only a
	// pooled one may be used, or Connect asked.
	MayConnect bool
	// Applied is what bound the attempt.
	Applied *Applied

	tuple      Tuple
	counters   []*counter // of the binding, not to be changed
	extra      []*counter // bound later
	granted    int64      // when a new connection was allowed
	next, prev *Reservation
}

// flight is the reservations that are not released, oldest first.
type flight struct {
	head  Reservation
	spare *Reservation // for use again, by next
}

func (f *flight) init() { f.head.next, f.head.prev = &f.head, &f.head }

func (f *flight) push() *Reservation {
	r := f.spare
	if r != nil {
		f.spare = r.next
	} else {
		r = new(Reservation)
	}
	r.next, r.prev = &f.head, f.head.prev
	r.prev.next, f.head.prev = r, r
	return r
}

func (f *flight) remove(r *Reservation) {
	r.prev.next, r.next.prev = r.next, r.prev
	extra := r.extra[:0]
	*r = Reservation{next: f.spare, extra: extra}
	f.spare = r
}

// Next returns the line that may start an attempt now, in turn and those with
// the high priority first, with a Reservation. pooled, if not nil, tells whether
// there is an idle connection for the line from its source of that place: such
// an attempt need not wait for the interval between connections. Both are nil
// when nothing may start.
func (e *Engine) Next(now int64, pooled func(l *Line, source int) bool) (*Line, *Reservation) {
	for l := e.turn(); l != nil; l = e.turn() {
		if r := e.try(l, now, pooled); r != nil {
			return l, r
		}
		e.ready[l.ring].remove(l)
		e.metrics.Skips.Inc()
		e.looked(l, now)
	}
	e.metrics.Misses.Inc()
	return nil, nil
}

// turn returns the line whose turn it is, or nil.
func (e *Engine) turn() *Line {
	for p := priorities - 1; p >= 0; p-- {
		if l := e.ready[p].turn(); l != nil {
			return l
		}
	}
	return nil
}

// try reserves for the first way of l that is open; what is not is parked. The
// line must be in a ring, and is not in one afterwards only by the caller's
// hand.
func (e *Engine) try(l *Line, now int64, pooled func(*Line, int) bool) *Reservation {
	n := uint32(len(l.ways))
	first := uint32(0)
	if !l.sources.Ordered {
		l.turn++
		first = l.turn % n
	}
	for i := range n {
		place := int((first + i) % n)
		w := &l.ways[place]
		if w.on != nil {
			continue
		}
		e.metrics.Evals.Inc()
		b := e.bind(w, now)
		list, reason := e.obstacle(b, now)
		source := l.source(place)
		connect := true
		if reason == ByConnectInterval && pooled != nil && pooled(l, source) {
			list, connect = nil, false
		}
		if list != nil {
			e.park(w, list, reason, now)
			e.arm(list, now)
			continue
		}
		r := e.reserve(b, &l.sources.list[source], l, now, connect)
		e.looked(l, now)
		return r
	}
	return nil
}

// source is the place of the address of a way, by turns where one way stands
// for all.
func (l *Line) source(way int) int {
	n := len(l.sources.list)
	if len(l.ways) == n || l.sources.Ordered {
		return way
	}
	return int(l.turn % uint32(n))
}

// obstacle returns what the way of b has to wait for, nil when it is open.
func (e *Engine) obstacle(b *binding, now int64) (*waitList, Reason) {
	if b.suspended != nil {
		return &b.suspended.waits, BySuspension
	}
	var connect *waitList
	for _, c := range b.counters {
		switch reason := c.why(now, true); reason {
		case noReason:
		case ByConnectInterval:
			connect = &c.waits
		default:
			return &c.waits, reason
		}
	}
	if connect != nil {
		return connect, ByConnectInterval
	}
	return nil, noReason
}

// arm sets the timer of the counter of a list in which something waits for time
// to pass.
func (e *Engine) arm(l *waitList, now int64) {
	if c := l.counter; c != nil {
		if at := c.until(now); at > 0 {
			e.timers.set(&c.timer, max(at, now+1))
		}
	}
}

func (e *Engine) reserve(b *binding, s *Source, l *Line, now int64, connect bool) *Reservation {
	for _, c := range b.counters {
		c.take(now)
		if connect {
			c.connect(now)
		}
	}
	r := e.flight.push()
	r.Source, r.MayConnect, r.granted, r.Applied = *s, connect, now, b.applied
	r.tuple, r.counters = l.tuple, b.counters
	r.tuple.Local, r.tuple.Values[LocalIP] = s.Addr, s.text
	return r
}

// Describe gives r the whole tuple of what was picked up, of which its line may
// know less. The source address of r stays.
func (r *Reservation) Describe(t *Tuple) {
	r.tuple = t.From(r.Source)
}

// Tuple is what r was described with.
func (r *Reservation) Tuple() Tuple { return r.tuple }

// Connect asks whether one more connection may be made for r. If so it is
// counted; if not, at is when to ask again.
func (e *Engine) Connect(r *Reservation, now int64) (at int64, ok bool) {
	if r.MayConnect {
		r.MayConnect = false // it was counted when the attempt was picked up
		return 0, true
	}
	for _, list := range [...][]*counter{r.counters, r.extra} {
		for _, c := range list {
			if !c.mayConnect(now) {
				at = max(at, c.connected)
			}
		}
	}
	if at > 0 {
		return at, false
	}
	for _, list := range [...][]*counter{r.counters, r.extra} {
		for _, c := range list {
			c.connect(now)
		}
	}
	return 0, true
}

// Limited reports whether connections for r have to be Connect'ed.
func (r *Reservation) Limited() bool {
	for _, c := range r.counters {
		if c.rule != nil && c.rule.limits.ConnectInterval > 0 {
			return true
		}
	}
	return false
}

// Release ends an attempt. What it was allowed and has not used, a new
// connection, is given back; r must not be used any more.
func (e *Engine) Release(r *Reservation, now int64) {
	for _, c := range r.counters {
		if r.MayConnect {
			c.ungrant(r.granted)
		}
		e.returned(c, now)
	}
	for _, c := range r.extra {
		e.returned(c, now)
	}
	e.flight.remove(r)
}

// Cancel ends what was picked up and not begun, as if it had not been: what the
// rates allowed is given back, too.
func (e *Engine) Cancel(r *Reservation, now int64) {
	for _, c := range r.counters {
		c.untake()
	}
	e.Release(r, now)
}

func (e *Engine) returned(c *counter, now int64) {
	c.used--
	e.wake(c, now)
	if c.awake == 0 && c.waits.size > 0 && c.room(now) > 0 {
		e.rouse(c, now) // there may be a connection in the pool now
	}
	e.tidy(c, now)
}

// recharge counts the attempts under way in the counters that bind them since a
// change, for which m holds, or all when m is nil. What they were counted in
// before goes on counting them until they end.
func (e *Engine) recharge(m *Match, now int64) {
	for r := e.flight.head.next; r != &e.flight.head; r = r.next {
		if m != nil && !m.Holds(&r.tuple) {
			continue
		}
		counters, _ := e.bound(&r.tuple, now)
		for _, c := range counters {
			if !r.charges(c) {
				r.extra = append(r.extra, c)
				c.used++
			}
		}
	}
}

func (r *Reservation) charges(c *counter) bool {
	for _, list := range [...][]*counter{r.counters, r.extra} {
		for _, have := range list {
			if have == c {
				return true
			}
		}
	}
	return false
}

func parseAddr(s string) netip.Addr {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return a
}
