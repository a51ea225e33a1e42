package spool

import (
	"context"
	"errors"
	"slices"
	"time"
)

const (
	// restTurns is how many segments must have been taken into use after one
	// before its messages are copied: most mail is done by then.
	restTurns = 4
	// indexRest is the same for writing the index, which also need not be done
	// for a segment that drains at once.
	indexRest = 2
	// moveRate bounds copying, in bytes per second.
	moveRate = 32 << 20
	// moveBatch is how much is copied with one commit.
	moveBatch = 1 << 20
)

// moveLoop writes the index of each full segment and copies messages forward.
func (s *Store) moveLoop() {
	defer close(s.moved)
	for {
		select {
		case <-s.stop:
			return
		case <-s.move:
			s.writeIndexes(indexRest)
			s.compact()
		}
	}
}

// compact goes on as long as there is a segment worth emptying.
func (s *Store) compact() {
	for tried := map[*segment]bool{}; ; {
		victim := s.chooseVictim(tried)
		if victim == nil {
			return
		}
		tried[victim] = true
		// Failures of the disk are told by the committer; and the segment is met
		// again the next time.
		_ = s.empty(victim)
	}
}

// chooseVictim returns the oldest segment of which no more than a quarter lives,
// and which has rested. On a full disk it is the one with the least to copy.
func (s *Store) chooseVictim(tried map[*segment]bool) *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.recovered || s.closed {
		return nil
	}
	rest := uint64(restTurns)
	if s.full {
		rest = 1
	}
	var best *segment
	for _, g := range s.slots {
		if g == nil || g.single || g.held || tried[g] || g.turn+rest > s.turns {
			continue
		}
		worth := g.phase == phasePoisoned || g.phase == phaseSealed && g.bytes <= g.size/4
		if !worth || s.unneededLocked(g) || s.full && g.bytes > s.firstSize/4 {
			continue
		}
		if best == nil || s.full && g.bytes < best.bytes || !s.full && g.turn < best.turn {
			best = g
		}
	}
	return best
}

// moveRequest is one step of copying forward: messages that lie in the victim,
// with their marks, and marks that lie in the victim but speak of others.
type moveRequest struct {
	victim  *segment
	moves   []move
	carried []mark
	size    int64 // bound of what it takes up, without victimLog
	err     error // set by the committer
}

type move struct {
	handle Handle
	number uint64
	record record
	data   []byte // envelope and body
	marks  []mark
	offset int64 // where it was copied to; 0: it was not, because it is done
}

func marksSize(marks []mark) int64 {
	var n int64
	for _, m := range marks {
		n += markSize(m)
	}
	return n
}

// markSize bounds what a mark takes up.
func markSize(m mark) int64 { return maxMark + int64(len(m.state)) }

// empty copies everything needed in the victim to the active segment, so that
// the victim can be used again.
//
// From the moment at which it becomes s.victim, the committer notes each mark
// that it writes for a message in it; all earlier ones are on disk when the
// flush returns. Together that is everything known of the messages.
func (s *Store) empty(victim *segment) error {
	s.mu.Lock()
	s.victim = victim
	s.victimLog = map[uint64][]mark{}
	victim.readers++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.victim, s.victimLog = nil, nil
		s.mu.Unlock()
		s.unread(victim)
	}()
	if err := s.Flush(context.Background()); err != nil {
		return err
	}
	known, carried, err := s.gatherMarks(victim)
	if err != nil {
		return err
	}
	if err := s.moveAll(victim, known, carried); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if victim.alive == 0 {
		victim.refs = nil // they have been copied
	}
	return nil
}

// moveAll copies in steps. A message that cannot be read stays, and keeps the
// segment with it.
func (s *Store) moveAll(victim *segment, known map[uint64][]mark, carried []mark) error {
	steps := mover{store: s, victim: victim, limit: min(moveBatch, s.largest)}
	for _, m := range carried {
		if err := steps.room(markSize(m)); err != nil {
			return err
		}
		steps.req.carried = append(steps.req.carried, m)
	}
	for _, r := range s.residents(victim) {
		m, err := s.pickUp(victim, r)
		if err != nil {
			s.events.failed(victim.name(), err)
			s.mu.Lock()
			victim.held = true
			s.mu.Unlock()
			continue
		}
		m.marks = known[m.number]
		if err := steps.room(m.record.size() + marksSize(m.marks)); err != nil {
			return err
		}
		steps.req.moves = append(steps.req.moves, m)
	}
	return steps.send()
}

// mover collects steps of about limit bytes.
type mover struct {
	store  *Store
	victim *segment
	limit  int64
	req    *moveRequest
}

// room makes room for n bytes in req, sending what was there if need be.
func (m *mover) room(n int64) error {
	if m.req != nil && m.req.size+n > m.limit {
		if err := m.send(); err != nil {
			return err
		}
	}
	if m.req == nil {
		m.req = &moveRequest{victim: m.victim, size: 2 * (recordHeader + recordAlign)}
	}
	m.req.size += n
	return nil
}

// send has one step written. One that holds a message with so many marks that
// it cannot be is left out.
func (m *mover) send() error {
	if m.req == nil {
		return nil
	}
	err := m.store.submit(m.req)
	m.req = nil
	if errors.Is(err, ErrTooLarge) {
		return nil
	}
	return err
}

// submit hands a step to the committer, waits for it, and then as long as the
// rate asks for.
func (s *Store) submit(req *moveRequest) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	b := s.flushLocked()
	b.moves = append(b.moves, req)
	s.mu.Unlock()
	<-b.done
	if req.err != nil {
		return req.err
	}
	pause := time.NewTimer(time.Duration(req.size * int64(time.Second) / moveRate))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-s.stop:
	}
	return nil
}

// resident is a living message in the victim.
type resident struct {
	handle Handle
	place  place
}

// residents lists the living messages in g. It goes through the whole table,
// which takes milliseconds for a million and saves a list in each segment.
func (s *Store) residents(g *segment) []resident {
	var out []resident
	for chunk := 0; ; chunk++ {
		s.mu.Lock()
		if chunk >= len(s.table.chunks) {
			s.mu.Unlock()
			break
		}
		for i := range s.table.chunks[chunk] {
			if p := &s.table.chunks[chunk][i]; p.alive() && p.slot == g.slot {
				out = append(out, resident{Handle(chunk<<chunkBits | i), *p})
			}
		}
		s.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b resident) int { return int(a.place.offset) - int(b.place.offset) })
	return out
}

// pickUp reads a message. Its body is taken as it is, with the checksum that it
// was committed with: damage stays visible.
func (s *Store) pickUp(victim *segment, r resident) (move, error) {
	head, data, err := s.readRecord(victim, r.place, int64(r.place.envelope)+int64(r.place.body))
	if err != nil {
		return move{}, err
	}
	head.origin = victim.generation
	return move{handle: r.handle, number: head.number, record: head, data: data}, nil
}
