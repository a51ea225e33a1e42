package dkim

import "github.com/posthaste-mta/posthaste/internal/metric"

// Metrics counts what a Pool does.
type Metrics struct {
	Signed  metric.Counter `name:"dkim_sign_signed" help:"Signatures made."`
	Failed  metric.Counter `name:"dkim_sign_failed" help:"Signatures that could not be made."`
	Running metric.Gauge   `name:"dkim_sign_running" help:"Signatures being made."`
	Waiting metric.Gauge   `name:"dkim_sign_waiting" help:"Signatures waiting for a processor."`
}
