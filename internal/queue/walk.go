package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
)

// walkBatch bounds how many entries the schedule looks at in one go, so that a
// walk over millions delays deliveries by well under a millisecond at a time.
const (
	walkBatch = 1024
	walkYield = 128 // matches copied in one go
)

// Walk calls yield for each entry that f selects, in the order in which they
// are kept in memory, until yield returns false. It copies a few at a time:
// entries that come or go meanwhile may be seen or not, those that stay are
// seen once. The View is only valid during the call.
func (q *Queue) Walk(ctx context.Context, f *Filter, yield func(*View) bool) error {
	var at cursor
	batch := make([]View, 0, walkYield)
	for !at.done {
		batch = batch[:0]
		err := q.ask(ctx, func(s *schedule) { batch = s.gather(&at, f, batch) })
		if err != nil {
			return err
		}
		for i := range batch {
			if q.selected(f, &batch[i]) && !yield(&batch[i]) {
				return nil
			}
		}
	}
	return nil
}

// selected finishes what gather began: the tests that need the spool. What
// cannot be read is not selected; one bad record must not end the walk.
func (q *Queue) selected(f *Filter, v *View) bool {
	if !f.NeedsLoad() {
		return true
	}
	if err := q.Load(v); err != nil {
		if !errors.Is(err, ErrGone) {
			q.failed(fmt.Errorf("queue: condition on message %s: %w", v.ID, err))
		}
		return false
	}
	return allOf(f.costly, v, time.Now())
}

// cursor is a place in a walk.
type cursor struct {
	slot  int
	entry int
	done  bool
}

// gather copies the next matching entries to batch.
func (s *schedule) gather(at *cursor, f *Filter, batch []View) []View {
	now := time.UnixMilli(s.now)
	for range walkBatch {
		e := s.step(at)
		if e == nil || len(batch) == cap(batch) {
			return batch
		}
		batch = batch[:len(batch)+1]
		v := &batch[len(batch)-1]
		e.view(v)
		if slot := s.running[e]; slot != nil {
			v.LocalIP = slot.Source.Addr
		}
		if !f.cheaply(v, now) {
			batch = batch[:len(batch)-1]
		}
		if len(batch) == cap(batch) {
			return batch
		}
	}
	return batch
}

// step returns the entry at the cursor and moves it on; nil at the end.
func (s *schedule) step(at *cursor) *entry {
	for at.slot < len(s.slots) {
		m := s.slots[at.slot]
		for m != nil && at.entry < len(m.entries) {
			e := &m.entries[at.entry]
			at.entry++
			if e.flags&isGone == 0 {
				return e
			}
		}
		at.slot, at.entry = at.slot+1, 0
	}
	at.done = true
	return nil
}

// Count returns how many entries f selects.
func (q *Queue) Count(ctx context.Context, f *Filter) (n int, err error) {
	err = q.Walk(ctx, f, func(*View) bool { n++; return true })
	return n, err
}

// find returns the entry that was seen in a slot, or nil when it is gone.
func (s *schedule) find(slot uint32, id envelope.ID, number uint32) *entry {
	m := s.slots[slot]
	if m == nil || m.id != id {
		return nil
	}
	for i := range m.entries {
		if e := &m.entries[i]; e.number == number && e.flags&isGone == 0 {
			return e
		}
	}
	return nil
}

// Sizes is the number of entries by state.
type Sizes map[State]int

// Sizes counts entries by state, and messages that wait on disk.
func (q *Queue) Sizes(ctx context.Context) (sizes Sizes, onDisk int, err error) {
	err = q.ask(ctx, func(s *schedule) {
		sizes = Sizes{}
		for st, n := range s.counts {
			sizes[State(st)] = n
		}
		onDisk = len(s.pending)
	})
	return sizes, onDisk, err
}
