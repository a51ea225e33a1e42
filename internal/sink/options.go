package sink

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/sink/sequence"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// Options say how a Sink behaves. The zero Options make one that listens nowhere
// (see Sink.ServeConn), offers every extension but STARTTLS and AUTH, takes
// everything and keeps nothing.
type Options struct {
	// Listen and ListenTLS are addresses such as "127.0.0.1:0", "[::1]:2526" or
	// "unix:/run/sink". TLS starts at once on the latter.
	Listen    []string
	ListenTLS []string

	Hostname string      // in the greeting; the system's host name if empty
	LMTP     bool        // speaks LMTP (RFC 2033): LHLO, and a reply per recipient
	TLS      *tls.Config // offers STARTTLS and serves ListenTLS; nil: neither
	Auth     bool        // offers AUTH PLAIN and LOGIN, and accepts any credentials
	Hide     Extension   // extensions that are neither announced nor accepted

	MaxSize        int64         // bytes of a message, larger ones get 552; 0: no limit
	MaxConnections int           // at once, others get 421; 0: no limit
	MaxMessages    int           // of one connection, the next MAIL gets 421; 0: no limit
	MaxRecipients  int           // of one message, others get 452; 0: no limit
	IdleTimeout    time.Duration // without a byte from the peer; 5 minutes if zero

	Rules          []Rule  // faults
	Limits         []Limit // what is put up with from one source address
	PlainAddresses bool    // does not read faults out of local parts such as 451@
	Seed           uint64  // of the dice for rules with percentages

	Store   string           // Maildir to keep messages in; none if empty
	Ledger  *sequence.Ledger // notes the marks of arriving messages; may be nil
	Capture int64            // bytes of each body that OnMessage is shown

	// OnMessage is called for each accepted message before its 250 is sent. It
	// runs on the goroutine of its connection, so calls may overlap. The Body must
	// not be kept; the rest of the Message may.
	OnMessage func(*Message)
}

// Message is one accepted message.
type Message struct {
	Connection  uint64 // from 1, in the order of arrival
	Transaction int    // message of this connection, from 1
	Local       net.Addr
	Remote      net.Addr
	Protocol    string // RFC 3848: SMTP, ESMTP, ESMTPS, ESMTPSA, LMTP, …
	Helo        string
	Username    string // authenticated as; AUTH accepts anyone
	Sender      address.Address
	Params      smtp.Params // of MAIL
	Recipients  []Recipient
	Size        int64  // bytes of the body, without dots that were doubled
	Body        []byte // its first Options.Capture bytes
}

// Recipient is one accepted recipient.
type Recipient struct {
	Address address.Address
	Params  smtp.Params // of RCPT
}

// withDefaults fills what was left open and refuses what cannot work.
func (o Options) withDefaults() (Options, error) {
	if o.Hostname == "" {
		name, err := os.Hostname()
		if err != nil {
			return o, fmt.Errorf("sink: host name: %w", err)
		}
		o.Hostname = name
	}
	if strings.ContainsFunc(o.Hostname, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return o, fmt.Errorf("sink: bad host name %q", o.Hostname)
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 5 * time.Minute // RFC 5321 §4.5.3.2.7
	}
	if len(o.ListenTLS) > 0 && o.TLS == nil {
		return o, fmt.Errorf("sink: listening with TLS on %s needs a certificate", o.ListenTLS[0])
	}
	return o, nil
}
