package delivery_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
)

// peer is a host run by another implementation, and what it has received.
type peer struct {
	*gosmtp.Server
	addr     netip.AddrPort
	password string

	mu    sync.Mutex
	mails []mail
}

// transcript is what went over a connection.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type mail struct {
	from, to string
	opts     gosmtp.MailOptions
	rcpt     gosmtp.RcptOptions
	data     string
	tls      *tls.ConnectionState
}

func newPeer(t testing.TB, change ...func(*peer)) *peer {
	t.Helper()
	p := &peer{}
	p.Server = gosmtp.NewServer(gosmtp.BackendFunc(func(c *gosmtp.Conn) (gosmtp.Session, error) {
		return &peerSession{peer: p, conn: c}, nil
	}))
	p.Domain, p.ErrorLog = "mx.example.net", log.New(io.Discard, "", 0)
	p.EnableSMTPUTF8, p.EnableDSN, p.EnableBINARYMIME, p.EnableREQUIRETLS = true, true, true, true
	for _, c := range change {
		c(p)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = netip.MustParseAddrPort(l.Addr().String())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Serve(l) }()
	t.Cleanup(func() { p.Close(); <-done })
	return p
}

func (p *peer) received() []mail {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mails
}

// destination is p under the name that its certificates have.
func (p *peer) destination() *delivery.Destination {
	return &delivery.Destination{Hosts: []delivery.Host{{Name: "mx.example.net", Addr: p.addr}}}
}

type peerSession struct {
	peer *peer
	conn *gosmtp.Conn
	mail mail
}

func (s *peerSession) Reset()        { s.mail = mail{} }
func (s *peerSession) Logout() error { return nil }

func (s *peerSession) Mail(from string, o *gosmtp.MailOptions) error {
	s.mail = mail{from: from, opts: *o}
	if state, ok := s.conn.TLSConnectionState(); ok {
		s.mail.tls = &state
	}
	return nil
}

func (s *peerSession) Rcpt(to string, o *gosmtp.RcptOptions) error {
	s.mail.to, s.mail.rcpt = to, *o
	if strings.HasPrefix(to, "unknown@") {
		return &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 1, 1}, Message: "nobody"}
	}
	return nil
}

func (s *peerSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.data = string(b)
	s.peer.mu.Lock()
	defer s.peer.mu.Unlock()
	s.peer.mails = append(s.peer.mails, s.mail)
	return nil
}

func (s *peerSession) AuthMechanisms() []string {
	if s.peer.password == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *peerSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "user" || password != s.peer.password {
			return errors.New("wrong password")
		}
		return nil
	}), nil
}

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key}
	a.cert = a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, key)
	return a
}

func (a *authority) sign(t testing.TB, c *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent := a.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func (a *authority) server(t testing.TB, name string) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := a.sign(t, &x509.Certificate{DNSNames: []string{name}}, key)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{c.Raw}, PrivateKey: key}}}
}

func courier(t testing.TB, o delivery.Options) *delivery.Courier {
	t.Helper()
	if o.Hostname == "" {
		o.Hostname = "client.example"
	}
	c := delivery.New(noDNS{}, o, delivery.Events{})
	c.Start(context.Background())
	t.Cleanup(c.Stop)
	return c
}

func TestContentArrivesAsItIs(t *testing.T) {
	p := newPeer(t)
	c := courier(t, delivery.Options{PoolSize: 1})
	tr := &delivery.Transport{Pooling: delivery.Pooling{Enabled: true}}
	bodies := []string{
		"Subject: a\r\n\r\n", message, ".\r\n..\r\n\r\n.x\r\n", strings.Repeat("0123456789\r\n", 1000),
		strings.Repeat(".0123456789\r\n", 20_000), strings.Repeat("x", 900) + "\r\n", "\r\n",
	}
	for i, body := range bodies {
		a := attempt(t, tr)
		a.Content = content(body)
		out := c.Deliver(t.Context(), a, p.destination())
		if out.Status != delivery.Delivered || out.Connection.Transactions != i+1 {
			t.Fatalf("body %d: %v %v %v", i, out.Status, out.Reply, out.Err)
		}
		if got := p.received()[i].data; got != body {
			t.Errorf("body %d: %d bytes became %d", i, len(body), len(got))
		}
	}
}

func TestEnvelopeArrives(t *testing.T) {
	p := newPeer(t)
	a := attempt(t, &delivery.Transport{})
	a.Sender, a.Recipient = mailbox(t, `"odd one"@example.org`), mailbox(t, "jürgen@bücher.example")
	a.Ret, a.EnvID, a.Notify, a.ORcpt = envelope.RetFull, "id+=x", envelope.NotifySuccess|envelope.NotifyDelay, "rfc822;joe+x@example.org"
	a.Body = envelope.Body8BitMIME
	out := courier(t, delivery.Options{}).Deliver(t.Context(), a, p.destination())
	if out.Status != delivery.Delivered || out.Relayed || out.EnhancedCode() != [3]uint16{2, 0, 0} {
		t.Fatalf("%v %v %v", out.Status, out.Reply, out.Err)
	}
	m := p.received()[0]
	if m.from != `odd one@example.org` && m.from != `"odd one"@example.org` || m.to != "jürgen@bücher.example" || !m.opts.UTF8 ||
		m.opts.Return != gosmtp.DSNReturnFull || m.opts.EnvelopeID != "id+=x" || m.opts.Size != int64(len(message)) ||
		len(m.rcpt.Notify) != 2 || m.rcpt.OriginalRecipient != "joe+x@example.org" || m.opts.Body != gosmtp.Body8BitMIME {
		t.Errorf("%+v", m)
	}
}

func TestTLSModes(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	good := ca.server(t, "mx.example.net")
	wrong := ca.server(t, "other.example.net")
	old := good.Clone()
	old.MaxVersion = tls.VersionTLS11
	old.MinVersion = tls.VersionTLS10
	const delivered, deferred = delivery.Delivered, delivery.Deferred
	for _, c := range []struct {
		name   string
		mode   delivery.TLSMode
		server *tls.Config
		change func(*delivery.TLS)
		want   delivery.Status
		tls    bool // started in the end
		failed bool // TLS was tried in vain
	}{
		{"disabled", delivery.TLSDisabled, good, nil, delivered, false, false},
		{"optional", delivery.TLSOptional, other.server(t, "x"), nil, delivered, true, false},
		{"optional, none", delivery.TLSOptional, nil, nil, delivered, false, false},
		{"optional, too old", delivery.TLSOptional, old, nil, delivered, false, true},
		{"require, too old", delivery.TLSRequire, old, nil, deferred, false, true},
		{"old allowed", delivery.TLSRequire, old, func(s *delivery.TLS) { s.MinVersion = tls.VersionTLS10 }, delivered, true, false},
		{"optional_verify, good", delivery.TLSOptionalVerify, good, nil, delivered, true, false},
		{"optional_verify, bad", delivery.TLSOptionalVerify, other.server(t, "mx.example.net"), nil, delivered, false, true},
		{"require", delivery.TLSRequire, other.server(t, "x"), nil, delivered, true, false},
		{"require, none", delivery.TLSRequire, nil, nil, deferred, false, false},
		{"require_verify, good", delivery.TLSRequireVerify, good, nil, delivered, true, false},
		{"require_verify, bad", delivery.TLSRequireVerify, other.server(t, "mx.example.net"), nil, deferred, false, true},
		{"any name will do", delivery.TLSRequireVerify, wrong, nil, delivered, true, false},
		{"host's name", delivery.TLSRequireVerify, good, func(s *delivery.TLS) { s.VerifyHost = true }, delivered, true, false},
		{"not the host's name", delivery.TLSRequireVerify, wrong, func(s *delivery.TLS) { s.VerifyHost = true }, deferred, false, true},
		{"name that was given", delivery.TLSRequireVerify, wrong,
			func(s *delivery.TLS) { s.VerifyNames = []string{"x", "other.example.net"} }, delivered, true, false},
		{"system's authorities", delivery.TLSRequireVerify, good,
			func(s *delivery.TLS) { s.DefaultCA, s.Authorities = true, nil }, deferred, false, true},
		{"no authority", delivery.TLSRequireVerify, good, func(s *delivery.TLS) { s.Authorities = nil }, deferred, false, true},
		{"dane", delivery.TLSDANE, other.server(t, "x"), nil, delivered, true, false},
		{"dane, none", delivery.TLSDANE, nil, nil, delivered, false, false},
		{"dane_require", delivery.TLSDANERequire, good, nil, deferred, false, false},
		{"dane_fallback", delivery.TLSDANEFallbackRequireVerify, good, nil, delivered, true, false},
		{"dane_fallback, bad", delivery.TLSDANEFallbackRequireVerify, other.server(t, "x"), nil, deferred, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t, func(p *peer) { p.TLSConfig = c.server })
			tr := &delivery.Transport{TLS: delivery.TLS{Mode: c.mode, Authorities: []*x509.Certificate{ca.cert}}}
			if c.change != nil {
				c.change(&tr.TLS)
			}
			out := courier(t, delivery.Options{}).Deliver(t.Context(), attempt(t, tr), p.destination())
			info := out.Connection.TLS
			if out.Status != c.want || info.Started != c.tls || (info.Error != "") != c.failed {
				t.Fatalf("%v %v %+v %v", out.Status, out.Reply, info, out.Err)
			}
			if out.Status == deferred && (out.EnhancedCode() != [3]uint16{4, 7, 5} || out.Stage != delivery.StageSTARTTLS ||
				out.Kind != delivery.KindTLS && out.Kind != delivery.KindDANE) {
				t.Errorf("%v %v %v", out.EnhancedCode(), out.Stage, out.Kind)
			}
			if m := p.received(); out.Status == delivered && (m[0].tls != nil) != c.tls {
				t.Error("the peer saw it otherwise")
			}
			if info.Started && (!strings.HasPrefix(info.Protocol, "TLSv1") || info.Cipher == "" || info.KeySize < 128 ||
				info.Verified != (strings.Contains(c.mode.String(), "verify"))) {
				t.Errorf("%+v", info)
			}
		})
	}
}

// After STARTTLS the greeting is repeated, by LHLO in LMTP.
func TestLMTPWithTLS(t *testing.T) {
	ca := newAuthority(t)
	var log transcript
	p := newPeer(t, func(p *peer) { p.LMTP, p.TLSConfig, p.Debug = true, ca.server(t, "mx.example.net"), &log })
	tr := &delivery.Transport{Protocol: delivery.LMTP, TLS: delivery.TLS{Mode: delivery.TLSRequire}}
	out := courier(t, delivery.Options{}).Deliver(t.Context(), attempt(t, tr), p.destination())
	if out.Status != delivery.Delivered || !out.Connection.TLS.Started {
		t.Fatalf("%v %v %v", out.Status, out.Reply, out.Err)
	}
	if n := strings.Count(log.String(), "LHLO client.example"); n != 2 || strings.Contains(log.String(), "EHLO") {
		t.Errorf("LHLO came %d times:\n%s", n, log.String())
	}
}

func TestRequireTLS(t *testing.T) {
	ca := newAuthority(t)
	for name, c := range map[string]struct {
		cert   string
		off    bool
		mode   delivery.TLSMode
		want   delivery.Status
		secure bool
	}{
		"as it should be":           {"mx.example.net", false, delivery.TLSOptional, delivery.Delivered, true},
		"even where TLS is off":     {"mx.example.net", false, delivery.TLSDisabled, delivery.Delivered, true},
		"certificate of another":    {"other.example.net", false, delivery.TLSOptional, delivery.Failed, false},
		"not offered":               {"mx.example.net", true, delivery.TLSOptional, delivery.Failed, true},
		"name is checked by itself": {"other.example.net", false, delivery.TLSRequireVerify, delivery.Failed, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, func(p *peer) { p.TLSConfig, p.EnableREQUIRETLS = ca.server(t, c.cert), !c.off })
			a := attempt(t, &delivery.Transport{TLS: delivery.TLS{Mode: c.mode, Authorities: []*x509.Certificate{ca.cert}}})
			a.RequireTLS = true
			out := courier(t, delivery.Options{}).Deliver(t.Context(), a, p.destination())
			if out.Status != c.want || out.Connection.TLS.Started != c.secure {
				t.Fatalf("%v %v %v", out.Status, out.Reply, out.Err)
			}
			if out.Status == delivery.Failed && out.EnhancedCode() != [3]uint16{5, 7, 30} {
				t.Errorf("code %v", out.EnhancedCode())
			}
			if out.Status == delivery.Delivered && !p.received()[0].opts.RequireTLS {
				t.Error("the requirement was not passed on")
			}
		})
	}
}

// A message that requires TLS does not take over a connection whose certificate
// nobody has looked at.
func TestRequireTLSAndPool(t *testing.T) {
	ca := newAuthority(t)
	p := newPeer(t, func(p *peer) { p.TLSConfig = ca.server(t, "mx.example.net") })
	c := courier(t, delivery.Options{PoolSize: 5})
	tr := &delivery.Transport{
		TLS:     delivery.TLS{Authorities: []*x509.Certificate{ca.cert}},
		Pooling: delivery.Pooling{Enabled: true},
	}
	for i, want := range []struct {
		require      bool
		transactions int
	}{{false, 1}, {true, 1}, {true, 2}, {false, 3}} {
		a := attempt(t, tr)
		a.RequireTLS = want.require
		out := c.Deliver(t.Context(), a, p.destination())
		if out.Status != delivery.Delivered || out.Connection.Transactions != want.transactions {
			t.Errorf("message %d: %v, transaction %d, want %d", i, out.Status, out.Connection.Transactions, want.transactions)
		}
	}
}

func TestSessionsAreResumedAndVerified(t *testing.T) {
	ca := newAuthority(t)
	p := newPeer(t, func(p *peer) { p.TLSConfig = ca.server(t, "mx.example.net") })
	tr := &delivery.Transport{TLS: delivery.TLS{
		Mode: delivery.TLSRequireVerify, VerifyHost: true, SNIHost: true, Authorities: []*x509.Certificate{ca.cert},
	}}
	c := courier(t, delivery.Options{})
	for range 2 {
		if out := c.Deliver(t.Context(), attempt(t, tr), p.destination()); out.Status != delivery.Delivered {
			t.Fatalf("%v %v", out.Reply, out.Err)
		}
	}
	m := p.received()
	if m[0].tls.DidResume || !m[1].tls.DidResume || m[0].tls.ServerName != "mx.example.net" {
		t.Errorf("resumed %v %v, name %q", m[0].tls.DidResume, m[1].tls.DidResume, m[0].tls.ServerName)
	}
	// The same session under a name that the certificate lacks must not do.
	d := p.destination()
	d.Hosts[0].Name = "mx2.example.net"
	if out := c.Deliver(t.Context(), attempt(t, tr), d); out.Status != delivery.Deferred {
		t.Errorf("%v", out.Status)
	}
}

func TestAuthOverTLS(t *testing.T) {
	ca := newAuthority(t)
	p := newPeer(t, func(p *peer) { p.TLSConfig, p.password = ca.server(t, "x"), "secret" })
	for password, want := range map[string]delivery.Status{"secret": delivery.Delivered, "wrong": delivery.Deferred} {
		tr := &delivery.Transport{Auth: delivery.Auth{Username: "user", Password: password}}
		out := courier(t, delivery.Options{}).Deliver(t.Context(), attempt(t, tr), p.destination())
		if out.Status != want {
			t.Errorf("%s: %v %v %v", password, out.Status, out.Reply, out.Err)
		}
	}
}

func TestConnectionIsDescribed(t *testing.T) {
	p := newPeer(t)
	tr := &delivery.Transport{Sources: []delivery.Source{{ID: "loop", Addr: netip.MustParseAddr("127.0.0.1"), Hostname: "loop.example"}}}
	out := courier(t, delivery.Options{}).Deliver(t.Context(), attempt(t, tr), p.destination())
	c := out.Connection
	if c.ID == 0 || c.Transactions != 1 || c.LocalIP.String() != "127.0.0.1" || c.LocalID != "loop" || c.Helo != "loop.example" ||
		c.RemoteIP != p.addr.Addr() || c.RemotePort != p.addr.Port() || c.RemoteMX != "mx.example.net" || len(c.Greeting) != 1 ||
		out.Duration <= 0 {
		t.Errorf("%+v", c)
	}
}
