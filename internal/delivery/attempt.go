package delivery

import (
	"context"
	"io"
	"net/netip"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// Attempt is one try to hand one message to a next hop for one recipient. The
// caller builds it, and it is not changed afterwards.
type Attempt struct {
	ID        envelope.ID
	Number    uint32 // queue id of the recipient
	Retry     uint32 // from 0; with ID the seed of the host order
	Sender    address.Address
	Recipient address.Address
	// More are further recipients of the same transaction. They share the outcome:
	// the first that is refused ends the transaction, and nobody gets the message.
	More []Recipient
	// MailParams and RcptParams are parameters beside those that the fields below
	// stand for, sent whatever the host announces.
	MailParams, RcptParams smtp.Params

	Body       envelope.Body
	SMTPUTF8   bool // the message was submitted with SMTPUTF8
	RequireTLS bool
	Ret        envelope.Ret
	EnvID      string
	Notify     envelope.Notify
	ORcpt      string
	Size       int64
	Grouping   string // of the sub-queue, for connections pooled by it
	Transport  *Transport
	// Source is the address to leave from, one of those of the transport in
	// force; nil: all of them are tried, by turns or in order.
	Source *Source
	// MayConnect, if set, is asked before each new connection and may wait. When
	// it says no the attempt ends.
	MayConnect func(context.Context) bool
	// Override are the settings for this attempt alone, in place of Transport's,
	// from a pre-delivery hook; nil: none. Connections are shared with attempts
	// whose settings say the same.
	Override *Transport
	Content  func() (Content, error)
}

// Recipient is a further recipient of an Attempt.
type Recipient struct {
	Address address.Address
	Params  smtp.Params // of RCPT, beside those of the fields below
	Notify  envelope.Notify
	ORcpt   string
}

// Content is the bytes of a message in canonical form: CRLF line ends, not
// dot-stuffed. The last line may lack its CRLF. It is opened anew for each
// transaction, read from its start once, and closed.
type Content interface {
	io.WriterTo
	io.ReaderAt
	Size() int64
	Close() error
}

// Destination is what an Attempt resolves to before it becomes active: the
// hosts to try in order. It is shared by attempts and not changed after it was
// made.
type Destination struct {
	Hosts []Host
	// Local is the address that the system would choose to go to the first host;
	// zero where the transport has addresses of its own, or when it is not known.
	Local netip.Addr
}

// Host is one next hop with one address of it.
type Host struct {
	Name       string // MX host name without final dot, or the configured server; empty for an address
	Addr       netip.AddrPort
	Preference uint16
	Secure     bool // the MX set and the address were validated by DNSSEC
	// SecureName is the part of Secure that DANE asks for: the MX set was, or the
	// host is configured. A host that is an alias into a zone which is not signed
	// may still have TLSA records at the alias (RFC 7672 §2.2.2).
	SecureName bool
}

// String returns the host as it is named in logs and reports.
func (h *Host) String() string {
	if h.Name == "" {
		return h.Addr.String()
	}
	return h.Name + "[" + h.Addr.Addr().String() + "]:" + portText(h.Addr.Port())
}

// transport returns the settings for this attempt.
func (a *Attempt) transport() *Transport {
	if a.Override != nil {
		return a.Override
	}
	return a.Transport
}
