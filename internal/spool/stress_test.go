package spool

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// Many sessions commit, read and end messages on the real file system.
func TestManySessions(t *testing.T) {
	o := Options{Path: t.TempDir(), SegmentSize: 1 << 20, CacheBytes: 256 << 10, MemoryBody: 64 << 10}
	s := openTest(t, o)
	const sessions, each = 32, 40
	var mu sync.Mutex
	kept := map[string][]byte{}
	var wg sync.WaitGroup
	for session := range sessions {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(session), 1))
			for i := range each {
				envelope := fmt.Sprintf("session %d message %d", session, i)
				body := bodyOf(session*each+i, rnd.IntN(20<<10))
				if i%20 == 0 {
					body = bodyOf(i, 200<<10)
				}
				h, err := put(s, envelope, body, 2)
				if err != nil {
					t.Error(err)
					return
				}
				s.SetState(h, 1, []byte(envelope))
				checkMessage(t, s, h, envelope, body)
				s.Done(h, 2)
				if i%10 == 0 {
					mu.Lock()
					kept[envelope] = body
					mu.Unlock()
					continue
				}
				s.Done(h, 1)
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got := recoverAll(t, openTest(t, o))
	if len(got) != len(kept) {
		t.Errorf("%d messages recovered, want %d", len(got), len(kept))
	}
	for envelope, body := range kept {
		m := got[envelope]
		if m.body != string(body) || m.states[1] != envelope || len(m.done) != 1 {
			t.Errorf("%s: %d bytes, states %v, done %v", envelope, len(m.body), m.states, m.done)
		}
	}
}

// A message may have more recipients than anybody would think.
func TestThousandsOfEntries(t *testing.T) {
	o := Options{Path: t.TempDir()}
	s := openTest(t, o)
	const entries = 20000
	h := mustPut(t, s, "many", bodyOf(1, 10<<10), entries)
	for i := uint32(1); i <= entries; i++ {
		if i%4 == 0 {
			s.SetState(h, i, fmt.Append(nil, "state ", i))
		} else {
			s.Done(h, i)
		}
	}
	mustFlush(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, o)
	m := recoverAll(t, s)["many"]
	if len(m.done) != entries*3/4 || len(m.states) != entries/4 || m.states[400] != "state 400" {
		t.Fatalf("%d done, %d states", len(m.done), len(m.states))
	}
	for i := uint32(4); i <= entries; i += 4 {
		s.Done(m.handle, i)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := recoverAll(t, openTest(t, o)); len(got) != 0 {
		t.Errorf("recovered %d", len(got))
	}
}

// A large message has its own file, and the file goes with it.
func TestLargeMessage(t *testing.T) {
	o := Options{Path: t.TempDir(), SegmentSize: 1 << 20}
	s := openTest(t, o)
	body := bodyOf(1, 3<<20)
	h := mustPut(t, s, "large", body, 1)
	small := mustPut(t, s, "small", nil, 1)
	checkMessage(t, s, h, "large", body)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, o)
	got := recoverAll(t, s)
	if len(got) != 2 {
		t.Fatalf("recovered %q", keys(got))
	}
	checkMessage(t, s, got["large"].handle, "large", body)
	s.Done(got["large"].handle, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The file's name may be in use again, by a spare segment.
	files, err := os.ReadDir(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Size() > int64(len(body)) {
			t.Errorf("%s is still there: %d bytes, %v", f.Name(), info.Size(), err)
		}
	}
	if got := recoverAll(t, openTest(t, o)); len(got) != 1 || got["small"].handle == 0 {
		t.Errorf("recovered %q, small was %d", keys(got), small)
	}
}

// What is kept takes up little more than its bodies.
func TestDiskBytesPerMessage(t *testing.T) {
	o := Options{Path: t.TempDir(), SegmentSize: 8 << 20, NoSync: true}
	s := openTest(t, o)
	const messages, size = 4000, 10 << 10
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range messages {
		envelope := fmt.Sprintf("%032x 192.0.2.%d mail%d.example.net sender@example.com -> rcpt%d@example.org, subject: %x",
			rnd.Uint64(), i%256, i%16, i, rnd.Uint64())
		mustPut(t, s, fmt.Sprintf("%-250s", envelope), bodyOf(i, size), 1)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var used int64
	for _, g := range s.slots {
		if g != nil && g.alive > 0 {
			used += g.tail
		}
	}
	names, err := s.fs.List(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, ok := parseName(name, idxSuffix); ok {
			st, err := os.Stat(filepath.Join(o.Path, name))
			if err != nil {
				t.Fatal(err)
			}
			used += st.Size()
		}
	}
	ratio := float64(used) / (messages * size)
	t.Logf("%.3f bytes on disk per body byte", ratio)
	if ratio > 1.05 {
		t.Errorf("%.3f bytes on disk per body byte", ratio)
	}
}

func TestRecoverStops(t *testing.T) {
	o := Options{Path: t.TempDir()}
	s := openTest(t, o)
	for i := range 100 {
		mustPut(t, s, fmt.Sprint(i), nil, 1)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s = openTest(t, o)
	err := s.Recover(ctx, func(Recovered) error { cancel(); return nil })
	if err == nil {
		t.Error("a canceled recovery ended well")
	}
	for range 100 { // what was not recovered must not be written over
		s.Done(mustPut(t, s, "passing", bodyOf(1, 10<<10), 1), 1)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := recoverAll(t, openTest(t, o)); len(got) != 100 {
		t.Errorf("%d messages left", len(got))
	}
}

// A recovery goes on beside new messages, and none is told twice or lost.
func TestRecoverBesideCommits(t *testing.T) {
	o := Options{Path: t.TempDir(), SegmentSize: 256 << 10}
	s := openTest(t, o)
	for i := range 300 {
		mustPut(t, s, fmt.Sprint("old ", i), bodyOf(i, 2000), 1)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(o.Path, "*"+idxSuffix))
	if err != nil || len(names) == 0 {
		t.Fatalf("indexes %q, %v", names, err)
	}
	for _, name := range names[:len(names)/2] {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	s = openTest(t, o)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				h, err := put(s, "new", bodyOf(i, 2000), 1)
				if err != nil {
					t.Error(err)
					return
				}
				s.Done(h, 1)
			}
		})
	}
	var found atomic.Int64
	err = s.Recover(context.Background(), func(r Recovered) error {
		found.Add(1)
		s.SetState(r.Handle, 1, r.Envelope)
		if found.Load()%2 == 0 {
			s.Done(r.Handle, 1)
		}
		return nil
	})
	wg.Wait()
	if err != nil || found.Load() != 300 {
		t.Errorf("%d messages, %v", found.Load(), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for envelope, m := range recoverAll(t, openTest(t, o)) {
		if m.states[1] != envelope {
			t.Errorf("%s has state %q", envelope, m.states[1])
		}
	}
}
