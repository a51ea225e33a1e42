package top

import (
	"slices"
	"strings"
)

// pane is what is on the screen at a time.
type pane struct {
	title    string
	sections []section
}

// section is a box of numbers. One with a pattern has a row for each name that
// the star of the pattern stands for; another has the rows that it lists.
type section struct {
	title   string
	pattern string // of the names, up to the columns, such as "servers.*.connections."
	columns []column
	rows    []row
}

// column is a number of every row of a section.
type column struct {
	head string
	stat string // end of the name
}

// row is one number, with its limit where there is one.
type row struct {
	label, stat, limit string
}

// panes are the whole view, in the order of the keys that lead to them. Sections
// of which the process has no number are left out.
var panes = []pane{
	{"queue", []section{
		{title: "SERVERS", pattern: "servers.*.connections.", columns: []column{
			{"now", "concurrent"}, {"max", "maxconcurrent"}, {"accepted", "accepted"}, {"refused", "refused"},
		}},
		{title: "MESSAGES IN", pattern: "servers.*.messages.", columns: []column{
			{"accepted", "accepted"}, {"rejected", "rejected"}, {"deferred", "deferred"},
		}},
		{title: "QUEUES", rows: []row{
			{"active", "queue.queue.active.size", ""}, {"active, priority 0", "queue.queue.active.priorities.0.size", ""},
			{"active, priority 1", "queue.queue.active.priorities.1.size", ""}, {"defer", "queue.queue.defer.size", ""},
			{"hold", "queue.freeze.hold.size", ""}, {"update", "queue.freeze.update.size", ""},
			{"update pending", "queue.freeze.update.pending", ""}, {"post-delivery", "queue.release.pending", ""},
		}},
		{title: "DELIVERY", rows: []row{
			{"delivered", "queue.delivery.delivered", ""}, {"delayed", "queue.delivery.delayed", ""}, {"failed", "queue.delivery.failed", ""},
		}},
		{title: "CONNECTIONS", rows: []row{{"open", "queue.connections.concurrent", "queue.connections.maxconcurrent"}}},
		{title: "POOLING", rows: []row{
			{"size", "queue.connections.pooling.size", "queue.connections.pooling.maxsize"}, {"hits", "queue.connections.pooling.hits", ""},
			{"misses", "queue.connections.pooling.misses", ""}, {"expires", "queue.connections.pooling.expires", ""},
			{"evicts", "queue.connections.pooling.evicts", ""}, {"skips", "queue.connections.pooling.skips", ""},
		}},
		{title: "LOADER", rows: []row{
			{"active", "queue.loader.active", "queue.loader.maxactive"}, {"pending", "queue.loader.pending", ""}, {"count", "queue.loader.count", ""},
		}},
		{title: "QUOTA", rows: []row{{"quotas", "queue.quota.size", ""}}},
	}},
	{"policies", []section{
		{title: "PICKUP", rows: []row{
			{"total", "queue.pickup.count", ""}, {"skips", "queue.pickup.skips", ""}, {"misses", "queue.pickup.misses", ""},
			{"pending", "queue.pickup.pending", ""}, {"evals", "queue.pickup.evals", ""}, {"putback", "queue.pickup.putback", ""},
		}},
		{title: "POLICIES / DYNAMIC", rows: []row{
			{"conditions", "queue.policy.dynamic.conditions", ""}, {"suspends", "queue.policy.dynamic.suspends", ""},
		}},
		{title: "POLICIES / CONCURRENCY", rows: []row{
			{"counters", "queue.policy.concurrency.counters", ""}, {"suspends", "queue.policy.concurrency.suspends", ""},
		}},
		{title: "POLICIES / RATE", rows: []row{
			{"buckets", "queue.policy.rate.buckets", ""}, {"suspends", "queue.policy.rate.suspends", ""},
		}},
		{title: "POLICIES / CONNECTINTERVAL", rows: []row{
			{"buckets", "queue.policy.connectinterval.buckets", ""}, {"suspends", "queue.policy.connectinterval.suspends", ""},
		}},
		{title: "CLUSTER", rows: []row{{"connected", "cluster.connected", ""}, {"hosts", "cluster.hosts", ""}}},
	}},
	{"scripts", []section{
		{title: "SCRIPTS OF SERVERS", pattern: "servers.*.scripts.", columns: scriptColumns},
		{title: "SCRIPTS OF THE QUEUE", pattern: "queue.scripts.*.", columns: scriptColumns},
		{title: "THREADS", pattern: "threads.scripts.*.", columns: []column{
			{"running", "running"}, {"max", "maxrunning"}, {"pending", "pending"}, {"scripts", "scripts"}, {"max", "maxscripts"},
		}},
	}},
	{"system", []section{
		{title: "RESOLVER", rows: []row{
			{"running", "resolver.running", "resolver.maxrunning"}, {"pending", "resolver.pending", ""}, {"merged", "resolver.dedup", ""},
			{"cache", "resolver.cache.size", "resolver.cache.maxsize"}, {"hits", "resolver.cache.hits", ""}, {"misses", "resolver.cache.misses", ""},
			{"domains", "resolver.domain.cache.size", "resolver.domain.cache.maxsize"},
			{"hits", "resolver.domain.cache.hits", ""}, {"misses", "resolver.domain.cache.misses", ""},
		}},
		{title: "SPOOL", rows: []row{
			{"messages", "spool.messages", ""}, {"bytes", "spool.size.bytes", ""}, {"free bytes", "spool.free.bytes", ""},
			{"commits", "spool.committed", ""}, {"syncs", "spool.syncs", ""}, {"refused", "spool.refused", ""},
			{"failures", "spool.failures", ""}, {"corrupt", "spool.corrupt", ""},
		}},
		{title: "CONTROL", rows: []row{
			{"connections", "control.connections", ""}, {"calls", "control.calls", ""}, {"errors", "control.errors", ""},
		}},
	}},
}

var scriptColumns = []column{
	{"running", "running"}, {"pending", "pending"}, {"suspended", "suspended"}, {"finished", "finished"}, {"errors", "errors"},
}

// matches returns the names that the star of the section's pattern stands for,
// sorted. Where the pattern goes on in names, as in servers.NAME.scripts.HOOK,
// both stand in the result with a space between.
func (s *section) matches(r Reading) []string {
	before, after, _ := strings.Cut(s.pattern, "*")
	var names []string
	for stat := range r.Values {
		rest, ok := strings.CutPrefix(stat, before)
		if !ok || !strings.HasSuffix(rest, "."+s.columns[0].stat) {
			continue
		}
		if name := s.name(strings.TrimSuffix(rest, s.columns[0].stat), after); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// name reads "NAME.scripts.HOOK." where after is ".scripts.".
func (s *section) name(rest, after string) string {
	name, more, ok := strings.Cut(rest, after)
	switch {
	case !ok || name == "":
		return ""
	case more == "":
		return name
	case strings.Count(more, ".") == 1 && after != ".":
		return name + " " + strings.TrimSuffix(more, ".")
	}
	return ""
}

// stat is the name of a column's number in the row of that name.
func (s *section) stat(name string, c column) string {
	before, after, _ := strings.Cut(s.pattern, "*")
	name, more, two := strings.Cut(name, " ")
	if two {
		more += "."
	}
	return before + name + after + more + c.stat
}
