package pki

import (
	"crypto/ecdsa"
	"crypto/tls"
	"strings"
	"time"
)

// Rule names the rule of precedence that chose a certificate (spec tls.md 5).
type Rule string

// The rules, first to last: those of a listener, then those of the default
// certificate of the whole server.
const (
	ByName      Rule = "name"        // configured for the name that the client asks for
	Managed     Rule = "managed"     // obtained for that name
	ByListener  Rule = "listener"    // configured for the listener, whatever the name
	Legacy      Rule = "legacy"      // the old file of this service
	Files       Rule = "files"       // pki.default.certificate
	Generated   Rule = "generated"   // obtained for a name of pki.default.acme
	ForHostname Rule = "hostname"    // obtained for pki.default.hostname
	SelfSigned  Rule = "self-signed" // last resort
	None        Rule = ""            // nothing fits
)

// Obtained gives what a certificate manager holds.
type Obtained interface {
	// Certificates returns those for exactly that name, which may begin with
	// "*."; nil when there are none. It is called in handshakes, by many
	// goroutines, and must be quick.
	Certificates(name string) []*tls.Certificate
}

// Choice is a certificate and the rule that chose it. Certificate is nil only
// with None.
type Choice struct {
	Certificate *tls.Certificate
	Rule        Rule
	Name        string // of Obtained, where it came from there
}

// Selector chooses the certificate for each client of one listener. Its fields
// are set before use and not changed afterwards.
type Selector struct {
	// Named holds certificates by the names that clients ask for, in lower case,
	// exact or "*.": see Add.
	Named map[string][]*tls.Certificate
	// Alias maps such names to names of Obtained, which may still be missing.
	Alias map[string]string
	// Obtained may be nil.
	Obtained Obtained
	// Own are those of the listener. OwnName, where set, is the name of an
	// obtained one in their place, which may still be missing.
	Own     []*tls.Certificate
	OwnName string
	Legacy  []*tls.Certificate
	Default *Default // nil: none
	// Strict refuses clients that ask for a name which none is meant for.
	Strict bool
}

// Default is the server-default certificate: what is served where nothing more
// specific is known.
type Default struct {
	Files    []*tls.Certificate
	Generate []string // names of Obtained, in order
	Hostname string   // the last name to look for in Obtained
	Obtained Obtained // may be nil
	// SelfSigned is called when all else is missing; nil, or a nil result, means
	// that there is none.
	SelfSigned func() *tls.Certificate
}

// Add makes the certificate serve a host name, or "*." and a domain.
func (s *Selector) Add(hostname string, c *tls.Certificate) {
	if s.Named == nil {
		s.Named = map[string][]*tls.Certificate{}
	}
	name := foldName(hostname)
	s.Named[name] = append(s.Named[name], c)
}

// AddAlias makes what is obtained for a name serve a host name, or "*." and a
// domain.
func (s *Selector) AddAlias(hostname, obtained string) {
	if s.Alias == nil {
		s.Alias = map[string]string{}
	}
	s.Alias[foldName(hostname)] = obtained
}

// GetCertificate is for tls.Config. A client that Strict refuses gets the alert
// unrecognized_name.
func (s *Selector) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.Choose(hello, time.Now()).Certificate, nil
}

// Choose applies the rules of spec tls.md 5.2 and 5.3, which are the same: the
// name that the client asks for as configured, then as obtained, then what the
// listener has, the old file of the service, and the server's default.
func (s *Selector) Choose(hello *tls.ClientHelloInfo, now time.Time) Choice {
	if name := foldName(hello.ServerName); name != "" {
		if c := s.named(hello, name, now); c.Certificate != nil {
			return c
		}
		if found, from := obtainedFor(s.Obtained, name); found != nil {
			return Choice{pick(hello, found, now), Managed, from}
		}
		if s.Strict {
			return Choice{}
		}
	}
	if c := pick(hello, s.Own, now); c != nil {
		return Choice{c, ByListener, ""}
	}
	if found := exactly(s.Obtained, s.OwnName); found != nil {
		return Choice{pick(hello, found, now), ByListener, s.OwnName}
	}
	if c := pick(hello, s.Legacy, now); c != nil {
		return Choice{c, Legacy, ""}
	}
	return s.Default.Choose(hello, now)
}

// named applies the first rule: a name itself, then its wildcard.
func (s *Selector) named(hello *tls.ClientHelloInfo, name string, now time.Time) Choice {
	for _, n := range []string{name, wildcardOf(name)} {
		if c := pick(hello, s.Named[n], now); c != nil {
			return Choice{c, ByName, ""}
		}
		from := s.Alias[n]
		if c := pick(hello, exactly(s.Obtained, from), now); c != nil {
			return Choice{c, ByName, from}
		}
	}
	return Choice{}
}

// Choose applies the order of spec tls.md 5.1. An obtained certificate that has
// expired still beats one that signs itself: a client that looks at the name
// alone is content with it.
func (d *Default) Choose(hello *tls.ClientHelloInfo, now time.Time) Choice {
	if d == nil {
		return Choice{}
	}
	if c := pick(hello, d.Files, now); c != nil {
		return Choice{c, Files, ""}
	}
	for _, expiredToo := range []bool{false, true} {
		for _, name := range d.Generate {
			if c := pick(hello, exactly(d.Obtained, name), now); c != nil && (expiredToo || valid(c, now)) {
				return Choice{c, Generated, name}
			}
		}
		if c := pick(hello, exactly(d.Obtained, d.Hostname), now); c != nil && (expiredToo || valid(c, now)) {
			return Choice{c, ForHostname, d.Hostname}
		}
	}
	if d.SelfSigned != nil {
		if c := d.SelfSigned(); c != nil {
			return Choice{c, SelfSigned, ""}
		}
	}
	return Choice{}
}

// obtainedFor returns what was obtained for a name: exactly, then by wildcard.
func obtainedFor(o Obtained, name string) (found []*tls.Certificate, from string) {
	if found = exactly(o, name); found != nil {
		return found, name
	}
	from = wildcardOf(name)
	return exactly(o, from), from
}

func exactly(o Obtained, name string) []*tls.Certificate {
	if o == nil || name == "" {
		return nil
	}
	return o.Certificates(name)
}

// pick chooses among equals (spec tls.md 5.4): one that is valid now, that the
// client can use, ECDSA before RSA, the one that lasts longest. It returns nil
// only when there is none at all.
func pick(hello *tls.ClientHelloInfo, among []*tls.Certificate, now time.Time) *tls.Certificate {
	if len(among) == 1 { // nothing to weigh; the usual case
		return among[0]
	}
	var best *tls.Certificate
	for _, c := range among {
		if best == nil || weigh(hello, c, now).beats(weigh(hello, best, now)) {
			best = c
		}
	}
	return best
}

// weight is what speaks for a certificate, heaviest first.
type weight struct {
	valid, usable, elliptic bool
	until                   time.Time
}

func weigh(hello *tls.ClientHelloInfo, c *tls.Certificate, now time.Time) weight {
	anyName := *hello
	anyName.ServerName = "" // names were compared by the rules above
	_, elliptic := c.Leaf.PublicKey.(*ecdsa.PublicKey)
	return weight{valid(c, now), anyName.SupportsCertificate(c) == nil, elliptic, c.Leaf.NotAfter}
}

func (w weight) beats(o weight) bool {
	switch {
	case w.valid != o.valid:
		return w.valid
	case w.usable != o.usable:
		return w.usable
	case w.elliptic != o.elliptic:
		return w.elliptic
	}
	return w.until.After(o.until)
}

func valid(c *tls.Certificate, now time.Time) bool {
	return !now.Before(c.Leaf.NotBefore) && !now.After(c.Leaf.NotAfter)
}

func foldName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// wildcardOf is the wildcard that covers a name: it stands for one label
// (RFC 9525 §6.3).
func wildcardOf(name string) string {
	if _, parent, ok := strings.Cut(name, "."); ok {
		return "*." + parent
	}
	return ""
}
