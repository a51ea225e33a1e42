package telemetry

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/posthaste-mta/posthaste/internal/metric"
)

// Prefix stands before the name of every metric that leaves the process. It is
// the one that existing dashboards and alert rules look for.
const Prefix = "halon_"

// collector shows a metric.Registry to Prometheus. The set of metrics changes
// while the process runs, so it is an unchecked collector: it describes
// nothing beforehand.
type collector struct{ registry *metric.Registry }

// Describe sends nothing; see collector.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect reads all metrics.
func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c.registry.Gather() {
		names, values := labels(s.Labels)
		kind := prometheus.GaugeValue
		if s.Kind == metric.CounterKind {
			kind = prometheus.CounterValue
		}
		m, err := prometheus.NewConstMetric(prometheus.NewDesc(Prefix+s.Name, s.Help, names, nil), kind, s.Value, values...)
		if err != nil {
			m = prometheus.NewInvalidMetric(prometheus.NewDesc(Prefix+s.Name, s.Help, nil, nil), err)
		}
		out <- m
	}
}

func labels(l []metric.Label) (names, values []string) {
	for _, l := range l {
		names, values = append(names, l.Name), append(values, l.Value)
	}
	return names, values
}

// Stat is one metric under the dotted name that process statistics use:
// queue.pickup.count for queue_pickup_count, servers.ID.… for what has a
// serverid, and threads.scripts.ID.running for what has an id (spec operations.md
// 20.2).
type Stat struct {
	Name string
	metric.Sample
}

// Stats reads all metrics in the form of process statistics.
func Stats(r *metric.Registry) []Stat {
	samples := r.Gather()
	out := make([]Stat, len(samples))
	for i, s := range samples {
		out[i] = Stat{Name: dotted(s), Sample: s}
	}
	return out
}

func dotted(s metric.Sample) string {
	words := strings.Split(s.Name, "_")
	var tail []string
	for _, l := range s.Labels {
		switch last := len(words) - 1; l.Name {
		case "serverid":
			words = slices.Insert(words, 1, l.Value)
		case "id":
			words = slices.Insert(words, last, l.Value)
		default:
			tail = append(tail, l.Value)
		}
	}
	return strings.Join(append(words, tail...), ".")
}
