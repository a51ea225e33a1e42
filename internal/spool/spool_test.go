package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// smallSegments make everything that happens to segments happen often.
const smallSegments = 256 << 10

func testOptions(fsys vfs.FS) Options {
	return Options{Path: "/spool", FS: fsys, SegmentSize: smallSegments, LoaderThreads: 2}
}

func openTest(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Logf("close: %v", err)
		}
	})
	return s
}

func bodyOf(n, size int) []byte {
	line := fmt.Appendf(nil, "line of message %d, which goes on and on\r\n", n)
	return bytes.Repeat(line, size/len(line)+1)[:size]
}

func put(s *Store, envelope string, body []byte, entries int) (Handle, error) {
	m := s.NewMessage()
	defer m.Discard()
	if _, err := m.Write(body); err != nil {
		return 0, err
	}
	return m.Commit(context.Background(), []byte(envelope), entries)
}

func mustPut(t testing.TB, s *Store, envelope string, body []byte, entries int) Handle {
	t.Helper()
	h, err := put(s, envelope, body, entries)
	if err != nil {
		t.Fatalf("put %s: %v", envelope, err)
	}
	return h
}

func mustFlush(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// revived is a message as a recovery told it.
type revived struct {
	handle  Handle
	body    string
	entries uint32
	states  map[uint32]string
	done    []uint32
}

// recoverAll returns what is alive, by envelope.
func recoverAll(t testing.TB, s *Store) map[string]revived {
	t.Helper()
	var mu sync.Mutex
	out := map[string]revived{}
	err := s.Recover(context.Background(), func(r Recovered) error {
		mu.Lock()
		defer mu.Unlock()
		envelope := string(r.Envelope)
		if _, twice := out[envelope]; twice {
			return fmt.Errorf("%s recovered twice", envelope)
		}
		m := revived{handle: r.Handle, entries: r.Entries, done: slices.Clone(r.Done), states: map[uint32]string{}}
		for _, e := range r.States {
			m.states[e.Entry] = string(e.State)
		}
		out[envelope] = m
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for envelope, m := range out {
		m.body = bodyString(t, s, m.handle)
		out[envelope] = m
	}
	return out
}

func bodyString(t testing.TB, s *Store, h Handle) string {
	t.Helper()
	b, err := s.Body(h)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var buf strings.Builder
	if _, err := b.WriteTo(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func TestRoundTrip(t *testing.T) {
	for _, size := range []int{0, 1, 10 << 10, firstChunk, firstChunk + 1, 70 << 10, 300 << 10} {
		for _, cache := range []int64{0, 1 << 20} {
			t.Run(fmt.Sprintf("%d bytes, cache %d", size, cache), func(t *testing.T) {
				mem := vfs.NewMem()
				o := testOptions(mem)
				o.CacheBytes, o.MemoryBody = cache, 64<<10
				s := openTest(t, o)
				body := bodyOf(size, size)
				h := mustPut(t, s, "envelope", body, 2)
				checkMessage(t, s, h, "envelope", body)
				s.SetState(h, 1, []byte("first"))
				s.SetState(h, 1, []byte("second"))
				s.Done(h, 2)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = openTest(t, o)
				got := recoverAll(t, s)["envelope"]
				want := revived{handle: got.handle, body: string(body), entries: 2, states: map[uint32]string{1: "second"}, done: []uint32{2}}
				if !equalRevived(got, want) {
					t.Errorf("recovered %d bytes, %+v, want %d bytes", len(got.body), got.states, len(want.body))
				}
				checkMessage(t, s, got.handle, "envelope", body)
			})
		}
	}
}

func equalRevived(a, b revived) bool {
	return a.handle == b.handle && a.body == b.body && a.entries == b.entries &&
		maps.Equal(a.states, b.states) && slices.Equal(a.done, b.done)
}

func checkMessage(t *testing.T, s *Store, h Handle, envelope string, body []byte) {
	t.Helper()
	e, err := s.Envelope(h)
	if err != nil || string(e) != envelope {
		t.Errorf("envelope %q, %v", e, err)
	}
	if got := bodyString(t, s, h); got != string(body) {
		t.Errorf("body of %d bytes differs from %d", len(got), len(body))
	}
	b, err := s.Body(h)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if len(body) > 3 {
		part := make([]byte, len(body)-2)
		if n, err := b.ReadAt(part, 1); n != len(part) || err != nil || !bytes.Equal(part, body[1:len(body)-1]) {
			t.Errorf("ReadAt: %d, %v", n, err)
		}
	}
}

func TestDoneReleases(t *testing.T) {
	s := openTest(t, testOptions(vfs.NewMem()))
	h := mustPut(t, s, "e", bodyOf(1, 100), 2)
	s.Done(h, 1)
	if _, err := s.Body(h); err != nil {
		t.Errorf("one entry left: %v", err)
	}
	b, err := s.Body(h)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	s.Done(h, 2)
	if _, err := s.Body(h); !errors.Is(err, ErrUnknown) {
		t.Errorf("body of a dead message: %v", err)
	}
	if _, err := s.Envelope(h); !errors.Is(err, ErrUnknown) {
		t.Errorf("envelope of a dead message: %v", err)
	}
	var buf bytes.Buffer
	if _, err := b.WriteTo(&buf); err != nil || !bytes.Equal(buf.Bytes(), bodyOf(1, 100)) {
		t.Errorf("open body of a dead message: %v", err)
	}
	mustFlush(t, s)
	if again := mustPut(t, s, "f", nil, 1); again != h {
		t.Errorf("handle %d was not used again, but %d given", h, again)
	}
}

func TestCommitRefuses(t *testing.T) {
	s := openTest(t, testOptions(vfs.NewMem()))
	m := s.NewMessage()
	defer m.Discard()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Commit(ctx, nil, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if _, err := m.Commit(context.Background(), nil, 0); err == nil {
		t.Error("a message without entries was taken")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Commit(context.Background(), nil, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := s.Flush(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("flush after close: %v", err)
	}
}

func TestLocked(t *testing.T) {
	o := Options{Path: t.TempDir(), SegmentSize: smallSegments}
	openTest(t, o)
	_, err := Open(o)
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID == 0 {
		t.Fatalf("second open: %v", err)
	}
	if err := Scan(context.Background(), vfs.OS, o.Path, Visitor{}); !errors.As(err, &locked) {
		t.Errorf("scan of a spool in use: %v", err)
	}
}
