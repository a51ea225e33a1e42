package cipher

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Key is the resource of a private key.
type Key struct{ Signer crypto.Signer }

// The kinds of keys.
const (
	rsaKind     = "RSAPrivateKey"
	ecKind      = "ECPrivateKey"
	ed25519Kind = "ED25519PrivateKey"
)

// ResourceKind implements value.Resource.
func (k *Key) ResourceKind() string { return kindOf(k.Signer) }

func kindOf(s crypto.Signer) string {
	switch s.(type) {
	case *rsa.PrivateKey:
		return rsaKind
	case *ecdsa.PrivateKey:
		return ecKind
	case ed25519.PrivateKey:
		return ed25519Kind
	}
	return "PrivateKey"
}

// ParseKey reads the first private key of a PEM text, PKCS#8 or of the older
// forms of its kind. It returns nil if there is none.
func ParseKey(text string) *Key {
	rest := []byte(text)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if s := parseDER(block.Bytes); s != nil {
			return &Key{s}
		}
	}
}

// parseDER reads a private key in any of its forms.
func parseDER(der []byte) crypto.Signer {
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		s, _ := k.(crypto.Signer)
		return s
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil {
		return k
	}
	return nil
}

// keys returns the functions for private keys.
func keys(k Keyring) []*value.Builtin {
	return append(signatures(k),
		reader("rsa", rsaKind, "RSA"), reader("ec", ecKind, "an elliptic curve"), reader("ed25519", ed25519Kind, "Ed25519"),
		tester("rsa", rsaKind, "RSA"), tester("ec", ecKind, "an elliptic curve"), tester("ed25519", ed25519Kind, "Ed25519"),
	)
}

func reader(name, kind, what string) *value.Builtin {
	return declare.Function(name+"_privatekey(string privatekey) "+kind+" or none",
		"Returns the private key of "+what+" that a PEM text holds, or none.",
		`echo `+name+`_privatekey("no key") ?? "none"; // none`,
		func(c *value.Call) (value.Value, error) {
			k := ParseKey(c.Str(0))
			if k == nil || k.ResourceKind() != kind {
				return value.None, nil
			}
			return value.FromResource(k), nil
		})
}

func tester(name, kind, what string) *value.Builtin {
	return declare.Function("is_"+name+"_privatekey(any privatekey) boolean",
		"Returns whether the value is a private key of "+what+".",
		`echo is_`+name+`_privatekey("no key"); // false`,
		func(c *value.Call) (value.Value, error) {
			r := c.Args[0].Resource()
			return value.Boolean(r != nil && r.ResourceKind() == kind), nil
		})
}

// configured returns the key of the configuration that has the name. Older
// scripts write "pki:" before it.
func configured(k Keyring, id string) crypto.Signer {
	if k == nil {
		return nil
	}
	return k.PrivateKey(strings.TrimPrefix(id, "pki:"))
}
