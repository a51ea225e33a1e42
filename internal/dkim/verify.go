package dkim

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/posthaste-mta/posthaste/internal/message"
)

// VerifyOptions says what a Verifier takes upon itself.
type VerifyOptions struct {
	// MaxSignatures is how many signatures of a message are checked, from the
	// top; the others are as if they were not there. 0 means 8.
	MaxSignatures int
	// MaxHeader is how many bytes of header Message reads. Signatures of a message
	// with more do not pass. 0 means 1 MB.
	MaxHeader int
	// Timeout is for the look-up of one key. 0 means 5 s.
	Timeout time.Duration
	// SHA1 accepts rsa-sha1, against RFC 8301 §3.1.
	SHA1 bool
}

// Verifier checks signatures. It is safe for concurrent use.
type Verifier struct {
	resolver Resolver
	options  VerifyOptions
}

// NewVerifier returns a Verifier that looks up keys with r.
func NewVerifier(r Resolver, o VerifyOptions) *Verifier {
	o.MaxSignatures = cmp.Or(o.MaxSignatures, 8)
	o.MaxHeader = cmp.Or(o.MaxHeader, 1<<20)
	o.Timeout = cmp.Or(o.Timeout, 5*time.Second)
	return &Verifier{resolver: r, options: o}
}

// Check is one signature on its way to a Result.
type Check struct {
	Signature *Signature
	Err       error // of parsing it
}

// Checks returns the DKIM signatures of a header, from top to bottom, and tells
// the body which hashes they need. The body must not have been read yet.
func (v *Verifier) Checks(h *Header, b *Body) []Check {
	var checks []Check
	for _, f := range h.fields {
		if !f.Is(DKIM.Field()) {
			continue
		}
		if len(checks) == v.options.MaxSignatures {
			break
		}
		checks = append(checks, v.Check(h.Raw(f), b))
	}
	return checks
}

// Check does the same for one field, a DKIM-Signature or ARC-Message-Signature
// with its name.
func (v *Verifier) Check(field []byte, b *Body) Check {
	var c Check
	c.Signature, c.Err = ParseSignature(field)
	if c.Err == nil && c.Signature.Algorithm == RSASHA1 && !v.options.SHA1 {
		c.Err = fmt.Errorf("%w: %s", ErrAlgorithm, RSASHA1)
	}
	if c.Err == nil {
		b.Want(c.Signature.BodyHash())
	}
	return c
}

// Verify finishes checks when the body is closed. Keys are looked up side by
// side. The results are in the order of the checks.
func (v *Verifier) Verify(ctx context.Context, h *Header, b *Body, checks ...Check) []Result {
	results := make([]Result, len(checks))
	var wait sync.WaitGroup
	for i, c := range checks[:max(len(checks)-1, 0)] {
		wait.Go(func() { results[i] = v.verify(ctx, h, b, c) })
	}
	if last := len(checks) - 1; last >= 0 { // the only one, mostly
		results[last] = v.verify(ctx, h, b, checks[last])
	}
	wait.Wait()
	return results
}

func (v *Verifier) verify(ctx context.Context, h *Header, b *Body, c Check) Result {
	r := Result{Signature: c.Signature, Err: c.Err}
	if r.Err == nil {
		r.Err = v.prove(ctx, h, b, &r)
	}
	r.Status = statusOf(r.Err)
	return r
}

// prove does the steps of RFC 6376 §6.1, those that need no look-up first.
func (v *Verifier) prove(ctx context.Context, h *Header, b *Body, r *Result) error {
	s := r.Signature
	if !s.Expires.IsZero() && time.Now().After(s.Expires) {
		return fmt.Errorf("%w on %s", ErrExpired, s.Expires.UTC().Format(time.DateTime))
	}
	have, err := b.Sum(s.BodyHash())
	switch {
	case errors.Is(err, ErrBodyLength):
		return fmt.Errorf("%w: %w", ErrBody, err)
	case err != nil:
		return err
	case !bytes.Equal(have, s.BodyHashed):
		return ErrBody
	}
	if s.Length >= 0 {
		r.Uncovered = b.Length(s.Body) - s.Length
	}
	if r.Key, err = v.Key(ctx, s.Domain, s.Selector); err != nil {
		return err
	}
	if r.Key.Strict && s.Kind == DKIM && !sameDomain(s.Identity, s.Domain) {
		return fmt.Errorf("%w: not for subdomains", ErrKeyMismatch) // RFC 6376 §3.6.1, t=s
	}
	return r.Key.Verify(s.Algorithm, s.signedBytes(h), s.Data)
}

func sameDomain(identity, domain string) bool {
	n := len(identity) - len(domain)
	return n > 0 && identity[n-1] == '@' && isBelow(identity[n:], domain)
}

// Message checks the DKIM signatures of a whole message of the given size. The
// error is that of reading.
func (v *Verifier) Message(ctx context.Context, r io.ReaderAt, size int64) ([]Result, error) {
	block, _, err := message.ReadHeader(r, size, v.options.MaxHeader)
	if err != nil {
		return nil, err
	}
	h, b := NewHeader(block), new(Body)
	checks := v.Checks(h, b)
	if len(checks) == 0 {
		return nil, nil
	}
	if err := ReadBody(b, r, size, len(block)); err != nil {
		return nil, err
	}
	return v.Verify(ctx, h, b, checks...), nil
}

// ReadBody gives b the body of a message whose header block has that length, and
// closes it.
func ReadBody(b *Body, r io.ReaderAt, size int64, header int) error {
	// The empty line behind the header is no part of the body.
	at := int64(header)
	var end [2]byte
	n, err := r.ReadAt(end[:min(2, size-at)], at)
	if err != nil && err != io.EOF {
		return fmt.Errorf("dkim: read body: %w", err)
	}
	switch {
	case n > 0 && end[0] == '\n':
		at++
	case n > 1 && end[0] == '\r' && end[1] == '\n':
		at += 2
	}
	if _, err := b.ReadFrom(io.NewSectionReader(r, at, size-at)); err != nil {
		return fmt.Errorf("dkim: read body: %w", err)
	}
	return b.Close()
}
