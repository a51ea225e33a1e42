package queue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/spool"
)

// recoverBatch is how many messages go to the schedule at once while the spool
// is read, so that it stays free for new mail in between.
const recoverBatch = 256

// recover takes in what the spool kept from earlier runs.
func (q *Queue) recover(ctx context.Context) {
	defer q.loader.Done()
	began := time.Now()
	in := intake{q: q}
	err := q.store.Recover(ctx, func(r spool.Recovered) error {
		m, err := revive(&r)
		if err != nil {
			q.failed(err)
			return nil
		}
		return in.add(ctx, m)
	})
	if err == nil {
		err = in.flush(ctx, in.take())
	}
	if q.events.Recovered != nil {
		q.events.Recovered(in.count, time.Since(began), err)
	}
}

// intake gathers recovered messages from several readers into batches.
type intake struct {
	q *Queue

	mu    sync.Mutex
	batch []revived
	count int
}

func (in *intake) add(ctx context.Context, m revived) error {
	in.mu.Lock()
	in.count++
	in.batch = append(in.batch, m)
	full := len(in.batch) >= recoverBatch
	in.mu.Unlock()
	if !full {
		return nil
	}
	return in.flush(ctx, in.take())
}

func (in *intake) take() []revived {
	in.mu.Lock()
	defer in.mu.Unlock()
	batch := in.batch
	in.batch = nil
	return batch
}

// flush returns when the schedule has the batch, which keeps the readers from
// running ahead of it.
func (in *intake) flush(ctx context.Context, batch []revived) error {
	return in.q.ask(ctx, func(s *schedule) {
		for _, r := range batch {
			s.admit(r.message, r.past)
		}
	})
}

// revive makes entries of what the spool returned.
func revive(r *spool.Recovered) (out revived, err error) {
	var m envelope.Message
	if err := envelope.Decode(r.Envelope, &m); err != nil {
		return out, fmt.Errorf("queue: recover message %d: %w", r.Handle, err)
	}
	var past *recovered
	if len(r.Done)+len(r.States) > 0 {
		past = &recovered{done: map[uint32]bool{}, states: map[uint32]envelope.State{}}
	}
	for _, n := range r.Done {
		past.done[n] = true
	}
	for _, e := range r.States {
		var st envelope.State
		if err := envelope.DecodeState(e.State, &st); err != nil {
			return out, fmt.Errorf("queue: recover message %s entry %d: %w", m.ID, e.Entry, err)
		}
		past.states[e.Entry] = st
	}
	return revived{newMessage(r.Handle, &m, past), past}, nil
}

// revived is a message from an earlier run.
type revived struct {
	message *message
	past    *recovered
}

// read takes a message that waited on disk into memory.
func (q *Queue) read(p pending) (*message, error) {
	raw, err := q.store.Envelope(p.handle)
	if err != nil {
		return nil, err
	}
	var m envelope.Message
	if err := envelope.Decode(raw, &m); err != nil {
		return nil, fmt.Errorf("queue: load message %d: %w", p.handle, err)
	}
	return newMessage(p.handle, &m, p.past), nil
}
