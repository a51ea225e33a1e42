package spool

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// ledger is what the world outside knows of the messages in a store: what it was
// promised, and what it asked for.
type ledger struct {
	mu       sync.Mutex
	messages map[string]*entryOf
	last     *ledger // snapshot, until something changes
}

// entryOf is one message in the ledger. Fields that end in Asked are what may be
// on disk, those that end in Sure what must be.
type entryOf struct {
	body      string
	entries   int
	committed bool // Commit returned nil
	refused   bool // Commit returned an error
	doneAsked map[uint32]bool
	doneSure  map[uint32]bool
	states    map[uint32]int // newest asked for
	stateSure map[uint32]int // newest that was flushed
}

func (e *entryOf) clone() *entryOf {
	c := *e
	c.doneAsked, c.doneSure = maps.Clone(e.doneAsked), maps.Clone(e.doneSure)
	c.states, c.stateSure = maps.Clone(e.states), maps.Clone(e.stateSure)
	return &c
}

func newLedger() *ledger { return &ledger{messages: map[string]*entryOf{}} }

func (l *ledger) snapshot() *ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = newLedger()
		for k, e := range l.messages {
			l.last.messages[k] = e.clone()
		}
	}
	return l.last
}

func (l *ledger) update(envelope string, fn func(*entryOf)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = nil
	fn(l.messages[envelope])
}

func (l *ledger) add(envelope, body string, entries int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = nil
	l.messages[envelope] = &entryOf{
		body: body, entries: entries,
		doneAsked: map[uint32]bool{}, doneSure: map[uint32]bool{},
		states: map[uint32]int{}, stateSure: map[uint32]int{},
	}
}

// flushed notes that everything asked for by then is on disk.
func (l *ledger) flushed(asked *ledger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = nil
	for k, e := range asked.messages {
		maps.Copy(l.messages[k].doneSure, e.doneAsked)
		maps.Copy(l.messages[k].stateSure, e.states)
	}
}

// check compares what a recovery found with what it must and may find. before
// was taken before the crash, after after it.
func check(before, after *ledger, got map[string]revived) error {
	for envelope, e := range before.messages {
		m, found := got[envelope]
		allAsked := len(after.messages[envelope].doneAsked) == e.entries
		switch {
		case found && e.refused:
			return fmt.Errorf("%s was refused and came back", envelope)
		case found && len(e.doneSure) == e.entries:
			return fmt.Errorf("%s was done and flushed, and came back", envelope)
		case !found && e.committed && !allAsked:
			return fmt.Errorf("%s was committed and is lost", envelope)
		case !found:
			continue
		}
		if err := checkOne(e, after.messages[envelope], m); err != nil {
			return fmt.Errorf("%s: %w", envelope, err)
		}
	}
	for envelope := range got {
		if after.messages[envelope] == nil {
			return fmt.Errorf("%q was never there", envelope)
		}
	}
	return nil
}

func checkOne(before, after *entryOf, m revived) error {
	if m.body != before.body || int(m.entries) != before.entries {
		return fmt.Errorf("body of %d bytes and %d entries differs from %d and %d", len(m.body), m.entries, len(before.body), before.entries)
	}
	for entry := range before.doneSure {
		if !slices.Contains(m.done, entry) {
			return fmt.Errorf("entry %d was done and flushed, and is back", entry)
		}
	}
	for _, entry := range m.done {
		if !after.doneAsked[entry] {
			return fmt.Errorf("entry %d was never done", entry)
		}
	}
	for entry, sure := range before.stateSure {
		if slices.Contains(m.done, entry) {
			continue
		}
		var version int
		if _, err := fmt.Sscanf(m.states[entry], "state %d", &version); err != nil || version < sure || version > after.states[entry] {
			return fmt.Errorf("entry %d has state %q, want %d to %d", entry, m.states[entry], sure, after.states[entry])
		}
	}
	return nil
}

// workload is a script of what a mail server does to its spool.
type workload struct {
	s      *Store
	ledger *ledger
	rnd    *rand.Rand
	n      int
	live   []*living
}

type living struct {
	envelope string
	handle   Handle
	left     []uint32
	version  int
}

func (w *workload) put(size, entries int) {
	w.n++
	envelope := fmt.Sprintf("message %d %s", w.n, strings.Repeat("x", w.rnd.IntN(200)))
	body := bodyOf(w.n, size)
	w.ledger.add(envelope, string(body), entries)
	h, err := put(w.s, envelope, body, entries)
	w.ledger.update(envelope, func(e *entryOf) { e.committed, e.refused = err == nil, err != nil })
	if err != nil {
		return
	}
	m := &living{envelope: envelope, handle: h}
	for i := range entries {
		m.left = append(m.left, uint32(i+1))
	}
	w.live = append(w.live, m)
}

// putMany commits several at once, so that they share commits.
func (w *workload) putMany(n, size int) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range n {
		w.n++
		number := w.n
		wg.Go(func() {
			envelope := fmt.Sprintf("message %d", number)
			body := bodyOf(number, size)
			w.ledger.add(envelope, string(body), 1)
			h, err := put(w.s, envelope, body, 1)
			w.ledger.update(envelope, func(e *entryOf) { e.committed, e.refused = err == nil, err != nil })
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				w.live = append(w.live, &living{envelope: envelope, handle: h, left: []uint32{1}})
			}
		})
	}
	wg.Wait()
}

func (w *workload) state(m *living) {
	entry := m.left[w.rnd.IntN(len(m.left))]
	m.version++
	w.ledger.update(m.envelope, func(e *entryOf) { e.states[entry] = m.version })
	w.s.SetState(m.handle, entry, fmt.Appendf(nil, "state %d of %s", m.version, m.envelope))
}

func (w *workload) done(i int) {
	m := w.live[i]
	entry := m.left[0]
	m.left = m.left[1:]
	w.ledger.update(m.envelope, func(e *entryOf) { e.doneAsked[entry] = true })
	w.s.Done(m.handle, entry)
	if len(m.left) == 0 {
		w.live = slices.Delete(w.live, i, i+1)
	}
}

func (w *workload) flush() {
	asked := w.ledger.snapshot()
	if w.s.Flush(context.Background()) == nil {
		w.ledger.flushed(asked)
	}
}

// run does n random things, so that about keep messages stay.
func (w *workload) run(n, keep int) {
	for range n {
		switch c := w.rnd.IntN(12); {
		case c < 4 || len(w.live) == 0:
			w.put(w.rnd.IntN(5<<10), 1+w.rnd.IntN(3))
		case c < 6:
			w.putMany(4, 3000)
		case c < 7:
			w.put(1+w.rnd.IntN(20<<10), 1)
		case c < 8:
			w.flush()
		default:
			w.state(w.live[w.rnd.IntN(len(w.live))])
		}
		for len(w.live) > keep {
			// Some of the old ones stay, as deferred mail does.
			w.done(max(w.rnd.IntN(len(w.live)), w.rnd.IntN(len(w.live))))
		}
	}
}

// reopen recovers what is on disk and compares.
func reopen(t *testing.T, o Options, before, after *ledger) error {
	s, err := Open(o)
	if err != nil {
		return err
	}
	defer s.Close()
	return check(before, after, recoverAll(t, s))
}

// scan reads what is on disk without opening it.
func scan(disk vfs.FS) (map[string]revived, error) {
	got := map[string]revived{}
	err := Scan(context.Background(), disk, "/spool", Visitor{Message: func(m Scanned) error {
		var body strings.Builder
		if _, err := io.Copy(&body, m.Body()); err != nil {
			return err
		}
		r := revived{body: body.String(), entries: m.Entries, done: slices.Clone(m.Done), states: map[uint32]string{}}
		for _, e := range m.States {
			r.states[e.Entry] = string(e.State)
		}
		envelope := string(m.Envelope)
		if _, twice := got[envelope]; twice {
			return fmt.Errorf("%s found twice", envelope)
		}
		got[envelope] = r
		return m.Verify()
	}})
	return got, err
}

// tiny segments turn over often.
func crashOptions(fsys vfs.FS) Options {
	o := testOptions(fsys)
	o.SegmentSize, o.MemoryBody = 128<<10, 8<<10
	return o
}

var survivals = []vfs.Survival{vfs.Nothing, vfs.Everything, vfs.InOrder, vfs.Scattered}

// TestCrash crashes before every step that changes the disk, each time with two
// choices of what survives of the bytes that were not synced.
func TestCrash(t *testing.T) {
	for seed := range uint64(2) {
		mem := vfs.NewMem()
		l := newLedger()
		var mu sync.Mutex
		var checks []func() error
		mem.Before = func(op vfs.Op) error {
			before := l.snapshot()
			rnd := rand.New(rand.NewPCG(seed, uint64(op.Number)))
			for range 2 {
				how := survivals[rnd.IntN(len(survivals))]
				clone := mem.CrashClone(how, rnd)
				after := l.snapshot()
				mu.Lock()
				checks = append(checks, func() error {
					got, err := scan(clone)
					if err == nil {
						err = check(before, after, got)
					}
					if err == nil && op.Number%8 == 0 {
						err = reopen(t, crashOptions(clone), before, after)
					}
					if err != nil {
						return fmt.Errorf("seed %d, before step %v, survival %d: %w", seed, op, how, err)
					}
					return nil
				})
				mu.Unlock()
			}
			return nil
		}
		s := openTest(t, crashOptions(mem))
		w := &workload{s: s, ledger: l, rnd: rand.New(rand.NewPCG(seed, 1))}
		w.run(170, 10)
		w.flush()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("seed %d: %d committed, %d segments used again, %d messages moved, %d crashes", seed,
			s.Metrics.Committed.Load(), s.Metrics.Recycled.Load(), s.Metrics.Moved.Load(), len(checks))
		if s.Metrics.Recycled.Load() == 0 || s.Metrics.Moved.Load() == 0 {
			t.Error("the workload does not reach everything")
		}
		mem.Before = nil
		for _, c := range checks {
			if err := c(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestCrashChain crashes again and again, each time going on with what the
// crash left, and lets one step fail on the way.
func TestCrashChain(t *testing.T) {
	for seed := range uint64(6) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		l := newLedger()
		disk := vfs.NewMem()
		w := &workload{ledger: l, rnd: rnd}
		var moved, recycled, failures int64
		for round := range 25 {
			start := 0
			var crash struct {
				sync.Mutex
				disk          *vfs.Mem
				before, after *ledger
			}
			crashAt, failAt := 20+rnd.IntN(250), rnd.IntN(600)
			choice := rand.New(rand.NewPCG(seed, uint64(round)))
			disk.Before = func(op vfs.Op) error {
				crash.Lock()
				defer crash.Unlock()
				start++
				if start == crashAt {
					crash.before = l.snapshot()
					crash.disk = disk.CrashClone(survivals[choice.IntN(len(survivals))], choice)
					crash.after = l.snapshot()
				}
				if start == failAt {
					return syscall.EIO
				}
				return nil
			}
			s, err := Open(crashOptions(disk))
			if err != nil {
				if start >= failAt { // the step that failed was one of Open
					disk.Before = nil
					continue
				}
				t.Fatal(err)
			}
			w.s = s
			got := recoverAll(t, s)
			if round > 0 {
				if err := check(l, l, got); err != nil {
					t.Fatalf("seed %d, round %d: %v", seed, round, err)
				}
			}
			w.takeOver(got)
			w.run(60, 10)
			_ = s.Close() // the disk may have failed
			moved += s.Metrics.Moved.Load()
			recycled += s.Metrics.Recycled.Load()
			failures += s.Metrics.Failures.Load()
			disk.Before = nil
			if crash.disk == nil {
				crash.before, crash.after = l.snapshot(), l.snapshot()
				crash.disk = disk.CrashClone(vfs.Nothing, choice)
			}
			disk = crash.disk
			if err := w.survive(disk, crash.before, crash.after); err != nil {
				t.Fatalf("seed %d, round %d, crash at step %d, failure at %d: %v", seed, round, crashAt, failAt, err)
			}
		}
		t.Logf("seed %d: %d moved, %d recycled, %d failures", seed, moved, recycled, failures)
	}
}

// survive scans what a crash left, checks it, and makes the ledger say what is
// there from now on.
func (w *workload) survive(disk *vfs.Mem, before, after *ledger) error {
	got, err := scan(disk)
	if err != nil {
		return err
	}
	if err := check(before, after, got); err != nil {
		return err
	}
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	w.ledger.messages, w.ledger.last = map[string]*entryOf{}, nil
	for envelope, m := range got {
		w.ledger.messages[envelope] = m.entry()
	}
	return nil
}

// entry is what the ledger says of a message that has just been recovered:
// everything known is sure.
func (m revived) entry() *entryOf {
	e := &entryOf{
		body: m.body, entries: int(m.entries), committed: true,
		doneAsked: map[uint32]bool{}, doneSure: map[uint32]bool{},
		states: map[uint32]int{}, stateSure: map[uint32]int{},
	}
	for _, entry := range m.done {
		e.doneAsked[entry], e.doneSure[entry] = true, true
	}
	for entry, state := range m.states {
		var version int
		fmt.Sscanf(state, "state %d", &version)
		e.states[entry], e.stateSure[entry] = version, version
	}
	return e
}

// takeOver makes the workload go on with recovered messages.
func (w *workload) takeOver(got map[string]revived) {
	w.live = nil
	for _, envelope := range slices.Sorted(maps.Keys(got)) {
		m := got[envelope]
		l := &living{envelope: envelope, handle: m.handle}
		for entry := uint32(1); entry <= m.entries; entry++ {
			if !slices.Contains(m.done, entry) {
				l.left = append(l.left, entry)
			}
		}
		for _, version := range w.ledger.messages[envelope].states {
			l.version = max(l.version, version)
		}
		w.live = append(w.live, l)
	}
}
