package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// listeners replaces the listeners of the server.
func (m *mta) listeners(all ...string) {
	m.t.Helper()
	m.startup("servers: [ { id: inbound, listeners: [ " + strings.Join(all, ", ") + " ] } ]")
}

// listener is one of them, with an id and further settings.
func listener(id, address string, settings ...string) string {
	return "{ " + strings.Join(append(settings, "id: "+id, "address: 127.0.0.1", fmt.Sprintf("port: %d", portOf(address))), ", ") + " }"
}

// dialTLS speaks TLS from the first byte on, or after a PROXY header.
func dialTLS(t testing.TB, address, header string) *client {
	t.Helper()
	raw, err := net.Dial("tcp", address)
	must(t, err)
	if header != "" {
		_, err = raw.Write([]byte(header))
		must(t, err)
	}
	conn := tls.Client(raw, &tls.Config{ServerName: "mta.test", InsecureSkipVerify: true}) // what is checked is the dialogue within
	c := newClient(t, conn)
	must(t, conn.Handshake())
	c.expect("220")
	return c
}

// TestStartTLS offers TLS once, and takes mail within it.
func TestStartTLS(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newRelay(t, far.Addr())
	m.tls(newCertificate(t, "mta.test"))
	m.start()
	c := dial(t, m.smtp)
	expectOffered(t, c.ehlo(), "STARTTLS", true)
	state := c.startTLS("mta.test").ConnectionState()
	if state.Version < tls.VersionTLS12 {
		t.Errorf("negotiated %s", tls.VersionName(state.Version))
	}
	c.say("MAIL FROM:<a@example.org>", "503") // RFC 3207 §4.2: as after the greeting
	expectOffered(t, c.ehlo(), "STARTTLS", false)
	c.say("STARTTLS", "503")
	c.send("a@example.org", "b@example.net")
	expectContains(t, far.wait(t, 1)[0].text, "by mta.test with ESMTPS\r\n", "tls TLS_")
	run(t, "source", "--to", m.smtp, "--tls", "starttls").expectCode(0)
	if _, err := tls.Dial("tcp", m.smtp, &tls.Config{InsecureSkipVerify: true}); err == nil { // it is the handshake that must fail
		t.Error("TLS begins at once where it should not")
	}
	m.stop()
}

// TestStartTLSInjection drops what was sent in clear behind STARTTLS.
func TestStartTLSInjection(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	m.tls(newCertificate(t, "mta.test"))
	m.start()
	c := dial(t, m.smtp)
	c.ehlo()
	c.write("STARTTLS\r\nMAIL FROM:<injected@example.org>\r\n")
	// Either the connection ends, or the handshake follows and the line is gone.
	if reply, err := c.reply(); err == nil && strings.HasPrefix(reply, "220") {
		conn := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true}) // what is checked is what follows
		if conn.Handshake() == nil {
			c = newClient(t, conn)
			c.say("NOOP", "250")
		}
	}
	if strings.Contains(m.program.err.String(), "injected@") {
		t.Error("a command in clear was obeyed")
	}
	m.stop()
}

// TestSNI chooses the certificate by the name that the client asks for.
func TestSNI(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	all := map[string]*certificate{"main": newCertificate(t, "mta.test"), "shop": newCertificate(t, "mx.shop.test"), "wild": newCertificate(t, "*.wild.test")}
	m.pki(all)
	m.running(serverYAML("tls: { certs: { cert: main, sni: [ { hostname: mx.shop.test, cert: shop }, { hostname: '*.wild.test', cert: wild } ] } }"))
	m.start()
	for name, id := range map[string]string{"mx.shop.test": "shop", "MX.Shop.Test": "shop", "a.wild.test": "wild", "a.b.wild.test": "main", "other.test": "main", "": "main"} {
		c := dial(t, m.smtp)
		c.ehlo()
		if got := c.startTLS(name).ConnectionState().PeerCertificates[0].SerialNumber; got.Cmp(all[id].serial) != 0 {
			t.Errorf("%q is served another certificate than %s", name, id)
		}
	}
	m.stop()
}

// TestImplicitTLS speaks TLS at once on one listener and not on the other.
func TestImplicitTLS(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newRelay(t, far.Addr())
	secure := freeAddress(t)
	m.tls(newCertificate(t, "mta.test"))
	m.listeners(listener("mx", m.smtp), listener("smtps", secure))
	m.running(serverYAML("tls: { certs: { cert: main }, implicit: [ smtps ] }"))
	m.start()
	c := dialTLS(t, secure, "")
	expectOffered(t, c.ehlo(), "STARTTLS", false)
	c.send("a@example.org", "b@example.net")
	run(t, "source", "--to", secure, "--tls", "implicit").expectCode(0)
	plain := dial(t, m.smtp)
	expectOffered(t, plain.ehlo(), "STARTTLS", true)
	far.wait(t, 2)
	m.stop()
}

// TestTLSRequired refuses mail in clear.
func TestTLSRequired(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newRelay(t, far.Addr())
	m.tls(newCertificate(t, "mta.test"))
	m.running(serverYAML("tls: { certs: { cert: main }, required: true }"))
	m.start()
	c := dial(t, m.smtp)
	c.ehlo()
	c.say("MAIL FROM:<a@example.org>", "530 5.7.0")
	c.startTLS("mta.test")
	c.ehlo()
	c.send("a@example.org", "b@example.net")
	far.wait(t, 1)
	m.stop()
}

// TestOutboundTLS uses TLS where the next hop offers it, insists where it is
// told to, and knows the mode that never does.
func TestOutboundTLS(t *testing.T) {
	t.Parallel()
	own := newCertificate(t, "far.test")
	pair, err := tls.X509KeyPair([]byte(own.chain), []byte(own.key))
	must(t, err)
	offering := newFarEnd(t, sink.Options{TLS: &tls.Config{Certificates: []tls.Certificate{pair}}})
	plain := newFarEnd(t, sink.Options{})
	for _, tt := range []struct {
		mode     string
		far      *farEnd
		protocol string // empty: deferred
	}{
		{"optional", offering, "ESMTPS"}, {"optional", plain, "ESMTP"}, {"disabled", offering, "ESMTP"},
		{"require", offering, "ESMTPS"}, {"require", plain, ""}, {"require_verify", offering, ""},
	} {
		t.Run(tt.mode+" to "+map[bool]string{true: "TLS", false: "plain"}[tt.far == offering], func(t *testing.T) {
			m := newMTA(t)
			m.running(transportTo(tt.far.Addr(), "session: { tls: { mode: "+tt.mode+" } }", "retry: { count: 3, intervals: [ { interval: 3600 } ] }"))
			m.start()
			had := len(tt.far.all())
			submit(t, m.smtp, "a@example.org", "b@example.net")
			if tt.protocol == "" {
				m.waitCount(1, "--state", "DEFER")
			} else if got := tt.far.wait(t, had+1)[had].Protocol; got != tt.protocol {
				t.Errorf("arrived by %s, want %s", got, tt.protocol)
			}
			m.stop()
		})
	}
}

// TestNoAuth: without a hook that decides there is no AUTH, in clear or not.
func TestNoAuth(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	m.tls(newCertificate(t, "mta.test"))
	m.start()
	c := dial(t, m.smtp)
	expectOffered(t, c.ehlo(), "AUTH", false)
	c.say("AUTH PLAIN AGEAYg==", "50")
	c.startTLS("mta.test")
	expectOffered(t, c.ehlo(), "AUTH", false)
	c.say("AUTH PLAIN AGEAYg==", "50")
	run(t, "source", "--to", m.smtp, "--user", "a", "--password", "b").expectCode(1)
	m.stop()
}

// TestHELO announces nothing to a client of the old kind.
func TestHELO(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newRelay(t, far.Addr()).start()
	c := dial(t, m.smtp)
	if reply := c.say("HELO old.test", "250 "); strings.Contains(reply, "\n") {
		t.Errorf("HELO was answered\n%s", reply)
	}
	c.send("a@example.org", "b@example.net")
	expectContains(t, far.wait(t, 1)[0].text, "by mta.test with SMTP\r\n")
	m.stop()
}

// TestXCLIENT lets a listed peer speak for its client, who then may not relay.
func TestXCLIENT(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	m.running(serverYAML("extensions: { xclient: [ 127.0.0.1/32 ] }"))
	m.start()
	c := dial(t, m.smtp)
	expectOffered(t, c.ehlo(), "XCLIENT", true)
	c.say("XCLIENT ADDR=198.51.100.7 NAME=client.example HELO=client.example", "220")
	c.ehlo()
	c.say("MAIL FROM:<a@example.org>", "250")
	c.say("RCPT TO:<b@example.net>", "5")
	c.say("QUIT", "221")
	m.waitFor("client.example [198.51.100.7]")

	m.running(serverYAML("extensions: { xclient: [ 192.0.2.0/24 ] }"))
	m.reload()
	c = dial(t, m.smtp)
	expectOffered(t, c.ehlo(), "XCLIENT", false)
	c.say("XCLIENT ADDR=192.0.2.7", "5")
	m.stop()
}

// TestRelay takes mail of the networks that a script lists and of nobody else.
// XCLIENT lends the test an address.
func TestRelay(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newRelay(t, far.Addr())
	m.running(serverYAML("extensions: { xclient: [ 127.0.0.1/32 ] }"))
	m.running(`scripting: { hooks: { rcptto: [ { id: relay, data: '
		foreach (["192.0.2.0/24", "2001:db8::7"] as $network)
			if (inet_includes($connection["remoteip"], $network)) Accept();
		Reject();' } ] } }`)
	m.start()
	for address, want := range map[string]string{"192.0.2.7": "250", "198.51.100.7": "5", "IPV6:2001:db8::7": "250", "IPV6:2001:db8::8": "5"} {
		c := dial(t, m.smtp)
		c.ehlo()
		c.say("XCLIENT ADDR="+address, "220")
		c.ehlo()
		c.say("MAIL FROM:<a@example.org>", "250")
		c.say("RCPT TO:<b@example.net>", want)
		c.say("QUIT", "221")
	}
	m.stop()
}

// TestLMTP delivers over LMTP, where each recipient has an answer of its own.
func TestLMTP(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{LMTP: true, Rules: []sink.Rule{rule(t, "full@example.net eod reply 452 4.2.2 mailbox full"), rule(t, "gone@example.net eod reply 550 5.1.1 no such user")}})
	m := newMTA(t)
	m.running(transportTo(far.Addr(), "session: { protocol: lmtp }", "retry: { count: 3, intervals: [ { interval: 3600 } ] }"))
	m.start()
	submit(t, m.smtp, "a@example.org", "good@example.net", "full@example.net", "gone@example.net")
	m.waitCount(1, "--state", "DEFER")
	if e := m.list()[0]; e.Recipient != "full@example.net" || !strings.Contains(e.RetryReason, "452 4.2.2") {
		t.Errorf("deferred is %+v", e)
	}
	messages := far.wait(t, 2) // the message, and the report about gone@, in any order
	slices.SortFunc(messages, func(a, b *arrived) int { return strings.Compare(b.to(), a.to()) })
	if messages[0].Protocol != "LMTP" || messages[0].to() != "good@example.net" {
		t.Errorf("the message is %s for %s", messages[0].Protocol, messages[0].to())
	}
	expectContains(t, messages[1].text, "Final-Recipient: rfc822; gone@example.net", "5.1.1")
	m.stop()
}

// proxyV1 is a PROXY header of version 1, of a client that may not relay.
const proxyV1 = "PROXY TCP4 198.51.100.7 192.0.2.1 4444 25\r\n"

// proxyV2 is the same in version 2.
var proxyV2 = "\r\n\r\n\x00\r\nQUIT\n" + "\x21\x11\x00\x0c" + string([]byte{198, 51, 100, 7, 192, 0, 2, 1, 4444 >> 8, 4444 & 255, 0, 25})

// TestProxyHeader takes the address of the client from the header, in clear,
// before STARTTLS, and before TLS that begins at once.
func TestProxyHeader(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	secure, closed := freeAddress(t), freeAddress(t)
	m.tls(newCertificate(t, "mta.test"))
	m.listeners(listener("mx", m.smtp, "proxyprotocol: true"), listener("smtps", secure, "proxyprotocol: [ 127.0.0.1 ]"), listener("far", closed, "proxyprotocol: [ 192.0.2.0/24 ]"))
	m.running(serverYAML("tls: { certs: { cert: main }, implicit: [ smtps ] }"))
	m.start()
	for _, header := range []string{proxyV1, proxyV2} {
		conn, err := net.Dial("tcp", m.smtp)
		must(t, err)
		c := newClient(t, conn)
		c.write(header)
		c.expect("220")
		c.ehlo()
		c.startTLS("mta.test")
		expectForeign(t, m, c)
		expectForeign(t, m, dialTLS(t, secure, header))
	}
	expectContains(t, m.program.err.String(), "[198.51.100.7]:4444")

	for address, header := range map[string]string{m.smtp: "EHLO client.test\r\n", closed: proxyV1} {
		conn, err := net.Dial("tcp", address)
		must(t, err)
		c := newClient(t, conn)
		c.write(header)
		if reply, err := c.reply(); err == nil && !strings.HasPrefix(reply, "4") {
			t.Errorf("%q was answered %q on %s", header, reply, address)
		}
	}
	runCommand(t, swaks(t, m.smtp, "--proxy-version", "1", "--proxy-family", "TCP4", "--proxy-source", "127.0.0.1", "--proxy-source-port", "4321", "--proxy-dest", "127.0.0.1", "--proxy-dest-port", "25")).expectCode(0)
	m.stop()
}

// expectForeign checks that the client is not taken for one on this host.
func expectForeign(t testing.TB, m *mta, c *client) {
	t.Helper()
	c.ehlo()
	c.say("MAIL FROM:<a@example.org>", "250")
	c.say("RCPT TO:<b@example.net>", "5")
	c.say("QUIT", "221")
}

// TestPlainToTLS: a client that speaks in clear to a TLS port gets no answer in
// clear and costs nothing for long.
func TestPlainToTLS(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	m.tls(newCertificate(t, "mta.test"))
	m.running(serverYAML("tls: { certs: { cert: main }, implicit: true }"))
	m.start()
	conn, err := net.Dial("tcp", m.smtp)
	must(t, err)
	c := newClient(t, conn)
	c.write("EHLO client.test\r\n")
	if reply, err := c.reply(); err == nil && strings.HasPrefix(reply, "2") {
		t.Errorf("answered %q", reply)
	}
	eventually(t, "the connection to be forgotten", func() bool { return m.metric("halon_servers_connections_concurrent") == 0 })
	m.stop()
}

// TestDefaultCertificate: with acme:default there is always one to serve, here
// one that signs itself and outlives a restart, and configured files win.
func TestDefaultCertificate(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	m.running(serverYAML("tls: { certs: { cert: \"acme:default\" } }"))
	m.running(fmt.Sprintf("pki: { default: { hostname: mta.test }, acme: { storage: { file: %q } } }", m.path("state")))
	m.start()
	leaf := func() *x509.Certificate {
		c := dial(t, m.smtp)
		c.ehlo()
		return c.startTLS("mta.test").ConnectionState().PeerCertificates[0]
	}
	self := leaf()
	if err := self.VerifyHostname("mta.test"); err != nil {
		t.Error(err)
	}
	m.stop()
	m.start()
	if !leaf().Equal(self) {
		t.Error("another one after a restart")
	}
	manual := newCertificate(t, "mta.test")
	m.write("default.key", manual.key)
	m.write("default.crt", newCertificate(t, "mta.test").chain)
	m.running(fmt.Sprintf("pki: { default: { certificate: { path: %q }, privatekey: { path: %q } } }", m.path("default.crt"), m.path("default.key")))
	expectContains(t, m.tryCtl("config", "reload").expectCode(1).err.String(), m.path("default.key"), m.path("default.crt"))
	if !leaf().Equal(self) {
		t.Error("a reload that failed changed the certificate")
	}
	m.write("default.crt", manual.chain)
	m.reload()
	expectCertificate(t, m.smtp, manual)
	m.stop()
}
