package server

import "github.com/posthaste-mta/posthaste/internal/metric"

// Metrics counts the connections of one virtual server (spec operations.md
// 20.2); the label serverid tells them apart.
type Metrics struct {
	Concurrent    metric.Gauge   `name:"servers_connections_concurrent" help:"Connections now."`
	MaxConcurrent metric.Gauge   `name:"servers_connections_maxconcurrent" help:"Limit of connections, concurrency.total; 0 is none." kind:"counter"`
	Accepted      metric.Counter `name:"servers_connections_accepted" help:"Connections accepted since the start."`
	Refused       metric.Counter `name:"servers_connections_refused" help:"Connections turned away by a limit."`
	BadProxy      metric.Counter `name:"servers_connections_badproxy" help:"Connections closed for want of a good PROXY header."`
	Errors        metric.Counter `name:"servers_connections_errors" help:"Failures to accept."`
}
