package delivery

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dane"
)

// needsTLS reports whether a message must not leave in clear text.
func (c *client) needsTLS(a *Attempt) bool { return c.mode().required() || a.RequireTLS }

// secure starts TLS as the policy wants it.
func (c *client) secure(a *Attempt) *Outcome {
	switch mode := c.mode(); {
	case mode == TLSDANERequire:
		c.info.TLS.Report = c.withoutDANE()
		return verdict(StageSTARTTLS, KindDANE, codeTLS, "no validated TLSA record of the host is known", nil)
	case mode == TLSDisabled && !a.RequireTLS:
		return nil
	case c.info.TLS.Error != "": // this is the connection that does without
		return nil
	case !c.ext.Has("STARTTLS"):
		return c.withoutTLS(a, "the host does not offer STARTTLS")
	}
	r, out := c.ask(StageSTARTTLS, "STARTTLS")
	switch {
	case out != nil:
		return out
	case r.Code == 220:
		return c.startTLS(a)
	case c.broken || c.needsTLS(a):
		c.info.TLS.Report = reportNoTLS
		out = refusal(StageSTARTTLS, r)
		out.Status = Deferred // says nothing of the message
		return out
	}
	c.info.TLS.Error, c.info.TLS.Report = "STARTTLS was refused: "+r.String(), reportNoTLS
	return nil
}

// withoutTLS decides about a host that has none.
func (c *client) withoutTLS(a *Attempt, text string) *Outcome {
	c.info.TLS.Report = reportNoTLS
	switch {
	case a.RequireTLS: // RFC 8689 §4.2.1
		return verdict(StageSTARTTLS, KindTLS, codeRequireTLS, text+", and the message requires TLS", nil)
	case c.needsTLS(a):
		return verdict(StageSTARTTLS, KindTLS, codeTLS, text, nil)
	}
	return nil
}

var (
	errInjected = errors.New("delivery: clear text after the reply to STARTTLS")
	errUntrust  = errors.New("delivery: certificate")
	errMismatch = errors.New("not valid for")
)

// Result types of RFC 8460 §4.3.
const (
	reportNoTLS     = "starttls-not-supported"
	reportMismatch  = "certificate-host-mismatch"
	reportExpired   = "certificate-expired"
	reportUntrusted = "certificate-not-trusted"
	reportFailure   = "validation-failure"
	reportNoDANE    = "dane-required"
	reportNoTLSA    = "tlsa-invalid"
	reportBogus     = "dnssec-invalid"
)

// reportOf is the result type for a failed handshake.
func reportOf(err error) string {
	var invalid x509.CertificateInvalidError
	switch {
	case errors.Is(err, errMismatch), errors.Is(err, dane.ErrName):
		return reportMismatch
	case errors.Is(err, dane.ErrExpired):
		return reportExpired
	case errors.Is(err, errDANE):
		return reportFailure
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return reportExpired
	case errors.Is(err, errUntrust):
		return reportUntrusted
	}
	return reportFailure
}

// startTLS does the handshake and greets the host again.
func (c *client) startTLS(a *Attempt) *Outcome {
	byDANE := c.byDANE()
	verify := !byDANE && (c.mode().verified() || a.RequireTLS)
	cfg := c.tlsConfig(verify, a.RequireTLS)
	if byDANE {
		cfg = c.daneConfig(a)
	}
	conn := tls.Client(c.raw, cfg)
	err := errInjected
	if c.in.Buffered() == 0 { // else somebody has slipped in replies before the encryption begins
		if err = c.raw.SetDeadline(time.Now().Add(c.timeouts[StageSTARTTLS])); err == nil {
			err = conn.Handshake()
		}
	}
	if err != nil {
		return c.handshakeFailure(a, err)
	}
	c.conn = conn
	c.in.Reset(conn)
	c.ext = nil
	state := conn.ConnectionState()
	c.info.TLS = describeTLS(state)
	c.describeDANE()
	c.info.TLS.Verified = verify || byDANE
	c.info.TLS.Certificates = state.PeerCertificates
	c.info.TLS.trust = sync.OnceValue(func() error { return c.verify(state, c.namesWanted(true)) })
	c.authentic = a.RequireTLS || byDANE || verify && (c.TLS.VerifyHost || len(c.TLS.VerifyNames) > 0)
	// RFC 3207 §4.2: what was said before is void. LMTP says LHLO again.
	if out := c.hello(a); out != nil {
		return out
	}
	if a.RequireTLS && !c.ext.Has("REQUIRETLS") {
		return verdict(StageSTARTTLS, KindTLS, codeRequireTLS,
			"the host does not offer REQUIRETLS, which the message requires", nil)
	}
	return nil
}

func (c *client) handshakeFailure(a *Attempt, err error) *Outcome {
	c.broken = true
	text := "TLS handshake failed: " + tlsText(err)
	code := codeTLS
	if a.RequireTLS && errors.Is(err, errUntrust) {
		code = codeRequireTLS
	}
	c.fallBack = !c.needsTLS(a)
	c.info.TLS.Error, c.info.TLS.Report = text, reportOf(err)
	kind := KindTLS
	if errors.Is(err, errDANE) {
		kind = KindDANE
	}
	return verdict(StageSTARTTLS, kind, code, text, fmt.Errorf("delivery: TLS handshake with %s: %w", c.host, err))
}

func tlsText(err error) string {
	switch cause := causeOf(err); {
	case errors.Is(cause, ErrTimeout):
		return "timed out"
	case errors.Is(cause, ErrClosed):
		return "connection closed by the host"
	}
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "delivery: "), "tls: ")
}

// tlsConfig adds to the profile's configuration what depends on the host.
func (c *client) tlsConfig(verify, byName bool) *tls.Config {
	cfg := c.profile.tls
	if !verify && (!c.TLS.SNIHost || c.TLS.SNIName != "") {
		return cfg
	}
	cfg = cfg.Clone()
	if c.TLS.SNIHost && c.TLS.SNIName == "" {
		cfg.ServerName = c.hostName() // crypto/tls leaves addresses out
	}
	if verify {
		names := c.namesWanted(byName)
		cfg.VerifyConnection = func(s tls.ConnectionState) error { return c.verify(s, names) }
	}
	return cfg
}

// hostName is the host as certificates name it.
func (c *client) hostName() string {
	if c.host.Name != "" {
		return c.host.Name
	}
	return c.host.Addr.Addr().String()
}

// namesWanted are those of which a certificate must have one. With byName that is
// the host's where the transport names none.
func (c *client) namesWanted(byName bool) []string {
	names := c.TLS.VerifyNames
	if c.TLS.VerifyHost || byName && len(names) == 0 {
		names = append([]string{c.hostName()}, names...)
	}
	return names
}

// verify checks the certificate of a host, also of a resumed session: that an
// authority which we trust has signed it and, if there are names, that it is for
// one of them.
func (c *client) verify(s tls.ConnectionState, names []string) error {
	if len(s.PeerCertificates) == 0 {
		return fmt.Errorf("%w is missing", errUntrust)
	}
	leaf := s.PeerCertificates[0]
	o := x509.VerifyOptions{Roots: c.roots, Intermediates: x509.NewCertPool()}
	for _, i := range s.PeerCertificates[1:] {
		o.Intermediates.AddCert(i)
	}
	if _, err := leaf.Verify(o); err != nil {
		return fmt.Errorf("%w is not trusted: %w", errUntrust, err)
	}
	for _, n := range names {
		if leaf.VerifyHostname(n) == nil {
			return nil
		}
	}
	if len(names) > 0 {
		return fmt.Errorf("%w is %w %s", errUntrust, errMismatch, strings.Join(names, ", "))
	}
	return nil
}

// describeTLS names what was agreed on, as Received fields and logs do.
func describeTLS(s tls.ConnectionState) TLSInfo {
	info := TLSInfo{
		Started:  true,
		Protocol: strings.Replace(tls.VersionName(s.Version), "TLS ", "TLSv", 1),
		Cipher:   tls.CipherSuiteName(s.CipherSuite),
	}
	for _, c := range []struct {
		part string
		bits int
	}{{"AES_128", 128}, {"AES_256", 256}, {"CHACHA20", 256}, {"3DES", 168}, {"RC4", 128}} {
		if strings.Contains(info.Cipher, c.part) {
			info.KeySize = c.bits
			break
		}
	}
	info.Protocol = strings.TrimSuffix(info.Protocol, ".0") // TLSv1
	return info
}
