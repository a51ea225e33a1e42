package smtpd

import (
	"crypto"
	"crypto/x509"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/certificate"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/cipher"
	"github.com/posthaste-mta/posthaste/internal/pki"
)

// keyring is pki.private as scripts see it: keys and certificates by id. Each is
// parsed when a script asks for it.
type keyring struct{ store *pki.Store }

var _ certificate.Keyring = keyring{}

// PrivateKey implements cipher.Keyring.
func (k keyring) PrivateKey(id string) crypto.Signer {
	text, ok := k.store.PrivateKey(id)
	if !ok {
		return nil
	}
	if key := cipher.ParseKey(string(text)); key != nil {
		return key.Signer
	}
	return nil
}

// Certificates implements certificate.Keyring.
func (k keyring) Certificates(id string) (chain []*x509.Certificate) {
	pair, err := k.store.Certificate(id)
	if err != nil {
		return nil // it has none
	}
	for _, der := range pair.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil // pki has parsed the first; who issued it is not known then
		}
		chain = append(chain, c)
	}
	return chain
}
