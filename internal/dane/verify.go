package dane

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dns"
)

// Why a host does not match, by the result types of RFC 8460 §4.3.
var (
	// ErrNoMatch: no certificate that was shown matches a record
	// (validation-failure).
	ErrNoMatch = errors.New("dane: no TLSA record matches the certificates of the host")
	// ErrName: the chain leads to a record and the certificate is for another
	// name (certificate-host-mismatch).
	ErrName = errors.New("dane: the certificate is for another name")
	// ErrExpired: a certificate of the chain is out of date
	// (certificate-expired).
	ErrExpired = errors.New("dane: a certificate is out of date")
	// ErrNoCertificate: the host has shown none.
	ErrNoCertificate = errors.New("dane: the host shows no certificate")
)

// Verify compares the certificates of a handshake, the host's own first, with the
// records. names are those that a certificate below a DANE-TA record may have:
// the base domain, and the domain of the recipient (RFC 7672 §3.2.2). Below
// DANE-EE neither names nor dates count (§3.1.1). It is not called below
// Authenticate.
func (p *Policy) Verify(chain []*x509.Certificate, names []string, now time.Time) error {
	if len(chain) == 0 {
		return ErrNoCertificate
	}
	failure := ErrNoMatch
	for _, r := range p.Records {
		if r.Usage == UsageEE && matches(r, chain[0]) {
			return nil
		}
	}
	for _, r := range p.Records {
		if r.Usage != UsageTA {
			continue
		}
		err := below(r, chain, names, now)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrNoMatch) {
			failure = err
		}
	}
	return failure
}

// below checks whether a certificate that the host has shown matches the record
// and the host's own leads to it. The authority must be part of the handshake:
// records hold mostly its digest (RFC 7671 §5.2).
func below(r dns.TLSA, chain []*x509.Certificate, names []string, now time.Time) error {
	failure := ErrNoMatch
	for i, anchor := range chain {
		if !matches(r, anchor) {
			continue
		}
		err := leads(chain, i, now)
		if err == nil {
			return named(chain[0], names)
		}
		failure = err
	}
	return failure
}

// leads checks that the first certificate is signed, over those between, by the
// one at anchor, and that all are in date.
func leads(chain []*x509.Certificate, anchor int, now time.Time) error {
	if anchor == 0 { // an authority that is a host as well
		return inDate(chain[0], now)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(chain[anchor])
	for i, c := range chain[1:] {
		if i+1 != anchor {
			between.AddCert(c)
		}
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("%w: %w", ErrExpired, err)
	}
	return fmt.Errorf("%w: %w", ErrNoMatch, err)
}

func inDate(c *x509.Certificate, now time.Time) error {
	if now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return ErrExpired
	}
	return nil
}

func named(c *x509.Certificate, names []string) error {
	for _, name := range names {
		if name != "" && c.VerifyHostname(name) == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: %v, want one of %v", ErrName, c.DNSNames, names)
}

// matches compares one certificate with one record (RFC 6698 §2.1).
func matches(r dns.TLSA, c *x509.Certificate) bool {
	data := c.Raw
	if r.Selector == SelectorSPKI {
		data = c.RawSubjectPublicKeyInfo
	}
	switch r.MatchingType {
	case MatchSHA256:
		sum := sha256.Sum256(data)
		data = sum[:]
	case MatchSHA512:
		sum := sha512.Sum512(data)
		data = sum[:]
	}
	return bytes.Equal(data, r.Data)
}
