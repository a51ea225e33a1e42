package policy

import "github.com/posthaste-mta/posthaste/internal/metric"

// Metrics counts what pick-up does and how much is in force (spec operations.md
// 9.5 and 20.2).
type Metrics struct {
	Evals  metric.Counter `name:"queue_pickup_evals" help:"Times that the limits and suspensions of a sub-queue were looked at."`
	Misses metric.Counter `name:"queue_pickup_misses" help:"Times that nothing was found that may start."`
	Skips  metric.Counter `name:"queue_pickup_skips" help:"Sub-queues that were set aside because limits or suspensions hold them."`

	Concurrency         metric.Gauge `name:"queue_policy_concurrency_counters" help:"Counters with a limit of concurrency."`
	ConcurrencySuspends metric.Gauge `name:"queue_policy_concurrency_suspends" help:"Counters that hold sub-queues back by concurrency."`
	Rate                metric.Gauge `name:"queue_policy_rate_buckets" help:"Counters with a limit of rate."`
	RateSuspends        metric.Gauge `name:"queue_policy_rate_suspends" help:"Counters that hold sub-queues back by rate."`
	Connect             metric.Gauge `name:"queue_policy_connectinterval_buckets" help:"Counters with an interval between connections."`
	ConnectSuspends     metric.Gauge `name:"queue_policy_connectinterval_suspends" help:"Counters that hold sub-queues back by the interval between connections."`

	DynamicConditions metric.Gauge `name:"queue_policy_dynamic_conditions" help:"Dynamic policies in force."`
	DynamicSuspends   metric.Gauge `name:"queue_policy_dynamic_suspends" help:"Dynamic suspensions in force."`
}

// counted notes a counter that has limits.
func (m *Metrics) counted(l *Limits, n int64) {
	if l.Concurrency > 0 {
		m.Concurrency.Add(n)
	}
	if l.Rate.Count > 0 {
		m.Rate.Add(n)
	}
	if l.ConnectInterval > 0 {
		m.Connect.Add(n)
	}
}

// waiting notes a list in which something waits.
func (m *Metrics) waiting(reason Reason, n int64) {
	switch reason {
	case ByConcurrency:
		m.ConcurrencySuspends.Add(n)
	case ByRate:
		m.RateSuspends.Add(n)
	case ByConnectInterval:
		m.ConnectSuspends.Add(n)
	}
}
