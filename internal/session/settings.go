package session

import (
	"crypto/tls"
	"net/netip"
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// Settings are what all sessions of one virtual server share. A reload makes new
// ones; those that a session began with never change.
type Settings struct {
	ServerID  string
	Hostname  string // in banner, greeting and Received
	Transport string // of recipients for whom no hook names one; empty: they are refused
	LMTP      bool   // speak LMTP (RFC 2033)
	Priority  uint8  // of connections, and of messages that come by them
	Verbose   bool   // call Events.Line
	Stage     string // key of the live stage that these are of; empty: none

	// TLS returns the configuration for the next handshake, nil while there is
	// none. A nil function means that TLS is not offered.
	TLS        func() *tls.Config
	RequireTLS bool           // no MAIL and no AUTH in clear text
	Auth       Auth           // used when the hooks have a phase auth
	Extensions Extensions     // which to announce
	XCLIENT    []netip.Prefix // who may say for whom it speaks
	Limits     Limits
	Timeouts   Timeouts
	LineEnds   smtp.Treatment // of a bare CR or LF: Refuse or Repair
	NULs       smtp.Treatment // of NUL in message text
	// GreetDelay is how long a client is watched before the banner; 0: not. With
	// RefuseEarly one that talks meanwhile, or sends commands after EHLO before
	// it has the answer, is hung up on; otherwise its commands are carried out.
	GreetDelay  time.Duration
	RefuseEarly bool

	NewID     func() envelope.ID // of connections and transactions; nil: time-based ones
	LookupPTR LookupPTR          // nil: names of clients are not looked up
	Hooks     Hooks              // nil: the defaults of all phases
	Queue     Queue
	Events    Events
	Metrics   *Metrics
}

// Auth says how clients may authenticate.
type Auth struct {
	// Mechanisms are announced in this order, in upper case. PLAIN and LOGIN
	// are decoded for the hook; it leads the others itself.
	Mechanisms []string
	TLSOnly    bool // neither announced nor taken in clear text
}

// Extensions switches what EHLO announces. STARTTLS, AUTH, REQUIRETLS and
// XCLIENT are announced when they can be used.
type Extensions struct {
	Pipelining          bool // RFC 2920
	EightBitMIME        bool // RFC 6152
	SMTPUTF8            bool // RFC 6531
	EnhancedStatusCodes bool // RFC 2034; also whether replies have them
	Size                bool // RFC 1870
	Chunking            bool // RFC 3030, with BINARYMIME
	DSN                 bool // RFC 3461; a hook may announce it to some clients
	Limits              bool // RFC 9422
	RequireTLS          bool // RFC 8689
}

// Limits bound what one client may ask of us. Zero means the default named, or
// no limit where none is. The counts of commands and refusals begin anew with
// every message that is taken; a client that exceeds them is hung up on.
type Limits struct {
	Messages       int   // transactions per connection
	Recipients     int   // per transaction; DefaultRecipients
	Size           int64 // bytes of a message
	Hops           int   // Received fields of a message; DefaultHops
	BadCommands    int   // that are unknown, malformed or out of place; DefaultBadCommands
	IdleCommands   int   // that change nothing, such as NOOP and RSET; DefaultIdleCommands
	Refusals       int   // of senders and recipients; DefaultRefusals
	AuthFailures   int   // per connection; DefaultAuthFailures
	BytesPerSecond int64 // that a sender of text must reach on average; DefaultBytesPerSecond
	Excess         int64 // bytes of a refused message that are read to find its end; DefaultExcess
}

// Defaults of Limits.
const (
	DefaultRecipients     = 1000 // RFC 5321 §4.5.3.1.8 wants 100 at least
	DefaultHops           = 100
	DefaultBadCommands    = 20
	DefaultIdleCommands   = 100
	DefaultRefusals       = 1000
	DefaultAuthFailures   = 5
	DefaultBytesPerSecond = 256
	DefaultExcess         = 64 << 20
)

// Timeouts bound silence. Zero means the default.
type Timeouts struct {
	Idle  time.Duration // for a whole command, also for a reply to be taken; DefaultIdle
	Data  time.Duration // for the next piece of message text; DefaultData
	Shake time.Duration // for a TLS handshake; DefaultShake
}

// Defaults of Timeouts.
const (
	DefaultIdle  = 5 * time.Minute  // RFC 5321 §4.5.3.2.7
	DefaultData  = 10 * time.Minute // RFC 5321 §4.5.3.2.6
	DefaultShake = 30 * time.Second
)

// withDefaults returns the limits with every zero replaced that has a default.
func (l Limits) withDefaults() Limits {
	or(&l.Recipients, DefaultRecipients)
	or(&l.Hops, DefaultHops)
	or(&l.BadCommands, DefaultBadCommands)
	or(&l.IdleCommands, DefaultIdleCommands)
	or(&l.Refusals, DefaultRefusals)
	or(&l.AuthFailures, DefaultAuthFailures)
	or(&l.BytesPerSecond, DefaultBytesPerSecond)
	or(&l.Excess, DefaultExcess)
	return l
}

func (t Timeouts) withDefaults() Timeouts {
	or(&t.Idle, DefaultIdle)
	or(&t.Data, DefaultData)
	or(&t.Shake, DefaultShake)
	return t
}

func or[T comparable](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}
