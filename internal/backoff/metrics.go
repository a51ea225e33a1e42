package backoff

import "github.com/posthaste-mta/posthaste/internal/metric"

// Metrics counts what back-off does.
type Metrics struct {
	Complaints metric.Counter `name:"backoff_complaints" help:"Replies that a rule of back-off knew for a complaint."`
	Slowed     metric.Counter `name:"backoff_slowed" help:"Times that a slower step was put in force."`
	Suspended  metric.Counter `name:"backoff_suspended" help:"Times that a suspension was put in force."`
	Relaxed    metric.Counter `name:"backoff_relaxed" help:"Times that a step gave way to a faster one or to none."`
	Dropped    metric.Counter `name:"backoff_dropped" help:"Complaints that were not looked at because too many came or too many places are known."`
	Places     metric.Gauge   `name:"backoff_places" help:"Pairs of source address and destination that back-off knows at present."`
}
