package source

import (
	"math"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
)

func TestPattern(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", ""},
		{"<>", ""},
		{"a@b.example", "a@b.example"},
		{"user-%d@d%d.example", "user-123@d3.example"},
		{"%d%%x%d@e.example", "123%x123@e.example"},
		{"x@y@z.example", "!"},
		{"user", "!"},
		{"%s@b.example", "!"},
		{"a%", "!"},
		{"a@b.example%", "!"},
		{"a b@c.example", "!"},
		{"a>@c.example", "!"},
	} {
		p, err := ParsePattern(test.text, 10)
		got := "!"
		if err == nil {
			got = string(p.Append(nil, 123))
		}
		if got != test.want {
			t.Errorf("%q gives %q, want %q (%v)", test.text, got, test.want, err)
		}
	}
}

// FuzzPattern expects that whatever is accepted makes addresses.
func FuzzPattern(f *testing.F) {
	f.Add("user-%d@d%d.example", uint64(7))
	f.Fuzz(func(t *testing.T, text string, n uint64) {
		p, err := ParsePattern(text, 3)
		if err != nil || p.local == nil {
			return
		}
		again, err := ParsePattern(p.String(), 3)
		if err != nil || string(again.Append(nil, n)) != string(p.Append(nil, n)) {
			t.Fatalf("%q does not read back: %v", text, err)
		}
		if a := string(p.Append(nil, n)); len(a) <= address.MaxLocal {
			if _, _, err := address.ParseForwardPath("<" + a + ">"); err != nil {
				t.Fatalf("%q made %q: %v", text, a, err)
			}
		}
	})
}

func TestBucketsHaveNoGaps(t *testing.T) {
	for i := range buckets - 1 {
		end := bucketEnd(i)
		if bucketOf(end) != i || bucketOf(end+1) != i+1 {
			t.Fatalf("bucket %d ends at %d, which is in %d; the next value in %d", i, end, bucketOf(end), bucketOf(end+1))
		}
	}
	if bucketOf(math.MaxUint64) != buckets-1 || bucketEnd(buckets-1) != math.MaxUint64 {
		t.Error("the last bucket does not end at the largest value")
	}
}

func TestLatency(t *testing.T) {
	var h Histogram
	if h.Latency() != (Latency{}) {
		t.Error("an empty histogram has a latency")
	}
	for i := range 1000 {
		h.Record(time.Duration(i+1) * time.Millisecond)
	}
	h.Record(-time.Second)
	l := h.Latency()
	if l.Count != 1001 || l.Max != 1000 {
		t.Errorf("%+v", l)
	}
	for _, q := range []struct{ got, want float64 }{{l.P50, 500}, {l.P90, 900}, {l.P99, 990}, {l.P999, 999}, {l.Mean, 500}} {
		if math.Abs(q.got-q.want) > 0.032*q.want {
			t.Errorf("got %v, want about %v: %+v", q.got, q.want, l)
		}
	}
}
