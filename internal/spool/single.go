package spool

import (
	"fmt"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// commitSingle writes a large message into a file of its own, in the session's
// goroutine, so that nobody's small message waits for it. The file is removed
// when the message is done.
func (s *Store) commitSingle(m *Message) (Handle, error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.singles.Done()
	m.number = s.numbers.Add(1)
	r := m.record()
	size := align(dataStart+r.size()+sector, page)
	if (size-dataStart)/recordAlign > maxLength {
		return 0, ErrTooLarge
	}
	g := &segment{slot: s.reserveSlot(), size: size, single: true, phase: phaseSealed, tail: dataStart}
	g.identity = s.newIdentity()
	err := s.buildFile(g, func(f vfs.File) error { return writeSingle(f, g, r, m) })
	if err != nil {
		s.freeSlot(g.slot)
		s.Metrics.Failures.Inc()
		return 0, writeFailure(fmt.Errorf("%s: %w", g.name(), err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slots[g.slot] = g
	s.generations[g.generation] = g
	g.tail += r.size()
	s.Metrics.Committed.Inc()
	s.Metrics.Bytes.Add(m.content.size)
	return s.admitLocked(g, r, dataStart), nil
}

// enter keeps Close waiting until singles.Done is called.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.singles.Add(1)
	return nil
}

func writeSingle(f vfs.File, g *segment, r record, m *Message) error {
	if err := g.writeHeaders(f, flagUsed); err != nil {
		return err
	}
	var w writer
	w.begin(g)
	w.file = f
	if err := w.record(r, m.envelope, m.content); err != nil {
		return err
	}
	return w.flush(g.dataEnd())
}
