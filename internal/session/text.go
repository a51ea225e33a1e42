package session

import (
	"errors"
	"time"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// text collects the text of one message. It looks for what is wrong with it and
// goes on to the end in any case, for only there can the client be told.
type text struct {
	body    Body // nil after an error
	limit   int64
	size    int64 // of the text so far, without our Received field
	err     error // why it is not kept any more
	dropped int64 // bytes since then
	decoder smtp.Decoder

	begun  time.Time // the sender's turn
	before int64     // size at that time
}

// collect begins a message of the transaction.
func (s *Session) collect() *text {
	x := &text{
		body:    s.settings.Queue.Body(),
		limit:   s.limits.Size,
		decoder: smtp.Decoder{LineEnds: s.settings.LineEnds, NULs: s.settings.NULs},
	}
	x.start()
	if _, err := x.body.Write(s.received()); err != nil {
		x.fail(err)
	}
	return x
}

// start begins to measure how fast the sender is.
func (x *text) start() { x.begun, x.before = time.Now(), x.size }

// until is when the next piece must be here: within the time limit, and soon
// enough for the average speed.
func (x *text) until(limit time.Duration, bytesPerSecond int64) time.Time {
	earned := float64(x.size-x.before) / float64(bytesPerSecond) * float64(time.Second)
	at := time.Now().Add(limit)
	if slow := x.begun.Add(limit + time.Duration(earned)); slow.Before(at) {
		return slow
	}
	return at
}

// Write adds a piece of text. It never returns an error.
func (x *text) Write(p []byte) (int, error) {
	x.size += int64(len(p))
	switch {
	case x.err != nil:
		x.dropped += int64(len(p))
	case x.limit > 0 && x.size > x.limit:
		x.fail(ErrTooLarge)
	default:
		if _, err := x.body.Write(p); err != nil {
			x.fail(err)
		}
	}
	return len(p), nil
}

func (x *text) fail(err error) {
	x.err = err
	x.discard()
}

func (x *text) discard() {
	if x.body != nil {
		x.body.Discard()
		x.body = nil
	}
}

// flaw returns the reply to text that is not to be taken, or zero.
func (x *text) flaw() smtp.Reply {
	if x.err != nil {
		return failure(x.err)
	}
	switch flaws := x.decoder.Refused(); {
	case flaws&(smtp.BareCR|smtp.BareLF) != 0:
		return replyFlawedLines
	case flaws != 0:
		return replyFlawedNUL
	}
	return smtp.Reply{}
}

// failure returns the reply to what went wrong on our side.
func failure(err error) smtp.Reply {
	switch {
	case errors.Is(err, ErrTooLarge):
		return replyTooLarge
	case errors.Is(err, ErrNoSpace):
		return replyNoSpace
	}
	return replyLocal
}

// more waits for more text. It reports false when the conversation is over:
// nothing came for too long, or all in all too little (RFC 5321 §4.5.3.2).
func (s *Session) more(x *text) bool {
	if x.err != nil && x.dropped > s.limits.Excess {
		s.verb = "EOD"
		s.shutOut(failure(x.err))
		return false
	}
	if err := s.wire.flush(); err != nil {
		s.finish(false, err)
		return false
	}
	_ = s.raw.SetReadDeadline(x.until(s.timeouts.Data, s.limits.BytesPerSecond)) // the read says what is wrong
	err := s.in.Fill()
	switch {
	case err == nil:
		return true
	case isTimeout(err):
		s.metrics.Timeouts.Inc()
		s.shutOut(replySlow)
		s.end.Err = err
	default:
		s.finish(false, err)
	}
	return false
}
