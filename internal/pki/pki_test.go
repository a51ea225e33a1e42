package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// makePair makes a key and a self-signed certificate for names.
func makePair(t *testing.T, names ...string) (key, certificate string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return encode("PRIVATE KEY", raw), encode("CERTIFICATE", der)
}

func store(t *testing.T, startup, running []Entry) (*Store, error) {
	t.Helper()
	keys, err := ReadKeys(append(startup, running...))
	if err != nil {
		return nil, err
	}
	return NewStore(keys, append(startup, running...))
}

// TestJoin reads the key from the startup file and the certificate from the
// running one, which replaces the one beside the key.
func TestJoin(t *testing.T) {
	key, old := makePair(t, "a.example")
	s, err := store(t,
		[]Entry{{ID: "a", PrivateKey: config.Source{Data: key}, Certificate: config.Source{Data: old}}, {ID: "half", PrivateKey: config.Source{Data: key}}},
		[]Entry{{ID: "a", Certificate: config.Source{Data: old}}, {ID: "other", Certificate: config.Source{Data: old}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Certificate("a"); err != nil {
		t.Error(err)
	}
	for _, id := range []string{"half", "other", "unknown"} {
		if _, err := s.Certificate(id); err == nil || !strings.Contains(err.Error(), id) {
			t.Errorf("%s: error is %v", id, err)
		}
	}
}

func TestMismatchNamesTheFiles(t *testing.T) {
	key, _ := makePair(t, "a.example")
	_, certificate := makePair(t, "a.example")
	dir := t.TempDir()
	keyFile, certFile := filepath.Join(dir, "a.key"), filepath.Join(dir, "a.crt")
	for file, text := range map[string]string{keyFile: key, certFile: certificate} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := store(t, []Entry{{ID: "a", PrivateKey: config.Source{Path: keyFile}}}, []Entry{{ID: "a", Certificate: config.Source{Path: certFile}}})
	if err == nil || !strings.Contains(err.Error(), keyFile) || !strings.Contains(err.Error(), certFile) {
		t.Errorf("error is %v", err)
	}
	if strings.Contains(err.Error(), "BEGIN") {
		t.Errorf("the error gives the key away: %v", err)
	}
}

func TestUnreadable(t *testing.T) {
	missing := config.Source{Path: filepath.Join(t.TempDir(), "missing.pem")}
	if _, err := ReadKeys([]Entry{{ID: "a", PrivateKey: missing}}); err == nil || !strings.Contains(err.Error(), "missing.pem") {
		t.Errorf("error is %v", err)
	}
	key, _ := makePair(t, "a.example")
	for _, bad := range []config.Source{missing, {Data: "no PEM at all"}} {
		_, err := store(t, []Entry{{ID: "a", PrivateKey: config.Source{Data: key}, Certificate: bad}}, nil)
		if err == nil || !strings.Contains(err.Error(), `certificate "a"`) {
			t.Errorf("error is %v", err)
		}
	}
}

// TestRunningKeyReplacesStartupKey: both halves may stand in either file, and
// the later file wins, key included.
func TestRunningKeyReplacesStartupKey(t *testing.T) {
	oldKey, old := makePair(t, "old.example")
	newKey, renewed := makePair(t, "new.example")
	s, err := store(t,
		[]Entry{{ID: "a", PrivateKey: config.Source{Data: oldKey}, Certificate: config.Source{Data: old}}},
		[]Entry{{ID: "a", PrivateKey: config.Source{Data: newKey}, Certificate: config.Source{Data: renewed}}})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := s.Certificate("a"); err != nil || c.Leaf.Subject.CommonName != "new.example" {
		t.Errorf("got %v, %v", c, err)
	}
}

// TestDates: a certificate that is out of date is no replacement for one that
// serves, and no reason to refuse a reload when it serves already.
func TestDates(t *testing.T) {
	key, certificate := makePair(t, "a.example")
	file := filepath.Join(t.TempDir(), "a.pem")
	if err := os.WriteFile(file, []byte(certificate), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store(t, []Entry{{ID: "a", PrivateKey: config.Source{Data: key}, Certificate: config.Source{Path: file}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   time.Duration
		want string
	}{{0, ""}, {2 * time.Hour, "expired on"}, {-2 * time.Hour, "not valid before"}} {
		err := s.CheckDates(time.Now().Add(c.at), nil)
		if text := fmt.Sprint(err); (err == nil) != (c.want == "") || err != nil && (!strings.Contains(text, c.want) || !strings.Contains(text, file)) {
			t.Errorf("after %s: %v, want %q and the file", c.at, err, c.want)
		}
		if err := s.CheckDates(time.Now().Add(c.at), s); err != nil {
			t.Errorf("after %s the one in service is refused: %v", c.at, err)
		}
		if lines := s.Outdated(time.Now().Add(c.at)); (len(lines) == 0) != (c.want == "") {
			t.Errorf("after %s outdated are %q", c.at, lines)
		}
	}
}

func TestReadPair(t *testing.T) {
	key, certificate := makePair(t, "a.example")
	other, _ := makePair(t, "a.example")
	both := config.Source{Data: key + certificate}
	if _, err := ReadPair("pki.legacy.smtp", both, both); err != nil {
		t.Error(err)
	}
	_, err := ReadPair("pki.default", config.Source{Data: other}, config.Source{Data: certificate})
	if err == nil || !strings.Contains(err.Error(), "pki.default") {
		t.Errorf("error is %v", err)
	}
}

func TestReadAuthorities(t *testing.T) {
	_, a := makePair(t, "a.example")
	_, b := makePair(t, "b.example")
	all, err := ReadAuthorities(config.Source{Data: a + b})
	if err != nil || len(all) != 2 {
		t.Errorf("%d certificates, %v", len(all), err)
	}
	if _, err := ReadAuthorities(config.Source{Data: "nothing"}); err == nil {
		t.Error("a file without certificates was taken")
	}
}
