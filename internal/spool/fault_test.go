package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// failing lets the next steps of a kind fail.
type failing struct {
	kind  vfs.OpKind
	err   error
	count atomic.Int32
}

func (f *failing) before(op vfs.Op) error {
	if op.Kind == f.kind && strings.HasSuffix(op.Name, segSuffix) && f.count.Add(-1) >= 0 {
		return f.err
	}
	return nil
}

func TestFailedWriteLeavesNothing(t *testing.T) {
	for _, kind := range []vfs.OpKind{vfs.OpWrite, vfs.OpSync} {
		for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
			t.Run(fmt.Sprint(kind, " ", cause), func(t *testing.T) {
				mem := vfs.NewMem()
				f := &failing{kind: kind, err: cause}
				mem.Before = f.before
				o := testOptions(mem)
				var failed []string
				o.Events.Failed = func(file string, _ error) { failed = append(failed, file) }
				s := openTest(t, o)
				h := mustPut(t, s, "before", bodyOf(1, 2000), 1)
				s.SetState(h, 1, []byte("state"))
				f.count.Store(1)
				_, err := put(s, "refused", bodyOf(2, 2000), 1)
				want := ErrFailed
				if cause == syscall.ENOSPC {
					want = ErrDiskFull
				}
				if !errors.Is(err, want) || !errors.Is(err, cause) {
					t.Errorf("commit: %v, want %v", err, want)
				}
				// A crash right after the answer must not bring it back.
				clone := mem.CrashClone(vfs.Everything, nil)
				checkMessage(t, s, h, "before", bodyOf(1, 2000))
				mustPut(t, s, "after", bodyOf(3, 2000), 1)
				if len(failed) != 1 || s.Metrics.Failures.Load() != 1 {
					t.Errorf("events for %q, %d failures counted", failed, s.Metrics.Failures.Load())
				}
				if got := recoverAll(t, openTest(t, testOptions(clone))); len(got) != 1 || got["before"].body == "" {
					t.Errorf("recovered after the failure: %v", keys(got))
				}
				clone = mem.CrashClone(vfs.Nothing, nil)
				got := recoverAll(t, openTest(t, testOptions(clone)))
				if len(got) != 2 || got["before"].states[1] != "state" {
					t.Errorf("recovered at the end: %v", got)
				}
			})
		}
	}
}

func keys(m map[string]revived) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	return out
}

// The poisoned segment is given up once its messages are done.
func TestPoisonedSegmentIsRemoved(t *testing.T) {
	mem := vfs.NewMem()
	f := &failing{kind: vfs.OpSync, err: syscall.EIO}
	mem.Before = f.before
	s := openTest(t, testOptions(mem))
	h := mustPut(t, s, "before", bodyOf(1, 2000), 1)
	generation := homeOf(s, h).generation
	f.count.Store(1)
	if _, err := put(s, "refused", nil, 1); err == nil {
		t.Fatal("no error")
	}
	s.Done(h, 1)
	mustFlush(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s.generations[generation] != nil || s.Metrics.Removed.Load() != 1 || s.Metrics.Recycled.Load() != 0 {
		t.Error("the file is still in use")
	}
}

func TestFlushTellsFailure(t *testing.T) {
	mem := vfs.NewMem()
	f := &failing{kind: vfs.OpSync, err: syscall.EIO}
	mem.Before = f.before
	s := openTest(t, testOptions(mem))
	h := mustPut(t, s, "message", nil, 2)
	s.Done(h, 1)
	f.count.Store(1)
	if err := s.Flush(context.Background()); !errors.Is(err, ErrFailed) {
		t.Errorf("flush: %v", err)
	}
	mustFlush(t, s)
	got := recoverAll(t, openTest(t, testOptions(mem.CrashClone(vfs.Nothing, nil))))
	if len(got["message"].done) != 1 {
		t.Errorf("recovered %+v", got)
	}
}

// fill commits until the disk is full and returns the handles.
func fill(t *testing.T, s *Store, name string) []Handle {
	t.Helper()
	var handles []Handle
	for i := range 10000 {
		h, err := put(s, fmt.Sprint(name, i), bodyOf(i, 4000), 1)
		if errors.Is(err, ErrDiskFull) {
			return handles
		}
		if err != nil {
			t.Fatal(err)
		}
		handles = append(handles, h)
	}
	t.Fatal("the disk does not become full")
	return nil
}

func TestDiskFull(t *testing.T) {
	mem := vfs.NewMem()
	mem.SetCapacity(3 * smallSegments)
	o := testOptions(mem)
	var full []bool
	var mu sync.Mutex
	o.Events.Full = func(f bool) {
		mu.Lock()
		defer mu.Unlock()
		full = append(full, f)
	}
	s := openTest(t, o)
	handles := fill(t, s, "fill ")
	// On the full disk states and ends still find room; and enough ends make room
	// for messages.
	for _, h := range handles {
		s.SetState(h, 1, []byte("deferred: the mailbox of this recipient is full, too"))
	}
	mustFlush(t, s)
	for _, h := range handles[:len(handles)-3] {
		s.Done(h, 1)
	}
	mustFlush(t, s)
	again := fill(t, s, "again ")
	if len(again) < len(handles)/4 {
		t.Errorf("%d messages found room, %d before", len(again), len(handles))
	}
	mem.SetCapacity(0)
	mustPut(t, s, "room again", bodyOf(1, 4000), 1)
	mu.Lock()
	if len(full) < 2 || !full[0] || full[len(full)-1] {
		t.Errorf("events %v", full)
	}
	mu.Unlock()
	got := recoverAll(t, openTest(t, testOptions(mem.CrashClone(vfs.Nothing, nil))))
	if len(got) != 3+len(again)+1 {
		t.Errorf("%d messages recovered, want %d", len(got), 3+len(again)+1)
	}
}

// A restart that finds a full disk and no segment to append to delivers what is
// there, and so comes to room.
func TestRestartOnFullDisk(t *testing.T) {
	mem := vfs.NewMem()
	mem.SetCapacity(3 * smallSegments)
	s := openTest(t, testOptions(mem))
	handles := fill(t, s, "fill ")
	for restart := range 4 { // each takes up a segment of the reserve
		disk := mem.CrashClone(vfs.Everything, nil)
		disk.SetCapacity(disk.Used() + page)
		mem = disk
		s = openTest(t, testOptions(mem))
		got := recoverAll(t, s)
		if len(got) != len(handles) {
			t.Fatalf("restart %d: %d of %d messages", restart, len(got), len(handles))
		}
		h := got["fill 0"].handle
		s.SetState(h, 1, []byte("state"))
		_ = s.Flush(context.Background()) // with or without room for it
		if restart < 3 {
			continue
		}
		for _, m := range got {
			s.Done(m.handle, 1)
		}
		mustFlush(t, s)
		mustPut(t, s, "room again", bodyOf(1, 4000), 1)
		if got := recoverAll(t, openTest(t, testOptions(mem.CrashClone(vfs.Nothing, nil)))); len(got) != 1 {
			t.Errorf("%d messages after all were done", len(got))
		}
	}
}

func TestSpillOnFullDisk(t *testing.T) {
	mem := vfs.NewMem()
	o := testOptions(mem)
	o.MemoryBody = 32 << 10
	s := openTest(t, o)
	mustPut(t, s, "first", nil, 1)
	mem.SetCapacity(mem.Used() + 1000)
	m := s.NewMessage()
	defer m.Discard()
	_, err := m.Write(bodyOf(1, 300<<10))
	if !errors.Is(err, ErrDiskFull) {
		t.Errorf("write: %v", err)
	}
	if _, err := m.Commit(context.Background(), nil, 1); !errors.Is(err, ErrDiskFull) {
		t.Errorf("commit: %v", err)
	}
}

func TestLowSpace(t *testing.T) {
	mem := vfs.NewMem()
	o := testOptions(mem)
	o.MinFreeBytes = 1 << 50
	s := openTest(t, o)
	if _, err := put(s, "e", nil, 1); !errors.Is(err, ErrLowSpace) {
		t.Errorf("commit: %v", err)
	}
	if f := s.Free(); !f.Low || f.Bytes == 0 {
		t.Errorf("free: %+v", f)
	}
}

// A large message that fails leaves no file behind.
func TestFailedSingle(t *testing.T) {
	for _, kind := range []vfs.OpKind{vfs.OpWrite, vfs.OpSync, vfs.OpRename, vfs.OpSyncDir} {
		mem := vfs.NewMem()
		var fail atomic.Bool
		mem.Before = func(op vfs.Op) error {
			if fail.Load() && op.Kind == kind {
				fail.Store(false)
				return syscall.EIO
			}
			return nil
		}
		s := openTest(t, testOptions(mem))
		mustPut(t, s, "first", nil, 1)
		if err := s.needSpareForTest(); err != nil {
			t.Fatal(err)
		}
		names := mem.Names()
		fail.Store(true)
		if _, err := put(s, "large", bodyOf(1, 100<<10), 1); !errors.Is(err, ErrFailed) {
			t.Errorf("%v: %v", kind, err)
		}
		if left := mem.Names(); len(left) != len(names) {
			t.Errorf("%v: files %q, before %q", kind, left, names)
		}
		h := mustPut(t, s, "large", bodyOf(1, 100<<10), 1)
		checkMessage(t, s, h, "large", bodyOf(1, 100<<10))
		if bytes.Contains([]byte(fmt.Sprint(mem.Names())), []byte(newSuffix)) {
			t.Errorf("%v: files %q", kind, mem.Names())
		}
	}
}

// needSpareForTest waits until the provider has nothing more to do.
func (s *Store) needSpareForTest() error {
	answer := make(chan error, 1)
	s.requests <- spareRequest{1, answer}
	return <-answer
}
