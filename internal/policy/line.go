package policy

import "math/rand/v2"

// Line is a sub-queue as policies see it: entries whose fields are the same as
// far as any policy or suspension names them, and that may leave from the same
// addresses. It belongs to the goroutine of its Engine.
type Line struct {
	// Owner is for the caller.
	Owner any

	tuple   Tuple // of the fields that count
	sources *Sources
	ways    []way // one for each source, or one for all where no rule names localip
	turn    uint32
	refs    int32
	waiting [priorities]int32

	next, prev *Line // in a ring of the Engine; nil: in none
	ring       uint8 // which
}

// way is a line from one source address.
type way struct {
	line  *Line
	bound *binding // nil: nobody has looked yet

	next, prev *way      // in the list on
	on         *waitList // nil: it is not known to be blocked
	since      int64     // when it came there
	woke       *counter  // that had room for it
	why        Reason
	rank       uint8  // the priority with which it waits
	place      uint16 // in line.ways
}

// binding is what holds for a way: found once, and again after a change that
// concerns it.
type binding struct {
	generation uint32
	suspended  *Suspension // nil: by none
	counters   []*counter  // those that bind, in order of the policies
	applied    *Applied
}

type lineKey struct {
	values  Values
	sources *Sources
}

// Line returns the sub-queue for a tuple, whose Owner is nil when it is new. It
// must be given back with Leave.
func (e *Engine) Line(t *Tuple, sources *Sources) *Line {
	only := t.only(e.fields)
	key := lineKey{only.Values, sources}
	l := e.lines[key]
	if l == nil {
		n := 1
		if e.fields.Has(LocalIP) {
			n = len(sources.list)
		}
		l = &Line{tuple: only, sources: sources, ways: make([]way, n)}
		for i := range l.ways {
			l.ways[i].line, l.ways[i].place = l, uint16(i)
		}
		if !sources.Ordered {
			l.turn = rand.Uint32() //nolint:gosec // where to begin
		}
		e.lines[key] = l
	}
	l.refs++
	return l
}

// Leave gives a Line back. It must have no entries that came by this reference.
func (e *Engine) Leave(l *Line, now int64) {
	if l.refs--; l.refs > 0 {
		return
	}
	if key := (lineKey{l.tuple.Values, l.sources}); e.lines[key] == l {
		delete(e.lines, key)
	}
	e.ready[l.ring].remove(l)
	for i := range l.ways {
		w := &l.ways[i]
		if w.on != nil {
			e.unpark(w)
		}
	}
	e.looked(l, now)
	for i := range l.ways {
		e.unbind(&l.ways[i], now)
	}
}

// Add says that n more entries wait in l.
func (e *Engine) Add(l *Line, priority uint8, n int, now int64) {
	first := l.waiting[priority] == 0
	l.waiting[priority] += int32(n)
	if l.next == nil && l.blocked() {
		if first {
			e.raise(l, now)
		}
		return
	}
	e.enter(l)
}

// Remove says that n entries have left l.
func (e *Engine) Remove(l *Line, priority uint8, n int, now int64) {
	l.waiting[priority] -= int32(n)
	if l.next == nil || l.waiting[priority] > 0 {
		return
	}
	e.enter(l)
	if l.next == nil {
		e.looked(l, now) // what it was woken for is another's
	}
}

// Waiting is how many entries of a priority wait.
func (l *Line) Waiting(priority uint8) int { return int(l.waiting[priority]) }

// Source is the address at a place of those that its entries may leave from.
func (l *Line) Source(place int) Source { return l.sources.list[place] }

// top is the highest priority that has entries, -1 if none has.
func (l *Line) top() int {
	for p := priorities - 1; p >= 0; p-- {
		if l.waiting[p] > 0 {
			return p
		}
	}
	return -1
}

// blocked reports whether every way waits.
func (l *Line) blocked() bool {
	for i := range l.ways {
		if l.ways[i].on == nil {
			return false
		}
	}
	return true
}

// raise moves the ways of l to where its highest priority waits.
func (e *Engine) raise(l *Line, now int64) {
	top := l.top()
	for i := range l.ways {
		w := &l.ways[i]
		if w.on == nil || int(w.rank) >= top {
			continue
		}
		on, why, since, counted := w.on, w.why, w.since, w.on.reason
		on.remove(w)
		on.push(w, top, why, now)
		w.since, on.reason = since, counted
	}
}

// enter puts l into the ring of its priority, or takes it out when it has
// nothing.
func (e *Engine) enter(l *Line) {
	top := l.top()
	if l.next != nil {
		if top == int(l.ring) {
			return
		}
		e.ready[l.ring].remove(l)
	}
	if top >= 0 {
		l.ring = uint8(top)
		e.ready[top].add(l)
	}
}

// lineRing is the lines that may have something to send, visited in turn.
type lineRing struct {
	at   *Line
	size int
}

func (r *lineRing) add(l *Line) {
	r.size++
	if r.at == nil {
		l.next, l.prev = l, l
		r.at = l
		return
	}
	l.next, l.prev = r.at, r.at.prev
	l.prev.next, l.next.prev = l, l
}

func (r *lineRing) remove(l *Line) {
	if l.next == nil {
		return
	}
	r.size--
	if l.next == l {
		r.at = nil
	} else {
		l.prev.next, l.next.prev = l.next, l.prev
		if r.at == l {
			r.at = l.next
		}
	}
	l.next, l.prev = nil, nil
}

// turn returns the line whose turn it is, or nil, and passes the turn on.
func (r *lineRing) turn() *Line {
	l := r.at
	if l != nil {
		r.at = l.next
	}
	return l
}
