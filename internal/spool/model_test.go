package spool

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// model does to a map what is done to a store, and compares.
type model struct {
	disk     *vfs.Mem
	options  Options
	store    *Store
	messages map[string]*modelled
	count    int
}

type modelled struct {
	handle Handle
	body   string
	left   []uint32
	done   []uint32
	states map[uint32]string
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{disk: vfs.NewMem(), messages: map[string]*modelled{}}
		m.open(t)
		defer func() { _ = m.store.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"commit":  m.commit,
			"state":   m.state,
			"done":    m.done,
			"flush":   m.flush,
			"restart": m.restart,
			"kill":    m.kill,
			"":        m.compare,
		})
	})
}

func (m *model) open(t *rapid.T) {
	m.options = crashOptions(m.disk)
	m.options.CacheBytes = rapid.SampledFrom([]int64{0, 100 << 10}).Draw(t, "cache")
	s, err := Open(m.options)
	if err != nil {
		t.Fatal(err)
	}
	m.store = s
}

func (m *model) commit(t *rapid.T) {
	size := rapid.OneOf(rapid.IntRange(0, 7<<10), rapid.IntRange(0, 100<<10)).Draw(t, "size")
	entries := rapid.OneOf(rapid.IntRange(1, 3), rapid.IntRange(1, 2000)).Draw(t, "entries")
	m.count++
	envelope := fmt.Sprint("message ", m.count)
	body := bodyOf(m.count, size)
	h, err := put(m.store, envelope, body, entries)
	if err != nil {
		t.Fatal(err)
	}
	e := &modelled{handle: h, body: string(body), states: map[uint32]string{}}
	for i := range entries {
		e.left = append(e.left, uint32(i+1))
	}
	m.messages[envelope] = e
}

// pick draws a living message and the index of one of its entries.
func (m *model) pick(t *rapid.T) (string, *modelled, int) {
	if len(m.messages) == 0 {
		t.Skip("no message")
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(m.messages))).Draw(t, "message")
	e := m.messages[name]
	return name, e, rapid.IntRange(0, len(e.left)-1).Draw(t, "entry")
}

func (m *model) state(t *rapid.T) {
	_, e, i := m.pick(t)
	state := rapid.StringN(-1, 300, 1000).Draw(t, "state")
	m.store.SetState(e.handle, e.left[i], []byte(state))
	e.states[e.left[i]] = state
}

// done ends some entries, often all of them.
func (m *model) done(t *rapid.T) {
	name, e, i := m.pick(t)
	for _, entry := range e.left[i:] {
		m.store.Done(e.handle, entry)
		delete(e.states, entry)
		e.done = append(e.done, entry)
	}
	e.left = e.left[:i]
	if i == 0 {
		delete(m.messages, name)
	}
}

func (m *model) flush(t *rapid.T) {
	if err := m.store.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// restart closes and opens the store.
func (m *model) restart(t *rapid.T) {
	if err := m.store.Close(); err != nil {
		t.Fatal(err)
	}
	m.recover(t)
}

// kill ends the process without a word, with everything flushed.
func (m *model) kill(t *rapid.T) {
	m.flush(t)
	disk := m.disk.CrashClone(vfs.Nothing, nil)
	if err := m.store.Close(); err != nil {
		t.Fatal(err)
	}
	m.disk = disk
	m.recover(t)
}

func (m *model) recover(t *rapid.T) {
	m.open(t)
	m.store.o.LoaderThreads = 1
	found := 0
	err := m.store.Recover(context.Background(), func(r Recovered) error {
		e := m.messages[string(r.Envelope)]
		if e == nil {
			return fmt.Errorf("%s should not be there", r.Envelope)
		}
		found++
		e.handle = r.Handle
		states := map[uint32]string{}
		for _, s := range r.States {
			states[s.Entry] = string(s.State)
		}
		slices.Sort(e.done)
		if !maps.Equal(states, e.states) || !slices.Equal(r.Done, e.done) || int(r.Entries) != len(e.left)+len(e.done) {
			return fmt.Errorf("%s has %d states of %d, %d done of %d", r.Envelope, len(states), len(e.states), len(r.Done), len(e.done))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found != len(m.messages) {
		t.Fatalf("%d messages recovered, want %d", found, len(m.messages))
	}
}

func (m *model) compare(t *rapid.T) {
	for name, e := range m.messages {
		envelope, err := m.store.Envelope(e.handle)
		if err != nil || string(envelope) != name {
			t.Fatalf("envelope of %s: %q, %v", name, envelope, err)
		}
		b, err := m.store.Body(e.handle)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, b.Size())
		if _, err := b.ReadAt(got, 0); err != nil && len(got) > 0 {
			t.Fatal(err)
		}
		if string(got) != e.body {
			t.Fatalf("body of %s differs", name)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := int(m.store.Metrics.Living()); n < len(m.messages) {
		t.Fatalf("%d messages living, want %d", n, len(m.messages))
	}
}
