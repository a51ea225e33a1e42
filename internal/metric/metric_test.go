package metric

import (
	"slices"
	"testing"
)

type sample struct {
	Seen  Counter `name:"things_seen" help:"Things seen."`
	Size  Gauge   `name:"things_size" help:"Size of all things." unit:"bytes"`
	Limit Func    `name:"things_limit" help:"How many there may be." kind:"counter"`
}

func TestRegistry(t *testing.T) {
	var r Registry
	a, b := new(sample), new(sample)
	r.Register(a, Label{"id", "a"})
	set := r.Register(b, Label{"id", "b"})
	a.Seen.Add(2)
	a.Seen.Inc()
	a.Size.Set(10)
	a.Size.Dec()
	b.Limit = func() float64 { return 7 }

	var got []float64
	for _, s := range r.Gather() {
		got = append(got, s.Value)
	}
	if want := []float64{3, 9, 0, 0, 0, 7}; !slices.Equal(got, want) {
		t.Errorf("values %v, want %v", got, want)
	}
	set.Remove()
	if n := len(r.Gather()); n != 3 {
		t.Errorf("%d samples after a set was removed, want 3", n)
	}
}

func TestDescribe(t *testing.T) {
	got := Describe(new(sample))
	want := []Desc{
		{"things_seen", "Things seen.", "", CounterKind},
		{"things_size", "Size of all things.", "bytes", GaugeKind},
		{"things_limit", "How many there may be.", "", CounterKind},
	}
	if !slices.Equal(got, want) {
		t.Errorf("described as %+v", got)
	}
}

// TestUndescribed: a field without a name or of another type is found when the
// program starts, not when somebody misses it on a dashboard.
func TestUndescribed(t *testing.T) {
	for name, v := range map[string]any{
		"no tags": new(struct{ A Counter }),
		"dotted name": new(struct {
			A Counter `name:"a.b" help:"A."`
		}),
		"another type": new(struct {
			A int `name:"a" help:"A."`
		}),
		"no pointer": sample{},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it was taken")
				}
			}()
			Describe(v)
		})
	}
}

func BenchmarkCounter(b *testing.B) {
	var c Counter
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Inc()
		}
	})
}
