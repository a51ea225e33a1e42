package spool

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

const (
	lockName  = "lock"
	newSuffix = ".new"
	tmpSuffix = ".tmp"
	segSuffix = ".seg"
	idxSuffix = ".idx"
	badSuffix = ".corrupt"
)

// Store is an open spool. All methods are safe for concurrent use.
type Store struct {
	Metrics Metrics

	o         Options
	fs        vfs.FS
	events    Events
	lock      io.Closer
	largest   int64 // record that goes into a shared segment
	firstSize int64 // of segments, while there are few
	maxState  int
	cache     *cache
	space     spaceGauge

	numbers    atomic.Uint64 // of messages
	generation atomic.Uint64
	spills     atomic.Uint64
	singles    sync.WaitGroup

	c committer

	wake      chan struct{}     // something waits for the committer
	tend      chan struct{}     // something waits for the provider
	move      chan struct{}     // something may wait for the mover
	requests  chan spareRequest // from the committer to the provider
	stop      chan struct{}     // closed by Close: the mover ends
	moved     chan struct{}     // closed by the mover at its end
	committed chan struct{}     // closed by the committer at its end
	provided  chan struct{}     // closed by the provider at its end

	mu          sync.Mutex
	closed      bool
	open        *batch
	cuts        []mark // not written yet
	stamp       uint64
	table       table
	slots       []*segment      // by slot; nil: free, or being made
	taken       map[uint32]bool // slots that are not free
	lowest      uint32          // no lower slot is free
	generations map[uint64]*segment
	spares      []*segment
	drained     []*segment
	removable   []*segment
	inherited   []*segment // found at Open, until Recover
	recovered   bool
	full        bool     // the last attempt to add a segment found no room
	turns       uint64   // segments taken into use
	victim      *segment // being emptied
	// victimLog has the marks written for messages in the victim since it was
	// chosen, by number.
	victimLog map[uint64][]mark
}

// Open takes the spool folder and makes it ready to append. It only lists the
// segments, so that it takes the same short time however much mail waits. When
// another process holds the folder the error is a *LockedError.
func Open(o Options) (*Store, error) {
	s := newStore(o)
	if err := s.fs.MkdirAll(s.o.Path, 0o700); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	lock, err := takeLock(s.fs, s.o.Path)
	if err != nil {
		return nil, err
	}
	s.lock = lock
	if err := s.list(); err != nil {
		return nil, errors.Join(fmt.Errorf("spool: open %s: %w", s.o.Path, err), s.closeFiles())
	}
	go s.provideLoop()
	go s.commitLoop()
	go s.moveLoop()
	notify(s.tend)
	return s, nil
}

func newStore(o Options) *Store {
	o.SegmentSize = align(max(cmp.Or(o.SegmentSize, 64<<20), 128<<10), page)
	o.MemoryBody = cmp.Or(o.MemoryBody, 256<<10)
	o.LoaderThreads = cmp.Or(max(o.LoaderThreads, 0), runtime.GOMAXPROCS(0))
	o.TempDir = cmp.Or(o.TempDir, o.Path)
	if o.FS == nil {
		o.FS = vfs.OS
	}
	s := &Store{
		o: o, fs: o.FS, events: o.Events,
		largest:     o.SegmentSize / 16,
		firstSize:   max(align(o.SegmentSize/8, page), 64<<10),
		cache:       newCache(o.CacheBytes),
		wake:        make(chan struct{}, 1),
		tend:        make(chan struct{}, 1),
		move:        make(chan struct{}, 1),
		requests:    make(chan spareRequest),
		stop:        make(chan struct{}),
		moved:       make(chan struct{}),
		committed:   make(chan struct{}),
		provided:    make(chan struct{}),
		open:        newBatch(),
		taken:       map[uint32]bool{},
		generations: map[uint64]*segment{},
	}
	s.maxState = int(min(MaxState, s.firstSize/8))
	s.c.delay = lazyDelay
	s.c.lazy = time.NewTimer(time.Hour)
	s.c.lazy.Stop()
	s.Metrics.bind(s)
	return s
}

func takeLock(fsys vfs.FS, dir string) (io.Closer, error) {
	lock, err := fsys.Lock(filepath.Join(dir, lockName))
	var held *vfs.HeldError
	if errors.As(err, &held) {
		return nil, &LockedError{Path: dir, PID: held.PID}
	}
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return lock, nil
}

// list finds the segments and clears away what a crash left half made.
//
// The upper half of a generation counts the runs of the store, so that neither
// generations nor message numbers are ever given out twice. The highest one on
// disk is that of the last run: every segment that was appended to in a run
// carries it, and one of those is always there.
func (s *Store) list() error {
	segments, leftover, err := s.listFiles()
	if err != nil {
		return err
	}
	for _, name := range leftover {
		if err := s.fs.Remove(s.path(name)); err != nil {
			return err
		}
	}
	if len(segments) == 0 {
		// Perhaps the folder is new: it must not get lost with what goes into it.
		if err := s.fs.SyncDir(filepath.Dir(s.o.Path)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	if err := s.clearTemp(); err != nil {
		return err
	}
	var run uint64
	for _, g := range segments {
		run = max(run, g.generation>>32)
		s.slots[g.slot] = g
		s.generations[g.generation] = g
		if g.phase == phaseInherited {
			s.inherited = append(s.inherited, g)
		} else {
			s.drained = append(s.drained, g)
		}
	}
	run++
	s.generation.Store(run << 32)
	s.numbers.Store(run << 40)
	s.stamp = run << 40
	s.turns = uint64(len(s.inherited))
	s.recovered = len(s.inherited) == 0
	slices.SortFunc(s.inherited, func(a, b *segment) int { return cmp.Compare(a.generation, b.generation) })
	return nil
}

// listFiles returns the segments in ascending order of their slots, and the
// names of files that mean nothing any more.
func (s *Store) listFiles() (segments []*segment, leftover []string, err error) {
	names, err := s.fs.List(s.o.Path)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		slot, isSegment := parseName(name, segSuffix)
		_, isIndex := parseName(name, idxSuffix)
		switch {
		case isSegment:
			g, err := s.openSegment(name, slot)
			if err != nil {
				return nil, nil, err
			}
			if g != nil {
				segments = append(segments, g)
			}
		case strings.HasSuffix(name, newSuffix), isTemp(name):
			leftover = append(leftover, name)
		case name == lockName, isIndex, strings.HasSuffix(name, badSuffix):
		default:
			s.events.foreign(name)
		}
	}
	return segments, leftover, nil
}

// clearTemp removes what a crash left in a TempDir elsewhere.
func (s *Store) clearTemp() error {
	if s.o.TempDir == s.o.Path {
		return nil
	}
	if err := s.fs.MkdirAll(s.o.TempDir, 0o700); err != nil {
		return err
	}
	names, err := s.fs.List(s.o.TempDir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !isTemp(name) {
			continue
		}
		if err := s.fs.Remove(filepath.Join(s.o.TempDir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// isTemp tells the files of bodies that were being received.
func isTemp(name string) bool {
	return strings.HasPrefix(name, "body-") && strings.HasSuffix(name, tmpSuffix)
}

// openSegment reads the header of a segment file. It returns nil for one that is
// not what its name says.
func (s *Store) openSegment(name string, slot uint32) (*segment, error) {
	for len(s.slots) <= int(slot) {
		s.slots = append(s.slots, nil)
	}
	f, err := s.fs.OpenFile(s.path(name), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	g, used, err := readHeader(f)
	if err != nil || g.slot != slot {
		s.taken[slot] = s.o.Corrupt == CorruptIgnore
		return nil, s.treatFile(name, f, cmp.Or(err, errHeader))
	}
	s.taken[slot] = true
	switch {
	case g.single:
		err = f.Close()
	case used:
		g.file = f
	default:
		// Nothing was ever acknowledged from in here: a write that was would have
		// changed the header.
		g.file, g.phase = f, phaseDrained
	}
	return g, err
}

// newSalt makes what nobody outside can know.
func (s *Store) newSalt() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return binary.LittleEndian.Uint64(b[:])
}

// Close waits for what was handed in, writes the missing indexes and releases
// the folder. Messages that come later are refused with ErrClosed. Bodies that
// are still open cannot be read any more.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	last := s.flushLocked()
	s.mu.Unlock()
	close(s.stop)
	<-s.moved
	s.singles.Wait()
	err := s.await(context.Background(), last)
	<-s.committed
	<-s.provided
	s.writeIndexes(0)
	return errors.Join(err, s.closeFiles())
}

// closeFiles gives everything back to the system.
func (s *Store) closeFiles() error {
	var errs []error
	for _, g := range s.slots {
		if g != nil && g.file != nil {
			errs = append(errs, g.file.Close())
		}
	}
	return errors.Join(append(errs, s.lock.Close())...)
}
