package delivery

import "github.com/posthaste-mta/posthaste/internal/metric"

// Metrics counts connections (spec operations.md 20.2).
type Metrics struct {
	Concurrent    metric.Gauge `name:"queue_connections_concurrent" help:"Outbound connections that are open, idle ones included."`
	MaxConcurrent metric.Func  `name:"queue_connections_maxconcurrent" help:"Outbound connections allowed at once, queues.concurrency.total." kind:"counter"`

	ProxiesDown   metric.Gauge   `name:"queue_proxies_down" help:"Outbound proxies that are not to be used now."`
	ProxyFailures metric.Counter `name:"queue_proxies_failures" help:"Times that an outbound proxy went down."`
	ProxyProbes   metric.Counter `name:"queue_proxies_probes" help:"Connects to see whether an outbound proxy is there again."`

	PoolSize    metric.Gauge   `name:"queue_connections_pooling_size" help:"Idle connections in the pool."`
	PoolMaxSize metric.Func    `name:"queue_connections_pooling_maxsize" help:"Idle connections that the pool may hold, queues.pooling.size." kind:"counter"`
	PoolHits    metric.Counter `name:"queue_connections_pooling_hits" help:"Transactions on a connection from the pool."`
	PoolMisses  metric.Counter `name:"queue_connections_pooling_misses" help:"Times that the pool had no connection to offer."`
	PoolExpires metric.Counter `name:"queue_connections_pooling_expires" help:"Pooled connections closed because they idled too long."`
	PoolEvicts  metric.Counter `name:"queue_connections_pooling_evicts" help:"Pooled connections closed to make room."`
	PoolSkips   metric.Counter `name:"queue_connections_pooling_skips" help:"Connections not pooled because the pool was full."`
	PoolStale   metric.Counter `name:"queue_connections_pooling_stale" help:"Pooled connections that their peer had closed, replaced by new ones."`
}
