package policy

import "time"

// WayView says what keeps an attempt from starting by one source address.
type WayView struct {
	// Local is the address as text; empty where all of them are alike or the
	// system's choice is not known.
	Local      string
	Why        Reason // zero: nothing does
	Since      int64  // when it was last found so
	Counter    *CounterView
	Suspension *SuspensionView
	Holders    []any // Owners of reservations that use up the counter's concurrency, at most so many as asked for
}

// Explain says of each way of l what it waits for. At most some holders of slots
// are named.
func (e *Engine) Explain(l *Line, now int64, holders int) (out []WayView) {
	for i := range l.ways {
		w := &l.ways[i]
		t := w.tuple()
		v := WayView{Local: t.Values[LocalIP], Why: w.why, Since: w.since}
		if w.on != nil {
			e.explain(&v, w.on, now, holders)
		}
		out = append(out, v)
	}
	return out
}

func (e *Engine) explain(v *WayView, on *waitList, now int64, holders int) {
	if on.suspension != nil {
		s := on.suspension.view(now)
		v.Suspension = &s
		return
	}
	c := on.counter
	if !c.binds() {
		return // the limit has just gone
	}
	for i, f := range e.families {
		if f == c.family {
			view := e.counterView(i, c.key, c, now)
			v.Counter = &view
		}
	}
	if v.Why != ByConcurrency {
		return
	}
	for r := e.flight.head.next; r != &e.flight.head && len(v.Holders) < holders; r = r.next {
		if r.charges(c) {
			v.Holders = append(v.Holders, r.Owner)
		}
	}
}

// Since is when the reservation was made.
func (r *Reservation) Since() time.Duration { return time.Duration(r.granted) }

// Tuple is what the sub-queue is told apart by.
func (l *Line) Tuple() Tuple { return l.tuple }

// InTurn reports whether l is among those that are looked at: nothing is known
// to hold it back.
func (l *Line) InTurn() bool { return l.next != nil }
