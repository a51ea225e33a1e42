package spool

// fits says whether need bytes have room at off in g. With no spare segment
// behind it, the last eighth is kept for copying forward, which frees segments,
// and the last sixteenth for marks, which free messages.
func fits(g *segment, off int64, c class, need int64, spares int) bool {
	limit := g.dataEnd()
	switch {
	case spares > 0:
	case c == forMessages:
		limit -= g.size / 8
	case c == forMoves:
		limit -= g.size / 16
	}
	return off+need <= limit
}

// segmentFor returns a segment with room for need bytes, going on to the next
// one when the active one has not.
//
// A message never gets the last of the reserve: when no segment can be added,
// it may neither take the last spare one, nor the end of the active one where
// there is no spare. So a full disk still takes the marks that make room again.
func (s *Store) segmentFor(c class, need int64) (*segment, error) {
	for {
		if s.c.active != nil && fits(s.c.active, s.c.active.tail, c, need, s.spareCount()) {
			return s.c.active, nil
		}
		if s.mayRotate(c) {
			s.rotate()
			continue
		}
		before := s.spareCount()
		if err := s.needSpare(before + 1); err != nil {
			return nil, writeFailure(err)
		}
	}
}

// mayRotate says whether there is a spare segment that c may take.
func (s *Store) mayRotate(c class) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.spares) > 1 || len(s.spares) == 1 && (c != forMessages || !s.full)
}

func (s *Store) spareCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.spares)
}

func (s *Store) cutsPending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.cuts)
}

// rotate seals the active segment and goes on with the first spare one.
func (s *Store) rotate() {
	s.mu.Lock()
	if old := s.c.active; old != nil {
		old.phase = phaseSealed
		s.checkLocked(old)
	}
	next := s.spares[0]
	s.spares = append(s.spares[:0], s.spares[1:]...)
	s.turns++
	next.phase, next.turn, next.tail = phaseActive, s.turns, dataStart
	s.c.active = next
	s.mu.Unlock()
	notify(s.tend)
	notify(s.move)
}

// fail tells everything left of a batch that it came to nothing. Marks are kept
// for the next batch.
func (s *Store) fail(b *batch, rest *part, err error) {
	if len(rest.marks) > 0 {
		b.err = err
	}
	for _, m := range rest.messages {
		m.err = err
	}
	for _, req := range rest.moves {
		req.err = err
	}
	s.mu.Lock()
	s.open.prepend(b, rest.marks)
	s.mu.Unlock()
	s.c.delay = retryDelay
	s.writeCuts()
	notify(s.move)
}

// poison ends the use of a segment in which a write or sync failed. What the
// kernel did with the bytes nobody knows, and asking again would not tell
// (https://lwn.net/Articles/752063/), so nothing is tried again in this file. A
// cut, written into the next segment, makes what may have reached the disk void.
func (s *Store) poison(g *segment, cause error) {
	s.mu.Lock()
	g.phase = phasePoisoned
	s.cuts = append(s.cuts, mark{kind: markCut, home: g.generation, number: uint64(g.tail)})
	s.checkLocked(g)
	s.mu.Unlock()
	s.c.active = nil
	s.Metrics.Failures.Inc()
	s.events.failed(g.name(), cause)
}

// writeCuts makes the cuts durable before anybody learns that his message
// failed. When that fails too, they stay pending; only a crash before they are
// written can then bring back a message that was refused.
func (s *Store) writeCuts() {
	const tries = 2
	for range tries {
		if s.cutsPending() == 0 {
			return
		}
		p, err := s.writePart(newBatch(), &part{})
		if err == nil {
			s.apply(p)
		}
	}
}

// dissolve lets go of a segment whose messages are all done, although the marks
// that say so have found no room: overwriting the segment says it as well. It
// is the way out when a restart finds a full disk and no spare segment.
func (s *Store) dissolve(rest *part) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.slots {
		if g != nil && g.unmarked > 0 && s.unneededLocked(g) {
			rest.marks = s.dropMarksLocked(rest.marks, g)
			s.open.marks = s.dropMarksLocked(s.open.marks, g)
			s.checkLocked(g)
			return g.phase == phaseDrained
		}
	}
	return false
}

// dropMarksLocked takes the marks of dead messages in g out of a list, which is
// copied, and releases the messages.
func (s *Store) dropMarksLocked(marks []pendingMark, g *segment) []pendingMark {
	var kept []pendingMark
	var dead []Handle
	for _, m := range marks {
		if p := s.table.at(m.handle); s.slots[p.slot] != g {
			kept = append(kept, m)
		} else if m.kind == markGone {
			dead = append(dead, m.handle)
		}
	}
	for _, h := range dead {
		s.table.release(h)
		g.unmarked--
	}
	return kept
}
