package dane

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/dns/dnstest"
)

var (
	digest256 = strings.Repeat("ab", 32)
	digest512 = strings.Repeat("cd", 64)
)

// resolver asks the zone, whose answers are validated or not.
func resolver(t *testing.T, zone string, validated bool) (*dns.Resolver, *dnstest.Server) {
	t.Helper()
	server := dnstest.New(t, zone)
	server.Validate(validated)
	r, err := dns.New(dns.Options{Servers: []netip.AddrPort{server.Addr()}, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r, server
}

// TestLookup is the table of RFC 7672 §2.2: validated or not, there or not, usable
// or not.
func TestLookup(t *testing.T) {
	host := "mx.example.com. A 192.0.2.1\n"
	tlsa := func(name string, records ...string) string {
		out := ""
		for _, r := range records {
			out += "_25._tcp." + name + ". TLSA " + r + "\n"
		}
		return out
	}
	alias := "mx.example.com. CNAME real.example.net.\nreal.example.net. A 192.0.2.1\n"
	for _, c := range []struct {
		name, zone    string
		secureMX      bool
		validated     bool
		level         Level
		base, records string
	}{
		{"usable", host + tlsa("mx.example.com", "3 1 1 "+digest256), true, true, Authenticate, "mx.example.com", "3 1 1"},
		{"an authority", host + tlsa("mx.example.com", "2 0 1 "+digest256), true, true, Authenticate, "mx.example.com", "2 0 1"},
		{"no records", host, true, true, Absent, "", ""},
		{"MX not validated", host + tlsa("mx.example.com", "3 1 1 "+digest256), false, true, Absent, "", ""},
		{"nothing validated", host + tlsa("mx.example.com", "3 1 1 "+digest256), true, false, Absent, "", ""},
		{"public authorities only", host + tlsa("mx.example.com", "0 0 1 "+digest256, "1 1 1 "+digest256), true, true, Encrypt, "mx.example.com", ""},
		{"unknown selector and type", host + tlsa("mx.example.com", "3 2 1 "+digest256, "3 1 3 "+digest256), true, true, Encrypt, "mx.example.com", ""},
		{"digest of wrong length", host + tlsa("mx.example.com", "3 1 1 abcd"), true, true, Encrypt, "mx.example.com", ""},
		{"one of several", host + tlsa("mx.example.com", "1 1 1 "+digest256, "3 0 1 "+digest256), true, true, Authenticate, "mx.example.com", "3 0 1"},
		{"the stronger digest", host + tlsa("mx.example.com", "3 1 1 "+digest256, "3 1 2 "+digest512, "3 0 1 "+digest256), true, true, Authenticate, "mx.example.com", "3 0 1,3 1 2"},
		{"at the end of an alias", alias + tlsa("real.example.net", "3 1 1 "+digest256) + tlsa("mx.example.com", "3 1 2 "+digest512), true, true, Authenticate, "real.example.net", "3 1 1"},
		{"at the alias itself", alias + tlsa("mx.example.com", "3 1 1 "+digest256), true, true, Authenticate, "mx.example.com", "3 1 1"},
		{"no address", "other.example.com. A 192.0.2.1\n", true, true, Absent, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, _ := resolver(t, c.zone, c.validated)
			p, err := Lookup(t.Context(), r, "mx.example.com", 25, c.secureMX)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range p.Records {
				got = append(got, fmt.Sprintf("%d %d %d", r.Usage, r.Selector, r.MatchingType))
			}
			if len(got) == 2 && got[0] > got[1] {
				got[0], got[1] = got[1], got[0] // the order of a set means nothing
			}
			if p.Level != c.level || p.Base != c.base || strings.Join(got, ",") != c.records {
				t.Errorf("%s at %q with %q, want %s at %q with %q", p.Level, p.Base, got, c.level, c.base, c.records)
			}
		})
	}
}

// TestBogus: when it cannot be found out what a host must show, it is not used;
// a host of a zone that is not signed is none of DANE's business even then.
func TestBogus(t *testing.T) {
	zone := "mx.example.com. A 192.0.2.1\n_25._tcp.mx.example.com. TLSA 3 1 1 " + digest256 + "\n"
	for _, c := range []struct {
		name, typ string
		fault     dnstest.Fault
		validated bool
		bogus     bool
	}{
		{"_25._tcp.mx.example.com", "TLSA", dnstest.Fault{RCode: "SERVFAIL"}, true, true},
		{"_25._tcp.mx.example.com", "TLSA", dnstest.Fault{RCode: "REFUSED"}, true, true},
		{"mx.example.com", "*", dnstest.Fault{RCode: "SERVFAIL"}, true, true},
		{"_25._tcp.mx.example.com", "TLSA", dnstest.Fault{RCode: "SERVFAIL"}, false, false},
	} {
		r, server := resolver(t, zone, c.validated)
		server.Fault(c.name, c.typ, c.fault)
		if _, err := Lookup(t.Context(), r, "mx.example.com", 25, true); errors.Is(err, ErrBogus) != c.bogus || (err != nil) != c.bogus {
			t.Errorf("%s %s %+v, validated %v: %v", c.name, c.typ, c.fault, c.validated, err)
		}
	}
}

func TestAddressesHaveNoRecords(t *testing.T) {
	for _, host := range []string{"192.0.2.1", "2001:db8::1"} {
		p, err := Lookup(context.Background(), nil, host, 25, true)
		if err != nil || p.Level != Absent {
			t.Errorf("%s: %+v, %v", host, p, err)
		}
	}
}

// issued is a certificate and the key that it is for.
type issued struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

var now = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// issue makes a certificate signed by another, or by itself.
func issue(t *testing.T, by *issued, name string, authority bool, until time.Time) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: until,
		IsCA: authority, BasicConstraintsValid: true,
	}
	if !authority {
		template.DNSNames = []string{name}
	}
	out := &issued{key: key}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.Certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	if out.Certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return out
}

func record(usage, selector, matching uint8, c *issued) dns.TLSA {
	data := c.Raw
	if selector == SelectorSPKI {
		data = c.RawSubjectPublicKeyInfo
	}
	switch matching {
	case MatchSHA256:
		sum := sha256.Sum256(data)
		data = sum[:]
	case MatchSHA512:
		sum := sha512.Sum512(data)
		data = sum[:]
	}
	return dns.TLSA{Usage: usage, Selector: selector, MatchingType: matching, Data: data}
}

// TestVerify is the table of spec tls.md 16.5: good, wrong name, expired, and
// records that are for somebody else, in every form of record.
func TestVerify(t *testing.T) {
	later, before := now.AddDate(1, 0, 0), now.AddDate(0, -1, 0)
	root := issue(t, nil, "root", true, later)
	middle := issue(t, root, "middle", true, later)
	old := issue(t, root, "old", true, before)
	good := issue(t, middle, "mx.example.com", false, later)
	other := issue(t, middle, "other.example.org", false, later)
	expired := issue(t, middle, "mx.example.com", false, before)
	belowOld := issue(t, old, "mx.example.com", false, later)
	lone := issue(t, nil, "mx.example.com", false, later)
	names := []string{"mx.example.com", "example.com"}
	for usage := range uint8(2) {
		for selector := range uint8(2) {
			for matching := range uint8(3) {
				r := record(UsageTA+usage, selector, matching, map[uint8]*issued{0: middle, 1: good}[usage])
				p := &Policy{Level: Authenticate, Records: []dns.TLSA{record(UsageEE, 1, 1, lone), r}}
				if err := p.Verify([]*x509.Certificate{good.Certificate, middle.Certificate}, names, now); err != nil {
					t.Errorf("%d %d %d: %v", r.Usage, selector, matching, err)
				}
			}
		}
	}
	for _, c := range []struct {
		name   string
		record dns.TLSA
		chain  []*issued
		names  []string
		want   error
	}{
		{"below the root", record(2, 0, 1, root), []*issued{good, middle, root}, names, nil},
		{"the domain of the recipient", record(2, 1, 1, middle), []*issued{issue(t, middle, "example.com", false, later), middle}, names, nil},
		{"another name below an authority", record(2, 1, 1, middle), []*issued{other, middle}, names, ErrName},
		{"expired below an authority", record(2, 1, 1, middle), []*issued{expired, middle}, names, ErrExpired},
		{"an expired authority", record(2, 1, 1, root), []*issued{belowOld, old, root}, names, ErrExpired},
		{"the authority is not shown", record(2, 1, 1, middle), []*issued{good}, names, ErrNoMatch},
		{"shown and not above it", record(2, 1, 1, root), []*issued{lone, root}, names, ErrNoMatch},
		{"another name, its own certificate", record(3, 1, 1, other), []*issued{other}, names, nil},
		{"expired, its own certificate", record(3, 1, 1, expired), []*issued{expired}, names, nil},
		{"somebody else's certificate", record(3, 1, 1, good), []*issued{other}, names, ErrNoMatch},
		{"an authority as the host's own", record(3, 1, 1, middle), []*issued{good, middle}, names, ErrNoMatch},
		{"nothing shown", record(3, 1, 1, good), nil, names, ErrNoCertificate},
		{"it is its own authority", record(2, 0, 0, lone), []*issued{lone}, names, nil},
	} {
		var chain []*x509.Certificate
		for _, one := range c.chain {
			chain = append(chain, one.Certificate)
		}
		p := &Policy{Level: Authenticate, Records: []dns.TLSA{c.record}}
		if err := p.Verify(chain, c.names, now); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestAliasCannotBeAsked: whether the alias of a host was validated is not known
// to be false as long as nobody answers.
func TestAliasCannotBeAsked(t *testing.T) {
	r, server := resolver(t, "mx.example.com. CNAME real.example.net.\nreal.example.net. A 192.0.2.1\n", false)
	server.Fault("mx.example.com", "CNAME", dnstest.Fault{RCode: "SERVFAIL"})
	if p, err := Lookup(t.Context(), r, "mx.example.com", 25, true); !errors.Is(err, ErrBogus) {
		t.Errorf("%+v, %v", p, err)
	}
}
