package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/queue/archive"
	"github.com/posthaste-mta/posthaste/internal/spool"
)

// ErrGone is returned for a message that has left the queue.
var ErrGone = errors.New("queue: the message has left the queue")

// Exported counts what went into an archive.
type Exported struct {
	Messages int
	Entries  int
	Damaged  int // messages whose body or envelope could not be read
}

// Export writes the entries that f selects, with their messages, to w, and
// closes it. Nothing is removed; entries that are not on hold may be delivered
// while the archive is on its way. A message that cannot be read is counted and
// left out, the other entries are exported all the same.
func (q *Queue) Export(ctx context.Context, f *Filter, w *archive.Writer) (Exported, error) {
	var done Exported
	var group []View // entries of one message, which a walk meets one after the other
	err := q.Walk(ctx, f, func(v *View) bool {
		if len(group) > 0 && group[0].ID != v.ID {
			q.export(w, group, &done)
			group = group[:0]
		}
		group = append(group, *v)
		return w.Err() == nil
	})
	if err == nil && len(group) > 0 {
		q.export(w, group, &done)
	}
	if err == nil {
		err = w.Close()
	}
	return done, err
}

func (q *Queue) export(w *archive.Writer, group []View, done *Exported) {
	m, body, err := q.content(&group[0])
	if errors.Is(err, ErrGone) {
		return
	}
	if err == nil {
		defer body.Close()
		if err = w.Add(exported(m, group), body); w.Err() != nil {
			return
		}
	}
	if err != nil {
		done.Damaged++
		q.failed(fmt.Errorf("queue: export: %w", err))
		return
	}
	done.Messages++
	done.Entries += len(group)
}

// exported is m with those recipients only that are in group.
func exported(m *envelope.Message, group []View) *archive.Message {
	out := &archive.Message{Envelope: m}
	m.Recipients = slices.DeleteFunc(m.Recipients, func(r envelope.Recipient) bool {
		i := slices.IndexFunc(group, func(v View) bool { return v.Number == r.Number })
		if i >= 0 {
			out.States = append(out.States, group[i].state())
		}
		return i < 0
	})
	return out
}

// state is what has become of the entry.
func (v *View) state() envelope.State {
	return envelope.State{
		Retry: v.Retry, Due: v.Due, Hold: v.State == StateHold, Notified: v.Notified,
		Reason: v.Reason, Transport: v.Transport,
		Metadata: v.metadata, MetadataSet: v.metadataSet,
	}
}

// Content opens the stored bytes of the message that v belongs to, and loads v
// if it is not. It returns ErrGone when the message has left the queue.
func (q *Queue) Content(v *View) (delivery.Content, error) {
	m, body, err := q.content(v)
	if err != nil {
		return nil, err
	}
	v.Envelope = m
	return body, nil
}

// EditedContent is Content with the edits for the entry.
func (q *Queue) EditedContent(v *View) (delivery.Content, error) {
	original, err := q.Content(v)
	if err != nil {
		return nil, err
	}
	r := v.stored()
	if r == nil || len(r.Patch) == 0 {
		return original, nil
	}
	return withEdits(v.ID, original, r.Patch)
}

// content opens the body and reads the envelope. A handle is used again for
// another message when its own has left, so the body is opened first: if the
// envelope that is there after that is the right one, so was the body.
func (q *Queue) content(v *View) (*envelope.Message, *spool.Body, error) {
	body, err := q.store.Body(v.handle)
	if err != nil {
		return nil, nil, gone(err)
	}
	raw, err := q.store.Envelope(v.handle)
	m := new(envelope.Message)
	if err == nil {
		err = envelope.Decode(raw, m)
	}
	if err == nil && m.ID != v.ID {
		err = ErrGone
	}
	if err != nil {
		return nil, nil, errors.Join(gone(err), body.Close())
	}
	return m, body, nil
}

func gone(err error) error {
	if errors.Is(err, spool.ErrUnknown) {
		return ErrGone
	}
	return err
}
