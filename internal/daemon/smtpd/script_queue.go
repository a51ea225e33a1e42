package smtpd

import (
	"context"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
	"github.com/posthaste-mta/posthaste/internal/telemetry"
)

// scriptQueue is the queue as scripts see it, which are compiled before there is
// one.
type scriptQueue struct{ daemon *Daemon }

// Queue implements mail.Queue.
func (q scriptQueue) Queue(ctx context.Context, m *envelope.Message, content mail.Content) error {
	body := q.daemon.queue.Body()
	defer body.Discard()
	if _, err := content.WriteTo(body); err != nil {
		return err
	}
	m.ID, m.Received, m.Size = q.daemon.newID()(), time.Now().Truncate(time.Millisecond), body.Size()
	if err := q.daemon.queue.Add(ctx, m, body); err != nil {
		return err
	}
	telemetry.ScriptQueued(q.daemon.log, m)
	return nil
}

// Content implements script.Contents.
func (q scriptQueue) Content(v *queue.View) (delivery.Content, error) {
	return q.daemon.queue.Content(v)
}

// EditedContent implements script.Contents.
func (q scriptQueue) EditedContent(v *queue.View) (delivery.Content, error) {
	return q.daemon.queue.EditedContent(v)
}
