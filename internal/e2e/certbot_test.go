package e2e

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/testenv"
	"github.com/posthaste-mta/posthaste/internal/testenv/acmeca"
)

// deployHook is one such as operators have: it links the files of the lineage
// for HAProxy, reloads HAProxy, and has the MTA read its running configuration
// again. Folder, process id and commands are put in by the test.
const deployHook = `#!/bin/sh
set -e
for domain in $RENEWED_DOMAINS; do
    ln -sf "$RENEWED_LINEAGE/privkey.pem" "$CERTS/$domain.crt.key"
    ln -sf "$RENEWED_LINEAGE/fullchain.pem" "$CERTS/$domain.crt"
done
if [ -s "$HAPROXY_PID" ]; then kill -USR2 "$(cat "$HAPROXY_PID")"; fi
if [ -S "$CONTROL" ]; then "$POSTHASTE" ctl --socket "$CONTROL" config reload; fi
`

// certbot is the client with folders of its own.
type certbot struct {
	t       testing.TB
	program string
	m       *mta
	ca      *acmeca.CA
	port    int
}

func (c *certbot) run(args ...string) {
	c.t.Helper()
	cmd := exec.Command(c.program, append(args,
		"--config-dir", c.m.path("letsencrypt"), "--work-dir", c.m.path("work"), "--logs-dir", c.m.path("logs"),
		"--server", c.ca.Directory, "--non-interactive", "--deploy-hook", c.m.path("deploy-hook"))...)
	cmd.Env = append(os.Environ(), "REQUESTS_CA_BUNDLE="+c.m.path("roots.pem"), "CERTS="+c.m.path("certs"),
		"HAPROXY_PID="+c.m.path("haproxy.pid"), "CONTROL="+c.m.socket(), "POSTHASTE="+binary)
	runCommand(c.t, cmd).expectCode(0)
}

// TestCertbot is the set-up of hosts that have certbot and HAProxy: the key in
// the startup file, the chain in the running one, a deploy hook. Renewal with
// --reuse-key needs no restart, connections that are open through it are not
// lost, and new ones see the new certificate.
func TestCertbot(t *testing.T) {
	c := &certbot{t: t, program: testenv.Program(t, "certbot"), m: newMTA(t)}
	haproxy, m := testenv.Program(t, "haproxy"), c.m
	challenges, https := freeAddress(t), freeAddress(t)
	c.port = portOf(challenges)
	c.ca = acmeca.New(t, acmeca.Options{HTTPPort: c.port, TLSPort: 1})
	m.write("roots.pem", string(c.ca.RootsPEM))
	m.write("deploy-hook", deployHook)
	must(t, os.Chmod(m.path("deploy-hook"), 0o755))
	must(t, os.Mkdir(m.path("certs"), 0o700))
	const name = "mx.posthaste.net"
	c.run("certonly", "--standalone", "--http-01-address", "127.0.0.1", "--http-01-port", fmt.Sprint(c.port), "-d", name, "--agree-tos", "-m", "ops@posthaste.net", "--no-eff-email", "--reuse-key")

	live := m.path("letsencrypt/live/" + name)
	m.startup(fmt.Sprintf("pki: { private: [ { id: mx, privatekey: { path: %q } } ] }", live+"/privkey.pem"))
	m.running(fmt.Sprintf("pki: { private: [ { id: mx, certificate: { path: %q } } ] }", live+"/fullchain.pem"))
	m.running(serverYAML("tls: { certs: { cert: mx } }"))
	m.start()
	m.write("haproxy.cfg", fmt.Sprintf(`
global
    pidfile %s
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend https
    bind %s ssl crt %s strict-sni
    option idle-close-on-response
    http-request return status 200 content-type text/plain string ok
`, m.path("haproxy.pid"), https, m.path("certs")))
	front := startCommand(t, exec.Command(haproxy, "-W", "-f", m.path("haproxy.cfg"), "-p", m.path("haproxy.pid")))
	eventually(t, "haproxy to serve", func() bool {
		if front.ended() {
			t.Fatalf("haproxy ended: %s", front.err.String())
		}
		return httpsLeaf(https, name) != nil
	})
	m.write("haproxy.pid", fmt.Sprint(front.pid()))

	smtp := dial(t, m.smtp)
	smtp.ehlo()
	smtp.startTLS(name)
	smtp.ehlo()
	web := openHTTPS(t, https, name)
	web.get(t)
	before := leaf(t, m.smtp, name)

	c.run("renew", "--force-renewal", "--no-random-sleep-on-renew")
	renewed := time.Now()
	verify(t, m.smtp, name, c.ca.Roots(t))
	if now := leaf(t, m.smtp, name); now.Equal(before) || now.PublicKeyAlgorithm != before.PublicKeyAlgorithm {
		t.Error("a session that comes after the hook gets the old certificate")
	}
	eventually(t, "HAProxy to serve the new one", func() bool {
		l := httpsLeaf(https, name)
		return l != nil && l.Equal(leaf(t, m.smtp, name))
	})
	t.Logf("SMTP and HTTPS serve the renewed certificate %s after certbot has ended", time.Since(renewed).Round(time.Millisecond))
	smtp.say("NOOP", "250")
	web.get(t)
	m.stop()
}

// httpsConn is one connection over which several requests go.
type httpsConn struct {
	conn *tls.Conn
	r    *bufio.Reader
}

func openHTTPS(t testing.TB, address, name string) *httpsConn {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}) // what is checked is whether it lives
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return &httpsConn{conn, bufio.NewReader(conn)}
}

func (c *httpsConn) get(t testing.TB) {
	t.Helper()
	_, err := fmt.Fprintf(c.conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	must(t, err)
	response, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatalf("the connection was lost: %v", err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("status %s", response.Status)
	}
}

func httpsLeaf(address, name string) *x509.Certificate {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: &tls.Config{ServerName: name, InsecureSkipVerify: true}} // it is compared
	conn, err := d.Dial("tcp", address)
	if err != nil {
		return nil
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
}
