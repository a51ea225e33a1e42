package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/message"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// maxHeader is how much of a header block is looked at.
const maxHeader = 1 << 20

// headerBuffer is enough for the header of nearly every message.
const headerBuffer = 16 << 10

var headerBuffers = sync.Pool{New: func() any { return new([headerBuffer]byte) }}

// endOfData decides about a message that has been received, and ends its
// transaction.
func (s *Session) endOfData(ctx context.Context, x *text) {
	s.verb = "EOD"
	s.metrics.Bytes.Add(x.size)
	if r := x.flaw(); !r.IsZero() {
		s.refuseText(r, x.err)
		return
	}
	buffer := headerBuffers.Get().(*[headerBuffer]byte)
	defer headerBuffers.Put(buffer)
	m, err := s.read(x.body, buffer[:])
	switch {
	case err != nil:
		s.refuseText(failure(err), err)
		return
	case m.Summary.Received-1 > s.limits.Hops: // RFC 5321 §6.3; one is ours
		s.refuseText(replyHops, nil)
		return
	}
	v := Verdict{Action: Defer}
	if s.has(PhaseEndOfData) {
		s.now(Deciding)
		v = s.settings.Hooks.EndOfData(s.hook(ctx), &s.c, s.t, m)
	}
	if v.Action != Accept {
		s.busy = s.busy || v.Disconnect
		s.refuseText(eodDefaults.reply(v), nil)
	} else {
		s.accept(ctx, x, m, v)
	}
	if v.Disconnect {
		s.finish(true, nil)
	}
}

// read prepares the message for the hook. The header is read into the buffer
// when it fits.
func (s *Session) read(body Body, buffer []byte) (*Mail, error) {
	n, err := body.ReadAt(buffer[:min(body.Size(), int64(len(buffer)))], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("session: %w", err)
	}
	end, _, whole := message.Split(buffer[:n])
	header := buffer[:end]
	if !whole && int64(n) < body.Size() {
		if header, _, err = message.ReadHeader(body, body.Size(), maxHeader); err != nil {
			return nil, fmt.Errorf("session: %w", err)
		}
	}
	return NewMail(s.t, body, header), nil
}

// accept makes the message durable and says so, in this order.
func (s *Session) accept(ctx context.Context, x *text, m *Mail, v Verdict) {
	e := s.envelope(m)
	if len(e.Recipients) > 0 {
		s.now(Queueing)
		if err := s.settings.Queue.Add(ctx, e, x.body); err != nil {
			s.refuseText(failure(err), err)
			return
		}
	}
	s.metrics.Messages.Inc()
	s.c.Messages++
	s.bad, s.idle, s.refusals = 0, 0, 0
	if s.settings.Events.Accepted != nil {
		s.settings.Events.Accepted(&s.c, &Acceptance{Transaction: s.t, Message: e, Duration: time.Since(s.t.Begun)})
	}
	d := defaults{accepted: smtp.NewReply(250, smtp.EnhancedCode{2, 0, 0}, "Ok: queued as "+s.t.ID.String())}
	s.conclude(d.reply(v))
}

// envelope is what the queue keeps of the transaction.
func (s *Session) envelope(m *Mail) *envelope.Message {
	return &envelope.Message{
		ID:         s.t.ID,
		Received:   time.Now().Truncate(time.Millisecond),
		ServerID:   s.settings.ServerID,
		Client:     s.c.client(),
		Priority:   s.c.Priority,
		Body:       s.t.Body,
		SMTPUTF8:   s.t.SMTPUTF8,
		RequireTLS: s.t.RequireTLS,
		Ret:        s.t.Ret,
		EnvID:      s.t.EnvID,
		Stage:      s.settings.Stage,
		Subject:    m.Summary.Subject,
		Size:       m.Size(),
		Recipients: m.queued,
	}
}

// refuseText answers the end of a message that is not taken.
func (s *Session) refuseText(r smtp.Reply, err error) {
	s.refusedText(r, err)
	s.conclude(r)
}

func (s *Session) refusedText(r smtp.Reply, err error) {
	if r.Permanent() {
		s.metrics.MessagesRejected.Inc()
	} else {
		s.metrics.MessagesDeferred.Inc()
	}
	s.rejected(Rejection{Phase: PhaseEndOfData, Transaction: s.t, Reply: r, Err: err})
}

// conclude answers the end of a message and drops the transaction.
func (s *Session) conclude(r smtp.Reply) {
	n := 1
	if s.settings.LMTP { // RFC 2033 §4.2: a reply for each recipient
		n = len(s.t.Recipients)
	}
	for range n {
		s.say(r)
	}
	s.reset()
}
