package spool

// moveSize bounds what a step of copying forward takes up.
func (s *Store) moveSize(req *moveRequest) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := req.size
	for _, m := range req.moves {
		n += marksSize(s.victimLog[m.number])
	}
	return n
}

// placeMoves writes the copies of those messages that still live, and the marks
// that belong to them, which now have a new home. A record that names its origin
// voids the one there.
func (s *Store) placeMoves(seg *segment, req *moveRequest) {
	w := &s.c.marks
	w.reset(w.buf[:0])
	s.mu.Lock()
	for _, m := range req.carried {
		if s.generations[m.home] != nil {
			w.add(m)
			s.referLocked(seg, m.home)
		}
	}
	var living []*move
	for i := range req.moves {
		m := &req.moves[i]
		if p := s.table.at(m.handle); p.number != m.number || !p.alive() {
			continue
		}
		living = append(living, m)
		addAll(w, m.marks, seg.generation)
		addAll(w, s.victimLog[m.number], seg.generation)
		s.referLocked(seg, req.victim.generation)
	}
	s.mu.Unlock()
	s.c.w.markRecord(w)
	for _, m := range living {
		m.offset = s.c.w.end
		s.c.w.raw(m.record, m.data)
	}
}

func addAll(w *markWriter, marks []mark, home uint64) {
	for _, m := range marks {
		m.home = home
		w.add(m)
	}
}

// movedLocked lets the messages of a step live where they were copied to, also
// those that ended while that was written: the mark of their end must void the
// copy.
func (s *Store) movedLocked(seg *segment, req *moveRequest) {
	victim := req.victim
	for i := range req.moves {
		m := &req.moves[i]
		p := s.table.at(m.handle)
		if m.offset == 0 || p.number != m.number {
			continue
		}
		if p.alive() {
			victim.alive--
			victim.bytes -= m.record.size()
			seg.alive++
			seg.bytes += m.record.size()
		} else {
			victim.unmarked--
			seg.unmarked++
		}
		p.slot, p.offset = seg.slot, uint32(m.offset/recordAlign)
		s.Metrics.Moved.Inc()
	}
	s.checkLocked(victim)
}
