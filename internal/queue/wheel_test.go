package queue

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestWheelHandsOutOnTime adds entries at random times near and far, and checks
// that each comes out in the tick in which it is due, in order.
func TestWheelHandsOutOnTime(t *testing.T) {
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 1))
		now := int64(1_700_000_000_000) + r.Int64N(1e9)
		w := newWheel(now)
		want := map[*entry]int64{}
		for range 2000 {
			e := &entry{due: now + r.Int64N(1<<r.IntN(31))}
			want[e] = e.due
			w.add(e)
		}
		drain(t, w, now, want, r)
	}
}

func drain(t *testing.T, w *wheel, now int64, want map[*entry]int64, r *rand.Rand) {
	t.Helper()
	for w.size > 0 {
		at, ok := w.next()
		if !ok || at <= now {
			t.Fatalf("next is %d, %v at %d with %d waiting", at, ok, now, w.size)
		}
		woken := w.tick
		now = at + r.Int64N(3*tickMillis) // a scheduler may be late
		last := woken
		w.advance(now, func(e *entry) {
			tick := max((want[e]+tickMillis-1)/tickMillis, woken+1)
			delete(want, e)
			if tick > w.tick || tick < last {
				t.Fatalf("due in tick %d, came in tick %d after %d", tick, w.tick, last)
			}
			last = tick
		})
	}
	if len(want) != 0 {
		t.Fatalf("%d entries never came out", len(want))
	}
}

func TestWheelRemove(t *testing.T) {
	w := newWheel(0)
	keep, gone := &entry{due: 1000}, &entry{due: 1000}
	w.add(keep)
	w.add(gone)
	w.remove(gone)
	var out []*entry
	w.advance(5000, func(e *entry) { out = append(out, e) })
	if !slices.Equal(out, []*entry{keep}) {
		t.Errorf("came out: %v", out)
	}
	if _, ok := w.next(); ok {
		t.Error("an empty wheel wants to be woken")
	}
}

// TestWheelFarAway checks that an entry days ahead comes on time, with one wake
// per turn of the first level.
func TestWheelFarAway(t *testing.T) {
	w := newWheel(0)
	const fourDays = 4 * 24 * 3600 * 1000
	w.add(&entry{due: fourDays})
	now, wakes := int64(0), 0
	for w.size > 0 {
		now, _ = w.next()
		w.advance(now, func(*entry) {})
		wakes++
	}
	if now < fourDays || now > fourDays+2*tickMillis {
		t.Errorf("due after %d ms, came after %d", fourDays, now)
	}
	if most := fourDays/(tickMillis*wheelSlots) + 10; wakes > most {
		t.Errorf("%d wakes for one entry, want at most %d", wakes, most)
	}
}

func BenchmarkWheel(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	now := int64(0)
	w := newWheel(now)
	entries := make([]entry, 1<<16)
	for i := range entries {
		entries[i].due = r.Int64N(4 * 24 * 3600 * 1000)
		w.add(&entries[i])
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e := &entries[i&(1<<16-1)]
		if e.listed() {
			w.remove(e)
		}
		e.due = now + r.Int64N(4*24*3600*1000)
		w.add(e)
	}
}
