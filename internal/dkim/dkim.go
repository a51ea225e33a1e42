// Package dkim signs messages and checks their signatures (RFC 6376, with the
// algorithms of RFC 8301 and RFC 8463 and the names of RFC 8616).
//
// A message is never parsed and printed again. Header is an index over the
// header block as it stands, and Body takes the pieces of the body in whatever
// sizes they come and computes, in one pass, every hash that was asked of it:
// for any number of signatures to make or to check it runs each pair of
// canonicalization and hash function once. So the order of things is the same
// on both sides:
//
//	header := dkim.NewHeader(block)
//	var body dkim.Body
//	body.Want(signer.BodyHash())        // or signature.BodyHash(), or both
//	io.Copy(&body, …)                   // once, whoever wants what
//	body.Close()
//	field, err := signer.Sign(header, &body)
//
// A Signer is prepared once for a key and its options and then serves any number
// of goroutines. Making the signature is the only expensive step and needs
// nothing but the two small objects above, so that it can be done elsewhere: a
// Pool bounds how many are made at once and makes several for one message side
// by side.
//
// A Verifier reads keys through a Resolver. Its Results tell apart what RFC 8601
// tells apart, carry the key and the parsed signature, and say in a sentence why
// a signature did not pass. What a stranger's message can cost is bounded: the
// number of signatures looked at, the number of fields that one names, the size
// of keys, and with them the number of look-ups.
//
// Lines end in CRLF. A bare CR or LF in a body is a byte like any other, and in
// a header a bare LF ends a line, as package message has it; neither is repaired.
//
// Package arc builds on the parts of this one.
package dkim

import (
	"context"
	"crypto"
	_ "crypto/sha1" // the hash of rsa-sha1, which scripts may still ask for
	_ "crypto/sha256"
	"errors"
	"fmt"
)

// Resolver looks up texts. A name without such a record gives no texts and no
// error. An error is taken for temporary unless it has a method Temporary() bool
// that says otherwise.
type Resolver interface {
	TXT(ctx context.Context, name string) ([]string, error)
}

// Algorithm is a signature algorithm (RFC 6376 §3.3).
type Algorithm uint8

const (
	// KeyDefault stands for the algorithm that goes with the key.
	KeyDefault    Algorithm = iota
	RSASHA256               // RFC 6376 §3.3.2
	Ed25519SHA256           // RFC 8463
	// RSASHA1 must neither be used nor accepted (RFC 8301 §3.1); it is there for
	// those who ask for it by name.
	RSASHA1
)

var algorithms = [...]string{RSASHA256: "rsa-sha256", Ed25519SHA256: "ed25519-sha256", RSASHA1: "rsa-sha1"}

// ParseAlgorithm returns the algorithm of that name, which is case-sensitive.
func ParseAlgorithm(s string) (Algorithm, error) {
	for a := RSASHA256; int(a) < len(algorithms); a++ {
		if algorithms[a] == s {
			return a, nil
		}
	}
	return 0, fmt.Errorf("dkim: unknown algorithm %.40q", s)
}

func (a Algorithm) String() string { return algorithms[a] }

// Hash returns the hash function of the algorithm.
func (a Algorithm) Hash() crypto.Hash {
	if a == RSASHA1 {
		return crypto.SHA1
	}
	return crypto.SHA256
}

// keyType returns the k= of keys for the algorithm.
func (a Algorithm) keyType() string {
	if a == Ed25519SHA256 {
		return "ed25519"
	}
	return "rsa"
}

// Why a signature does not pass. Each stands for one status; see Result.
var (
	ErrSyntax      = errors.New("signature syntax error")      // PermError
	ErrNoKey       = errors.New("no key for signature")        // PermError
	ErrKeySyntax   = errors.New("key syntax error")            // PermError
	ErrKeyRevoked  = errors.New("key revoked")                 // PermError
	ErrKeyMismatch = errors.New("inappropriate key")           // PermError
	ErrLookup      = errors.New("key cannot be looked up")     // PermError
	ErrUnavailable = errors.New("key unavailable")             // TempError
	ErrExpired     = errors.New("signature expired")           // Fail
	ErrBody        = errors.New("body hash did not verify")    // Fail
	ErrSignature   = errors.New("signature did not verify")    // Fail
	ErrWeak        = errors.New("key too short")               // Policy
	ErrCostly      = errors.New("key too long")                // Policy
	ErrAlgorithm   = errors.New("algorithm is not acceptable") // Policy
)
