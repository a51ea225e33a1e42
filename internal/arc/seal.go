package arc

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/posthaste-mta/posthaste/internal/authres"
	"github.com/posthaste-mta/posthaste/internal/dkim"
)

// Why a chain cannot be extended.
var (
	ErrEnded = errors.New("arc: chain has ended") // RFC 8617 §5.1
	ErrFull  = errors.New("arc: chain is full")
)

// Sealer adds sets to chains with one key. It is safe for concurrent use.
type Sealer struct {
	signer *dkim.Signer
	seal   dkim.Options
}

// NewSealer prepares a Sealer. The options are those of the message signature.
// Their Headers are by default those of package dkim and DKIM-Signature, which a
// change of the message may break next (RFC 8617 §4.1.2); Identity is not used,
// Timestamp is always on.
func NewSealer(key crypto.Signer, o dkim.Options) (*Sealer, error) {
	if o.Headers == nil {
		o.Headers = append([]string{dkim.DKIM.Field()}, dkim.Recommended...)
	}
	o.Timestamp = true
	signer, err := dkim.NewSigner(key, o)
	if err != nil {
		return nil, err
	}
	return &Sealer{signer: signer, seal: o}, nil
}

// BodyHash returns which hash of the body Seal needs.
func (s *Sealer) BodyHash() dkim.BodyHash { return s.signer.BodyHash() }

// KeyName returns where the key record of the sealer has to be published.
func (s *Sealer) KeyName() string { return s.signer.KeyName() }

// Seal returns the three fields of a new set, each with its CRLF, to be put above
// the header that they were made of (RFC 8617 §5.1). The chain is what was found
// of it on arrival, and results is what was found of the message.
//
// A chain that failed is closed with a set that says so. It fails with ErrEnded if
// that was done before, and with ErrFull beyond MaxSets.
func (s *Sealer) Seal(h *dkim.Header, b *dkim.Body, chain Result, results authres.Results) ([]byte, error) {
	switch {
	case errors.Is(chain.Err, ErrSealed):
		return nil, ErrEnded
	case chain.Chain.Highest >= MaxSets:
		return nil, ErrFull
	}
	i := chain.Chain.Highest + 1
	message, err := s.signer.SignARC(h, b, i)
	if err != nil {
		return nil, err
	}
	set := Set{
		Instance: i,
		Results:  fmt.Appendf(nil, "ARC-Authentication-Results: i=%d; %s\r\n", i, results.Folded()),
		Message:  &dkim.Signature{Field: message},
	}
	seal, err := s.close(chain, set)
	if err != nil {
		return nil, err
	}
	return append(append(seal, message...), set.Results...), nil
}

// close makes the seal of a set.
func (s *Sealer) close(chain Result, set Set) ([]byte, error) {
	at := s.seal.Time
	if at.IsZero() {
		at = time.Now()
	}
	key := s.signer.Key()
	head := fmt.Sprintf("ARC-Seal: a=%s; b=", key.Algorithm())
	tail := fmt.Sprintf(";\r\n\tcv=%s; d=%s; i=%d; s=%s;\r\n\tt=%s\r\n",
		chain.Status, s.seal.Domain, set.Instance, s.seal.Selector, strconv.FormatInt(at.Unix(), 10))
	open, err := dkim.ParseSignature([]byte(head + "AA==" + tail)) // of which b= is left out
	if err != nil {
		return nil, fmt.Errorf("arc: seal: %w", err)
	}
	set.Seal = open
	sealed := Chain{Sets: []Set{set}}
	if chain.Status != Fail { // RFC 8617 §5.1.2: after a failure only the new set counts
		sealed.Sets = append(append([]Set(nil), chain.Chain.Sets...), set)
	}
	signature, err := key.Sign(sealed.sealed(len(sealed.Sets) - 1))
	if err != nil {
		return nil, err
	}
	return []byte(head + fold(base64.StdEncoding.EncodeToString(signature)) + tail), nil
}

// fold breaks base64 into lines.
func fold(s string) string {
	const first, line = 40, 70
	for n, at := first, 0; at+n < len(s); n = line {
		at += n
		s = s[:at] + "\r\n\t" + s[at:]
		at += 3
	}
	return s
}
