package spool

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// victimWith commits one message that stays, with a state, fills the rest of its
// segment with messages that are done, and goes on until that is not the active
// one.
func victimWith(t *testing.T, s *Store, envelope string, size int) (Handle, *segment) {
	t.Helper()
	if err := s.Recover(context.Background(), func(Recovered) error { return nil }); err != nil {
		t.Fatal(err)
	}
	h := mustPut(t, s, envelope, bodyOf(1, size), 3)
	s.SetState(h, 1, []byte("state 1"))
	s.SetState(h, 2, []byte("state 1"))
	s.Done(h, 3)
	victim := homeOf(s, h)
	turnOver(t, s, 1)
	return h, victim
}

func homeOf(s *Store, h Handle) *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slots[s.table.at(h).slot]
}

// turnOver commits messages that are done at once until n more segments have
// been taken into use.
func turnOver(t *testing.T, s *Store, n uint64) {
	t.Helper()
	turns := func() uint64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.turns
	}
	for until := turns() + n; turns() < until; {
		s.Done(mustPut(t, s, "passing", bodyOf(2, 2000), 1), 1)
	}
	mustFlush(t, s)
}

// moveAway copies everything out of the victim; between happens after the marks
// were gathered.
func moveAway(t *testing.T, s *Store, victim *segment, between func()) error {
	t.Helper()
	s.mu.Lock()
	s.victim, s.victimLog = victim, map[uint64][]mark{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.victim, s.victimLog = nil, nil
		s.mu.Unlock()
	}()
	mustFlush(t, s)
	known, carried, err := s.gatherMarks(victim)
	if err != nil {
		t.Fatal(err)
	}
	between()
	err = s.moveAll(victim, known, carried)
	if err == nil {
		s.mu.Lock()
		victim.refs = nil
		s.checkLocked(victim)
		s.mu.Unlock()
	}
	return err
}

// recoverCrashed opens what a crash of the process leaves and returns the one
// message that is to be there, or false when none is.
func recoverCrashed(t *testing.T, mem *vfs.Mem, envelope string) (revived, bool) {
	t.Helper()
	s := openTest(t, crashOptions(mem.CrashClone(vfs.Everything, nil)))
	got, ok := recoverAll(t, s)[envelope]
	return got, ok
}

func TestMoveKeepsMarks(t *testing.T) {
	mem := vfs.NewMem()
	s := openTest(t, crashOptions(mem))
	h, victim := victimWith(t, s, "stays", 3000)
	err := moveAway(t, s, victim, func() {
		s.SetState(h, 2, []byte("state 2"))
		mustFlush(t, s) // on disk, in a segment that speaks of the victim
		s.SetState(h, 2, []byte("state 3"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if homeOf(s, h) == victim {
		t.Fatal("the message was not moved")
	}
	turnOver(t, s, 12) // the victim and those that speak of it are written over
	mustFlush(t, s)
	s.mu.Lock()
	if s.generations[victim.generation] != nil {
		t.Error("the victim was not used again")
	}
	s.mu.Unlock()
	got, ok := recoverCrashed(t, mem, "stays")
	if !ok || got.states[1] != "state 1" || got.states[2] != "state 3" || len(got.done) != 1 || got.done[0] != 3 {
		t.Errorf("recovered %v: %+v, done %v", ok, got.states, got.done)
	}
	if got.body != string(bodyOf(1, 3000)) {
		t.Error("body changed")
	}
}

// A message that ends while its copy is being written must stay ended.
func TestMoveOfDyingMessage(t *testing.T) {
	mem := vfs.NewMem()
	var ending atomic.Pointer[func()]
	var s *Store
	var writes int64
	mem.Before = func(op vfs.Op) error {
		if fn := ending.Load(); fn != nil && s.Metrics.Writes.Load() > writes {
			ending.Store(nil)
			(*fn)()
		}
		return nil
	}
	s = openTest(t, crashOptions(mem))
	h, victim := victimWith(t, s, "dies", 100)
	end := func() {
		s.Done(h, 1)
		s.Done(h, 2)
	}
	if err := moveAway(t, s, victim, func() {
		writes = s.Metrics.Writes.Load()
		ending.Store(&end)
	}); err != nil {
		t.Fatal(err)
	}
	if ending.Load() != nil {
		t.Fatal("nothing was written")
	}
	mustFlush(t, s)
	if _, ok := recoverCrashed(t, mem, "dies"); ok {
		t.Error("the message came back from its copy")
	}
}

// A crash may leave the copy of a message without the marks beside it. They are
// still where they were; and must be there as long as the message lives.
func TestCrashWhileMoving(t *testing.T) {
	lonely := 0
	for seed := range uint64(40) {
		mem := vfs.NewMem()
		var torn *vfs.Mem
		var armed atomic.Bool
		mem.Before = func(op vfs.Op) error {
			if op.Kind == vfs.OpSync && armed.CompareAndSwap(true, false) {
				torn = mem.CrashClone(vfs.Scattered, rand.New(rand.NewPCG(seed, 3)))
			}
			return nil
		}
		s := openTest(t, crashOptions(mem))
		h, victim := victimWith(t, s, "stays", 100)
		turnOver(t, s, 2)
		// Not in the victim; and so long that it lies in other sectors than the copy.
		state := string(bodyOf(3, 1200))
		s.SetState(h, 1, []byte(state))
		if err := moveAway(t, s, victim, func() { armed.Store(true) }); err != nil {
			t.Fatal(err)
		}
		s = openTest(t, crashOptions(torn))
		got := recoverAll(t, s)
		if home := homeOf(s, got["stays"].handle); home.generation != victim.generation {
			lonely++
		}
		turnOver(t, s, 12)
		again, ok := recoverCrashed(t, torn, "stays")
		if !ok || again.states[1] != state || len(again.done) != 1 {
			t.Fatalf("seed %d: %v: states %v, done %v", seed, ok, again.states, again.done)
		}
	}
	if lonely == 0 {
		t.Error("no crash left a copy")
	}
}

// Messages that stay do not keep the spool from using its segments again.
func TestMovingBoundsTheSpool(t *testing.T) {
	s := openTest(t, crashOptions(vfs.NewMem()))
	if err := s.Recover(context.Background(), func(Recovered) error { return nil }); err != nil {
		t.Fatal(err)
	}
	var stay []Handle
	for i := range 40 {
		stay = append(stay, mustPut(t, s, fmt.Sprint("stays ", i), bodyOf(i, 500), 1))
		s.SetState(stay[i], 1, []byte("deferred"))
		turnOver(t, s, 1)
	}
	s.mu.Lock()
	segments := len(s.generations)
	s.mu.Unlock()
	if segments >= len(stay) || s.Metrics.Moved.Load() == 0 {
		t.Errorf("%d segments for %d messages, one in each if they had stayed", segments, len(stay))
	}
	for i, h := range stay {
		checkMessage(t, s, h, fmt.Sprint("stays ", i), bodyOf(i, 500))
	}
}
