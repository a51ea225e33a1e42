package dane

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/dns"
)

// TestSignedZone looks hosts up in zones with real signatures, good and broken in
// each way, through a resolver that validates them (RFC 7672 §2.1, §2.2).
func TestSignedZone(t *testing.T) {
	root := issue(t, nil, "root", true, now.AddDate(1, 0, 0))
	leaf := issue(t, root, "mx.signed.example", false, now.AddDate(1, 0, 0))
	shown := []*x509.Certificate{leaf.Certificate, root.Certificate}
	tlsa := func(name string, r dns.TLSA) string {
		return fmt.Sprintf("_25._tcp.%s. TLSA %d %d %d %s\n", name, r.Usage, r.Selector, r.MatchingType, hex.EncodeToString(r.Data))
	}
	good := record(UsageEE, SelectorSPKI, MatchSHA256, leaf)
	domain := func(name, host string) string { return name + ". MX 10 " + host + ".\n" }
	const address = ". A 127.0.0.1\n"

	type lookup struct {
		name, zone string // % stands for a label of the case's own
		harm       string // the set that is harmed, name and type
		as         harm
		domain     string // default: %.signed.example
		level      Level
		base       string
		verify     error // of what the host shows
		bogus      bool  // the host is not to be used
		unfound    bool  // its domain cannot be looked up
	}
	host := domain("%.signed.example", "mx.%.signed.example") + "mx.%.signed.example" + address
	signed := host + tlsa("mx.%.signed.example", good)
	const at = "mx.%.signed.example"
	cases := []lookup{
		{name: "secure", zone: signed, level: Authenticate, base: at},
		{name: "no TLSA, proven", zone: host},
		{name: "somebody else's certificate", zone: host + tlsa(at, dns.TLSA{Usage: 3, Selector: 1, MatchingType: 1, Data: make([]byte, 32)}), level: Authenticate, base: at, verify: ErrNoMatch},
		{name: "unknown usage, selector and type", zone: host + "_25._tcp." + at + ". TLSA 4 1 1 " + digest256 + "\n_25._tcp." + at + ". TLSA 3 2 1 " + digest256 + "\n_25._tcp." + at + ". TLSA 3 1 3 " + digest256 + "\n", level: Encrypt, base: at},
		{name: "digest of wrong length", zone: host + "_25._tcp." + at + ". TLSA 3 1 1 abcd\n", level: Encrypt, base: at},
		{name: "no MX, the domain is its own host", zone: "%.signed.example" + address + tlsa("%.signed.example", good), level: Authenticate, base: "%.signed.example"},

		{name: "MX insecure, host secure", domain: "%.plain.example", zone: domain("%.plain.example", at) + at + address + tlsa(at, good)},
		{name: "MX secure, host insecure", zone: domain("%.signed.example", "mx.%.plain.example") + "mx.%.plain.example" + address + tlsa("mx.%.plain.example", good)},
		{name: "all insecure", domain: "%.plain.example", zone: domain("%.plain.example", "mx.%.plain.example") + "mx.%.plain.example" + address + tlsa("mx.%.plain.example", good)},

		{name: "alias, records at its end", zone: domain("%.signed.example", at) + at + ". CNAME real.%.signed.example.\nreal.%.signed.example" + address + tlsa("real.%.signed.example", good) + tlsa(at, record(UsageTA, 0, 1, root)), level: Authenticate, base: "real.%.signed.example"},
		{name: "alias, records at the alias", zone: domain("%.signed.example", at) + at + ". CNAME real.%.signed.example.\nreal.%.signed.example" + address + tlsa(at, good), level: Authenticate, base: at},
		{name: "alias out of the signed zone, records at the alias", zone: domain("%.signed.example", at) + at + ". CNAME real.%.plain.example.\nreal.%.plain.example" + address + tlsa(at, good), level: Authenticate, base: at},
		{name: "alias out of the signed zone, records at its end", zone: domain("%.signed.example", at) + at + ". CNAME real.%.plain.example.\nreal.%.plain.example" + address + tlsa("real.%.plain.example", good)},
		{name: "alias into the signed zone", zone: domain("%.signed.example", "mx.%.plain.example") + "mx.%.plain.example. CNAME real.%.signed.example.\nreal.%.signed.example" + address + tlsa("real.%.signed.example", good)},
		{name: "alias of the records", zone: host + "_25._tcp." + at + ". CNAME tlsa.%.signed.example.\n" + strings.Replace(tlsa("%.signed.example", good), "_25._tcp.", "tlsa.", 1), level: Authenticate, base: at},
		{name: "alias of the records, out of the signed zone", zone: host + "_25._tcp." + at + ". CNAME tlsa.%.plain.example.\n" + strings.Replace(tlsa("%.plain.example", good), "_25._tcp.", "tlsa.", 1)},

		{name: "denied without proof", zone: signed, harm: "_25._tcp." + at + " TLSA", as: unproven, bogus: true},
		{name: "denied with an expired proof", zone: host, harm: "_25._tcp." + at + " TLSA", as: expired, bogus: true},
		{name: "SERVFAIL for the records", zone: signed, harm: "_25._tcp." + at + " TLSA", as: failing, bogus: true},
		{name: "MX records expired", zone: signed, harm: "%.signed.example MX", as: expired, unfound: true},
		{name: "MX records unsigned", zone: signed, harm: "%.signed.example MX", as: stripped, unfound: true},
		{name: "address expired", zone: signed, harm: at + " A", as: expired, unfound: true},
		{name: "address unsigned", zone: signed, harm: at + " A", as: stripped, unfound: true},
	}
	for usage := range uint8(4) {
		for selector := range uint8(2) {
			for matching := range uint8(3) {
				r := record(usage, selector, matching, map[bool]*issued{true: leaf, false: root}[usage%2 == 1])
				c := lookup{name: fmt.Sprint("usage, selector and type ", usage, selector, matching), zone: host + tlsa(at, r), level: Encrypt, base: at}
				if usage >= UsageTA {
					c.level = Authenticate
				}
				cases = append(cases, c)
			}
		}
	}
	for as, what := range map[harm]string{
		expired: "expired", premature: "not in date yet", corrupt: "damaged", stripped: "missing", foreign: "by another key",
		forged: "over other data", misnamed: "by another zone", unknownKey: "by an unpublished key",
	} {
		cases = append(cases, lookup{name: "signature " + what, zone: signed, harm: "_25._tcp." + at + " TLSA", as: as, bogus: true})
	}

	text, harms := "", map[string]harm{}
	own := func(i int, s string) string { return strings.ReplaceAll(s, "%", fmt.Sprintf("c%d", i)) }
	for i, c := range cases {
		text += own(i, c.zone)
		harms[own(i, c.harm)] = c.as
	}
	r := validator(t, newZones(t, text, harms))
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.domain == "" {
				c.domain = "%.signed.example"
			}
			hosts, err := r.Destinations(t.Context(), dns.Search{Domain: own(i, c.domain), Families: dns.IPv4})
			if c.unfound {
				if err == nil || !dns.Temporary(err) {
					t.Fatalf("found %+v, %v", hosts, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			p, err := Lookup(t.Context(), r, hosts[0].Name, 25, hosts[0].SecureName)
			if c.bogus {
				if !errors.Is(err, ErrBogus) {
					t.Fatalf("%+v, %v", p, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if p.Level != c.level || p.Base != own(i, c.base) {
				t.Fatalf("%s at %q, want %s at %q; host %+v", p.Level, p.Base, c.level, own(i, c.base), hosts[0])
			}
			if p.Level != Authenticate {
				return
			}
			if err := p.Verify(shown, []string{"mx.signed.example"}, now); !errors.Is(err, c.verify) || err != nil && c.verify == nil {
				t.Errorf("verified: %v, want %v", err, c.verify)
			}
		})
	}
}
