package delivery

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dns"
)

// profile is a Transport made ready for use. It is not changed.
type profile struct {
	*Transport
	key      string // everything that connections must share to stand for each other
	timeouts [stages]time.Duration
	tls      *tls.Config // without the names, which change with the host
	roots    *x509.CertPool
	turn     *atomic.Uint32 // of the sources
}

// defaultTimeouts are those of RFC 5321 §4.5.3.2, and for states that it does
// not know the five minutes that it gives most commands. A host that does not
// answer QUIT holds up nobody for long.
var defaultTimeouts = map[Stage]time.Duration{
	StageData:    2 * time.Minute,
	StageEOD:     10 * time.Minute,
	StageConnect: 30 * time.Second,
	StageQUIT:    2 * time.Second,
}

// blockTimeout is how long one write of message text may take (RFC 5321
// §4.5.3.2.5).
const blockTimeout = 3 * time.Minute

// sessionCache is how many TLS sessions a transport keeps for resumption.
const sessionCache = 1000

func newProfile(t *Transport) (*profile, error) {
	p := &profile{turn: new(atomic.Uint32)}
	p.turn.Store(rand.Uint32())
	if err := p.makeTLS(&t.TLS); err != nil {
		return nil, fmt.Errorf("delivery: transport %s: %w", t.ID, err)
	}
	p.settle(t)
	return p, nil
}

// override returns the profile of a transport that was made from that of p, for
// one attempt. What TLS needs is made anew only where it differs.
func (p *profile) override(t *Transport) (*profile, error) {
	if !t.TLS.same(&p.TLS) {
		return newProfile(t)
	}
	q := *p
	q.settle(t)
	return &q, nil
}

// same reports whether two policies are equal to the letter.
func (t *TLS) same(o *TLS) bool {
	return t.Mode == o.Mode && t.MinVersion == o.MinVersion && t.MaxVersion == o.MaxVersion &&
		slices.Equal(t.Ciphers, o.Ciphers) && t.SNIHost == o.SNIHost && t.SNIName == o.SNIName &&
		t.VerifyHost == o.VerifyHost && slices.Equal(t.VerifyNames, o.VerifyNames) && t.DefaultCA == o.DefaultCA &&
		slices.Equal(t.Authorities, o.Authorities) && t.Certificate == o.Certificate
}

// settle takes over the settings with their defaults.
func (p *profile) settle(t *Transport) {
	c := *t
	if c.Port == 0 {
		c.Port = 25
	}
	c.Pooling.Timeout = orDefault(c.Pooling.Timeout, 10*time.Second)
	if c.Pooling.Transactions <= 0 {
		c.Pooling.Transactions = 100
	}
	for s := range p.timeouts {
		p.timeouts[s] = orDefault(c.Timeouts[Stage(s)], orDefault(defaultTimeouts[Stage(s)], 5*time.Minute))
	}
	p.timeouts[StageConnect] = orDefault(c.ConnectTimeout, p.timeouts[StageConnect])
	p.Transport = &c
	p.key = p.makeKey()
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d <= 0 {
		return fallback
	}
	return d
}

// makeTLS builds what is the same for all hosts. Certificates are checked in
// VerifyConnection, by our own rules.
func (p *profile) makeTLS(t *TLS) error {
	p.tls = &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // see verify in starttls.go
		MinVersion:         t.MinVersion,
		MaxVersion:         t.MaxVersion,
		CipherSuites:       t.Ciphers,
		ServerName:         t.SNIName,
		// A message is in few records from the start, each a write of its own.
		DynamicRecordSizingDisabled: true,
		ClientSessionCache:          tls.NewLRUClientSessionCache(sessionCache),
	}
	if t.Certificate != nil {
		p.tls.Certificates = []tls.Certificate{*t.Certificate}
	}
	p.roots = x509.NewCertPool()
	if t.DefaultCA {
		roots, err := x509.SystemCertPool()
		if err != nil {
			return fmt.Errorf("system's certificate authorities: %w", err)
		}
		p.roots = roots
	}
	for _, c := range t.Authorities {
		p.roots.AddCert(c)
	}
	return nil
}

// makeKey writes down what changes the state of a connection: protocol, name,
// TLS, login and XCLIENT. The password is part of it, so the key is never shown.
func (p *profile) makeKey() string {
	var b strings.Builder
	t := &p.TLS
	fmt.Fprintf(&b, "%d %q %d %d %d %v %t %q %t %q %t %p %q %q", p.Protocol, p.Helo,
		t.Mode, t.MinVersion, t.MaxVersion, t.Ciphers, t.SNIHost, t.SNIName, t.VerifyHost, t.VerifyNames, t.DefaultCA,
		t.Certificate, p.Auth.Username, p.Auth.Password)
	for _, c := range t.Authorities {
		fmt.Fprintf(&b, " %x", c.Signature)
	}
	for _, k := range slices.Sorted(maps.Keys(p.XClient)) {
		fmt.Fprintf(&b, " %s=%q", k, p.XClient[k])
	}
	return b.String()
}

// sources lists the addresses from which to try a host: those of its family, by
// turns or as given. The one entry nil leaves it to the system.
func (p *profile) sources(remote netip.Addr) []*Source {
	if len(p.Sources) == 0 {
		return []*Source{nil}
	}
	out := make([]*Source, 0, len(p.Sources))
	for i := range p.Sources {
		if dns.FamilyOf(p.Sources[i].Addr) == dns.FamilyOf(remote) {
			out = append(out, &p.Sources[i])
		}
	}
	if n := len(out); n > 1 && !p.Ordered {
		first := int(p.turn.Add(1) % uint32(n))
		out = append(out[first:], out[:first]...)
	}
	return out
}

// accepts reports whether an MX host may be used.
func (t *Transport) accepts(host string) bool {
	match := func(pattern string) bool { return matchHost(pattern, host) }
	return (len(t.MXInclude) == 0 || slices.ContainsFunc(t.MXInclude, match)) && !slices.ContainsFunc(t.MXExclude, match)
}

// matchHost compares a host name with a name, or with "*." and a domain that is
// one label shorter.
func matchHost(pattern, host string) bool {
	pattern = strings.TrimSuffix(pattern, ".")
	if domain, ok := strings.CutPrefix(pattern, "*."); ok {
		_, rest, found := strings.Cut(host, ".")
		return found && strings.EqualFold(rest, domain)
	}
	return strings.EqualFold(pattern, host)
}
