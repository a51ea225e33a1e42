package queue

import "math/bits"

// wheel keeps deferred entries by due time: a hierarchical timing wheel of four
// levels of 256 slots. Adding and removing cost the same however many entries
// wait. One tick is 50 ms, so the first level spans 13 seconds and the last almost
// seven years; what is due later waits in the last slot and is
// placed anew when that comes round.
type wheel struct {
	tick  int64 // the tick up to which entries have been handed out
	slots [wheelLevels][wheelSlots]list
	used  [wheelSlots / 64]uint64 // level 0 slots that may hold something
	size  int
}

const (
	wheelLevels = 4
	wheelBits   = 8
	wheelSlots  = 1 << wheelBits
	tickMillis  = 50
)

func newWheel(now int64) *wheel {
	w := &wheel{tick: now / tickMillis}
	for l := range w.slots {
		for i := range w.slots[l] {
			w.slots[l][i].init()
		}
	}
	return w
}

// add files e under e.due, rounded up to a tick.
func (w *wheel) add(e *entry) {
	w.size++
	w.place(e, w.tick+1)
}

// remove takes e out again.
func (w *wheel) remove(e *entry) {
	e.unlink()
	w.size--
}

// place links e into its slot, at the tick earliest or later.
func (w *wheel) place(e *entry, earliest int64) {
	due := max((e.due+tickMillis-1)/tickMillis, earliest)
	ahead := min(due-w.tick, 1<<(wheelBits*wheelLevels)-1)
	due = w.tick + ahead
	level := (bits.Len64(uint64(ahead)) - 1) / wheelBits
	slot := due >> (wheelBits * level) & (wheelSlots - 1)
	w.slots[level][slot].push(e)
	if level == 0 {
		w.used[slot/64] |= 1 << (slot % 64)
	}
}

// advance moves to now and hands every entry that has become due to yield, in
// order of time.
func (w *wheel) advance(now int64, yield func(*entry)) {
	end := now / tickMillis
	for w.tick < end {
		if w.size == 0 {
			w.tick = end
			return
		}
		w.tick++
		if w.tick&(wheelSlots-1) == 0 {
			w.cascade()
		}
		slot := w.tick & (wheelSlots - 1)
		if w.used[slot/64]&(1<<(slot%64)) == 0 {
			continue
		}
		w.used[slot/64] &^= 1 << (slot % 64)
		for e := w.slots[0][slot].pop(); e != nil; e = w.slots[0][slot].pop() {
			w.size--
			yield(e)
		}
	}
}

// cascade brings the entries of the next span of the higher levels down.
func (w *wheel) cascade() {
	for level := 1; level < wheelLevels; level++ {
		slot := w.tick >> (wheelBits * level) & (wheelSlots - 1)
		w.replace(&w.slots[level][slot])
		if slot != 0 {
			return
		}
	}
}

// replace files the entries of l anew. Those due in this very tick go into its
// slot, which advance is about to empty.
func (w *wheel) replace(l *list) {
	first := l.head.next
	if first == &l.head {
		return
	}
	l.head.prev.next = nil
	l.init()
	for e := first; e != nil; {
		next := e.next
		w.place(e, w.tick)
		e = next
	}
}

// next returns when advance has something to do again, or false when nothing
// waits. It may be early: at the latest once per turn of the first level.
func (w *wheel) next() (at int64, ok bool) {
	if w.size == 0 {
		return 0, false
	}
	turn := (w.tick | (wheelSlots - 1)) + 1
	for t := w.tick + 1; t < turn; t++ {
		slot := t & (wheelSlots - 1)
		if word := w.used[slot/64] >> (slot % 64); word == 0 {
			t |= 63 // nothing more in this word
		} else if word&1 != 0 {
			return t * tickMillis, true
		}
	}
	return turn * tickMillis, true
}
