package delivery

import (
	"io"
	"net/netip"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/envelope"
)

// Attempt is one try to hand one message to a next hop for one recipient. The
// caller builds it, and it is not changed afterwards.
type Attempt struct {
	ID         envelope.ID
	Number     uint32 // queue id of the recipient
	Retry      uint32 // from 0; with ID the seed of the host order
	Sender     address.Address
	Recipient  address.Address
	Body       envelope.Body
	SMTPUTF8   bool // the message was submitted with SMTPUTF8
	RequireTLS bool
	Ret        envelope.Ret
	EnvID      string
	Notify     envelope.Notify
	ORcpt      string
	Size       int64
	Transport  *Transport
	Overrides  *Overrides // from a pre-delivery hook; nil: none
	Content    func() (Content, error)
}

// Content is the bytes of a message in canonical form: CRLF line ends, not
// dot-stuffed. The last line may lack its CRLF.
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
}

// Host is one next hop with one address of it.
type Host struct {
	Name       string // MX host name without final dot, or the configured server
	Addr       netip.AddrPort
	Preference uint16
	Secure     bool // the MX set and the address were validated by DNSSEC
}

// Overrides are the options of Try (spec hsl-phases.md 11.1) that replace what
// the transport says. Nil and zero fields leave the transport's value.
type Overrides struct {
	Host           string
	Port           uint16
	Helo           string
	ConnectTimeout time.Duration
}
