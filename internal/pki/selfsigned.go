package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"time"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// selfSignedLife is long, because nobody who looks at dates trusts such a
// certificate anyway (spec tls.md 5.1).
const selfSignedLife = 10 * 365 * 24 * time.Hour

// LoadSelfSigned returns the certificate in the file at path, which holds a
// private key too, or makes one there when the file does not exist, is damaged,
// has expired or was made for another host name. When it cannot be written the
// certificate comes with an error, and serves until the process ends.
func LoadSelfSigned(fsys vfs.FS, path, hostname string, now time.Time) (*tls.Certificate, error) {
	data, err := vfs.ReadFile(fsys, path)
	if err == nil {
		c, err := tls.X509KeyPair(data, data)
		if err == nil && valid(&c, now) && len(c.Leaf.DNSNames) == 1 && c.Leaf.DNSNames[0] == hostname {
			return &c, nil
		}
	}
	made, certificate, merr := newSelfSigned(hostname, now)
	if merr != nil {
		return nil, merr
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return certificate, fmt.Errorf("pki: self-signed certificate: %w", err)
	}
	if err := vfs.WriteAtomic(fsys, path, made, 0o600); err != nil {
		return certificate, fmt.Errorf("pki: self-signed certificate: %w", err)
	}
	return certificate, nil
}

// newSelfSigned makes an ECDSA P-256 key and a certificate that it signs, as
// one PEM text and ready for use.
func newSelfSigned(hostname string, now time.Time) ([]byte, *tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("pki: self-signed certificate: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, fmt.Errorf("pki: self-signed certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: hostname}, DNSNames: []string{hostname},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(selfSignedLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("pki: self-signed certificate for %q: %w", hostname, err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("pki: self-signed certificate: %w", err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	c, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, nil, fmt.Errorf("pki: self-signed certificate: %w", err)
	}
	return text, &c, nil
}
