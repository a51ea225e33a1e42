package spool

import "github.com/posthaste-mta/posthaste/internal/metric"

// Metrics are the counters of one store.
type Metrics struct {
	Committed   metric.Counter `name:"spool_committed" help:"Messages committed."`
	Bytes       metric.Counter `name:"spool_committed_bytes" help:"Body bytes committed." unit:"bytes"`
	Refused     metric.Counter `name:"spool_refused" help:"Commits that failed."`
	Recovered   metric.Counter `name:"spool_recovered" help:"Messages found at start."`
	Writes      metric.Counter `name:"spool_writes" help:"Group commits written."`
	Syncs       metric.Counter `name:"spool_syncs" help:"File syncs."`
	Failures    metric.Counter `name:"spool_failures" help:"Writes and syncs that failed."`
	Recycled    metric.Counter `name:"spool_segments_recycled" help:"Segments used again."`
	Removed     metric.Counter `name:"spool_segments_removed" help:"Segment files removed."`
	Moved       metric.Counter `name:"spool_moved" help:"Messages copied to another segment."`
	Scanned     metric.Counter `name:"spool_segments_scanned" help:"Segments read whole at start because they had no index."`
	Corrupt     metric.Counter `name:"spool_corrupt" help:"Damaged records found."`
	CacheHits   metric.Counter `name:"spool_cache_hits" help:"Bodies read from memory."`
	CacheMisses metric.Counter `name:"spool_cache_misses" help:"Bodies read from disk."`
	Living      metric.Func    `name:"spool_messages" help:"Messages in the spool."`
	Segments    metric.Func    `name:"spool_segments" help:"Segment files."`
	Spares      metric.Func    `name:"spool_segments_free" help:"Segment files that hold nothing."`
	Size        metric.Func    `name:"spool_size_bytes" help:"Size of all segment files." unit:"bytes"`
	FreeBytes   metric.Func    `name:"spool_free_bytes" help:"Free space on the file system of the spool." unit:"bytes"`
	FreeInodes  metric.Func    `name:"spool_free_inodes" help:"Free inodes on the file system of the spool."`
}

// bind connects what is computed when it is asked for.
func (m *Metrics) bind(s *Store) {
	m.Living = s.locked(func() int64 { return int64(s.table.living) })
	m.Segments = s.locked(func() int64 { return int64(len(s.generations)) })
	m.Spares = s.locked(func() int64 { return int64(len(s.spares) + len(s.drained)) })
	m.Size = s.locked(s.sizeLocked)
	m.FreeBytes = func() float64 { return float64(s.Free().Bytes) }
	m.FreeInodes = func() float64 { return float64(s.Free().Inodes) }
}

func (s *Store) sizeLocked() int64 {
	var n int64
	for _, g := range s.slots {
		if g != nil {
			n += g.size
		}
	}
	return n
}

func (s *Store) locked(value func() int64) metric.Func {
	return func() float64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return float64(value())
	}
}
