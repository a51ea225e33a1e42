package dkim

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/address"
)

const (
	// MinBits is the length below which RSA keys prove nothing (RFC 8301 §3.2).
	MinBits = 1024
	// AdvisedBits is the length that RSA keys should have at least (RFC 8301 §3.2).
	AdvisedBits = 2048
	// MaxBits is the length above which RSA keys are not used, so that nobody
	// can make a check cost more than the half millisecond of such a key.
	MaxBits = 8192
)

// Key is a public key as it stands in DNS (RFC 6376 §3.6.1).
type Key struct {
	Type    string   // k=: "rsa" or "ed25519"
	Bits    int      // 256 for Ed25519
	Hashes  []string // h=: acceptable hash functions, or nil for any
	Notes   string   // n=, for people
	Testing bool     // t=y: signatures prove nothing yet
	Strict  bool     // t=s: the identity may not be in a subdomain
	Tags    Tags

	public crypto.PublicKey
}

// Weak reports whether the key is acceptable but shorter than advised.
func (k *Key) Weak() bool { return k.Type == "rsa" && k.Bits < AdvisedBits }

// ParseKey parses a key record. The error wraps one of ErrKeySyntax,
// ErrKeyRevoked and ErrKeyMismatch.
func ParseKey(record string) (*Key, error) {
	tags, err := ParseTags(record)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeySyntax, err)
	}
	// RFC 6376 §3.6.1: v= must be first if it is there, and this version.
	if v, ok := tags.Get("v"); ok && (tags[0].Name != "v" || v != "DKIM1") {
		return nil, fmt.Errorf("%w: not version DKIM1", ErrKeySyntax)
	}
	k := &Key{Type: "rsa", Tags: tags}
	if t, ok := tags.Get("k"); ok {
		k.Type = t
	}
	k.Notes, _ = tags.Get("n")
	if h, ok := tags.Get("h"); ok {
		k.Hashes = list(h)
	}
	if s, ok := tags.Get("s"); ok && !containsAny(list(s), "*", "email") {
		return nil, fmt.Errorf("%w: not for mail", ErrKeyMismatch)
	}
	flags, _ := tags.Get("t")
	k.Testing = slices.Contains(list(flags), "y")
	k.Strict = slices.Contains(list(flags), "s")
	return k, k.parsePublic()
}

func (k *Key) parsePublic() error {
	text, ok := k.Tags.Get("p")
	switch {
	case !ok:
		return fmt.Errorf("%w: no p=", ErrKeySyntax)
	case text == "":
		return ErrKeyRevoked
	}
	p, err := base64.StdEncoding.DecodeString(compact(text))
	if err != nil {
		return fmt.Errorf("%w: p= is not base64", ErrKeySyntax)
	}
	switch k.Type {
	case "rsa":
		return k.parseRSA(p)
	case "ed25519":
		if len(p) != ed25519.PublicKeySize {
			return fmt.Errorf("%w: an Ed25519 key has 32 bytes, not %d", ErrKeySyntax, len(p))
		}
		k.public, k.Bits = ed25519.PublicKey(p), 8*len(p)
		return nil
	}
	return fmt.Errorf("%w: unknown type %.20q", ErrKeyMismatch, k.Type)
}

// parseRSA takes the key bare, as RFC 6376 §3.6.1 says, or as the
// SubjectPublicKeyInfo that everybody publishes.
func (k *Key) parseRSA(p []byte) error {
	if len(p) > 2*MaxBits/8 { // before any arithmetic
		return ErrCostly
	}
	var public *rsa.PublicKey
	if any, err := x509.ParsePKIXPublicKey(p); err == nil {
		public, _ = any.(*rsa.PublicKey)
	} else if bare, err := x509.ParsePKCS1PublicKey(p); err == nil {
		public = bare
	}
	if public == nil {
		return fmt.Errorf("%w: p= is no RSA key", ErrKeySyntax)
	}
	// An even exponent is none, and 1 makes every signature its own message. The
	// upper bound, which keeps checks cheap, is that of the ASN.1 parser.
	if public.E < 3 || public.E%2 == 0 || public.N.Bit(0) == 0 {
		return fmt.Errorf("%w: RSA key makes no sense", ErrKeySyntax)
	}
	k.public, k.Bits = public, public.N.BitLen()
	return nil
}

// check says whether a key can be used with an algorithm.
func (k *Key) check(a Algorithm) error {
	switch {
	case k.Type != a.keyType():
		return fmt.Errorf("%w: %s key for %s", ErrKeyMismatch, k.Type, a)
	case k.Hashes != nil && !slices.Contains(k.Hashes, hashName(a)):
		return fmt.Errorf("%w: key is not for %s", ErrKeyMismatch, hashName(a))
	case k.Type == "rsa" && k.Bits < MinBits:
		return fmt.Errorf("%w: %d bits", ErrWeak, k.Bits)
	case k.Type == "rsa" && k.Bits > MaxBits:
		return fmt.Errorf("%w: %d bits", ErrCostly, k.Bits)
	}
	return nil
}

func hashName(a Algorithm) string {
	_, hash, _ := strings.Cut(a.String(), "-")
	return hash
}

// Verify checks a signature over signed. It returns nil, ErrSignature, or why
// the key cannot be used with the algorithm.
func (k *Key) Verify(a Algorithm, signed, signature []byte) error {
	if err := k.check(a); err != nil {
		return err
	}
	digest := sum(a, signed)
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		if rsa.VerifyPKCS1v15(public, a.Hash(), digest, signature) == nil {
			return nil
		}
	case ed25519.PublicKey: // RFC 8463 §3: over the digest, not the text
		if ed25519.Verify(public, digest, signature) {
			return nil
		}
	}
	return ErrSignature
}

func sum(a Algorithm, b []byte) []byte {
	h := a.Hash().New()
	_, _ = h.Write(b)
	return h.Sum(nil)
}

// Key looks up the key of a signature. The error wraps ErrNoKey, ErrUnavailable,
// ErrLookup or one of those of ParseKey.
func (v *Verifier) Key(ctx context.Context, domain, selector string) (*Key, error) {
	name, err := keyName(domain, selector)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, v.options.Timeout)
	defer cancel()
	records, err := v.resolver.TXT(ctx, name)
	if err != nil {
		var t interface{ Temporary() bool }
		if errors.As(err, &t) && !t.Temporary() {
			return nil, fmt.Errorf("%w: %w", ErrLookup, err)
		}
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return pick(records)
}

// pick returns the first record that is a key. More than one leaves the result
// undefined (RFC 6376 §3.6.2.2); other records at the name do no harm then.
func pick(records []string) (k *Key, err error) {
	err = ErrNoKey
	for _, r := range records[:min(len(records), 8)] {
		key, problem := ParseKey(r)
		if problem == nil {
			return key, nil
		}
		if errors.Is(err, ErrNoKey) {
			err = problem
		}
	}
	return nil, err
}

// keyName returns the name at which a key stands (RFC 6376 §3.6.2.1), in
// A-labels (RFC 8616 §4).
func keyName(domain, selector string) (string, error) {
	domain, err1 := address.ASCIIDomain(domain)
	selector, err2 := address.ASCIIDomain(selector)
	name := selector + "._domainkey." + domain
	if err1 != nil || err2 != nil || len(name) > 253 {
		return "", fmt.Errorf("%w: no domain name", ErrSyntax)
	}
	return name, nil
}

// list splits a colon-separated list.
func list(s string) []string {
	parts := strings.Split(s, ":")
	for i, p := range parts {
		parts[i] = trim(p)
	}
	return parts
}

func containsAny(have []string, want ...string) bool {
	return slices.ContainsFunc(have, func(s string) bool { return slices.Contains(want, s) })
}
