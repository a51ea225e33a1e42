package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/dns/dnstest"
	"github.com/posthaste-mta/posthaste/internal/sink"
)

// TestDANE delivers by MX to a host whose TLSA records, validated by the resolver
// on this host, name its key, and not to one whose records name another: not in
// clear text either.
func TestDANE(t *testing.T) {
	t.Parallel()
	c := newCertificate(t, "anything.at.all")
	pair, err := tls.X509KeyPair([]byte(c.chain), []byte(c.key))
	must(t, err)
	far := newFarEnd(t, sink.Options{TLS: &tls.Config{Certificates: []tls.Certificate{pair}}})
	spki, err := x509.MarshalPKIXPublicKey(c.private.Public())
	must(t, err)
	sum := sha256.Sum256(spki)
	other := sha256.Sum256([]byte("another key"))
	port := portOf(far.Addr().String())
	zone := dnstest.New(t, fmt.Sprintf(`
good.example. MX 10 mx.good.example.
mx.good.example. A 127.0.0.1
_%[1]d._tcp.mx.good.example. TLSA 3 1 1 %[2]s
bad.example. MX 10 mx.bad.example.
mx.bad.example. A 127.0.0.1
_%[1]d._tcp.mx.bad.example. TLSA 3 1 1 %[3]s
`, port, hex.EncodeToString(sum[:]), hex.EncodeToString(other[:])))
	zone.Validate(true)
	m := newMTA(t)
	m.running(fmt.Sprintf(`
resolver: { servers: [ %q ] }
transportgroups:
  - { id: all, retry: { count: 30, intervals: [ { interval: 3600 } ] }, dsn: { transport: out }, transports: [ { id: out, connection: { port: %d }, session: { tls: { mode: dane } } } ] }
`, zone.Addr(), port))
	m.start()
	submit(t, m.smtp, "a@example.org", "b@good.example", "b@bad.example")
	m.waitFor("delivered <b@good.example> by mx.good.example")
	m.waitCount(1, "--recipientdomain", "bad.example", "--retrycount", "1")
	for _, e := range m.list() {
		expectContains(t, e.RetryReason, "TLSA record")
	}
	if got := far.all(); len(got) != 1 {
		t.Errorf("%d messages at the far end", len(got))
	}
	m.stop()
}
