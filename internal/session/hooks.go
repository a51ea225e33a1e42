package session

import (
	"context"
	"net/netip"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// Hooks decide what becomes of a client, phase by phase. A session calls them
// on its own goroutine, one at a time; many sessions share one Hooks.
//
// What the pointers lead to belongs to the session. A hook may keep it no longer
// than the call, and changes nothing but Connection.Context; all else it wants
// different it says in its verdict. ctx ends when the session is cut off, or when
// Connection.Check has found that the client has left.
type Hooks interface {
	// Phases says which of the methods below are worth calling. It is asked once
	// per connection. The phases left out take their default: proxy and
	// disconnect Pass, auth is not offered, eod defers with nothing queued, and
	// the others Accept.
	Phases() Phases

	Connect(context.Context, *Connection) ConnectVerdict
	// Proxy sees the first command line, and more of them as long as it asks for
	// the next; never message text, chunks or answers to challenges. The
	// transaction is nil outside of one.
	Proxy(ctx context.Context, c *Connection, t *Transaction, line string) ProxyVerdict
	// Helo has the name in c.Helo. The extensions are those to be announced,
	// nil for HELO; the slice is the hook's to change.
	Helo(ctx context.Context, c *Connection, extensions []string) HeloVerdict
	Auth(context.Context, *Connection, *Authentication) AuthVerdict
	// MailFrom has the sender in t; it is not yet decided that the transaction
	// begins.
	MailFrom(ctx context.Context, c *Connection, t *Transaction) MailVerdict
	// RcptTo decides about r, which is not among t.Recipients yet.
	RcptTo(ctx context.Context, c *Connection, t *Transaction, r *Recipient) RcptVerdict
	// EndOfData decides about a message and queues it with m.Queue. With any
	// action but Accept what was queued is dropped.
	EndOfData(ctx context.Context, c *Connection, t *Transaction, m *Mail) Verdict
	Disconnect(context.Context, *Connection, Closing)
}

// Action is what a hook decides. The zero Action is Accept, which is also Pass
// where there is nothing to accept.
type Action uint8

const (
	Accept Action = iota
	Reject
	Defer
	Reply // auth: challenge the client; proxy: answer in place of the session
)

// Pass lets the session go on, in the phases proxy and disconnect.
const Pass = Accept

// Verdict is what all phases have in common. The zero Verdict accepts.
type Verdict struct {
	Action Action
	// Reply changes what the client is told. Each of its parts stays at the
	// default of the phase when it is zero, and so does a code, short or
	// enhanced, that does not fit the action.
	Reply smtp.Reply
	// Disconnect closes the connection after the reply.
	Disconnect bool
}

// ConnectVerdict answers a new connection: the banner, or 521 or 421 and the
// end. The text of an accepting reply is the whole banner.
type ConnectVerdict struct {
	Verdict
	RemoteIP  netip.Addr // valid: replaces the client's address
	RemotePTR string     // not empty: replaces its name
}

// ProxyVerdict is Pass or Reply; Reply is 250 unless it says otherwise.
type ProxyVerdict struct {
	Verdict
	Command string // not empty: the line to interpret instead
	Next    bool   // ask about the next line too
}

// HeloVerdict answers HELO, EHLO or LHLO. The text of an accepting reply is its
// first line.
type HeloVerdict struct {
	Verdict
	Host string // not empty: replaces the name that the client gave
	// Extensions, unless nil, are exactly those to announce. They decide what
	// may be used too. Ignored for HELO.
	Extensions []string
}

// AuthVerdict answers AUTH. With Reply the lines of the reply are the challenge,
// not yet in base64.
type AuthVerdict struct {
	Verdict
	Username string // not empty: who it is
}

// MailVerdict answers MAIL.
type MailVerdict struct {
	Verdict
	Sender *address.Address // not nil: replaces the sender for the transaction
}

// RcptVerdict answers RCPT.
type RcptVerdict struct {
	Verdict
	Recipient *address.Address // not nil: replaces the recipient
	Transport string           // not empty: replaces the server's transport
}

// Authentication is one step of AUTH as its hook sees it.
type Authentication struct {
	Mechanism string // upper case
	// Username and Password are decoded for PLAIN and LOGIN, which take one
	// step.
	Username, Password string
	// Identity is on whose behalf PLAIN asks to act; often empty.
	Identity string
	// State counts the steps of the other mechanisms from 0, and Response is
	// the decoded answer of the client. It is nil at step 0 when the client
	// sent none with the command.
	State    int
	Response []byte
}

// Closing is how a connection came to its end.
type Closing struct {
	Local bool       // we closed it
	Reply smtp.Reply // the last one sent; zero: none
	State string     // what it replied to: a verb, "CONNECT" or "EOD"
	Err   error      // of the socket or of TLS; nil: as SMTP foresees it
	TLS   bool       // Err is of TLS
}
