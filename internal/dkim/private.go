package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
)

// ErrPrivateKey says that something is no key to sign with.
var ErrPrivateKey = errors.New("dkim: no usable private key")

// ParsePrivateKey reads an RSA or Ed25519 private key in PEM: PKCS #1 or PKCS #8,
// not encrypted. Text around it is ignored.
func ParsePrivateKey(text []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "RSA PRIVATE KEY":
			key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrPrivateKey, err)
			}
			return key, nil
		case "PRIVATE KEY":
			return parsePKCS8(block.Bytes)
		}
	}
	return nil, fmt.Errorf("%w: not PEM of one", ErrPrivateKey)
}

func parsePKCS8(der []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPrivateKey, err)
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("%w: %T", ErrPrivateKey, key)
}

// PrivateKey is a key prepared for signing with one algorithm. It is safe for
// concurrent use.
//
// RSA takes nearly all the time of a signature, and nearly all of that is
// multiplication modulo the primes: of the 0.83 ms for a message of 10 KB on one
// core (2.6 GHz, with ADX), 0.71 ms are the two exponentiations that crypto/rsa
// does with values precomputed per key, 0.09 ms its check of the result, which
// keeps a fault from giving the key away, and 0.02 ms are ours. Its loop is
// assembly in constant time without a squaring of its own and without vector
// instructions, which is what separates it from the 0.30 ms of OpenSSL; math/big
// takes 0.84 ms for the exponentiations alone and leaks timing. So a core makes
// 1,200 RSA-2048 signatures a second, or 27,000 with Ed25519 (0.037 ms).
type PrivateKey struct {
	algorithm Algorithm
	signer    crypto.Signer
}

// NewPrivateKey prepares a key, which may also be one kept elsewhere, such as in
// a hardware module. KeyDefault takes the algorithm from the key.
func NewPrivateKey(key crypto.Signer, a Algorithm) (PrivateKey, error) {
	if key == nil {
		return PrivateKey{}, ErrPrivateKey
	}
	fits := KeyDefault
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		if n := public.N.BitLen(); n < MinBits { // RFC 8301 §3.2
			return PrivateKey{}, fmt.Errorf("%w: RSA key of %d bits, at least %d are needed", ErrPrivateKey, n, MinBits)
		}
		if fits = RSASHA256; a == RSASHA1 {
			fits = RSASHA1
		}
	case ed25519.PublicKey:
		fits = Ed25519SHA256
	}
	if fits == KeyDefault || a != KeyDefault && a != fits {
		return PrivateKey{}, fmt.Errorf("%w: %T does not go with %s", ErrPrivateKey, key.Public(), a)
	}
	return PrivateKey{algorithm: fits, signer: precomputed(key)}, nil
}

// precomputed returns the key with the values that make RSA several times as
// fast. Parsers have computed them already; a key made otherwise is not touched,
// because somebody may be signing with it.
func precomputed(key crypto.Signer) crypto.Signer {
	r, ok := key.(*rsa.PrivateKey)
	if !ok || r.Precomputed.Dp != nil {
		return key
	}
	own := &rsa.PrivateKey{PublicKey: r.PublicKey, D: r.D, Primes: r.Primes}
	own.Precompute()
	return own
}

// Algorithm returns what the key signs with.
func (k PrivateKey) Algorithm() Algorithm { return k.algorithm }

// Sign returns a signature over b.
func (k PrivateKey) Sign(b []byte) ([]byte, error) {
	opts := crypto.SignerOpts(k.algorithm.Hash())
	if k.algorithm == Ed25519SHA256 { // RFC 8463 §3: the digest is the message
		opts = crypto.Hash(0)
	}
	signature, err := k.signer.Sign(rand.Reader, sum(k.algorithm, b), opts)
	if err != nil {
		return nil, fmt.Errorf("dkim: sign: %w", err)
	}
	return signature, nil
}

// Record returns the key record to publish for the key.
func (k PrivateKey) Record() (string, error) {
	if public, ok := k.signer.Public().(ed25519.PublicKey); ok {
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public), nil
	}
	der, err := x509.MarshalPKIXPublicKey(k.signer.Public())
	if err != nil {
		return "", fmt.Errorf("dkim: %w", err)
	}
	return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der), nil
}
