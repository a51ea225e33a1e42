package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// pair makes a key and a self-signed certificate for names.
func pair(t *testing.T, names ...string) (key, certificate string) {
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
	key, old := pair(t, "a.example")
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
	key, _ := pair(t, "a.example")
	_, certificate := pair(t, "a.example")
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
	key, _ := pair(t, "a.example")
	for _, bad := range []config.Source{missing, {Data: "no PEM at all"}} {
		_, err := store(t, []Entry{{ID: "a", PrivateKey: config.Source{Data: key}, Certificate: bad}}, nil)
		if err == nil || !strings.Contains(err.Error(), `certificate "a"`) {
			t.Errorf("error is %v", err)
		}
	}
}

func TestForNames(t *testing.T) {
	var entries []Entry
	for _, id := range []string{"main", "exact", "wild"} {
		key, certificate := pair(t, id+".example")
		entries = append(entries, Entry{ID: id, PrivateKey: config.Source{Data: key}, Certificate: config.Source{Data: certificate}})
	}
	s, err := store(t, entries, nil)
	if err != nil {
		t.Fatal(err)
	}
	get, err := s.ForNames("main", []Name{{"mx.Exact.example", "exact"}, {"*.wild.example", "wild"}})
	if err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]string{
		"": "main", "other.example": "main", "MX.exact.example": "exact", "mx.exact.example.": "exact",
		"a.wild.example": "wild", "a.b.wild.example": "main", "wild.example": "main",
	} {
		c, err := get(&tls.ClientHelloInfo{ServerName: asked})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSuffix(c.Leaf.Subject.CommonName, ".example"); got != want {
			t.Errorf("%q gets %s, want %s", asked, got, want)
		}
	}
	if _, err := s.ForNames("main", []Name{{"x.example", "nobody"}}); err == nil {
		t.Error("a name without a certificate was taken")
	}
}

func TestReadAuthorities(t *testing.T) {
	_, a := pair(t, "a.example")
	_, b := pair(t, "b.example")
	all, err := ReadAuthorities(config.Source{Data: a + b})
	if err != nil || len(all) != 2 {
		t.Errorf("%d certificates, %v", len(all), err)
	}
	if _, err := ReadAuthorities(config.Source{Data: "nothing"}); err == nil {
		t.Error("a file without certificates was taken")
	}
}
