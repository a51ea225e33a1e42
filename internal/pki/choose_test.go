package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

var now = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// made makes a certificate that lasts from an hour before now until then.
func made(t *testing.T, key crypto.Signer, name string, life time.Duration) *tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"x.test"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(life),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// held is an Obtained.
type held map[string][]*tls.Certificate

func (h held) Certificates(name string) []*tls.Certificate { return h[name] }

// TestPrecedence takes one source of certificates after the other away, for
// every kind of name that a client may ask for: the matrix of spec tls.md 5.4.
func TestPrecedence(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := func(name string) *tls.Certificate { return made(t, key, name, time.Hour) }
	one := func(name string) []*tls.Certificate { return []*tls.Certificate{c(name)} }
	named, wild, own, legacy, files, self := c("named"), c("wild"), c("own"), c("legacy"), c("files"), c("self")
	obtained := held{
		"mx.test": one("acme mx"), "*.acme.test": one("acme wild"), "gen.test": one("acme gen"), "host.test": one("acme host"),
	}
	// Each row has what the row before had, less one source.
	sources := []struct {
		name string
		take func(*Selector)
	}{
		{"all", func(*Selector) {}},
		{"no names", func(s *Selector) { s.Named = nil }},
		{"nothing obtained for the name", func(s *Selector) {
			s.Obtained = held{}
		}},
		{"no certificate of the listener", func(s *Selector) { s.Own = nil }},
		{"no legacy file", func(s *Selector) { s.Legacy = nil }},
		{"no files", func(s *Selector) { s.Default.Files = nil }},
		{"nothing obtained to generate", func(s *Selector) { s.Default.Generate = nil }},
		{"nothing obtained for the host name", func(s *Selector) { s.Default.Obtained = held{} }},
		{"no self-signed", func(s *Selector) { s.Default.SelfSigned = nil }},
	}
	asked := []string{"mx.test", "a.wild.test", "b.acme.test", "unknown.test", ""}
	want := [][]string{
		{"name named", "name wild", "managed acme wild", "listener own", "listener own"},
		{"managed acme mx", "listener own", "managed acme wild", "listener own", "listener own"},
		{"listener own", "listener own", "listener own", "listener own", "listener own"},
		{"legacy legacy", "legacy legacy", "legacy legacy", "legacy legacy", "legacy legacy"},
		{"files files", "files files", "files files", "files files", "files files"},
		{"generated acme gen", "generated acme gen", "generated acme gen", "generated acme gen", "generated acme gen"},
		{"hostname acme host", "hostname acme host", "hostname acme host", "hostname acme host", "hostname acme host"},
		{"self-signed self", "self-signed self", "self-signed self", "self-signed self", "self-signed self"},
		{"", "", "", "", ""},
	}
	s := &Selector{
		Obtained: obtained, Own: []*tls.Certificate{own}, Legacy: []*tls.Certificate{legacy},
		Default: &Default{
			Files: []*tls.Certificate{files}, Generate: []string{"missing.test", "gen.test"}, Hostname: "host.test",
			Obtained: obtained, SelfSigned: func() *tls.Certificate { return self },
		},
	}
	s.Add("MX.test", named)
	s.Add("*.wild.test", wild)
	for i, source := range sources {
		source.take(s)
		for j, name := range asked {
			for _, form := range []string{name, strings.ToUpper(name), name + "."} {
				got := ""
				if choice := s.Choose(&tls.ClientHelloInfo{ServerName: form}, now); choice.Certificate != nil {
					got = string(choice.Rule) + " " + choice.Certificate.Leaf.Subject.CommonName
				}
				if got != want[i][j] {
					t.Errorf("%s, a client that asks for %q: %q, want %q", source.name, form, got, want[i][j])
				}
			}
		}
	}
}

// TestOwnName: a listener may name an obtained certificate, which may still be
// missing, and a configured name may lead to one.
func TestOwnName(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	self := made(t, key, "self", time.Hour)
	obtained := held{}
	s := &Selector{Obtained: obtained, OwnName: "mx.test", Default: &Default{SelfSigned: func() *tls.Certificate { return self }}}
	s.AddAlias("alias.test", "mx.test")
	for _, name := range []string{"", "alias.test"} {
		if got := s.Choose(&tls.ClientHelloInfo{ServerName: name}, now); got.Rule != SelfSigned {
			t.Errorf("%q before it is there: %+v", name, got)
		}
	}
	obtained["mx.test"] = []*tls.Certificate{made(t, key, "mx", time.Hour)}
	if got := s.Choose(&tls.ClientHelloInfo{}, now); got.Rule != ByListener || got.Name != "mx.test" {
		t.Errorf("rule %q of %q", got.Rule, got.Name)
	}
	if got := s.Choose(&tls.ClientHelloInfo{ServerName: "alias.test"}, now); got.Rule != ByName || got.Name != "mx.test" {
		t.Errorf("rule %q of %q for the alias", got.Rule, got.Name)
	}
}

// TestExpiredBeatsSelfSigned but not another one that is valid.
func TestExpiredBeatsSelfSigned(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	self := made(t, key, "self", time.Hour)
	expired, fresh := made(t, key, "expired", -time.Minute), made(t, key, "fresh", time.Hour)
	obtained := held{"gen.test": {expired}}
	d := &Default{Generate: []string{"gen.test"}, Hostname: "host.test", Obtained: obtained, SelfSigned: func() *tls.Certificate { return self }}
	if got := d.Choose(&tls.ClientHelloInfo{}, now); got.Certificate != expired || got.Rule != Generated {
		t.Errorf("rule %q", got.Rule)
	}
	obtained["host.test"] = []*tls.Certificate{fresh}
	if got := d.Choose(&tls.ClientHelloInfo{}, now); got.Certificate != fresh || got.Rule != ForHostname {
		t.Errorf("rule %q", got.Rule)
	}
}

// TestAmongEquals: valid before expired, usable before unusable, ECDSA before
// RSA, the longest life.
func TestAmongEquals(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	expired := made(t, curve, "expired", -time.Minute)
	short, long, classic := made(t, curve, "short", time.Hour), made(t, curve, "long", 2*time.Hour), made(t, old, "rsa", 3*time.Hour)
	all := []*tls.Certificate{expired, short, classic, long}
	modern := &tls.ClientHelloInfo{
		ServerName: "other.test", CipherSuites: []uint16{tls.TLS_AES_128_GCM_SHA256}, SupportedVersions: []uint16{tls.VersionTLS13},
		SupportedCurves: []tls.CurveID{tls.CurveP256}, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256, tls.PSSWithSHA256},
	}
	if got := pick(modern, all, now); got != long {
		t.Errorf("a client of today gets %s", got.Leaf.Subject)
	}
	ancient := &tls.ClientHelloInfo{
		CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, SupportedVersions: []uint16{tls.VersionTLS12},
		SupportedCurves: []tls.CurveID{tls.CurveP256}, SupportedPoints: []uint8{0}, SignatureSchemes: []tls.SignatureScheme{tls.PKCS1WithSHA256},
	}
	if got := pick(ancient, all, now); got != classic {
		t.Errorf("a client without ECDSA gets %s", got.Leaf.Subject)
	}
	if got := pick(modern, []*tls.Certificate{expired}, now); got != expired {
		t.Error("the only one is not taken")
	}
}

// TestStrict refuses unknown names with the alert of RFC 6066 and lets clients
// that name none in.
func TestStrict(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := made(t, key, "own", 100*365*24*time.Hour)
	s := &Selector{Own: []*tls.Certificate{c}, Strict: true}
	s.Add("mx.test", c)
	for name, want := range map[string]string{"mx.test": "", "other.test": "unrecognized name"} {
		if got := handshake(t, s, name); (got == nil) != (want == "") || got != nil && !strings.Contains(got.Error(), want) {
			t.Errorf("%q: %v, want %q", name, got, want)
		}
	}
	if s.Choose(&tls.ClientHelloInfo{}, now).Certificate == nil {
		t.Error("a client that asks for nothing is refused")
	}
}

// handshake is what a client sees.
func handshake(t *testing.T, s *Selector, name string) error {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Server(far, &tls.Config{GetCertificate: s.GetCertificate}).Handshake()
		far.Close()
	}()
	err := tls.Client(near, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake()
	near.Close()
	<-done
	return err
}

// TestSelfSigned: made once, kept, and made anew for another name or after its
// time; without a disk it serves all the same.
func TestSelfSigned(t *testing.T) {
	m := vfs.NewMem()
	first, err := LoadSelfSigned(m, "self.pem", "a.test", now)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Leaf.VerifyHostname("a.test"); err != nil {
		t.Error(err)
	}
	again, err := LoadSelfSigned(m, "self.pem", "a.test", now.Add(time.Hour))
	if err != nil || !again.Leaf.Equal(first.Leaf) {
		t.Errorf("another one was made: %v", err)
	}
	later, err := LoadSelfSigned(m, "self.pem", "a.test", now.Add(11*365*24*time.Hour))
	if err != nil || later.Leaf.Equal(first.Leaf) {
		t.Errorf("the expired one stayed: %v", err)
	}
	other, err := LoadSelfSigned(m, "self.pem", "b.test", now)
	if err != nil || other.Leaf.DNSNames[0] != "b.test" {
		t.Errorf("for another name: %v", err)
	}
	m.SetCapacity(1)
	if c, err := LoadSelfSigned(m, "other.pem", "c.test", now); c == nil || err == nil {
		t.Errorf("with a full disk: %v, %v", c, err)
	}
}

// BenchmarkChoose: one name of 2 000 obtained ones; 60 ns and the 8 bytes of
// the wildcard that is looked up, on 2 shared cores.
func BenchmarkChoose(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	t := new(testing.T)
	c := made(t, key, "x", time.Hour)
	obtained := held{}
	for i := range 2000 {
		obtained[strings.Repeat("x", i%50)+".test"] = []*tls.Certificate{c}
	}
	s := &Selector{Obtained: obtained, Default: &Default{}}
	hello := &tls.ClientHelloInfo{ServerName: "xxxx.test"}
	b.ReportAllocs()
	for b.Loop() {
		if s.Choose(hello, now).Certificate == nil {
			b.Fatal("nothing")
		}
	}
}
