package smtpd

import (
	"net/netip"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/engine"
	"github.com/posthaste-mta/posthaste/internal/server"
	"github.com/posthaste-mta/posthaste/internal/telemetry"
)

// What scripts may ask and steer of the running MTA. The types declare their
// functions even where nothing runs, as when scripts are only compiled.

// userMetrics is engine.Metrics.
type userMetrics struct{ *telemetry.UserMetrics }

func labelMap(labels []engine.Label) map[string]string {
	m := make(map[string]string, len(labels))
	for _, l := range labels {
		m[l.Name] = l.Value
	}
	return m
}

func (u userMetrics) Add(name string, labels []engine.Label, delta float64) bool {
	return u.UserMetrics.Add(name, labelMap(labels), delta)
}

func (u userMetrics) Set(name string, labels []engine.Label, v float64) bool {
	return u.UserMetrics.Set(name, labelMap(labels), v)
}

func (u userMetrics) Get(name string, labels []engine.Label) (m engine.Metric, ok bool) {
	v, ok := u.UserMetrics.Get(name, labelMap(labels))
	if !ok || v.Buckets == nil {
		return engine.Metric{Value: v.Value}, ok
	}
	m.Histogram = &engine.Histogram{Count: v.Count, Sum: v.Value}
	for _, b := range v.Buckets {
		m.Histogram.Buckets = append(m.Histogram.Buckets, engine.Bucket(b))
	}
	return m, true
}

// declare makes the metrics of the configuration those that scripts keep.
func (r *Running) declare(u *telemetry.UserMetrics) error {
	var list []telemetry.UserMetric
	for _, m := range r.Monitor.Metrics {
		list = append(list, telemetry.UserMetric{Name: m.Name, Help: m.Help, Type: m.Type, Buckets: m.Buckets})
	}
	return u.Declare(list)
}

// liveServers is engine.Servers.
type liveServers struct{ list func() []*server.Server }

func (l liveServers) Concurrency(id, network string) (int, bool) {
	for _, s := range l.list() {
		if s.ID() != id {
			continue
		}
		if network == "" {
			return s.Concurrency(), true
		}
		prefix, err := netip.ParsePrefix(network)
		if err != nil {
			ip, err := netip.ParseAddr(network)
			if err != nil {
				return 0, false
			}
			prefix = netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen())
		}
		return s.ConcurrencyFrom(prefix), true
	}
	return 0, false
}

// quotas is engine.Quotas.
type quotas func(name string) (count, bytes int64)

func (q quotas) Quota(name string) (count, bytes int64) { return q(name) }
