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

// TestProjectSecondary is the sample that keeps mail for a server that is away.
func TestProjectSecondary(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{Rules: []sink.Rule{rule(t, "nobody@* rcpt reply 550 5.1.1 no such user")}})
	m := projectMTA(t, "secondary", "", map[string]net.Addr{"primary": far.Addr(), "reports": far.Addr()}, nil)
	m.start()
	c := dial(t, m.smtp)
	c.ehlo()
	c.say("MAIL FROM:<a@example.org>", "250")
	c.say("RCPT TO:<joe@example.info>", "550 5.7.1 relaying denied")
	c.say("RCPT TO:<nobody@example.com>", "550 5.1.1 no such user")
	c.say("RCPT TO:<nobody@example.com>", "550 5.1.1 no such user")
	c.say("RCPT TO:<joe@EXAMPLE.com>", "250")
	c.text("Subject: kept\n\nText.", "250")
	if got := far.wait(t, 1)[0]; got.to() != "joe@EXAMPLE.com" {
		t.Errorf("the primary got mail for %s", got.to())
	}
	c.say("QUIT", "221")
	m.stop()

	m = projectMTA(t, "secondary", "", map[string]net.Addr{"primary": refusing(t), "reports": far.Addr()}, nil)
	m.start()
	submit(t, m.smtp, "a@example.org", "nobody@example.com") // who knows, while the primary is away
	m.waitTried(1, 1)
	m.stop()
}

// TestProjectBulk is the sample for systems that generate mail.
func TestProjectBulk(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{Rules: []sink.Rule{rule(t, "gone@example.net rcpt reply 550 5.1.1 no such user"), rule(t, "full@example.net rcpt reply 452 4.2.2 mailbox full")}})
	keys, record := signer(t, "dkim")
	m := projectMTA(t, "bulk", txt("bulk._domainkey.example.com", record), map[string]net.Addr{"mx": far.Addr()}, keys)
	m.start()
	c := dial(t, m.smtp)
	c.ehlo()
	c.say("MAIL FROM:<news@example.com>", "250")
	for _, to := range []string{"ann", "gone", "full"} {
		c.say("RCPT TO:<"+to+"@example.net>", "250")
	}
	c.text("From: news@example.com\nSubject: offer\nX-Job: spring-17\nX-Priority: high\n\nText.", "250")

	got := far.wait(t, 1)[0]
	expectContains(t, got.text, "Feedback-ID: spring-17:example", "DKIM-Signature: ")
	if strings.Contains(got.text, "X-Job") || strings.Contains(got.text, "X-Priority") {
		t.Errorf("what is between us and the system goes out:\n%s", got.text)
	}
	verifyDKIM(t, got.text, record)
	m.waitCount(1)
	m.waitCount(1, "--jobid", "spring-17", "--recipient", "full@example.net", "--state", "DEFER", "--priority", "1")
	for _, line := range []string{
		`"recipient":"ann@example.net","retry":0,"code":250,`, `"action":"DELIVERED"`, `"recipient":"gone@example.net","retry":0,"code":550,`, `"action":"QUEUE"`,
	} {
		m.waitFor(line)
	}
	c.say("MAIL FROM:<news@example.com>", "250")
	c.say("RCPT TO:<gone@example.net>", "550 5.1.1 address is suppressed")

	back := got.Sender.String() // where a far end returns it to
	if !strings.HasPrefix(back, "b-spring-17-") || !strings.HasSuffix(back, "@bounce.example.com") {
		t.Errorf("returned mail would go to %s", back)
	}
	c.say("RSET", "250")
	c.say("MAIL FROM:<>", "250")
	c.say("RCPT TO:<b-spring-17-0123456789ab@bounce.example.com>", "550 5.1.1")
	c.say("RCPT TO:<"+back+">", "250")
	c.text(returned, "250")
	m.waitFor(`returned {"job":"spring-17","recipient":"ann@example.net","status":"5.1.1"}`)
	c.say("MAIL FROM:<news@example.com>", "250")
	c.say("RCPT TO:<ann@example.net>", "550 5.1.1 address is suppressed")
	c.say("QUIT", "221")
	m.stop()
}

// returned is a report that Ann's mailbox is no more.
const returned = `From: MAILER-DAEMON@mx.example.net
Subject: returned
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

Your message could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; Ann@example.net
Action: failed
Status: 5.1.1

--b--
`

// TestProjectInbound is the sample for the mail of an organisation.
func TestProjectInbound(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{LMTP: true})
	keys, record := signer(t, "theirs")
	zone := txt("sel._domainkey.strict.example", record) +
		txt("_dmarc.strict.example", "v=DMARC1; p=reject") + txt("strict.example", "v=spf1 ip4:192.0.2.1 -all") +
		txt("_dmarc.odd.example", "v=DMARC1; p=quarantine") + txt("open.example", "v=spf1 ip4:127.0.0.0/8 -all")
	m := projectMTA(t, "inbound", zone, map[string]net.Addr{"store": far.Addr(), "outside": far.Addr()}, identity(t, "mx", "mx.example.com"))
	m.start()
	c := dial(t, m.smtp)
	c.ehlo()
	send := func(from, message, want string) {
		t.Helper()
		c.say("MAIL FROM:<"+from+">", "250")
		c.say("RCPT TO:<Joe+news@example.com>", "250")
		c.text(message, want)
	}
	c.say("MAIL FROM:<a@open.example>", "250")
	c.say("RCPT TO:<joe@elsewhere.example>", "550 5.7.1 relaying denied")
	c.say("RCPT TO:<nobody@example.com>", "550 5.1.1 no such user here")
	c.say("RSET", "250")

	send("a@open.example", "From: a@open.example\nAuthentication-Results: mx.example.com; dmarc=pass\nAuthentication-Results: other.example; spf=fail\nSubject: one\n\nText.", "250")
	got := far.wait(t, 1)[0]
	if got.to() != "joe@example.com" || got.Protocol != "LMTP" {
		t.Errorf("the store got mail for %s by %s", got.to(), got.Protocol)
	}
	expectContains(t, got.text, "Authentication-Results: mx.example.com;", "spf=pass", "Authentication-Results: other.example; spf=fail")
	if strings.Contains(got.text, "dmarc=pass") {
		t.Errorf("a forged result stays:\n%s", got.text)
	}

	send("a@strict.example", "From: a@strict.example\nSubject: forged\n\nText.", "550 5.7.26")
	send("a@odd.example", "From: a@odd.example\nSubject: odd\n\nText.", "250")
	expectContains(t, far.wait(t, 2)[1].text, "X-Spam-Flag: YES", "dmarc=fail")

	// Their own signature makes it theirs, wherever it comes from.
	signed := sign(t, keys["theirs.key"], "From: a@strict.example\r\nSubject: genuine\r\n\r\nText.\r\n")
	send("list@open.example", strings.TrimSuffix(strings.ReplaceAll(signed, "\r\n", "\n"), "\n"), "250")
	expectContains(t, far.wait(t, 3)[2].text, "dkim=pass", "dmarc=pass")
	c.say("QUIT", "221")
	m.stop()
}

// sign signs for strict.example with another implementation.
func sign(t testing.TB, key, message string) string {
	t.Helper()
	b, _ := pem.Decode([]byte(key))
	private, err := x509.ParsePKCS1PrivateKey(b.Bytes)
	must(t, err)
	var out strings.Builder
	must(t, dkim.Sign(&out, strings.NewReader(message), &dkim.SignOptions{Domain: "strict.example", Selector: "sel", Signer: private}))
	return out.String()
}

// TestProjectRewrite is the sample that stands between names.
func TestProjectRewrite(t *testing.T) {
	t.Parallel()
	world, old := newFarEnd(t, sink.Options{}), newFarEnd(t, sink.Options{})
	m := projectMTA(t, "rewrite", "", map[string]net.Addr{"mx": world.Addr(), "old": old.Addr()}, nil)
	m.start()
	c := dial(t, m.smtp)
	c.ehlo()

	// From the old system into the world.
	c.say("MAIL FROM:<jd@old.example.com>", "250")
	c.say("RCPT TO:<someone@example.org>", "250")
	c.text("From: \"Doe, John\" <JD@old.example.com>\nTo: someone@example.org, am@old.example.com\nSubject: hello\n\nText.", "250")
	got := world.wait(t, 1)[0]
	expectText(t, "the sender", got.Sender.String(), "john.doe@example.com")
	expectContains(t, got.text, "From: \"Doe, John\" <john.doe@example.com>", "ann.miller@example.com", "Subject: hello")

	// From the world to the old system, and to somebody whose mail is read elsewhere.
	c.say("MAIL FROM:<someone@example.org>", "250")
	c.say("RCPT TO:<John.Doe@example.com>", "250")
	c.say("RCPT TO:<ann.miller@example.com>", "250")
	c.say("RCPT TO:<nobody@example.com>", "550 5.1.1")
	c.text("From: someone@example.org\nSubject: back\n\nText.", "250")
	if to := old.wait(t, 1)[0].to(); to != "jd@old.example.com" {
		t.Errorf("the old system got mail for %s", to)
	}
	forwarded := world.wait(t, 2)[1]
	back := forwarded.Sender.String()
	if forwarded.to() != "ann@mail.example.net" || !strings.HasPrefix(back, "SRS0=") || !strings.HasSuffix(back, "=example.org=someone@example.com") {
		t.Errorf("forwarded from %s to %s", back, forwarded.to())
	}
	expectContains(t, forwarded.text, "X-Forwarded-For: ann@mail.example.net")

	// And a bounce of that finds its way.
	c.say("MAIL FROM:<>", "250")
	c.say("RCPT TO:<"+back+">", "250")
	c.text("Subject: returned\n\nText.", "250")
	if to := world.wait(t, 3)[2].to(); to != "someone@example.org" {
		t.Errorf("the bounce went to %s", to)
	}
	c.say("QUIT", "221")
	m.stop()
}
