package session

import (
	"context"
	"errors"
	"io"

	"github.com/posthaste-mta/posthaste/internal/envelope"
)

// What a Queue, or the Body that it gives out, may fail with; match with
// errors.Is. Any other error means 451 4.3.0.
var (
	// ErrNoSpace means 452 4.3.1: there is too little room at the moment.
	ErrNoSpace = errors.New("session: insufficient system storage")
	// ErrTooLarge means 552 5.3.4: no message may be so large.
	ErrTooLarge = errors.New("session: message too large")
)

// Queue takes over the messages that a session accepts. It is safe for
// concurrent use.
type Queue interface {
	// Body begins the collection of a message.
	Body() Body
	// Add makes a message durable with all its recipients and schedules it. An
	// error means that nothing is left of it. Neither the envelope nor the body
	// is kept.
	Add(context.Context, *envelope.Message, Body) error
}

// Body collects the bytes of one message. It is used by one goroutine at a
// time.
type Body interface {
	io.Writer
	io.ReaderAt
	io.WriterTo
	// Size is the number of bytes written so far.
	Size() int64
	// Discard gives its buffers back. It is called once, after Add too.
	Discard()
}
