package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
	"go.yaml.in/yaml/v4"

	"github.com/posthaste-mta/posthaste/internal/dns/dnstest"
	"github.com/posthaste-mta/posthaste/internal/sink"
)

// projectMTA packs a project of share/projects as a user would, and puts what
// belongs to a machine in the place of what belongs to another: ports, paths,
// the resolver, next hops. Scripts and everything else are as they are.
func projectMTA(t testing.TB, name, zone string, hops map[string]net.Addr, keys map[string]string) *mta {
	t.Helper()
	m := newMTA(t)
	must(t, os.CopyFS(m.path("project"), os.DirFS(filepath.Join("../../share/projects", name))))
	run(t, "config", "build", "-C", m.path("project")).expectCode(0)

	machine, err := os.ReadFile(m.path("smtpd.yaml"))
	must(t, err)
	startup, here := m.packed("smtpd.yaml"), m.decode(machine)
	server := startup["servers"].([]any)[0].(map[string]any)
	for i, l := range server["listeners"].([]any) { // the first is the address that the MTA's tests know
		address := m.smtp
		if i > 0 {
			address = freeAddress(t)
		}
		maps.Copy(l.(map[string]any), map[string]any{"address": "127.0.0.1", "port": portOf(address)})
	}
	startup["environment"], startup["spool"], startup["monitor"] = here["environment"], here["spool"], here["monitor"]
	startup["pki"] = pairs(keys, "privatekey", ".key")
	m.encode("smtpd.yaml", startup)

	running := m.packed("smtpd-app.yaml")
	running["resolver"] = map[string]any{"servers": []any{dnstest.New(t, zone).Addr().String()}}
	running["pki"] = pairs(keys, "certificate", ".crt")
	for _, group := range running["transportgroups"].([]any) {
		for _, transport := range group.(map[string]any)["transports"].([]any) {
			transport := transport.(map[string]any)
			hop := hops[transport["id"].(string)].String()
			transport["connection"] = map[string]any{"server": "127.0.0.1", "port": portOf(hop)}
		}
	}
	m.encode("smtpd-app.yaml", running)
	return m
}

// pairs lists keys or certificates by id; those of keys with that ending.
func pairs(keys map[string]string, what, ending string) map[string]any {
	var list []any
	for name, text := range keys {
		if id, ok := strings.CutSuffix(name, ending); ok {
			list = append(list, map[string]any{"id": id, what: map[string]any{"data": text}})
		}
	}
	return map[string]any{"private": list}
}

func (m *mta) packed(name string) map[string]any {
	m.t.Helper()
	text, err := os.ReadFile(m.path("project/dist/" + name))
	must(m.t, err)
	return m.decode(text)
}

func (m *mta) encode(name string, values map[string]any) {
	m.t.Helper()
	text, err := yaml.Marshal(values)
	must(m.t, err)
	m.write(name, string(text))
}

// identity is a certificate for the MTA, in the form that projectMTA takes.
func identity(t testing.TB, id, host string) map[string]string {
	c := newCertificate(t, host)
	return map[string]string{id + ".key": c.key, id + ".crt": c.chain}
}

// signer is a DKIM key with its certificate-less id, and the record that
// publishes it.
func signer(t testing.TB, id string) (key map[string]string, record string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	must(t, err)
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})
	return map[string]string{id + ".key": string(text)}, "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public)
}

// txt is a zone line for a long text.
func txt(name, text string) string {
	line := name + ". IN TXT"
	for len(text) > 0 {
		n := min(200, len(text))
		line += fmt.Sprintf(" %q", text[:n])
		text = text[n:]
	}
	return line + "\n"
}

// plain is the argument of AUTH PLAIN.
func plain(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
}

// text sends a whole message after RCPT.
func (c *client) text(message, want string) string {
	c.t.Helper()
	c.say("DATA", "354")
	return c.say(strings.ReplaceAll(message, "\n", "\r\n")+"\r\n.", want)
}

// verifyDKIM asks another implementation whether the only signature holds.
func verifyDKIM(t testing.TB, message, record string) {
	t.Helper()
	checks, err := dkim.VerifyWithOptions(strings.NewReader(message), &dkim.VerifyOptions{
		LookupTXT: func(string) ([]string, error) { return []string{record}, nil },
	})
	if err != nil || len(checks) != 1 || checks[0].Err != nil {
		t.Errorf("the signature does not hold: %v %+v\n%s", err, checks, message)
	}
}

// TestProjectSubmission is the sample for users who say who they are.
func TestProjectSubmission(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	keys, record := signer(t, "dkim")
	maps.Copy(keys, identity(t, "mx", "mail.example.com"))
	m := projectMTA(t, "submission", txt("mail._domainkey.example.com", record), map[string]net.Addr{"mx": far.Addr()}, keys)
	m.start()

	c := dial(t, m.smtp)
	expectOffered(t, c.ehlo(), "AUTH PLAIN LOGIN", false)
	c.say("MAIL FROM:<joe@example.com>", "530")
	c.startTLS("mail.example.com")
	expectOffered(t, c.ehlo(), "AUTH PLAIN LOGIN", true)
	c.say("MAIL FROM:<joe@example.com>", "530 5.7.0 authentication required")
	c.say("AUTH PLAIN "+plain("joe", "secret of ann"), "535")
	c.say("AUTH PLAIN "+plain("nobody", "secret of joe"), "535")
	c.say("AUTH PLAIN "+plain("Joe", "secret of joe"), "235")
	c.say("MAIL FROM:<ann@example.com>", "553 5.7.1 that is not your address")
	c.say("MAIL FROM:<info@example.com>", "250")
	c.say("RCPT TO:<b@example.net>", "250")
	c.text("From: info@example.com\nSubject: signed\nX-Originating-IP: 192.0.2.1\n\nText.", "250")

	got := far.wait(t, 1)[0].text
	expectContains(t, got, "Message-ID: <", "Date: ", "DKIM-Signature: ", "d=example.com", "s=mail", "x=")
	if strings.Contains(got, "X-Originating-IP") {
		t.Errorf("tells where the user sits:\n%s", got)
	}
	verifyDKIM(t, got, record)

	for range 5 { // the right password has begun the count anew
		c = dial(t, m.smtp)
		c.ehlo()
		c.startTLS("mail.example.com")
		c.ehlo()
		c.say("AUTH PLAIN "+plain("joe", "guess"), "535")
		c.say("AUTH PLAIN "+plain("ann", "guess"), "5")
		c.conn.Close()
	}
	c = dial(t, m.smtp)
	c.ehlo()
	c.startTLS("mail.example.com")
	c.ehlo()
	c.say("AUTH PLAIN "+plain("joe", "secret of joe"), "454")
	m.stop()
}
