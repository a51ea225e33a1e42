package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// serverYAML is the running part of the server with further settings.
func serverYAML(settings string) string {
	return "servers: [ { id: inbound, transport: out, hostname: mta.test, resolve: { ptr: false }, " + settings + " } ]"
}

func (m *mta) reload() {
	m.t.Helper()
	if got := m.ctl("config", "reload"); got != "OK\n" {
		m.t.Fatalf("config reload printed %q", got)
	}
}

// TestReload puts a size and a transport in force for new connections while
// one that is open keeps the old size.
func TestReload(t *testing.T) {
	t.Parallel()
	before, after := newFarEnd(t, sink.Options{}), newFarEnd(t, sink.Options{})
	m := newRelay(t, before.Addr())
	m.running(serverYAML("phases: { data: { maxsize: 5000 } }"))
	m.start()
	open := dial(t, m.smtp)
	expectOffered(t, open.ehlo(), "SIZE 5000", true)
	open.send("a@example.org", "first@example.net")
	before.wait(t, 1)

	m.running(serverYAML("phases: { data: { maxsize: 7000 } }"))
	m.running(transportTo(after.Addr()))
	m.reload()
	expectOffered(t, open.ehlo(), "SIZE 5000", true)
	fresh := dial(t, m.smtp)
	expectOffered(t, fresh.ehlo(), "SIZE 7000", true)
	fresh.say("MAIL FROM:<a@example.org> SIZE=6000", "250")
	open.say("MAIL FROM:<a@example.org> SIZE=6000", "552")
	fresh.say("RSET", "250")
	fresh.send("a@example.org", "second@example.net")
	if got := after.wait(t, 1)[0].to(); got != "second@example.net" {
		t.Errorf("the new far end got mail for %s", got)
	}
	if n := len(before.all()); n != 1 {
		t.Errorf("the old far end got %d messages, want 1", n)
	}
	expectContains(t, m.program.err.String(), "Reloaded "+m.path("smtpd-app.yaml"))
	m.stop()
}

// TestReloadOfQueuedMail sends what waits in the queue by the new transport.
func TestReloadOfQueuedMail(t *testing.T) {
	t.Parallel()
	m := newRelay(t, refusing(t)).start()
	submit(t, m.smtp, "a@example.org", "b@example.net")
	m.waitCount(1, "--state", "DEFER")
	far := newFarEnd(t, sink.Options{})
	m.running(transportTo(far.Addr()))
	m.reload()
	m.ctl("queue", "retry", "--all")
	far.wait(t, 1)
	m.waitCount(0)
	m.stop()
}

// TestReloadBroken leaves the configuration in force when the new one is wrong,
// whoever asks for it, and says where the mistake is.
func TestReloadBroken(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newRelay(t, far.Addr()).start()
	version, file := m.ctl("config", "version"), m.path("smtpd-app.yaml")
	for _, tt := range []struct{ text, want string }{
		{"version: \"6.9\"\nserver: []\n", file + ":2:1: "},
		{"version: \"6.9\"\nservers:\n  - id: inbound\n    transport: nowhere\n", file + ":4:16: "},
		{"version: [\n", file + ":2:1: "},
		{"", file},
		{runningYAML + "    helo: [ { id: broken, data: 'Accept(' } ]\n", "helo/broken.hsl:1:8: "},
	} {
		m.write("smtpd-app.yaml", tt.text)
		p := m.tryCtl("config", "reload").expectCode(1)
		expectContains(t, p.err.String(), tt.want)
		if p.out.String() != "" {
			t.Errorf("reload of %q printed %q", tt.text, p.out.String())
		}
	}
	m.signal(syscall.SIGHUP)
	m.waitFor("smtpd: Could not reload configuration, the old one stays in force: ")
	if now := m.ctl("config", "version"); now != version {
		t.Errorf("the version in force was\n%s\nand is now\n%s", version, now)
	}
	submit(t, m.smtp, "a@example.org", "b@example.net")
	far.wait(t, 1)
	m.stop()
}

// TestReloadCertificate serves a renewed certificate without a restart, and
// refuses one that belongs to another key.
func TestReloadCertificate(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	first := newCertificate(t, "mta.test")
	m.tls(first)
	m.start()
	open := dial(t, m.smtp)
	open.ehlo()
	expectCertificate(t, m.smtp, first)

	renewed := first.renew(t, "mta.test")
	m.write("main.crt", renewed.chain)
	expectCertificate(t, m.smtp, first) // what lies on disk is not in force yet
	m.reload()
	expectCertificate(t, m.smtp, renewed)
	if got := open.startTLS("mta.test").ConnectionState().PeerCertificates[0].SerialNumber; got.Cmp(first.serial) != 0 {
		t.Error("a session that was open got the new certificate")
	}

	m.write("main.crt", newCertificate(t, "mta.test").chain)
	expectContains(t, m.tryCtl("config", "reload").expectCode(1).err.String(), m.path("main.crt"))
	expectCertificate(t, m.smtp, renewed)
	m.write("main.crt", first.issue(t, "mta.test", time.Now().Add(-time.Hour)).chain)
	expectContains(t, m.tryCtl("config", "reload").expectCode(1).err.String(), m.path("main.crt"), "expired on")
	expectCertificate(t, m.smtp, renewed)
	must(t, os.Remove(m.path("main.crt")))
	expectContains(t, m.tryCtl("config", "reload").expectCode(1).err.String(), m.path("main.crt"), "no such file")
	expectCertificate(t, m.smtp, renewed)
	m.stop()
}

// tls gives the server a certificate that lies in files of the folder.
func (m *mta) tls(c *certificate) {
	m.t.Helper()
	m.pki(map[string]*certificate{"main": c})
	m.running(serverYAML("tls: { certs: { cert: main } }"))
}

// pki writes certificates and keys under their ids and names them in both files.
func (m *mta) pki(all map[string]*certificate) {
	m.t.Helper()
	var keys, chains []string
	for id, c := range all {
		m.write(id+".key", c.key)
		m.write(id+".crt", c.chain)
		keys = append(keys, fmt.Sprintf("{ id: %s, privatekey: { path: %q } }", id, m.path(id+".key")))
		chains = append(chains, fmt.Sprintf("{ id: %s, certificate: { path: %q } }", id, m.path(id+".crt")))
	}
	m.startup("pki: { private: [ " + strings.Join(keys, ", ") + " ] }")
	m.running("pki: { private: [ " + strings.Join(chains, ", ") + " ] }")
}

// expectCertificate makes a new connection and compares the certificate.
func expectCertificate(t testing.TB, address string, want *certificate) {
	t.Helper()
	c := dial(t, address)
	c.ehlo()
	if got := c.startTLS("mta.test").ConnectionState().PeerCertificates[0].SerialNumber; got.Cmp(want.serial) != 0 {
		t.Errorf("%s serves certificate %v, want %v", address, got, want.serial)
	}
}

// TestReloadHammered reloads again and again under load: no connection is lost
// and nothing is refused.
func TestReloadHammered(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newRelay(t, far.Addr()).start()
	load := start(t, "source", "--to", m.smtp, "-s", "4", "-m", "400", "--per-connection", "5", "--size", "2000")
	for range 20 {
		m.reload()
	}
	load.expectCode(0)
	far.wait(t, 400)
	m.waitCount(0)
	m.stop()
}

// TestListenersNeedRestart: what a reload cannot change is not even read.
func TestListenersNeedRestart(t *testing.T) {
	t.Parallel()
	m := newMTA(t).start()
	m.write("smtpd.yaml", "nonsense: true\n")
	m.reload()
	if conn, err := net.Dial("tcp", m.smtp); err != nil {
		t.Error(err)
	} else {
		conn.Close()
	}
	m.stop()
}
