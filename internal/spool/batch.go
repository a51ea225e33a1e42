package spool

import (
	"context"
	"fmt"
)

// batch is what waits for one commit. The open batch is filled by everybody
// under Store.mu; once the committer has taken it, it belongs to the committer.
type batch struct {
	messages []*Message
	marks    []pendingMark
	states   []byte // of the marks, one after the other
	moves    []*moveRequest
	urgent   bool          // somebody waits for it
	err      error         // what became of the marks; set before done is closed
	done     chan struct{} // closed by the committer, last of all
}

// pendingMark is a mark whose message is still named by its handle: where the
// message lies is looked up when the mark is written.
type pendingMark struct {
	kind     markKind
	handle   Handle
	entry    uint32
	state    uint32 // offset in batch.states
	stateLen uint32
	stamp    uint64
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

func (b *batch) stateOf(m pendingMark) []byte {
	return b.states[m.state : m.state+m.stateLen]
}

// addMark appends m with its state.
func (b *batch) addMark(m pendingMark, state []byte) {
	m.state, m.stateLen = uint32(len(b.states)), uint32(len(state))
	b.states = append(b.states, state...)
	b.marks = append(b.marks, m)
}

// prepend puts the marks of an earlier batch, which could not be written, in
// front of those of b.
func (b *batch) prepend(earlier *batch, marks []pendingMark) {
	merged := newBatch()
	for _, m := range marks {
		merged.addMark(m, earlier.stateOf(m))
	}
	for _, m := range b.marks {
		merged.addMark(m, b.stateOf(m))
	}
	b.marks, b.states = merged.marks, merged.states
}

// enqueue hands a message to the committer.
func (s *Store) enqueue(m *Message) (*batch, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, ErrClosed
	}
	b := s.open
	b.messages = append(b.messages, m)
	b.urgent = true
	s.mu.Unlock()
	notify(s.wake)
	return b, nil
}

// notify wakes whoever reads c, now or the next time. c has room for one.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// SetState records the state of an entry. It rides in the next commit and waits
// for nothing; a later state of the same entry replaces it. The store keeps no
// copy of state after that. A state of more than MaxState bytes is not kept,
// and reported as Events.Failed.
func (s *Store) SetState(h Handle, entry uint32, state []byte) {
	if len(state) > s.maxState {
		s.events.failed(s.o.Path, fmt.Errorf("spool: state of entry %d: %d bytes: %w", entry, len(state), ErrTooLarge))
		return
	}
	s.mu.Lock()
	if p := s.table.at(h); p != nil && p.alive() {
		s.stamp++
		s.open.addMark(pendingMark{kind: markState, handle: h, entry: entry, stamp: s.stamp}, state)
	}
	first := len(s.open.marks) == 1
	s.mu.Unlock()
	if first {
		notify(s.wake)
	}
}

// Done says that an entry needs no more. It rides in the next commit and waits
// for nothing. Call it exactly once for each entry: the store counts entries,
// it does not remember them. With the last one the message is dead and h is
// released.
func (s *Store) Done(h Handle, entry uint32) {
	s.mu.Lock()
	if p := s.table.at(h); p != nil && p.alive() {
		s.doneLocked(h, p, entry)
	}
	first := len(s.open.marks) == 1
	s.mu.Unlock()
	if first {
		notify(s.wake)
	}
}

func (s *Store) doneLocked(h Handle, p *place, entry uint32) {
	p.left--
	if p.left > 0 {
		s.open.addMark(pendingMark{kind: markDone, handle: h, entry: entry}, nil)
		return
	}
	p.left = leaving
	r := p.record()
	g := s.slots[p.slot]
	g.alive--
	g.bytes -= r.size()
	g.unmarked++
	s.open.addMark(pendingMark{kind: markGone, handle: h}, nil)
	s.cache.drop(h)
}

// Flush waits until everything handed in before is on disk. An error says that
// it is not, yet: it is tried again with the next commit.
func (s *Store) Flush(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return fmt.Errorf("spool: flush: %w", ErrClosed)
	}
	b := s.flushLocked()
	s.mu.Unlock()
	return s.await(ctx, b)
}

// flushLocked makes the open batch urgent and returns it.
func (s *Store) flushLocked() *batch {
	b := s.open
	b.urgent = true
	notify(s.wake)
	return b
}

func (s *Store) await(ctx context.Context, b *batch) error {
	select {
	case <-b.done:
	case <-ctx.Done():
		return fmt.Errorf("spool: flush: %w", ctx.Err())
	}
	if b.err != nil {
		return fmt.Errorf("spool: flush: %w", b.err)
	}
	return nil
}
