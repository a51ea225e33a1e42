package acme

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Codes of failures that have a meaning here. Further ones are "acme:" and the
// last word of the problem type that the authority gave (RFC 8555 §6.7).
const (
	codeInternal   = "internal"     // on our side: the disk, the configuration
	codeUnreached  = "acme:network" // the authority does not answer
	codePaused     = "acme:paused"  // a person has to act at the authority
	codeLimited    = "acme:rateLimited"
	codeBudget     = "budget"         // our own limit, below theirs
	codeReserved   = "name:reserved"  // no public authority knows it
	codeNoSolution = "acme:challenge" // none of our challenges is offered
)

// Problem is why an order failed, as an Issuer tells it.
type Problem struct {
	Code   string
	Detail string // the authority's words, or ours
	// RetryAfter is when the authority allows another attempt; zero: unsaid.
	RetryAfter time.Time
	Err        error // beneath it, if any
}

func (p *Problem) Error() string { return p.Detail }

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.Err }

// permanent are those that time alone does not mend (spec tls.md 6.3, TLS-24).
var permanent = []string{
	"acme:rejectedIdentifier", "acme:caa", "acme:unsupportedIdentifier", "acme:externalAccountRequired",
	"acme:accountDoesNotExist", "acme:invalidContact", "acme:unsupportedContact", "acme:invalidProfile", "acme:userActionRequired",
	codePaused, codeNoSolution, codeReserved, "selfcheck:caa", "account:unauthorized", "account:malformed",
}

// Permanent reports whether time alone will not mend it.
func (p *Problem) Permanent() bool {
	for _, code := range permanent {
		if p.Code == code {
			return true
		}
	}
	return false
}

// atAuthority reports whether the cause lies with the authority, so that another
// one may do better.
func (p *Problem) atAuthority() bool {
	return p.Code == codeUnreached || p.Code == codeLimited || p.Code == "acme:serverInternal" || p.Code == codePaused
}

// ofAccount reports whether every order would fail in the same way.
func (p *Problem) ofAccount() bool {
	switch p.Code {
	case "account:unauthorized", "account:malformed", "acme:accountDoesNotExist", "acme:externalAccountRequired",
		"acme:invalidContact", "acme:unsupportedContact", "acme:userActionRequired", "acme:invalidProfile":
		return true
	}
	return false
}

// replacement reports whether the order was refused for the certificate that it
// said to replace (spec tls.md 6.2).
func (p *Problem) replacement() bool {
	return p.Code == "acme:alreadyReplaced" ||
		(p.Code == "acme:unauthorized" || p.Code == "acme:malformed") && strings.Contains(strings.ToLower(p.Detail), "replac")
}

// problemOf returns the Problem within err, or makes one of ours.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return &Problem{Code: codeInternal, Detail: err.Error(), Err: err}
}

func serialOf(c *x509.Certificate) string { return fmt.Sprintf("%x", c.SerialNumber) }

func issuerOf(c *x509.Certificate) string {
	if c.Issuer.CommonName != "" {
		return c.Issuer.CommonName
	}
	return c.Issuer.String()
}

// fingerprint is the SHA-256 of some bytes, in hexadecimal.
func fingerprint(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

// Fingerprints are the SHA-256 of a certificate and of its public key, as TLSA
// records 3 0 1 and 3 1 1 have them, in hexadecimal.
func Fingerprints(c *x509.Certificate) (certificate, key string) {
	return fingerprint(c.Raw), fingerprint(c.RawSubjectPublicKeyInfo)
}
