package queue

import (
	"sync"

	"github.com/posthaste-mta/posthaste/internal/metric"
)

// Quota is what counts towards one name now.
type Quota struct {
	Name  string
	Count int64 // entries
	Bytes int64
}

// quotas counts entries by the names they were queued under (spec operations.md
// 9.11). Anyone may read it; the schedule writes.
type quotas struct {
	mu     sync.Mutex
	byName map[string]*Quota
	size   *metric.Gauge
}

// add counts e in (sign +1) or out (sign -1).
func (t *quotas) add(e *entry, sign int64) {
	if e.rare == nil || len(e.rare.quotas) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range e.rare.quotas {
		u := t.byName[name]
		if u == nil {
			if t.byName == nil {
				t.byName = map[string]*Quota{}
			}
			u = &Quota{Name: name}
			t.byName[name] = u
		}
		u.Count += sign
		u.Bytes += sign * e.msg.size
		if u.Count == 0 {
			delete(t.byName, name)
		}
	}
	t.size.Set(int64(len(t.byName)))
}

// Quota returns the usage of one name; a name that nothing counts towards has
// none.
func (q *Queue) Quota(name string) Quota {
	q.quotas.mu.Lock()
	defer q.quotas.mu.Unlock()
	if u := q.quotas.byName[name]; u != nil {
		return *u
	}
	return Quota{Name: name}
}

// Quotas returns all that is in use, in no order.
func (q *Queue) Quotas() []Quota {
	q.quotas.mu.Lock()
	defer q.quotas.mu.Unlock()
	all := make([]Quota, 0, len(q.quotas.byName))
	for _, u := range q.quotas.byName {
		all = append(all, *u)
	}
	return all
}
