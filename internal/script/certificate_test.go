package script

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/session"
)

// issue makes a certificate that is valid between two times from now, signed by
// itself or by the one of before.
func issue(t *testing.T, name string, from, to time.Duration, by *x509.Certificate, with *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to),
		BasicConstraintsValid: true, IsCA: by == nil,
	}
	if by == nil {
		by, with = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, with)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}

// TestClientCertificate: what scripts are told to be wrong with the certificate
// of a client, in the numbers of OpenSSL.
func TestClientCertificate(t *testing.T) {
	root, key := issue(t, "root", -time.Hour, time.Hour, nil, nil)
	leaf, _ := issue(t, "leaf", -time.Hour, time.Hour, root, key)
	old, _ := issue(t, "old", -2*time.Hour, -time.Hour, root, key)
	early, _ := issue(t, "early", time.Hour, 2*time.Hour, root, key)
	for name, c := range map[string]struct {
		shown []*x509.Certificate
		want  int
	}{
		"signed by itself":         {[]*x509.Certificate{root}, 18},
		"an authority of its own":  {[]*x509.Certificate{leaf, root}, 19},
		"nobody knows who":         {[]*x509.Certificate{leaf}, 20},
		"expired":                  {[]*x509.Certificate{old, root}, 10},
		"not valid yet":            {[]*x509.Certificate{early, root}, 9},
		"expired, without a chain": {[]*x509.Certificate{old}, 10},
	} {
		if got := verifyCode(c.shown); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestProxyValues: what a proxy adds to its header arrives as its bytes.
func TestProxyValues(t *testing.T) {
	s := engine(t, session.PhaseConnect, `if ($arguments["proxytlv"] == "\x02\x00\x09x.example\xe0\x00\x00") Reject(); Accept();`)
	c := client()
	c.TLVs = []session.TLV{{Type: 2, Value: []byte("x.example")}, {Type: 0xe0}}
	if v := s.Connect(t.Context(), c); v.Action != session.Reject {
		t.Errorf("verdict is %+v", v)
	}
}
