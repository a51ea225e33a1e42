package session

import (
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// Events are facts that leave a session. Nil fields are not called. They are
// called on the goroutine of the session, and what the pointers lead to is only
// theirs until they return.
type Events struct {
	Connected func(*Connection)
	// Line is called for each line of the dialogue when Settings.Verbose is
	// set: fromClient as it came, otherwise as it went. Message text and
	// credentials are left out.
	Line     func(c *Connection, fromClient bool, line string)
	Rejected func(*Connection, *Rejection)
	Accepted func(*Connection, *Acceptance)
	Closed   func(*Connection, *Summary)
}

// Rejection is a refusal, for good or for now.
type Rejection struct {
	Phase       Phase
	Transaction *Transaction // nil: outside of one
	Recipient   *Recipient   // of RCPT
	Reply       smtp.Reply
	Err         error // cause on our side; nil: the client's or a hook's
}

// Acceptance is a message that we have answered for.
type Acceptance struct {
	Transaction *Transaction
	Message     *envelope.Message // no recipients: it was discarded
	Duration    time.Duration     // from MAIL to our reply
}

// Summary is a connection that is over.
type Summary struct {
	Closing
	Duration time.Duration
	Messages int   // accepted
	In, Out  int64 // bytes, within TLS
}
