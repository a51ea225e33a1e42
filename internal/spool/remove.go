package spool

import (
	"errors"
	"io/fs"
)

// keepDrained is how many drained segments are kept at least.
const keepDrained = 4

// removeDrained takes away the files of segments that shall not be used again:
// those of large messages, those that failed, and those of which there are
// more than a coming burst is likely to need.
func (s *Store) removeDrained() {
	gone := s.surplus()
	if len(gone) == 0 {
		return
	}
	failures := make([]error, len(gone))
	for i, g := range gone {
		s.removeIndex(g)
		err := s.fs.Remove(s.path(g.name()))
		if !errors.Is(err, fs.ErrNotExist) {
			failures[i] = err
		}
	}
	dirErr := s.syncDir()
	for i, g := range gone {
		s.removed(g, errors.Join(failures[i], dirErr))
	}
}

// removed forgets a segment whose file is gone. One that may still be there
// stays known, and with it every segment whose marks it needs.
func (s *Store) removed(g *segment, err error) {
	if err != nil {
		s.mu.Lock()
		g.phase = phaseStuck
		s.mu.Unlock()
		s.events.failed(g.name(), err)
		return
	}
	if g.file != nil {
		_ = g.file.Close() // nothing in it matters any more
	}
	s.Metrics.Removed.Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetLocked(g.generation)
	s.slots[g.slot] = nil
	s.freeSlotLocked(g.slot)
}

// surplus takes the segments to be removed out of the lists.
func (s *Store) surplus() []*segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.currentLocked() {
		return nil
	}
	out := s.removable
	s.removable = nil
	inUse, total := 0, int64(0)
	for _, g := range s.slots {
		if g != nil && !g.single {
			total += g.size
			if g.phase != phaseDrained && g.phase != phaseSpare {
				inUse++
			}
		}
	}
	var kept []*segment
	for _, g := range s.drained {
		// Once there is plenty, the small ones of the beginning go.
		small := g.size < s.o.SegmentSize && total > keepDrained*s.o.SegmentSize
		if small || len(kept) >= max(keepDrained, inUse/2) {
			out = append(out, g)
			total -= g.size
		} else {
			kept = append(kept, g)
		}
	}
	s.drained = kept
	return out
}

// currentLocked says whether some segment that stays has a generation of this
// run. The highest one found at Open decides which the next run starts with, so
// the last witness must not go. See Open.
func (s *Store) currentLocked() bool {
	if len(s.spares) > 0 {
		return true
	}
	for _, g := range s.slots {
		if g != nil && g.phase == phaseActive {
			return true
		}
	}
	return false
}

func (s *Store) removeIndex(g *segment) {
	err := s.fs.Remove(s.path(indexName(g.slot)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.events.failed(indexName(g.slot), err)
	}
}
