package spool

import (
	"fmt"
	"slices"
)

// gatherMarks reads what is known of the messages in the victim, by number, and
// what the victim knows of others.
func (s *Store) gatherMarks(victim *segment) (known map[uint64][]mark, carried []mark, err error) {
	known = map[uint64][]mark{}
	for _, src := range s.witnesses(victim) {
		if err == nil {
			err = s.eachMark(src.seg, src.tail, func(m mark) {
				switch {
				case m.home != victim.generation && src.seg == victim:
					carried = append(carried, m)
				case m.home == victim.generation && (m.kind == markDone || m.kind == markState):
					known[m.number] = append(known[m.number], m)
				}
			})
		}
		s.unread(src.seg)
	}
	for number, marks := range known {
		known[number] = newest(marks)
	}
	return known, s.stillNeeded(carried), err
}

// witness is a segment with marks of the victim's messages, and its end when
// that was asked.
type witness struct {
	seg  *segment
	tail int64
}

func (s *Store) witnesses(victim *segment) []witness {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []witness
	for _, g := range s.slots {
		if g == nil {
			continue
		}
		if _, ok := g.refs[victim.generation]; ok || g == victim {
			g.readers++
			out = append(out, witness{g, g.tail})
		}
	}
	return out
}

// stillNeeded leaves out marks of segments that are gone, and all but the newest
// state of each entry.
func (s *Store) stillNeeded(marks []mark) []mark {
	s.mu.Lock()
	marks = slices.DeleteFunc(marks, func(m mark) bool { return s.generations[m.home] == nil })
	s.mu.Unlock()
	return newest(marks)
}

// newest leaves out repeated marks and all but the newest state of each entry.
func newest(marks []mark) []mark {
	slices.SortStableFunc(marks, compareMarks)
	var out []mark
	for _, m := range marks {
		if n := len(out); n > 0 && sameFact(out[n-1], m) {
			out[n-1] = m
		} else {
			out = append(out, m)
		}
	}
	return out
}

func sameFact(a, b mark) bool {
	return a.kind == b.kind && a.home == b.home && a.number == b.number && a.entry == b.entry
}

// eachMark reads the marks in a segment. fn may keep them.
func (s *Store) eachMark(g *segment, tail int64, fn func(mark)) error {
	s.mu.Lock()
	indexed, held := g.indexed, g.held
	s.mu.Unlock()
	if indexed {
		if x, err := loadIndex(s.fs, s.o.Path, g); err == nil {
			return readMarks(x.marks, fn)
		}
	}
	f, done, err := g.access(s.fs, s.o.Path)
	if err != nil {
		return err
	}
	sc := &scanner{file: f, id: g.identity, end: tail}
	_, found, err := sc.run(func(r record, _ int64, envelope []byte) error {
		return recordMarksOf(r, slices.Clone(envelope), fn)
	})
	if closeErr := done(); err == nil {
		err = closeErr
	}
	// With what was damaged before the start a recovery had to do as well.
	if err == nil && len(found) > 0 && !held {
		err = fmt.Errorf("spool: marks in %s at %d: %w", g.name(), found[0].offset, ErrCorrupt)
	}
	return err
}
