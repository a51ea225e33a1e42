package dns

import "github.com/posthaste-mta/posthaste/internal/metric"

// Metrics counts what a Resolver does (spec operations.md 20.2).
type Metrics struct {
	Running    metric.Gauge `name:"resolver_running" help:"DNS queries that run now."`
	Pending    metric.Gauge `name:"resolver_pending" help:"DNS queries that wait for a slot."`
	Dedup      metric.Gauge `name:"resolver_dedup" help:"Questions that wait for an identical one that runs."`
	MaxRunning metric.Func  `name:"resolver_maxrunning" help:"DNS queries that may run at once." kind:"counter"`

	CacheSize    metric.Func    `name:"resolver_cache_size" help:"Answers in the DNS cache."`
	CacheMaxSize metric.Func    `name:"resolver_cache_maxsize" help:"Answers that the DNS cache may hold." kind:"counter"`
	CacheHits    metric.Counter `name:"resolver_cache_hits" help:"Questions answered from the DNS cache."`
	CacheMisses  metric.Counter `name:"resolver_cache_misses" help:"Questions that the DNS cache could not answer."`
	CacheEvicts  metric.Counter `name:"resolver_cache_evicts" help:"Answers put out of the DNS cache to make room."`
	CacheExpires metric.Counter `name:"resolver_cache_expires" help:"Answers found in the DNS cache after their time."`
	CacheSkips   metric.Counter `name:"resolver_cache_skips" help:"Answers not kept because their time to live is zero."`

	DomainSize    metric.Func    `name:"resolver_domain_cache_size" help:"Mail domains whose hosts are cached."`
	DomainMaxSize metric.Func    `name:"resolver_domain_cache_maxsize" help:"Mail domains that may be cached." kind:"counter"`
	DomainHits    metric.Counter `name:"resolver_domain_cache_hits" help:"Destinations answered from the domain cache."`
	DomainMisses  metric.Counter `name:"resolver_domain_cache_misses" help:"Destinations that the domain cache could not answer."`
	DomainEvicts  metric.Counter `name:"resolver_domain_cache_evicts" help:"Domains put out of the domain cache to make room."`
	DomainExpires metric.Counter `name:"resolver_domain_cache_expires" help:"Domains found in the domain cache after their time."`
}
