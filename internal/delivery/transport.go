package delivery

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dns"
)

// LookupMX in Transport.Servers stands for the mail exchanges of the
// recipient's domain, and LookupMX with ":" and a domain for those of another.
const LookupMX = "lookup-mx"

// Transport is one way out with all that it inherits (spec config.md 3.2). It
// is not changed after the first attempt has used it; a reload makes new ones.
type Transport struct {
	ID string
	// Servers are tried in order: LookupMX, host names and addresses. Empty
	// means LookupMX.
	Servers        []string
	Port           uint16        // zero: 25
	ConnectTimeout time.Duration // zero: 30 s
	Families       dns.Families  // of destinations; zero: both

	// Sources are the addresses to leave from; empty leaves it to the system.
	// They take turns unless Ordered, which takes the first that works.
	Sources []Source
	Ordered bool
	// Proxy is what connections go through from sources that name none
	// themselves; nil: they are direct.
	Proxy *Proxy

	Protocol Protocol
	Helo     string // for sources without a Hostname; empty: that of Options
	TLS      TLS
	Auth     Auth
	// XClient are the attributes to send to hosts that take them, by name, such
	// as "ADDR".
	XClient map[string]string
	// Timeouts are how long to wait for the reply to each command. States that
	// are absent have what RFC 5321 §4.5.3.2 wants.
	Timeouts map[Stage]time.Duration
	// MXInclude and MXExclude are patterns of MX host names: a name, or "*."
	// and a domain for one label more. Without MXInclude every host is in.
	MXInclude, MXExclude []string
	Pooling              Pooling
}

// ProxyFor returns the proxy that connections from s go through, or nil. That of
// an address goes before that of the transport.
func (t *Transport) ProxyFor(s *Source) *Proxy {
	if s != nil && s.Proxy != nil {
		return s.Proxy
	}
	return t.Proxy
}

// Source is an address that mail can leave from (spec config.md 3.3).
type Source struct {
	ID       string // empty for a literal
	Addr     netip.Addr
	Hostname string // name to say in EHLO; empty: the transport's Helo, else that of Options
	NonLocal bool   // bind it even though no interface has it
	Proxy    *Proxy // that has the address; nil: that of the transport, if any
}

// Protocol is what is spoken on a connection.
type Protocol uint8

const (
	SMTP Protocol = iota
	LMTP
)

func (p Protocol) String() string { return name([]string{"smtp", "lmtp"}, p) }

// Auth is the login for every connection of a transport. An empty Username
// means none.
type Auth struct {
	Username, Password string
}

// Pooling says whether connections are kept after a transaction (spec config.md
// 7, pooling).
type Pooling struct {
	Enabled      bool
	Timeout      time.Duration // how long one may idle; zero: 10 s
	Transactions int           // messages on one connection; zero: 100
	Fixed        bool          // not to be closed early to make room for others
}

// TLSMode is the policy for STARTTLS (spec config.md 3.2).
type TLSMode uint8

const (
	TLSOptional       TLSMode = iota // if it can be had, with any certificate
	TLSDisabled                      // never
	TLSOptionalVerify                // if it can be had with a good certificate
	TLSRequire                       // with any certificate
	TLSRequireVerify                 // with a good certificate

	// With TLSA records that can be used the host must match one (RFC 7672). It
	// takes a resolver that has the methods of dane.Resolver, and whose answers may
	// be believed.
	TLSDANE                      // else as TLSOptional, or as TLSRequire where none of the records can be used
	TLSDANERequire               // else the message waits
	TLSDANEFallbackRequireVerify // else as TLSRequireVerify
)

var modeNames = []string{
	"optional", "disabled", "optional_verify", "require", "require_verify",
	"dane", "dane_require", "dane_fallback_require_verify",
}

func (m TLSMode) String() string { return name(modeNames, m) }

// ParseTLSMode reads a mode as String writes it.
func ParseTLSMode(s string) (TLSMode, error) {
	for i, n := range modeNames {
		if s == n {
			return TLSMode(i), nil
		}
	}
	return 0, fmt.Errorf("delivery: unknown TLS mode %q", s)
}

// dane reports whether the mode asks for TLSA records.
func (m TLSMode) dane() bool {
	return m == TLSDANE || m == TLSDANERequire || m == TLSDANEFallbackRequireVerify
}

// required reports whether a message must not leave in clear text.
func (m TLSMode) required() bool {
	switch m {
	case TLSRequire, TLSRequireVerify, TLSDANERequire, TLSDANEFallbackRequireVerify:
		return true
	}
	return false
}

// verified reports whether the certificate must be good.
func (m TLSMode) verified() bool {
	switch m {
	case TLSOptionalVerify, TLSRequireVerify, TLSDANEFallbackRequireVerify:
		return true
	}
	return false
}

// TLS is the TLS policy of a transport.
type TLS struct {
	Mode TLSMode
	// MinVersion and MaxVersion are those of crypto/tls; zero: TLS 1.2 and the
	// newest. See ParseProtocols.
	MinVersion, MaxVersion uint16
	Ciphers                []uint16 // for TLS 1.2 and older; nil: those of crypto/tls. See ParseCiphers
	SNIHost                bool     // send the host's name
	SNIName                string   // send this name instead
	VerifyHost             bool     // a good certificate has the host's name
	VerifyNames            []string // or one of these; neither: any name will do
	DefaultCA              bool     // trust the system's authorities
	Authorities            []*x509.Certificate
	Certificate            *tls.Certificate // ours, to those who ask
}

// versionNames are in ascending order.
var versionNames = []struct {
	name  string
	value uint16
}{
	{"SSLV2", 0}, {"SSLV3", 0},
	{"TLSV1", tls.VersionTLS10}, {"TLSV1.1", tls.VersionTLS11},
	{"TLSV1.2", tls.VersionTLS12}, {"TLSV1.3", tls.VersionTLS13},
}

// ParseProtocols reads a list such as "!SSLv2,!SSLv3,!TLSv1" or
// "TLSv1.2,TLSv1.3" as the lowest and highest version allowed. Names with "!"
// are taken away, from all if no other name is given. An empty list is zero,
// zero. Versions that crypto/tls does not speak are accepted and never used; a
// list that leaves nothing or a hole is an error.
func ParseProtocols(s string) (lowest, highest uint16, err error) {
	if strings.TrimSpace(s) == "" {
		return 0, 0, nil
	}
	given, without := map[string]bool{}, map[string]bool{}
	for _, word := range strings.Split(s, ",") {
		word = strings.ToUpper(strings.TrimSpace(word))
		bare, not := strings.CutPrefix(word, "!")
		if !knownVersion(bare) {
			return 0, 0, fmt.Errorf("delivery: unknown TLS protocol %q", word)
		}
		if not {
			without[bare] = true
		} else {
			given[bare] = true
		}
	}
	closed := false
	for _, v := range versionNames {
		use := v.value != 0 && !without[v.name] && (len(given) == 0 || given[v.name])
		switch {
		case use && closed:
			return 0, 0, fmt.Errorf("delivery: TLS protocols %q leave a hole", s)
		case use && lowest == 0:
			lowest = v.value
		case !use:
			closed = lowest != 0
		}
		if use {
			highest = v.value
		}
	}
	if lowest == 0 {
		return 0, 0, fmt.Errorf("delivery: TLS protocols %q leave none", s)
	}
	return lowest, highest, nil
}

func knownVersion(name string) bool {
	for _, v := range versionNames {
		if v.name == name {
			return true
		}
	}
	return false
}

// ParseCiphers reads a list of cipher suites, separated by colons, commas or
// spaces, by their IANA names or those of OpenSSL. Suites of TLS 1.3 are
// accepted and always on.
func ParseCiphers(s string) ([]uint16, error) {
	known := map[string]uint16{}
	for _, c := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		known[c.Name] = c.ID
		known[openSSLName(c.Name)] = c.ID
	}
	var out []uint16
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }) {
		id, ok := known[strings.ToUpper(word)]
		if !ok {
			return nil, fmt.Errorf("delivery: unknown cipher suite %q", word)
		}
		out = append(out, id)
	}
	return out, nil
}

// openSSLName turns TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 into
// ECDHE-RSA-AES128-GCM-SHA256.
func openSSLName(iana string) string {
	return strings.NewReplacer("TLS_RSA_WITH_", "", "TLS_", "", "_WITH", "", "AES_128_CBC", "AES128", "AES_256_CBC", "AES256",
		"AES_", "AES", "3DES_EDE_CBC", "DES-CBC3", "CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305", "_", "-").Replace(iana)
}
