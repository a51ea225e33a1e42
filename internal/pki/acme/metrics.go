package acme

import (
	"time"

	"github.com/posthaste-mta/posthaste/internal/metric"
)

// Metrics count what the manager does.
type Metrics struct {
	Obtained   metric.Counter `name:"acme_certificates_obtained" help:"Certificates obtained for names that had none."`
	Renewed    metric.Counter `name:"acme_certificates_renewed" help:"Certificates renewed."`
	Failed     metric.Counter `name:"acme_attempts_failed" help:"Attempts that the authority, or the way to it, let fail."`
	Unchecked  metric.Counter `name:"acme_attempts_unchecked" help:"Attempts that our look at ourselves let fail, so that no authority was asked."`
	Names      metric.Func    `name:"acme_names" help:"Names that are to have a certificate."`
	Missing    metric.Func    `name:"acme_names_missing" help:"Names among them that have none."`
	Failing    metric.Func    `name:"acme_names_failing" help:"Names among them whose last attempt failed."`
	Next       metric.Func    `name:"acme_next_attempt_seconds" help:"Time of the next attempt, since 1970; 0 when none is due." unit:"seconds"`
	Earliest   metric.Func    `name:"acme_earliest_not_after_seconds" help:"End of the certificate that ends first, since 1970; 0 without any." unit:"seconds"`
	HookFailed metric.Counter `name:"acme_hooks_failed" help:"Runs of hooks that failed."`
}

// CertificateMetrics are those of one certificate, with the labels domain and
// source.
type CertificateMetrics struct {
	NotAfter metric.Gauge `name:"tls_cert_not_after_seconds" help:"End of the certificate, since 1970." unit:"seconds"`
}

// mostShown bounds the certificates that have metrics of their own: beyond it,
// monitoring wants the earliest end and the listing.
const mostShown = 1000

// describe fills in the metrics that are computed.
func (m *Keeper) describe() {
	x := m.parts.Metrics
	x.Names = m.gauge(func(e *entry) bool { return true })
	x.Missing = m.gauge(func(e *entry) bool { return !e.record.has() })
	x.Failing = m.gauge(func(e *entry) bool { return e.record.FailuresInRow > 0 })
	x.Next = func() float64 {
		m.mu.Lock()
		defer m.mu.Unlock()
		return unixOf(m.earliestLocked(func(e *entry) time.Time { return m.policy.next(e.record) }))
	}
	x.Earliest = func() float64 {
		m.mu.Lock()
		defer m.mu.Unlock()
		return unixOf(m.earliestLocked(func(e *entry) time.Time { return e.record.NotAfter }))
	}
}

func unixOf(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Unix())
}

// gauge counts the wanted names of a kind.
func (m *Keeper) gauge(of func(*entry) bool) metric.Func {
	return func() float64 {
		m.mu.Lock()
		defer m.mu.Unlock()
		n := 0
		for _, e := range m.entries {
			if e.managed() && of(e) {
				n++
			}
		}
		return float64(n)
	}
}

// earliestLocked is the first of some times of the wanted names.
func (m *Keeper) earliestLocked(of func(*entry) time.Time) (first time.Time) {
	for _, e := range m.entries {
		if t := of(e); e.managed() && !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// showLocked keeps the metric of a certificate up to date.
func (m *Keeper) showLocked(e *entry) {
	wanted := e.managed() && e.record.has()
	switch {
	case m.parts.Registry == nil:
	case !wanted && e.shown != nil:
		e.shown.Remove()
		e.shown = nil
		m.shown--
	case wanted && e.shown == nil && m.shown < mostShown:
		e.shown = m.parts.Registry.Register(&e.metrics, metric.Label{Name: "domain", Value: e.record.Name}, metric.Label{Name: "source", Value: "acme"})
		m.shown++
	}
	if wanted {
		e.metrics.NotAfter.Set(e.record.NotAfter.Unix())
	}
}
