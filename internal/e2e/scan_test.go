package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// scan tries what a listener agrees to after STARTTLS, one connection a question,
// and collects the lines of the table of docs/tls.md.
type scan struct {
	t     *testing.T
	m     *mta
	lines []string
}

// TestScan compares what a listener with default settings agrees to with the
// table of docs/tls.md, so that the page is not older than the program.
func TestScan(t *testing.T) {
	t.Parallel()
	openssl := testenv.Program(t, "openssl")
	m := newMTA(t)
	m.pki(map[string]*certificate{"main": newCertificate(t, "mta.test"), "old": newRSACertificate(t, "rsa.test")})
	m.running(serverYAML("tls: { certs: { cert: main, sni: [ { hostname: rsa.test, cert: old } ] } }"))
	m.start()
	s := &scan{t: t, m: m}
	s.protocols()
	s.ciphers()
	s.groups()
	s.resumption()
	s.line("name that no certificate is for", s.agrees(&tls.Config{ServerName: "nobody.test"}))
	s.line("ALPN `smtp`", s.agrees(&tls.Config{NextProtos: []string{"smtp"}}))
	s.line("renegotiation asked for by the client, TLS 1.2", s.renegotiates(openssl))
	m.stop()
	want := "| | |\n|---|---|\n" + strings.Join(s.lines, "")
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "tls.md"))
	must(t, err)
	if !strings.Contains(string(page), "\n"+want+"\n") {
		t.Errorf("docs/tls.md does not have the table of today:\n%s", want)
	}
}

func newRSACertificate(t *testing.T, name string) *certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return &certificate{
		key:   string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		chain: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
	}
}

func (s *scan) line(what, answer string) {
	s.lines = append(s.lines, "| "+what+" | "+answer+" |\n")
}

// handshake makes one over a connection of its own. The session cache, if any,
// gets the ticket with the answer to EHLO.
func (s *scan) handshake(cfg *tls.Config) (tls.ConnectionState, error) {
	cfg.InsecureSkipVerify = true // what is looked at is what was agreed on
	c := dial(s.t, s.m.smtp)
	defer func() { _ = c.conn.Close() }()
	c.ehlo()
	c.say("STARTTLS", "220")
	conn := tls.Client(c.conn, cfg)
	if err := conn.Handshake(); err != nil {
		return tls.ConnectionState{}, err
	}
	inner := newClient(s.t, conn)
	inner.ehlo()
	inner.say("QUIT", "221")
	return conn.ConnectionState(), nil
}

func (s *scan) agrees(cfg *tls.Config) string {
	if _, err := s.handshake(cfg); err != nil {
		return "no"
	}
	return "yes"
}

func (s *scan) protocols() {
	for v := uint16(tls.VersionTLS10); v <= tls.VersionTLS13; v++ {
		s.line(tls.VersionName(v), s.agrees(&tls.Config{MinVersion: v, MaxVersion: v}))
	}
}

// ciphers lists those of TLS 1.2 that are agreed to with a certificate of either
// kind, and counts those that are not.
func (s *scan) ciphers() {
	for _, kind := range []struct{ name, host string }{{"ECDSA", "mta.test"}, {"RSA", "rsa.test"}} {
		var taken []string
		refused := 0
		for _, c := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			if c.SupportedVersions[0] == tls.VersionTLS13 {
				continue
			}
			cfg := &tls.Config{ServerName: kind.host, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{c.ID}}
			if s.agrees(cfg) == "yes" {
				taken = append(taken, "`"+c.Name+"`")
			} else {
				refused++
			}
		}
		s.line("TLS 1.2 with an "+kind.name+" certificate", fmt.Sprintf("%s; %d others no", strings.Join(taken, ", "), refused))
	}
}

func (s *scan) groups() {
	for _, g := range []tls.CurveID{
		tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024, tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521,
	} {
		s.line("key exchange "+g.String(), s.agrees(&tls.Config{MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{g}}))
	}
	state, err := s.handshake(&tls.Config{})
	must(s.t, err)
	s.line("chosen with a client of the same age", state.CurveID.String())
}

func (s *scan) resumption() {
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cfg := &tls.Config{ServerName: "mta.test", MinVersion: v, MaxVersion: v, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		_, err := s.handshake(cfg)
		must(s.t, err)
		state, err := s.handshake(cfg)
		must(s.t, err)
		s.line("session resumed by ticket, "+tls.VersionName(v), map[bool]string{true: "yes", false: "no"}[state.DidResume])
	}
}

// renegotiates lets openssl ask for another handshake within the first, which the
// server takes for the end of the connection.
func (s *scan) renegotiates(openssl string) string {
	cmd := exec.Command(openssl, "s_client", "-starttls", "smtp", "-tls1_2", "-connect", s.m.smtp)
	stdin, err := cmd.StdinPipe()
	must(s.t, err)
	must(s.t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	_, err = stdin.Write([]byte("R\n")) // and stays open: at its end openssl would leave
	must(s.t, err)
	eventually(s.t, "the second handshake to be refused", func() bool {
		return strings.Contains(s.m.program.err.String(), "unexpected handshake message of type *tls.clientHelloMsg")
	})
	return "no"
}
