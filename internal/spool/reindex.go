package spool

import "fmt"

// writeIndexes writes the index of each segment that is full, has been so for
// some turns, and holds something. With rest zero the active one counts as full.
func (s *Store) writeIndexes(rest uint64) {
	for _, g := range s.unindexed(rest) {
		if err := s.writeIndex(g); err != nil {
			// A restart will read the segment instead.
			s.events.failed(indexName(g.slot), fmt.Errorf("spool: index: %w", err))
		}
		s.unread(g)
	}
}

// unindexed returns segments, held as by a reader.
func (s *Store) unindexed(rest uint64) []*segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*segment
	for _, g := range s.slots {
		if g == nil || g.phase != phaseSealed && g.phase != phasePoisoned && g.phase != phaseActive {
			continue // in particular what a recovery is busy with
		}
		if g.single || g.held || g.indexed || g.alive == 0 || g.turn+rest > s.turns {
			continue
		}
		g.readers++
		out = append(out, g)
	}
	return out
}

func (s *Store) writeIndex(g *segment) error {
	s.mu.Lock()
	tail := g.tail
	s.mu.Unlock()
	x := newIndexWriter()
	sc := &scanner{file: g.file, id: g.identity, end: tail}
	_, found, err := sc.run(x.record)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("%s at %d: %w", g.name(), found[0].offset, ErrCorrupt)
	}
	if err := storeIndex(s.fs, s.o.Path, g.slot, x.bytes(g.identity, tail)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g.indexed = true
	return nil
}
