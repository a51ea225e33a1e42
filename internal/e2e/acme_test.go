package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/testenv/acmeca"
)

// certified is an MTA that obtains certificates from an authority of the test.
type certified struct {
	*mta
	ca         *acmeca.CA
	challenges string // where it answers http-01
}

// newCertified is not parallel: the authority is set up by variables of the
// environment.
func newCertified(t *testing.T, names ...string) *certified {
	t.Helper()
	m := &certified{mta: newMTA(t), challenges: freeAddress(t)}
	m.ca = acmeca.New(t, acmeca.Options{HTTPPort: portOf(m.challenges), TLSPort: 1})
	m.write("roots.pem", string(m.ca.RootsPEM))
	m.startup(fmt.Sprintf("pki: { acme: { listeners: [ { address: 127.0.0.1, port: %d } ] } }", portOf(m.challenges)))
	m.running(serverYAML(`tls: { certs: { cert: "acme:default" } }`))
	m.running(fmt.Sprintf(`
resolver: { servers: [ %q ] }
pki:
  default: { hostname: mx.posthaste.net }
  acme:
    agreetos: true
    email: ops@posthaste.net
    directory: %q
    roots: %q
    storage: { file: %q }
    selfcheck: { allowprivate: true, connect: %q }
`, m.ca.DNS.Addr, m.ca.Directory, m.path("roots.pem"), m.path("acme"), m.challenges))
	m.wants(names...)
	return m
}

// wants sets the names that are to have a certificate besides the host's.
func (m *certified) wants(names ...string) {
	m.t.Helper()
	m.running("pki: { acme: { names: [ \"" + strings.Join(names, "\", \"") + "\" ] } }")
}

// certs runs the program that operators use.
func (m *certified) certs(args ...string) *program {
	m.t.Helper()
	return run(m.t, append([]string{"certs", "--socket", m.socket()}, args...)...)
}

type certState struct {
	Domain  string `json:"domain"`
	HasCert bool   `json:"has_cert"`
	State   string `json:"state"`
	Serial  string `json:"serial"`
	Error   string `json:"last_failure_error_message"`
}

// state waits until a name is in a state.
func (m *certified) state(name, want string) (found certState) {
	m.t.Helper()
	eventually(m.t, name+" to be "+want, func() bool {
		p := m.certs("status", "--json")
		<-p.done
		var list struct{ Domains []certState }
		if err := json.Unmarshal([]byte(p.out.String()), &list); err != nil {
			return false
		}
		for _, d := range list.Domains {
			if d.Domain == name && d.State == want {
				found = d
				return true
			}
		}
		return false
	})
	return found
}

// leaf is what a client sees that asks for a name.
func leaf(t testing.TB, address, name string) *x509.Certificate {
	t.Helper()
	c := dial(t, address)
	c.ehlo()
	return c.startTLS(name).ConnectionState().PeerCertificates[0]
}

// TestObtainsCertificates is the whole way: from a certificate that signs itself
// over those of an authority to their renewal, with what operators see of it,
// and with sessions that do not notice.
func TestObtainsCertificates(t *testing.T) {
	m := newCertified(t, "www.posthaste.net")
	told := m.path("told")
	m.write("hook", "#!/bin/sh\necho \"$CERT_EVENT $RENEWED_DOMAINS $(ls $RENEWED_LINEAGE/privkey.pem)\" >>"+told+"\necho hook says hello\n")
	must(t, os.Chmod(m.path("hook"), 0o755))
	m.running(fmt.Sprintf("pki: { hooks: { deploy: [ { path: %q, coalesce: 0 } ] }, exports: [ { id: haproxy, path: %q } ] }", m.path("hook"), m.path("haproxy")))
	m.start()
	m.state("mx.posthaste.net", "valid")
	m.state("www.posthaste.net", "valid")
	for _, name := range []string{"mx.posthaste.net", "www.posthaste.net"} {
		verify(t, m.smtp, name, m.ca.Roots(t))
	}
	expectContains(t, m.certs("status").expectCode(0).out.String(), "mx.posthaste.net                                    yes             ")
	expectContains(t, m.certs("list").expectCode(0).out.String(), "www.posthaste.net", "valid", "pki.acme.names")
	expectContains(t, m.ctl("certs", "show", "www.posthaste.net"), "tlsa 3 1 1", "Pebble", m.path("acme/certs/www.posthaste.net"))
	expectContains(t, m.certs("selfcheck", "www.posthaste.net").expectCode(0).out.String(), "www.posthaste.net: reached")
	m.waitFor("hook says hello")
	eventually(t, "the hook to be told of both", func() bool { // in one run, if they came close together
		data, _ := os.ReadFile(told)
		words := strings.Fields(string(data))
		return slices.Contains(words, "obtained") && slices.Contains(words, "www.posthaste.net") && slices.Contains(words, "mx.posthaste.net") &&
			strings.Contains(string(data), ".posthaste.net/privkey.pem")
	})
	if _, err := tls.LoadX509KeyPair(m.path("haproxy/www.posthaste.net.pem"), m.path("haproxy/www.posthaste.net.pem")); err != nil {
		t.Errorf("export: %v", err)
	}
	expectMetric(t, m.monitor, `halon_tls_cert_not_after_seconds{domain="www.posthaste.net",source="acme"}`)

	open := dial(t, m.smtp)
	open.ehlo()
	before := leaf(t, m.smtp, "www.posthaste.net")
	expectContains(t, m.certs("retry", "www.posthaste.net").expectCode(0).out.String(), "www.posthaste.net: not due until ")
	expectContains(t, m.certs("retry", "--force-renew", "--wait", "www.posthaste.net").expectCode(0).out.String(), "certificate valid until ")
	if leaf(t, m.smtp, "www.posthaste.net").Equal(before) {
		t.Error("a client that comes after the renewal gets the old certificate")
	}
	open.say("NOOP", "250")
	expectContains(t, m.certs("retry", "other.posthaste.net").expectCode(1).out.String(), "no certificate is managed for this name")
	m.stop()
	orders := m.ca.Orders()
	m.start()
	verify(t, m.smtp, "www.posthaste.net", m.ca.Roots(t))
	if got := m.ca.Orders(); got != orders {
		t.Errorf("a restart ordered %d certificates", got-orders)
	}
	m.stop()
}

// verify makes a client that trusts the authority alone.
func verify(t testing.TB, address, name string, roots *x509.CertPool) {
	t.Helper()
	eventually(t, "the certificate of "+name+" to serve", func() bool {
		c := dial(t, address)
		c.ehlo()
		state := c.startTLS(name).ConnectionState()
		between := x509.NewCertPool()
		for _, one := range state.PeerCertificates[1:] {
			between.AddCert(one)
		}
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: between})
		return err == nil
	})
}

func expectMetric(t testing.TB, address, name string) {
	t.Helper()
	if _, body := get(address, "/metrics", nil); !strings.Contains(body, name) {
		t.Errorf("no metric %s", name)
	}
}

// TestBrokenNames: what is wrong with a name is shown to people and programs,
// and it costs no other name its certificate. A reload that adds or removes
// names takes effect at once.
func TestBrokenNames(t *testing.T) {
	m := newCertified(t, "missing.posthaste.net")
	m.running("pki: { acme: { selfcheck: { mode: true } } }")
	m.ca.Fail(&acmeca.Fault{Path: "/order-plz", Status: http.StatusTooManyRequests, Type: "rateLimited", Detail: "too many orders", RetryAfter: "7200"})
	m.start()
	m.state("missing.posthaste.net", "failed")
	p := m.certs("status", "--only-errors").expectCode(1)
	expectContains(t, p.out.String(), "missing.posthaste.net                               no\n  Error message:     Registration failed: too many orders\n  Last failure time: ")
	m.waitFor("certificate of missing.posthaste.net: Registration failed: too many orders (acme:rateLimited); next attempt at ")
	expectContains(t, run(t, "lets_encrypt_status", "--socket", m.socket(), "--json").expectCode(1).out.String(), `"has_cert": false`)
	m.ca.Fail(nil)
	expectContains(t, run(t, "lets_encrypt_retry", "--socket", m.socket(), "--wait", "missing.posthaste.net", "mx.posthaste.net").expectCode(0).out.String(),
		"missing.posthaste.net: certificate valid until ", "mx.posthaste.net: certificate valid until ")
	expectContains(t, m.certs("status").expectCode(0).out.String(), "yes")
	m.wants("later.posthaste.net")
	m.reload()
	m.state("later.posthaste.net", "valid")
	if text := m.certs("status").expectCode(0).out.String(); strings.Contains(text, "missing.posthaste.net") {
		t.Errorf("a name that was taken away is still listed:\n%s", text)
	}
	m.write("roots.pem", "nothing")
	expectContains(t, m.tryCtl("config", "reload").expectCode(1).err.String(), m.path("roots.pem"))
	m.stop()
}

// TestCertificatesOff: without consent nobody is asked, and it is said why.
func TestCertificatesOff(t *testing.T) {
	m := newCertified(t, "www.posthaste.net")
	m.running("pki: { acme: { agreetos: false } }")
	m.start()
	p := m.certs("status").expectCode(0)
	expectContains(t, p.err.String(), "pki.acme.agreetos is not set")
	expectContains(t, m.certs("list").expectCode(0).out.String(), "disabled")
	expectContains(t, m.certs("retry", "www.posthaste.net").expectCode(1).out.String(), "pki.acme.agreetos is not set")
	if got := leaf(t, m.smtp, "mx.posthaste.net"); got.Issuer.String() != got.Subject.String() || m.ca.Orders() != 0 {
		t.Errorf("%d orders, served %s", m.ca.Orders(), got.Issuer)
	}
	if _, err := os.Stat(m.path("acme/certs")); err == nil {
		t.Error("something was stored")
	}
	m.stop()
}

// TestChallengeBehindProxy answers on the monitor's listener as well, without
// its key, for proxies that pass the prefix on.
func TestChallengeBehindProxy(t *testing.T) {
	m := newCertified(t, "www.posthaste.net")
	m.start()
	m.running("monitor: { apikeys: [ secret ] }")
	m.reload()
	m.state("www.posthaste.net", "valid")
	must(t, os.MkdirAll(m.path("acme/challenges"), 0o750))
	must(t, os.WriteFile(m.path("acme/challenges/token-of-another-node"), []byte("answer"), 0o640))
	for _, address := range []string{m.monitor, m.challenges} {
		code, body := get(address, "/.well-known/acme-challenge/token-of-another-node", nil)
		if code != http.StatusOK || body != "answer" {
			t.Errorf("%s: %d %q", address, code, body)
		}
		if code, _ := get(address, "/.well-known/acme-challenge/none", nil); code != http.StatusNotFound {
			t.Errorf("%s: an unknown token gives %d", address, code)
		}
	}
	if code, _ := get(m.challenges, "/metrics", nil); code != http.StatusNotFound {
		t.Errorf("the listener of challenges answers other questions with %d", code)
	}
	m.stop()
}

// TestChallengeByTLS obtains a certificate by tls-alpn-01 on a listener for that.
func TestChallengeByTLS(t *testing.T) {
	m := &certified{mta: newMTA(t), challenges: freeAddress(t)}
	m.ca = acmeca.New(t, acmeca.Options{HTTPPort: 1, TLSPort: portOf(m.challenges)})
	m.write("roots.pem", string(m.ca.RootsPEM))
	m.startup(fmt.Sprintf("pki: { acme: { listeners: [ { address: 127.0.0.1, port: %d, tls: true } ] } }", portOf(m.challenges)))
	m.running(serverYAML(`tls: { certs: { cert: "acme:mx.posthaste.net" } }`))
	m.running(fmt.Sprintf(`
resolver: { servers: [ %q ] }
pki:
  acme: { agreetos: true, email: none, directory: %q, roots: %q, storage: { file: %q }, challenges: [ tls-alpn-01 ], selfcheck: { mode: off } }
`, m.ca.DNS.Addr, m.ca.Directory, m.path("roots.pem"), m.path("acme")))
	m.start()
	m.state("mx.posthaste.net", "valid")
	verify(t, m.smtp, "mx.posthaste.net", m.ca.Roots(t))
	conn, err := net.DialTimeout("tcp", m.challenges, 10*time.Second)
	must(t, err)
	defer conn.Close()
	if err := tls.Client(conn, &tls.Config{ServerName: "mx.posthaste.net", InsecureSkipVerify: true}).Handshake(); err == nil { // it must fail
		t.Error("the listener of challenges speaks with anybody")
	}
	m.stop()
}

// TestCertificateStorageFails: a storage that cannot be used keeps nobody from
// mail, and it is said what is wrong with it.
func TestCertificateStorageFails(t *testing.T) {
	m := newCertified(t, "www.posthaste.net")
	m.write("not-a-folder", "a file")
	m.running(fmt.Sprintf("pki: { acme: { storage: { file: %q } } }", m.path("not-a-folder/acme")))
	m.start()
	m.waitFor("certificates are not obtained: acme: storage: ")
	expectContains(t, m.certs("status").expectCode(0).err.String(), "Certificates are not obtained: acme: storage: ", "not-a-folder")
	if got := leaf(t, m.smtp, "mx.posthaste.net"); got.VerifyHostname("mx.posthaste.net") != nil {
		t.Errorf("served %v", got.DNSNames)
	}
	m.stop()
}
