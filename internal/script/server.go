package script

import (
	"errors"
	"fmt"
	"time"

	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/session"
)

// Server names the scripts of a virtual server.
type Server struct {
	ID    string
	Hooks map[session.Phase]string // ids by phase; a phase that is absent has none
	// RecipientDomains are scripts of rcptto by domain or "*.domain".
	RecipientDomains map[string]string
	// FlatMail leaves the parts of messages unopened, so that scripts see a
	// message without parts (spec config.md 3.1, phases.data.multipart).
	FlatMail bool

	Pool    *Pool                           // on which they run; nil: unbounded
	Time    map[session.Phase]time.Duration // takes the place of Limits.Time of the Engine
	Metrics *ServerMetrics                  // nil: nobody counts
}

// Session returns the hooks of a server. The error names ids without a script.
func (e *Engine) Session(v Server) (*Session, error) {
	s := &Session{engine: e, server: v.ID, flat: v.FlatMail}
	counters := v.Metrics
	if counters == nil {
		counters = NewServerMetrics()
	}
	for phase := range s.runs {
		limit, own := v.Time[session.Phase(phase)]
		if !own {
			limit = e.options.Limits.Time
		}
		s.runs[phase] = newRuns(v.Pool, limit, counters.phases[phase])
	}
	var errs []error
	find := func(phase session.Phase, id string) *Program {
		p := e.Program(phase.String(), id)
		if p == nil {
			errs = append(errs, fmt.Errorf("script: server %q: there is no script %q in scripting.hooks.%s", v.ID, id, phase))
		}
		return p
	}
	var phases []session.Phase
	for phase, id := range v.Hooks {
		s.scripts[phase] = find(phase, id)
		phases = append(phases, phase)
	}
	byDomain := map[string]*Program{}
	for pattern, id := range v.RecipientDomains {
		byDomain[pattern] = find(session.PhaseRcptTo, id)
		phases = append(phases, session.PhaseRcptTo)
	}
	var err error
	if s.byDomain, err = newDomains(byDomain); err != nil {
		errs = append(errs, err)
	}
	s.phases = session.PhaseSet(phases...)
	return s, errors.Join(errs...)
}

// Queue returns the hooks of the queue, nil when there is no script for them.
// load reads the envelope of a view.
func (e *Engine) Queue(r Resources, load func(*queue.View) error) *Queue {
	q := &Queue{
		engine: e, resources: r, load: load,
		pre: e.Program(predelivery, predelivery), post: e.Program(postdelivery, postdelivery),
	}
	q.preRuns, q.postRuns = e.options.Queue.runs()
	if q.pre == nil && q.post == nil {
		return nil
	}
	return q
}
