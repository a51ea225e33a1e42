// Package certificate holds the classes X509 and X509CRL, and the builtins for
// signed and encrypted messages (CMS, of which PKCS#7 is the older name).
package certificate

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/cipher"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Keyring knows the certificates and keys of the configuration. It must be safe
// for concurrent use.
type Keyring interface {
	cipher.Keyring
	// Certificates returns the certificate of that name and those that lead to
	// its issuer, or nil.
	Certificates(id string) []*x509.Certificate
}

// Resource is the resource of a certificate.
type Resource struct{ Certificate *x509.Certificate }

// ResourceKind implements value.Resource.
func (*Resource) ResourceKind() string { return "X509Resource" }

// ListResource is the resource of a list of revoked certificates.
type ListResource struct{ List *x509.RevocationList }

// ResourceKind implements value.Resource.
func (*ListResource) ResourceKind() string { return "X509CRLResource" }

// New returns an X509 object of a certificate.
func New(c *x509.Certificate) value.Value { return value.FromObject(x509Class.New(c)) }

// Parse reads the certificates of a PEM text.
func Parse(text string) (list []*x509.Certificate, err error) {
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return list, nil
		}
		if block.Type != "CERTIFICATE" && block.Type != "TRUSTED CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
}

// of returns the certificate that an X509 or its resource holds, or nil.
func of(v value.Value) *x509.Certificate {
	if r, ok := v.Resource().(*Resource); ok {
		return r.Certificate
	}
	if o := v.Object(); o != nil {
		c, _ := o.Native.(*x509.Certificate)
		return c
	}
	return nil
}

// listOf returns the certificates of an array, and false when there is something
// else in it.
func listOf(a *value.Array) (list []*x509.Certificate, ok bool) {
	for v := range a.Values() {
		c := of(v)
		if c == nil {
			return nil, false
		}
		list = append(list, c)
	}
	return list, true
}

// revocationOf is like of for X509CRL.
func revocationOf(v value.Value) *x509.RevocationList {
	if r, ok := v.Resource().(*ListResource); ok {
		return r.List
	}
	if o := v.Object(); o != nil {
		l, _ := o.Native.(*x509.RevocationList)
		return l
	}
	return nil
}

// Identity is a certificate with its key and those that lead to its issuer.
type Identity struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
	Chain       []*x509.Certificate
}

// TLS returns the identity for a handshake.
func (who Identity) TLS() *tls.Certificate {
	c := &tls.Certificate{PrivateKey: who.Key, Leaf: who.Certificate, Certificate: [][]byte{who.Certificate.Raw}}
	for _, issuer := range who.Chain {
		c.Certificate = append(c.Certificate, issuer.Raw)
	}
	return c
}

// IdentityOf reads what a script gives as an identity: an array of x509,
// privatekey and chain, the name of one in the configuration if id says so, or
// else PEM with all of them. The keyring may be nil.
func IdentityOf(v value.Value, id bool, k Keyring) (who Identity, ok bool) {
	switch {
	case v.IsArray():
		return identityOfArray(v.Array())
	case id && k == nil:
		return who, false
	case id:
		return matched(k.PrivateKey(v.Str()), k.Certificates(v.Str()))
	}
	certificates, err := Parse(v.Str())
	key := cipher.ParseKey(v.Str())
	if err != nil || key == nil {
		return who, false
	}
	return matched(key.Signer, certificates)
}

func identityOfArray(a *value.Array) (who Identity, ok bool) {
	c, _ := a.GetString("x509")
	who.Certificate = of(c)
	key, _ := a.GetString("privatekey")
	if k, is := key.Resource().(*cipher.Key); is {
		who.Key = k.Signer
	}
	chain, _ := a.GetString("chain")
	who.Chain, ok = listOf(chain.Array())
	return who, ok && who.Certificate != nil && who.Key != nil
}

// matched finds the certificate of the key among several.
func matched(key crypto.Signer, certificates []*x509.Certificate) (who Identity, ok bool) {
	who.Key = key
	for _, c := range certificates {
		if who.Certificate == nil && key != nil && sameKey(key.Public(), c.PublicKey) {
			who.Certificate = c
		} else {
			who.Chain = append(who.Chain, c)
		}
	}
	return who, who.Certificate != nil
}

func sameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}
