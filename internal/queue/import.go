package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/queue/archive"
	"github.com/posthaste-mta/posthaste/internal/spool"
)

// Imported counts what came out of an archive.
type Imported struct {
	Messages int
	Entries  int
	Skipped  int // entries that are in the queue already
	Damaged  int // messages that were already damaged when the archive was written
}

// importAtOnce bounds the messages that wait for their commit. They share
// syncs, as messages of parallel sessions do.
const importAtOnce = 32

// Import queues every message of r with what has become of its recipients so
// far: retries, due times, holds. A recipient that is in memory already, under
// the same message id and address, is skipped; if that leaves others, these
// are queued under a new id. Messages imported before an error stay.
func (q *Queue) Import(ctx context.Context, r *archive.Reader) (Imported, error) {
	in := importer{q: q, ctx: ctx, slots: make(chan struct{}, importAtOnce)}
	var err error
	if in.present, err = q.present(ctx); err != nil {
		return Imported{}, err
	}
	err = in.readAll(r)
	in.wg.Wait()
	return in.done, errors.Join(err, in.err)
}

// importer commits what is read from one archive.
type importer struct {
	q     *Queue
	ctx   context.Context
	slots chan struct{} // one token for each message under way; never closed
	// present says where the messages are that the queue had when the import
	// began. An archive has each message once, so what it brings need not be
	// added.
	present map[envelope.ID]uint32
	wg      sync.WaitGroup

	mu   sync.Mutex
	done Imported
	err  error // first failed commit
}

func (in *importer) readAll(r *archive.Reader) error {
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("queue: import: %w", err)
		}
		if err := in.take(m, r); err != nil {
			return fmt.Errorf("queue: import message %s: %w", m.Envelope.ID, err)
		}
		if in.failed() {
			return nil
		}
	}
}

// take reads the body of m and leaves the rest to a goroutine.
func (in *importer) take(m *archive.Message, r *archive.Reader) error {
	skipped, err := in.withoutPresent(m)
	if err != nil {
		return err
	}
	in.count(Imported{Skipped: skipped})
	if len(m.States) == 0 {
		return nil
	}
	body := in.q.Body()
	if _, err := r.WriteTo(body); err != nil {
		body.Discard()
		if errors.Is(err, archive.ErrAbandoned) {
			in.count(Imported{Damaged: 1})
			return nil
		}
		return err
	}
	select {
	case in.slots <- struct{}{}:
	case <-in.ctx.Done():
		body.Discard()
		return context.Cause(in.ctx)
	}
	in.wg.Add(1)
	go in.commit(m, body)
	return nil
}

func (in *importer) commit(m *archive.Message, body *spool.Message) {
	defer in.wg.Done()
	defer body.Discard()
	err := in.q.addImported(in.ctx, m, body)
	<-in.slots
	if err == nil {
		in.count(Imported{Messages: 1, Entries: len(m.States)})
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err == nil {
		in.err = fmt.Errorf("queue: import message %s: %w", m.Envelope.ID, err)
	}
}

func (in *importer) count(n Imported) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.done.Messages += n.Messages
	in.done.Entries += n.Entries
	in.done.Skipped += n.Skipped
	in.done.Damaged += n.Damaged
}

func (in *importer) failed() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.err != nil
}

// present lists the messages in memory with their slots. The queue keeps no such
// index: who asks for one message can wait for a walk, and memory cannot.
func (q *Queue) present(ctx context.Context) (map[envelope.ID]uint32, error) {
	found := map[envelope.ID]uint32{}
	for slot, done := 0, false; !done; {
		err := q.ask(ctx, func(s *schedule) {
			end := min(slot+walkBatch, len(s.slots))
			for ; slot < end; slot++ {
				if m := s.slots[slot]; m != nil {
					found[m.id] = m.slot
				}
			}
			done = slot >= len(s.slots)
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// withoutPresent takes the recipients out of m that the queue has already, and
// returns how many those were. A rest of a message gets an id of its own.
func (in *importer) withoutPresent(m *archive.Message) (skipped int, err error) {
	slot, ok := in.present[m.Envelope.ID]
	if !ok {
		return 0, nil
	}
	var present []address.Address
	err = in.q.ask(in.ctx, func(s *schedule) {
		have := s.slots[slot]
		if have == nil || have.id != m.Envelope.ID {
			return
		}
		for i := range have.entries {
			if e := &have.entries[i]; e.flags&isGone == 0 {
				present = append(present, e.recipient())
			}
		}
	})
	if err != nil || len(present) == 0 {
		return 0, err
	}
	var states []envelope.State
	var recipients []envelope.Recipient
	for i, r := range m.Envelope.Recipients {
		if slices.Contains(present, r.Address) {
			skipped++
			continue
		}
		states, recipients = append(states, m.States[i]), append(recipients, r)
	}
	m.States, m.Envelope.Recipients = states, recipients
	m.Envelope.ID = in.q.newID()
	return skipped, nil
}

// addImported is Add for a message with a past.
func (q *Queue) addImported(ctx context.Context, m *archive.Message, body *spool.Message) error {
	past := &recovered{states: make(map[uint32]envelope.State, len(m.States))}
	for i := range m.States {
		r, st := &m.Envelope.Recipients[i], &m.States[i]
		r.Number = uint32(i + 1) // as the spool numbers the entries of a new message
		// What must not be lost if the state is: a message is committed with its
		// envelope, states follow with the next commit.
		r.Hold, r.NotBefore = st.Hold, postponed(st.Due, time.Now())
		past.states[r.Number] = *st
	}
	m.Envelope.Size = body.Size()
	h, err := body.Commit(ctx, m.Envelope.Append(nil), len(m.States))
	if err != nil {
		return err
	}
	for n, st := range past.states {
		q.store.SetState(h, n, st.Append(nil))
	}
	in := newMessage(h, m.Envelope, past)
	q.inbox.post(func(s *schedule) { s.admit(in, past) })
	return nil
}

// postponed returns due if it lies ahead.
func postponed(due, now time.Time) time.Time {
	if due.After(now) {
		return due
	}
	return time.Time{}
}
