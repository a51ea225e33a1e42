package control

import "github.com/posthaste-mta/posthaste/internal/metric"

// Metrics counts what clients do.
type Metrics struct {
	Connections metric.Gauge   `name:"control_connections" help:"Open control connections."`
	Calls       metric.Counter `name:"control_calls" help:"Control calls that have ended."`
	Errors      metric.Counter `name:"control_errors" help:"Control calls that have ended with an error."`
}
