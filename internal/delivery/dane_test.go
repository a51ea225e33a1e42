package delivery_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/dns/dnstest"
)

// TestDANE delivers to a host whose TLSA records are good, wrong, of no use,
// absent, not validated or not to be had, under each mode (RFC 7672 §2.2).
func TestDANE(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	good, strange := ca.server(t, "mx.example.net"), other.server(t, "somebody.else")
	digest := func(c *tls.Config) string {
		leaf, err := x509.ParseCertificate(c.Certificates[0].Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
		return hex.EncodeToString(sum[:])
	}
	const delivered, deferred = delivery.Delivered, delivery.Deferred
	modes := []delivery.TLSMode{delivery.TLSDANE, delivery.TLSDANERequire, delivery.TLSDANEFallbackRequireVerify}
	for _, c := range []struct {
		name      string
		records   string // TLSA, "%" for the digest of the host's key
		server    *tls.Config
		insecure  bool
		bogus     bool
		want      [3]delivery.Status // by mode
		encrypted bool               // where it is delivered
		verified  bool
		report    string // where all three fail, or the last two
	}{
		{name: "good", records: "3 1 1 %", server: strange, want: [3]delivery.Status{delivered, delivered, delivered}, encrypted: true, verified: true},
		{name: "wrong", records: "3 1 1 " + digest(good), server: strange, want: [3]delivery.Status{deferred, deferred, deferred}, report: "validation-failure"},
		{name: "no TLS", records: "3 1 1 " + digest(good), want: [3]delivery.Status{deferred, deferred, deferred}, report: "starttls-not-supported"},
		{name: "of no use", records: "1 1 1 %", server: strange, want: [3]delivery.Status{delivered, deferred, deferred}, encrypted: true},
		{name: "of no use, no TLS", records: "1 1 1 " + digest(good), want: [3]delivery.Status{deferred, deferred, deferred}},
		{name: "absent", server: good, want: [3]delivery.Status{delivered, deferred, delivered}, encrypted: true},
		{name: "absent, no TLS", want: [3]delivery.Status{delivered, deferred, deferred}},
		{name: "not validated", records: "3 1 1 " + digest(strange), server: good, insecure: true, want: [3]delivery.Status{delivered, deferred, delivered}, encrypted: true},
		{name: "not to be had", records: "3 1 1 %", server: good, bogus: true, want: [3]delivery.Status{deferred, deferred, deferred}, report: "dnssec-invalid"},
	} {
		for i, mode := range modes {
			t.Run(c.name+" "+mode.String(), func(t *testing.T) {
				t.Parallel()
				p := newPeer(t, func(p *peer) {
					if c.server != nil {
						p.TLSConfig = c.server.Clone()
					}
				})
				name := fmt.Sprintf("_%d._tcp.mx.example.net", p.addr.Port())
				zone := "mx.example.net. A 127.0.0.1\n"
				if c.records != "" {
					own := ""
					if c.server != nil {
						own = digest(c.server)
					}
					zone += name + ". TLSA " + strings.ReplaceAll(c.records, "%", own) + "\n"
				}
				server := dnstest.New(t, zone)
				server.Validate(!c.insecure)
				if c.bogus {
					server.Fault(name, "TLSA", dnstest.Fault{RCode: "SERVFAIL"})
				}
				r, err := dns.New(dns.Options{Servers: []netip.AddrPort{server.Addr()}, Timeout: 10 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(r.Stop)
				co := delivery.New(r, delivery.Options{Hostname: "client.example"}, delivery.Events{})
				co.Start(context.Background())
				t.Cleanup(co.Stop)
				d := p.destination()
				d.Hosts[0].SecureName = !c.insecure
				tr := &delivery.Transport{TLS: delivery.TLS{Mode: mode, Authorities: []*x509.Certificate{ca.cert}}}
				out := co.Deliver(t.Context(), attempt(t, tr), d)
				info := out.Connection.TLS
				if out.Status != c.want[i] {
					t.Fatalf("%v %v %+v %v", out.Status, out.Reply, info, out.Err)
				}
				if c.report != "" && info.Report != c.report {
					t.Errorf("reported as %q, want %q", info.Report, c.report)
				}
				if out.Status == delivered && (info.Started != c.encrypted || c.verified && !info.Verified || c.verified != (len(info.TLSA) > 0)) {
					t.Errorf("%+v", info)
				}
				if c.bogus && (!info.Unvalidated || out.Kind != delivery.KindDANE) {
					t.Errorf("%v %+v", out.Kind, info)
				}
			})
		}
	}
}
