package telemetry

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
)

// UserMetric declares a metric that scripts keep (spec config.md 3.11).
type UserMetric struct {
	Name, Help string
	Type       string    // "counter", "gauge" or "histogram"
	Buckets    []float64 // of a histogram; none: those of Prometheus
}

// Kinds of UserMetric.
const (
	CounterMetric   = "counter"
	GaugeMetric     = "gauge"
	HistogramMetric = "histogram"
)

// UserMetrics are the metrics that scripts keep, with their values. Those that
// a new declaration has again, of the same kind, keep their values. It is safe
// for concurrent use, and a Prometheus collector.
type UserMetrics struct {
	mu     sync.Mutex
	byName map[string]*userMetric
}

// userMetric is one metric. The first use says which labels it has.
type userMetric struct {
	UserMetric
	labels []string // names, sorted; nil until it was used
	series map[string]*userSeries
}

// userSeries is a metric with certain values of its labels.
type userSeries struct {
	values []string // of the labels
	value  float64  // or the sum of a histogram
	count  uint64
	counts []uint64 // by bucket, not cumulative
}

// maxSeries bounds what scripts that put anything into a label can make of one
// metric.
const maxSeries = 10000

// Declare replaces the declarations. The error names one that no metric can
// have.
func (u *UserMetrics) Declare(list []UserMetric) error {
	next := map[string]*userMetric{}
	for _, d := range list {
		if !model.LegacyValidation.IsValidMetricName(d.Name) {
			return fmt.Errorf("monitor.metrics: %q is no name for a metric: want letters, digits, underscores and colons", d.Name)
		}
		if !slices.IsSorted(d.Buckets) {
			return fmt.Errorf("monitor.metrics: the buckets of %q do not rise", d.Name)
		}
		if d.Type == HistogramMetric && len(d.Buckets) == 0 {
			d.Buckets = prometheus.DefBuckets
		}
		next[d.Name] = &userMetric{UserMetric: d, series: map[string]*userSeries{}}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for name, m := range next {
		if old := u.byName[name]; old != nil && old.Type == m.Type && slices.Equal(old.Buckets, m.Buckets) {
			m.labels, m.series = old.labels, old.series
		}
	}
	u.byName = next
	return nil
}

// Add adds to a gauge, or, unless delta is below 0, to a counter. It reports
// whether there is such a metric with these labels.
func (u *UserMetrics) Add(name string, labels map[string]string, delta float64) bool {
	return u.change(name, labels, func(m *userMetric, s *userSeries) bool {
		if m.Type == HistogramMetric || m.Type == CounterMetric && delta < 0 {
			return false
		}
		s.value += delta
		return true
	})
}

// Set sets a gauge or counter, or adds an observation to a histogram. It reports
// whether there is such a metric with these labels.
func (u *UserMetrics) Set(name string, labels map[string]string, v float64) bool {
	return u.change(name, labels, func(m *userMetric, s *userSeries) bool {
		if m.Type != HistogramMetric {
			s.value = v
			return true
		}
		s.count++
		s.value += v
		if i := sort.SearchFloat64s(m.Buckets, v); i < len(m.Buckets) {
			s.counts[i]++
		}
		return true
	})
}

// change calls f with a series that exists, or is made.
func (u *UserMetrics) change(name string, labels map[string]string, f func(*userMetric, *userSeries) bool) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	m := u.byName[name]
	if m == nil || !m.fits(labels) {
		return false
	}
	key, values := m.key(labels)
	s := m.series[key]
	if s == nil {
		if len(m.series) >= maxSeries {
			return false
		}
		s = &userSeries{values: values, counts: make([]uint64, len(m.Buckets))}
	}
	if !f(m, s) {
		return false
	}
	m.series[key] = s
	return true
}

// fits reports whether these are the labels of the metric, which get fixed by
// the first that are good ones.
func (m *userMetric) fits(labels map[string]string) bool {
	names := slices.Sorted(maps.Keys(labels))
	if m.labels != nil {
		return slices.Equal(names, m.labels)
	}
	for _, n := range names {
		if !model.LegacyValidation.IsValidLabelName(n) || strings.HasPrefix(n, "__") || n == "le" {
			return false
		}
	}
	m.labels = append([]string{}, names...)
	return true
}

func (m *userMetric) key(labels map[string]string) (key string, values []string) {
	for _, n := range m.labels {
		values = append(values, strings.ToValidUTF8(labels[n], "\ufffd"))
	}
	return strings.Join(values, "\x00"), values
}

// UserValue is what a metric says. A histogram has Buckets, cumulative.
type UserValue struct {
	Value   float64 // the sum of a histogram
	Count   uint64
	Buckets []UserBucket // nil: no histogram
}

// UserBucket counts observations that are not above a bound.
type UserBucket struct {
	Bound float64
	Count uint64
}

// Get returns what a metric says, and whether it exists with these labels.
func (u *UserMetrics) Get(name string, labels map[string]string) (v UserValue, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	m := u.byName[name]
	if m == nil || !slices.Equal(slices.Sorted(maps.Keys(labels)), m.labels) {
		return v, false
	}
	key, _ := m.key(labels)
	s := m.series[key]
	if s == nil {
		return v, false
	}
	v = UserValue{Value: s.value, Count: s.count}
	total := uint64(0)
	for i, bound := range m.Buckets {
		total += s.counts[i]
		v.Buckets = append(v.Buckets, UserBucket{bound, total})
	}
	return v, true
}

// Describe sends nothing: the set of metrics changes with the configuration.
func (u *UserMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (u *UserMetrics) Collect(out chan<- prometheus.Metric) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, m := range u.byName {
		desc := prometheus.NewDesc(m.Name, m.Help, m.labels, nil)
		for _, s := range m.series {
			out <- m.sample(desc, s)
		}
	}
}

func (m *userMetric) sample(desc *prometheus.Desc, s *userSeries) prometheus.Metric {
	var sample prometheus.Metric
	var err error
	switch m.Type {
	case HistogramMetric:
		cumulative, total := map[float64]uint64{}, uint64(0)
		for i, bound := range m.Buckets {
			total += s.counts[i]
			cumulative[bound] = total
		}
		sample, err = prometheus.NewConstHistogram(desc, s.count, s.value, cumulative, s.values...)
	case GaugeMetric:
		sample, err = prometheus.NewConstMetric(desc, prometheus.GaugeValue, s.value, s.values...)
	default:
		sample, err = prometheus.NewConstMetric(desc, prometheus.CounterValue, s.value, s.values...)
	}
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return sample
}
