// Package handshake turns what scripts say about TLS, in the words of OpenSSL,
// into the configuration of crypto/tls.
package handshake

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// Terms are what a client wants of a handshake. The zero Terms take any peer.
type Terms struct {
	// Protocols is a list such as "!SSLv3,!TLSv1" or "TLSv1.2,TLSv1.3"; "" is
	// DefaultProtocols.
	Protocols string
	// Ciphers is a list of cipher suites of OpenSSL for TLS 1.2 and below, such
	// as "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305". Names that
	// are not known are passed over; without a known one the default holds.
	Ciphers    string
	ServerName string // for SNI; "" sends none
	// VerifyChain wants a chain to one of the authorities, of which there are
	// none without DefaultCA, those of the system.
	VerifyChain bool
	DefaultCA   bool
	// VerifyNames wants one of the names in the certificate.
	VerifyNames []string
	Client      *tls.Certificate // shown to a peer who asks for one
}

// DefaultProtocols are the versions that scripts get unless they say otherwise.
const DefaultProtocols = "!SSLv2,!SSLv3,!TLSv1,!TLSv1.1"

// Config returns the configuration. The error is for protocols that are not
// known, or none.
func (t Terms) Config() (*tls.Config, error) {
	low, high, err := parseProtocols(t.Protocols)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{
		MinVersion:   low,
		MaxVersion:   high,
		CipherSuites: parseCiphers(t.Ciphers),
		ServerName:   t.ServerName,
		// What scripts want to be verified is not what crypto/tls would.
		InsecureSkipVerify: true, // VerifyConnection does it
		VerifyConnection:   t.Verify,
	}
	if t.Client != nil {
		c.Certificates = []tls.Certificate{*t.Client}
	}
	return c, nil
}

var errNoCertificate = errors.New("handshake: the peer has shown no certificate")

// Verify checks the peer by the terms, and is what Config makes crypto/tls ask.
func (t Terms) Verify(s tls.ConnectionState) error {
	if !t.VerifyChain && len(t.VerifyNames) == 0 {
		return nil
	}
	if len(s.PeerCertificates) == 0 {
		return errNoCertificate
	}
	leaf := s.PeerCertificates[0]
	if t.VerifyChain {
		o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
		if t.DefaultCA {
			o.Roots = nil
		}
		for _, c := range s.PeerCertificates[1:] {
			o.Intermediates.AddCert(c)
		}
		if _, err := leaf.Verify(o); err != nil {
			return fmt.Errorf("handshake: %w", err)
		}
	}
	return verifyNames(leaf, t.VerifyNames)
}

func verifyNames(leaf *x509.Certificate, names []string) error {
	var err error
	for _, name := range names {
		if err = leaf.VerifyHostname(name); err == nil {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	return nil
}

// versions are the protocols that OpenSSL has names for, from the oldest; 0 for
// those that nobody speaks any more.
var versions = []struct {
	name    string
	version uint16
}{
	{"SSLv2", 0}, {"SSLv3", 0}, {"TLSv1", tls.VersionTLS10}, {"TLSv1.1", tls.VersionTLS11}, {"TLSv1.2", tls.VersionTLS12}, {"TLSv1.3", tls.VersionTLS13},
}

// parseProtocols reads a list in which "!" takes away. A list that only takes
// away begins with all.
func parseProtocols(list string) (low, high uint16, err error) {
	if list == "" {
		list = DefaultProtocols
	}
	allowed := map[string]bool{}
	if strings.HasPrefix(strings.TrimSpace(list), "!") {
		for _, v := range versions {
			allowed[v.name] = true
		}
	}
	for entry := range strings.SplitSeq(list, ",") {
		name, without := strings.CutPrefix(strings.TrimSpace(entry), "!")
		if !isVersion(name) {
			return 0, 0, fmt.Errorf("handshake: unknown protocol %q", name)
		}
		allowed[name] = !without
	}
	for _, v := range versions {
		if allowed[v.name] && v.version != 0 {
			if low == 0 {
				low = v.version
			}
			high = v.version
		}
	}
	if low == 0 {
		return 0, 0, fmt.Errorf("handshake: %q leaves no protocol", list)
	}
	return low, high, nil
}

func isVersion(name string) bool {
	for _, v := range versions {
		if v.name == name {
			return true
		}
	}
	return false
}

// suites are the names that OpenSSL has for the cipher suites of crypto/tls.
var suites = map[string]uint16{
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-CHACHA20-POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-RSA-CHACHA20-POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-ECDSA-AES128-SHA256":     tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
	"ECDHE-RSA-AES128-SHA256":       tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	"ECDHE-ECDSA-AES128-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"ECDHE-RSA-AES128-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	"ECDHE-ECDSA-AES256-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	"ECDHE-RSA-AES256-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	"AES128-GCM-SHA256":             tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	"AES256-GCM-SHA384":             tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	"AES128-SHA256":                 tls.TLS_RSA_WITH_AES_128_CBC_SHA256,
	"AES128-SHA":                    tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	"AES256-SHA":                    tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	"DES-CBC3-SHA":                  tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
	"ECDHE-RSA-DES-CBC3-SHA":        tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA,
}

// parseCiphers returns the suites that a list names; nil, which is the default,
// when it names none.
func parseCiphers(list string) (ids []uint16) {
	for name := range strings.FieldsFuncSeq(list, func(r rune) bool { return strings.ContainsRune(":, ", r) }) {
		if id, ok := suites[name]; ok {
			ids = append(ids, id)
		}
	}
	return ids
}
