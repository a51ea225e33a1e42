package script

import "time"

// QueueRuns say how the scripts of the queue are run.
type QueueRuns struct {
	// Pre and Post are the pools of pre-delivery and post-delivery scripts; nil:
	// unbounded.
	Pre, Post *Pool
	// PreTime and PostTime take the place of Limits.Time.
	PreTime, PostTime time.Duration
	// Metrics count; nil: nobody does.
	Metrics *QueueMetrics
}

// runs say how the scripts of one phase are run.
type runs struct {
	pool    *Pool
	time    time.Duration // limit; 0: none
	metrics *hookMetrics
}

func newRuns(p *Pool, limit time.Duration, m *hookMetrics) *runs {
	m.Threads.Set(int64(p.Size()))
	return &runs{pool: p, time: limit, metrics: m}
}

// runs returns how those of the queue are run.
func (q QueueRuns) runs() (pre, post *runs) {
	m := q.Metrics
	if m == nil {
		m = new(QueueMetrics)
	}
	return newRuns(q.Pre, q.PreTime, (*hookMetrics)(&m.pre)), newRuns(q.Post, q.PostTime, (*hookMetrics)(&m.post))
}

// CountThreads publishes the sizes of the pools after they have changed.
func (q QueueRuns) CountThreads() { q.runs() }
