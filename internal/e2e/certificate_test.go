package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// certificate is one that signs itself, in PEM.
type certificate struct {
	key, chain string
	private    *ecdsa.PrivateKey
	serial     *big.Int
}

func newCertificate(t testing.TB, name string) *certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	c := &certificate{private: private, key: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}
	return c.renew(t, name)
}

// renew returns another certificate for the same key.
func (c *certificate) renew(t testing.TB, name string) *certificate {
	t.Helper()
	return c.issue(t, name, time.Now().Add(24*time.Hour))
}

// issue returns one that is valid until the given time.
func (c *certificate) issue(t testing.TB, name string, until time.Time) *certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: until.Add(-48 * time.Hour), NotAfter: until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, c.private.Public(), c.private)
	must(t, err)
	return &certificate{
		key: c.key, private: c.private, serial: serial,
		chain: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
	}
}
