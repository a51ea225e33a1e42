package dsn

import (
	"io"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// DefaultMaxOriginal is the size up to which a whole original is returned when
// Options does not say otherwise.
const DefaultMaxOriginal = 10 << 20

// maxHeader is how much of an original's header is returned.
const maxHeader = 128 << 10

// Report is what a sender is to be told about one message.
type Report struct {
	Kind         Kind
	Host         string    // our name: Reporting-MTA, MAILER-DAEMON@Host
	MessageID    string    // of the report, with brackets; "": a random one
	Date         time.Time // of the report; zero: now
	Sender       address.Address
	SMTPUTF8     bool      // the original came with SMTPUTF8 (RFC 6533 §1)
	Arrival      time.Time // when the original came, not when it was last tried
	EnvID        string    // RFC 3461 §4.4, xtext decoded; "": none was given
	Recipients   []Recipient
	Original     io.ReaderAt // nil: nothing is returned
	OriginalSize int64
	// Full asks for the whole original in a report of failure: RET=FULL, or the
	// site's default.
	Full    bool
	Options Options
}

// Recipient is what became of the message for one recipient.
type Recipient struct {
	Address  address.Address
	ORcpt    string            // RFC 3461 §4.2: "rfc822;joe@example.com", xtext decoded; "": none
	Status   smtp.EnhancedCode // zero: taken from Reply, see Kind.Status
	Reply    smtp.Reply        // the last one; zero: there was none
	FromPeer bool              // Reply was said by the peer, not by us
	Command  string            // that Reply answers, such as "RCPT"; "": unknown
	Cause    string            // why there is no reply, in our words

	RemoteMTA   string    // host that was last spoken to; "": none
	LastAttempt time.Time // zero: no attempt was made
	RetryUntil  time.Time // of a delayed one; zero: unknown
}

// Diagnostic returns the type and text of the Diagnostic-Code field: "smtp" and
// the peer's reply with the command that it answered, or "x-error" and what we
// have to say ourselves. The text is empty when nothing is known.
func (r *Recipient) Diagnostic() (kind, text string) {
	text = r.Reply.String()
	switch {
	case r.FromPeer && text != "":
		if r.Command != "" {
			text += " (in reply to " + r.Command + ")"
		}
		return "smtp", text
	case text == "":
		text = r.Cause
	}
	return "x-error", text
}

// Options are the choices of the site and of scripts (spec config.md 3.2, dsn;
// hsl-phases.md 13). The zero Options are good.
type Options struct {
	From     address.Address // header From; zero: MAILER-DAEMON@Host
	FromName string          // "": Mail Delivery Subsystem
	To       address.Address // header To; zero: the sender

	// SubjectPrepend is put before the subject, with a space.
	SubjectPrepend string
	// Headers are further header lines, "Name: value". One that names a field
	// that a report has anyway replaces it, but for those of MIME, which are
	// left out, as is what is no header line.
	Headers []string
	// Readable replaces the explanation: a whole MIME part with its header.
	Readable []byte

	OmitOriginal bool  // return nothing of the original
	MaxOriginal  int64 // return no more than the header of larger ones; 0: DefaultMaxOriginal
}

// returns reports whether anything of the original is returned.
func (r *Report) returns() bool { return r.Original != nil && !r.Options.OmitOriginal }

// returnsFull reports whether the whole original is returned, which a report
// that tells of no failure does not do (RFC 3461 §4.3).
func (r *Report) returnsFull() bool {
	limit := r.Options.MaxOriginal
	if limit == 0 {
		limit = DefaultMaxOriginal
	}
	return r.returns() && r.Full && r.Kind == Failed && r.OriginalSize <= limit
}
