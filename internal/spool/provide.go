package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// unneededLocked says whether nothing in g would be missed, apart from marks
// that are not written yet: no message lives in it, nobody reads it, and none of
// its marks speaks of a message that a recovery could still find.
func (s *Store) unneededLocked(g *segment) bool {
	ended := g.phase == phaseSealed || g.phase == phasePoisoned
	return ended && g.alive == 0 && g.readers == 0 && len(g.refs) == 0 && !g.held && s.recovered
}

// checkLocked is called after anything that may have made g unneeded.
func (s *Store) checkLocked(g *segment) {
	if s.unneededLocked(g) && g.unmarked == 0 {
		s.drainLocked(g, g.phase == phasePoisoned || g.single)
	}
}

// drainLocked puts g among those to be used again, or to be removed.
func (s *Store) drainLocked(g *segment, remove bool) {
	g.phase = phaseDrained
	if remove {
		s.removable = append(s.removable, g)
	} else {
		s.drained = append(s.drained, g)
	}
	notify(s.tend)
}

// forgetLocked is called when it is durable that the records of a generation
// cannot be read any more. Only now may marks that speak of it be overwritten.
func (s *Store) forgetLocked(generation uint64) {
	delete(s.generations, generation)
	for _, g := range s.slots {
		if g == nil {
			continue
		}
		if _, ok := g.refs[generation]; ok {
			delete(g.refs, generation)
			s.checkLocked(g)
		}
	}
}

// needSpare returns when there are n spare segments, or the reason why not.
func (s *Store) needSpare(n int) error {
	answer := make(chan error, 1)
	s.requests <- spareRequest{n, answer}
	return <-answer
}

type spareRequest struct {
	spares int
	answer chan<- error
}

// provideLoop keeps a segment ready ahead of need, overwrites drained ones and
// removes those that are too many. It ends after the committer, whose requests
// it answers.
func (s *Store) provideLoop() {
	defer close(s.provided)
	for {
		select {
		case r := <-s.requests:
			r.answer <- s.provide(r.spares)
		case <-s.tend:
			s.removeDrained()
			// An error is told to who needs the spare, if anybody ever does.
			_ = s.provide(1)
			for s.canRecycle() && s.spareCount() < 2 && s.provide(2) == nil {
			}
		case <-s.committed:
			s.removeDrained()
			return
		}
	}
}

func (s *Store) canRecycle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.drained) > 0
}

// provide makes sure that there are n spare segments.
func (s *Store) provide(n int) error {
	for s.spareCount() < n {
		err := s.provideOne()
		s.setFull(err != nil && isFull(err))
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) setFull(full bool) {
	s.mu.Lock()
	changed := s.full != full
	s.full = full
	s.mu.Unlock()
	if changed {
		s.events.full(full)
	}
}

func (s *Store) provideOne() error {
	s.mu.Lock()
	var old *segment
	if len(s.drained) > 0 {
		old = s.drained[0]
		s.drained = s.drained[1:]
	}
	s.mu.Unlock()
	if old != nil && s.recycle(old) == nil {
		return nil
	}
	return s.create(s.nextSize())
}

// recycle gives a drained file a new generation. The index goes first: without
// its segment it means nothing. When overwriting fails the file is removed.
func (s *Store) recycle(old *segment) error {
	s.removeIndex(old)
	g := &segment{slot: old.slot, size: old.size, file: old.file, tail: dataStart}
	g.identity = s.newIdentity()
	err := g.writeHeaders(g.file, 0)
	if err == nil {
		err = s.sync(g.file)
	}
	if err != nil {
		s.events.failed(old.name(), err)
		s.mu.Lock()
		s.removable = append(s.removable, old)
		s.mu.Unlock()
		s.removeDrained()
		return fmt.Errorf("spool: recycle %s: %w", old.name(), err)
	}
	s.Metrics.Recycled.Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetLocked(old.generation)
	s.adoptLocked(g)
	return nil
}

// adoptLocked makes g a spare segment.
func (s *Store) adoptLocked(g *segment) {
	g.phase = phaseSpare
	s.slots[g.slot] = g
	s.generations[g.generation] = g
	s.spares = append(s.spares, g)
}

func (s *Store) newIdentity() identity {
	return identity{generation: s.generation.Add(1), salt: s.newSalt()}
}

// nextSize doubles the spool with each new segment until they have their full
// size, so that a small installation stays small.
func (s *Store) nextSize() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var total int64
	for _, g := range s.slots {
		if g != nil && !g.single {
			total += g.size
		}
	}
	size := s.firstSize
	for size*2 <= total && size*2 <= s.o.SegmentSize {
		size *= 2
	}
	return size
}

// create adds a segment of the given size, or of half of it and so on when the
// disk has no room for more.
func (s *Store) create(size int64) error {
	g, err := s.createSize(size)
	for size/2 >= s.firstSize && err != nil && isFull(err) {
		size /= 2
		g, err = s.createSize(size)
	}
	if err != nil {
		return fmt.Errorf("spool: new segment: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.adoptLocked(g)
	return nil
}

// createSize writes the whole file once, so that commits overwrite blocks that
// exist: that makes their sync several times faster. The file gets its name when
// it is complete.
func (s *Store) createSize(size int64) (*segment, error) {
	g := &segment{slot: s.reserveSlot(), size: size, tail: dataStart}
	g.identity = s.newIdentity()
	err := s.buildFile(g, func(f vfs.File) error {
		if err := fillZero(f, size); err != nil {
			return err
		}
		return g.writeHeaders(f, 0)
	})
	if err == nil {
		g.file, err = s.fs.OpenFile(s.path(g.name()), os.O_RDWR, 0)
	}
	if err != nil {
		s.freeSlot(g.slot)
		return nil, err
	}
	return g, nil
}

// buildFile makes the file of g: room, content, sync, name, and the name synced.
// On an error nothing is left of it.
func (s *Store) buildFile(g *segment, fill func(vfs.File) error) error {
	name := s.path(g.name())
	f, err := s.fs.OpenFile(name+newSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(s.fillFile(f, g.size, fill), f.Close()); err != nil {
		return errors.Join(err, s.fs.Remove(name+newSuffix))
	}
	if err := s.fs.Rename(name+newSuffix, name); err != nil {
		return errors.Join(err, s.fs.Remove(name+newSuffix))
	}
	if err := s.syncDir(); err != nil {
		return errors.Join(err, s.fs.Remove(name), s.syncDir())
	}
	return nil
}

func (s *Store) fillFile(f vfs.File, size int64, fill func(vfs.File) error) error {
	if err := f.Allocate(size); err != nil {
		return err
	}
	if err := fill(f); err != nil {
		return err
	}
	return s.sync(f)
}

func fillZero(f vfs.File, size int64) error {
	const piece = 256 << 10
	block := make([]byte, min(size, piece))
	for off := int64(0); off < size; off += piece {
		if _, err := f.WriteAt(block[:min(piece, size-off)], off); err != nil {
			return err
		}
	}
	return nil
}

// reserveSlot returns the lowest number that no file has.
func (s *Store) reserveSlot() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := s.lowest
	for s.taken[slot] {
		slot++
	}
	s.taken[slot] = true
	s.lowest = slot + 1
	for len(s.slots) <= int(slot) {
		s.slots = append(s.slots, nil)
	}
	return slot
}

func (s *Store) freeSlot(slot uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.freeSlotLocked(slot)
}

func (s *Store) freeSlotLocked(slot uint32) {
	delete(s.taken, slot)
	s.lowest = min(s.lowest, slot)
}

func (s *Store) sync(f vfs.File) error {
	if s.o.NoSync {
		return nil
	}
	s.Metrics.Syncs.Inc()
	return f.Sync()
}

func (s *Store) path(name string) string { return filepath.Join(s.o.Path, name) }

func (s *Store) syncDir() error {
	if s.o.NoSync {
		return nil
	}
	return s.fs.SyncDir(s.o.Path)
}
