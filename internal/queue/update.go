package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
)

// Verb is what an operator does to entries.
type Verb uint8

const (
	Activate Verb = iota + 1 // due now; HOLD is left alone
	Hold                     // keep until released
	Release                  // end HOLD; due when it was
	Postpone                 // due after Delay
	Remove                   // delete without a report
	Return                   // bounce: report to the sender, then delete
	Change                   // set transport or metadata only
)

// Action is a change that an operator wants. Transport and Metadata apply with
// any verb that leaves the entry in the queue.
type Action struct {
	Verb      Verb
	Delay     time.Duration     // with Postpone
	Reason    string            // with Return, for the report; with Hold and Postpone for listings
	Transport string            // "": as it is
	Metadata  map[string]string // merged into what there is; nil: as it is
}

// Update applies a to every entry that f selects and returns how many that
// were. Entries with a running attempt are changed when it has ended, unless it
// delivered. progress, if not nil, is called now and then with the count so
// far; Update stops between batches when ctx ends.
//
// When Update returns, new states are on disk: who was told that mail is on hold
// may rely on it. Entries that are removed may still be on their way out.
func (q *Queue) Update(ctx context.Context, f *Filter, a Action, progress func(int)) (n int, err error) {
	if t := a.Transport; t != "" && q.settings.Load().Transports[t] == nil {
		return 0, fmt.Errorf("queue: transport %q is not configured", t)
	}
	batch := make([]target, 0, walkYield)
	apply := func() error {
		err := q.ask(ctx, func(s *schedule) {
			for i := range batch {
				n += s.hit(&batch[i], &a)
			}
		})
		batch = batch[:0]
		if progress != nil {
			progress(n)
		}
		return err
	}
	var failed error
	err = q.Walk(ctx, f, func(v *View) bool {
		t := target{slot: v.slot, id: v.ID, number: v.Number}
		if a.Metadata != nil {
			if err := q.Load(v); errors.Is(err, ErrGone) {
				return true
			} else if err != nil {
				failed = err
				return false
			}
			t.metadata = v.Metadata()
		}
		if batch = append(batch, t); len(batch) == cap(batch) {
			failed = apply()
		}
		return failed == nil
	})
	if err == nil && failed == nil && len(batch) > 0 {
		failed = apply()
	}
	if err == nil {
		err = failed
	}
	if n > 0 {
		if failed := q.store.Flush(ctx); failed != nil {
			err = errors.Join(err, fmt.Errorf("queue: update: done, but not on disk yet: %w", failed))
		}
	}
	return n, err
}

// target names an entry to change.
type target struct {
	slot     uint32
	id       envelope.ID
	number   uint32
	metadata map[string]string // what it has, when that is to be changed
}

// hit applies a to the entry that t names, and returns 1 if it is still there.
func (s *schedule) hit(t *target, a *Action) int {
	e := s.find(t.slot, t.id, t.number)
	if e == nil {
		return 0
	}
	if a.Metadata != nil {
		merged := maps.Clone(t.metadata)
		if merged == nil {
			merged = map[string]string{}
		}
		maps.Copy(merged, a.Metadata)
		e.more().metadata, e.rare.metadataSet = merged, true
	}
	if e.state == StateSending || e.state == StateUnknown && !e.listed() {
		e.more().after = a
		return 1
	}
	s.withdraw(e)
	s.apply(e, a)
	return 1
}

// apply carries out a on an entry that is in no list and with no worker.
func (s *schedule) apply(e *entry, a *Action) {
	if a.Transport != "" {
		e.setTransport(a.Transport)
	}
	switch a.Verb {
	case Activate:
		if e.state != StateHold {
			e.due = 0
		}
	case Hold:
		s.setState(e, StateHold)
	case Release:
		if e.state == StateHold {
			s.setState(e, StateUnknown)
		}
	case Postpone:
		e.due = s.now + a.Delay.Milliseconds()
	case Remove, Return:
		s.dismiss(e, a)
		return
	}
	if a.Reason != "" {
		e.reason = a.Reason
	}
	s.save(e)
	s.file(e)
}

// dismiss sends e on its way out of the queue through the post-delivery hook.
func (s *schedule) dismiss(e *entry, a *Action) {
	at := s.attempt(e)
	at.from = fromClosing
	want := Delete
	if a.Verb == Return {
		want = Bounce
	}
	s.setState(e, StateUnknown)
	s.closing++
	s.q.crew.do(func() { s.q.conclude(at, removal(a.Reason), want) })
}
