package session

import (
	"crypto/tls"
	"net/netip"
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
)

// Connection is what is known of a client so far.
type Connection struct {
	ID envelope.ID
	// Transaction is the id of the transaction that runs or comes next.
	Transaction envelope.ID
	ServerID    string
	Begun       time.Time
	Priority    uint8
	Remote      netip.AddrPort // a hook or XCLIENT may have replaced it
	Local       netip.AddrPort
	PTR         PTR
	UID         int // of the process at the other end of a Unix socket
	HasUID      bool
	Proxy       netip.Addr // who sent the PROXY header; zero: nobody
	TLVs        []TLV
	Early       bool  // it talked before the banner
	Helo        Helo  // zero: none yet
	TLS         *TLS  // nil: clear text
	Auth        Login // zero: not authenticated
	Messages    int   // accepted so far
	// Context belongs to the hooks: it carries their state from phase to phase.
	Context any

	watch *watch // nil until a hook has run
}

// Helo is how a client introduced itself.
type Helo struct {
	Verb string // "HELO", "EHLO" or "LHLO"; empty: it did not
	Host string
}

// TLS is the state of an encrypted connection.
type TLS struct {
	tls.ConnectionState
	Implicit bool // from the first byte on
}

// Protocol returns the version, such as "TLSv1.3".
func (t *TLS) Protocol() string {
	switch t.Version {
	case tls.VersionTLS13:
		return "TLSv1.3"
	case tls.VersionTLS12:
		return "TLSv1.2"
	case tls.VersionTLS11:
		return "TLSv1.1"
	}
	return "TLSv1"
}

// Cipher returns the name of the cipher suite.
func (t *TLS) Cipher() string { return tls.CipherSuiteName(t.CipherSuite) }

// Login is who a client has proved to be.
type Login struct {
	Mechanism string // upper case; "XCLIENT" when a proxy says so
	Username  string
}

// client is the connection as it goes into the envelope.
func (c *Connection) client() envelope.Client {
	e := envelope.Client{
		IP:       c.Remote.Addr(),
		Port:     c.Remote.Port(),
		PTR:      c.PTR.Name,
		Helo:     c.Helo.Host,
		Username: c.Auth.Username,
	}
	if c.TLS != nil {
		e.TLS, e.Cipher = c.TLS.Protocol(), c.TLS.Cipher()
	}
	return e
}
