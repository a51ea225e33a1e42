package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// signing signs what scripts queue for two domains, of which one has two keys.
const signing = `
servers:
  - id: inbound
    transport: out
    hostname: mta.test
    resolve: { ptr: false }
    phases: { connect: { hook: origin }, auth: { hook: login }, rcptto: { hook: any }, eod: { hook: copies } }
dkim:
  - { domain: EXAMPLE.org, selector: s, key: "pki:mykey", headers: { oversign: [from, subject, list-id] } }
  - { domain: bounces.example, selector: t, key: "pki:other" }
scripting:
  hooks:
    connect: [ { id: origin, data: 'Accept(["remoteip" => "192.0.2.9"]);' } ]
    rcptto: [ { id: any, data: 'Accept();' } ]
    auth: [ { id: login, data: 'Accept();' } ]
    eod:
      - id: copies
        data: |
          foreach ($transaction["recipients"] as $r)
          {
              $id = $arguments["mail"]->snapshot();
              if ($r["address"]["localpart"] == "edited") $arguments["mail"]->setHeader("Subject", "edited");
              $arguments["mail"]->queue($transaction["senderaddress"], $r["address"], "out");
              $arguments["mail"]->restore($id);
          }
          Accept();
`

// TestSignatures: what a script queues is signed for the domains of the author and
// of the envelope sender, each copy with its own edits, and only for clients that
// have said who they are.
func TestSignatures(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{Capture: 1 << 20})
	m := newMTA(t)
	m.running(signing)
	m.running(transportTo(far.Addr()))
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	_, other, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	for name, key := range map[string]any{"mykey": key, "other": other} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		must(t, err)
		m.write(name+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	}
	m.startup(fmt.Sprintf("pki: { private: [ { id: mykey, privatekey: { path: %q } }, { id: other, privatekey: { path: %q } } ] }",
		m.path("mykey.pem"), m.path("other.pem")))
	m.start()

	conn, err := net.Dial("tcp", m.smtp)
	must(t, err)
	c := newClient(t, conn)
	c.expect("220")
	c.ehlo()
	send := func(sender, from string, to ...string) {
		t.Helper()
		c.say("MAIL FROM:<"+sender+">", "250")
		for _, to := range to {
			c.say("RCPT TO:<"+to+"@open.example>", "250")
		}
		c.say("DATA", "354")
		c.say("From: Ann <"+from+">\r\nSubject: hello\r\n\r\nHello.\r\n.", "250")
	}
	send("ann@example.org", "ann@example.org", "stranger")
	c.say("AUTH PLAIN AGpvZQBzZWNyZXQ=", "235")
	send("ann@example.org", "ann@example.org", "plain", "edited")
	send("ann@bounces.example", "ann@example.org", "both")
	send("ann@elsewhere.example", "ann@elsewhere.example", "none")

	got := map[string]string{}
	for _, r := range far.wait(t, 5) {
		to, _, _ := strings.Cut(r.to(), "@")
		got[to] = r.text
	}
	for to, want := range map[string]int{"stranger": 0, "plain": 1, "edited": 1, "both": 2, "none": 0} {
		if n := strings.Count(got[to], "DKIM-Signature:"); n != want {
			t.Errorf("%s has %d signatures instead of %d:\n%s", to, n, want, got[to])
		}
	}
	expectSigned(t, key, got["plain"])
	expectSigned(t, key, got["edited"])
	if !strings.Contains(got["edited"], "Subject: edited") || !strings.Contains(got["plain"], "list-id") {
		t.Errorf("signed other things:\n%s\n%s", got["edited"], got["plain"])
	}
	if !strings.Contains(got["both"], "d=EXAMPLE.org") || !strings.Contains(got["both"], "d=bounces.example") {
		t.Errorf("not signed by both:\n%s", got["both"])
	}
}
