// Package envelope says what is known of a message beside its bytes: who sent
// it from where, and to whom it goes by which transport.
//
// A Message is written once, when the message is accepted, and never changes.
// What changes while a recipient waits (retry count, due time, hold, transport,
// metadata) is its State, written anew each time. Both have a compact binary
// form for the spool; see Append and Decode.
package envelope

import (
	"net/netip"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
)

// ID is the transaction id of a message: a UUID, printed in its usual form.
type ID [16]byte

// Message is one accepted message with all its recipients.
type Message struct {
	ID         ID
	Received   time.Time // when the end of data was seen; millisecond precision
	ServerID   string    // virtual server that took it; "" for messages of our own
	Client     Client
	Priority   uint8 // 0 normal, 1 high
	Body       Body
	SMTPUTF8   bool // MAIL said SMTPUTF8 (RFC 6531)
	RequireTLS bool // MAIL said REQUIRETLS (RFC 8689)
	Ret        Ret
	EnvID      string // RFC 3461 §4.4, xtext decoded
	Stage      string // key of the live stage that took the message; mostly empty
	Subject    string // decoded, at most 256 bytes (message.Summary); for listings
	Size       int64  // of the stored bytes
	Recipients []Recipient
}

// Client is the peer that handed the message in.
type Client struct {
	IP       netip.Addr
	Port     uint16
	PTR      string // forward-confirmed reverse name, without final dot
	Helo     string
	TLS      string // protocol version such as "TLSv1.3", empty in clear text
	Cipher   string
	Username string // authenticated as
}

// Recipient is one queue entry: what is tried, retried and reported on its own.
type Recipient struct {
	Number    uint32 // queue id, from 1, unique in the message
	Sender    address.Address
	Address   address.Address
	Transport string
	Job       string
	Tenant    string
	Notify    Notify
	ORcpt     string // RFC 3461 §4.2: "rfc822;joe@example.com", xtext decoded
	Quotas    []string
	Metadata  map[string]string
	Hold      bool
	NotBefore time.Time // zero: at once
	Patch     []byte    // edits over the stored bytes; nil: none
	Priority  uint8     // 1 high; that of the message if it is higher
	Ret       Ret       // replaces that of the message unless unset
	EnvID     string    // replaces that of the message unless empty
}

// State is what has become of one recipient so far.
type State struct {
	Retry     uint32    // attempts that counted
	Due       time.Time // next attempt
	Hold      bool
	Notified  bool   // a "delayed" DSN has been sent
	Reason    string // last reply or cause, one line
	Transport string // replaces Recipient.Transport when not empty
	Metadata  map[string]string
	// MetadataSet tells an emptied map from one never replaced.
	MetadataSet bool
}

// Body is the BODY parameter of MAIL (RFC 6152, RFC 3030).
type Body uint8

const (
	Body7Bit Body = iota
	Body8BitMIME
	BodyBinaryMIME
)

// Ret is the RET parameter of MAIL (RFC 3461 §4.3).
type Ret uint8

const (
	RetUnset Ret = iota
	RetFull
	RetHeaders
)

// Notify is the NOTIFY parameter of RCPT (RFC 3461 §4.1). Zero means that none
// was given, which asks for failure reports and, where the site sends them,
// delay reports.
type Notify uint8

const (
	NotifyNever Notify = 1 << iota
	NotifySuccess
	NotifyFailure
	NotifyDelay
)
