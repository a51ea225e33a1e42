package queue

import (
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
)

// Events are facts that leave the queue. They are called on workers, many at a
// time, and must not block. Nil fields are not called.
type Events struct {
	// Attempted is called once per attempt or removal, after its consequences
	// are stored. View is only valid during the call.
	Attempted func(*View, *delivery.Outcome, Conclusion)
	// Recovered is called once, when everything that the spool kept is
	// scheduled.
	Recovered func(messages int, took time.Duration, err error)
	// Failed is called for each failure of our own that somebody should see.
	Failed func(error)
}

// Conclusion says what an attempt led to.
type Conclusion struct {
	Action string    // "delivered", "deferred", "bounced" or "deleted"
	Next   time.Time // of the next attempt, with "deferred"
}

func (q *Queue) attempted(a *attempt, out *delivery.Outcome, action string, next time.Time) {
	if q.events.Attempted != nil {
		q.events.Attempted(&a.view, out, Conclusion{action, next})
	}
}

func (q *Queue) failed(err error) {
	q.metrics.Errors.Inc()
	if q.events.Failed != nil {
		q.events.Failed(err)
	}
}
