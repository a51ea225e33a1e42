package telemetry

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

func TestUserMetrics(t *testing.T) {
	u := new(UserMetrics)
	declare := func(list ...UserMetric) {
		t.Helper()
		if err := u.Declare(list); err != nil {
			t.Fatal(err)
		}
	}
	c := UserMetric{Name: "seen", Help: "Seen.", Type: CounterMetric}
	g := UserMetric{Name: "level", Help: "Level.", Type: GaugeMetric}
	h := UserMetric{Name: "took", Help: "Took.", Type: HistogramMetric, Buckets: []float64{1, 5}}
	declare(c, g, h)
	a, b := map[string]string{"to": "a"}, map[string]string{"to": "b"}
	for what, ok := range map[string]bool{
		"counter":                  u.Add("seen", a, 2) && u.Add("seen", a, 1) && u.Add("seen", b, 1),
		"gauge":                    u.Add("level", nil, 5) && u.Add("level", nil, -2),
		"histogram":                u.Set("took", nil, 1) && u.Set("took", nil, 4) && u.Set("took", nil, 9),
		"no counter goes down":     !u.Add("seen", a, -1),
		"no sum for a histogram":   !u.Add("took", nil, 1),
		"no other labels":          !u.Add("seen", nil, 1) && !u.Add("seen", map[string]string{"from": "a"}, 1),
		"no metric of that name":   !u.Add("nothing", nil, 1),
		"no label of another kind": !u.Set("took", map[string]string{"le": "1"}, 1),
	} {
		if !ok {
			t.Error(what)
		}
	}
	if v, ok := u.Get("took", nil); !ok || v.Count != 3 || v.Value != 14 || !cmp.Equal(v.Buckets, []UserBucket{{1, 1}, {5, 2}}) {
		t.Errorf("the histogram says %+v", v)
	}
	if _, ok := u.Get("seen", map[string]string{"to": "c"}); ok {
		t.Error("a series that nobody made")
	}
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(u)
	want := `
# HELP level Level.
# TYPE level gauge
level 3
# HELP seen Seen.
# TYPE seen counter
seen{to="a"} 3
seen{to="b"} 1
# HELP took Took.
# TYPE took histogram
took_bucket{le="1"} 1
took_bucket{le="5"} 2
took_bucket{le="+Inf"} 3
took_sum 14
took_count 3
`
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&page, f); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), page.String()); diff != "" {
		t.Error(diff)
	}

	// What is declared again keeps its value, unless it is of another kind.
	g.Type = CounterMetric
	declare(c, g)
	if v, ok := u.Get("seen", a); !ok || v.Value != 3 {
		t.Errorf("after a reload the counter is %v", v.Value)
	}
	if _, ok := u.Get("level", nil); ok {
		t.Error("a gauge has become a counter with its value")
	}
	for _, bad := range []UserMetric{{Name: "a b", Type: GaugeMetric}, {Name: "x", Type: HistogramMetric, Buckets: []float64{2, 1}}} {
		if u.Declare([]UserMetric{bad}) == nil {
			t.Errorf("%+v is a metric", bad)
		}
	}
}

// TestUserMetricBound: labels with anything in them do not fill memory.
func TestUserMetricBound(t *testing.T) {
	u := new(UserMetrics)
	if err := u.Declare([]UserMetric{{Name: "m", Type: GaugeMetric}}); err != nil {
		t.Fatal(err)
	}
	for i := range maxSeries + 10 {
		if got := u.Add("m", map[string]string{"l": strings.Repeat("x", i%100) + string(rune(0x100+i))}, 1); got != (i < maxSeries) {
			t.Fatalf("series %d: %v", i, got)
		}
	}
}
