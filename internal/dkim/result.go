package dkim

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/authres"
)

// Status is the outcome of a check in the words of RFC 8601 §2.7.1.
type Status string

const (
	Pass Status = "pass"
	// Fail: the signature could be checked and is wrong, or has expired.
	Fail Status = "fail"
	// Policy: it might be right, but not in a way that proves anything.
	Policy Status = "policy"
	// TempError: the key could not be had now.
	TempError Status = "temperror"
	// PermError: the signature or its key is broken, or there is no key.
	PermError Status = "permerror"
)

func statusOf(err error) Status {
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	switch {
	case err == nil:
		return Pass
	case is(ErrUnavailable, context.Canceled, context.DeadlineExceeded):
		return TempError
	case is(ErrExpired, ErrBody, ErrSignature):
		return Fail
	case is(ErrWeak, ErrCostly, ErrAlgorithm):
		return Policy
	}
	return PermError
}

// Result is what became of the check of one signature.
type Result struct {
	Status    Status
	Err       error // why Status is not Pass
	Signature *Signature
	Key       *Key // nil if the check did not come that far, or found none
	// Uncovered is how many bytes of the body lie beyond the l= of the
	// signature: anybody may have put them there.
	Uncovered int64
}

// Reason returns why the signature did not pass, as one line of text for our log,
// or "".
func (r Result) Reason() string {
	if r.Err == nil {
		return ""
	}
	return strings.Join(strings.Fields(r.Err.Error()), " ")
}

// Testing reports whether the signer says that he is only trying (RFC 6376
// §3.6.1, t=y).
func (r Result) Testing() bool { return r.Key != nil && r.Key.Testing }

// Method returns the result for an Authentication-Results field (RFC 8601
// §2.7.1).
func (r Result) Method() authres.Method {
	m := authres.Method{Name: "dkim", Result: string(r.Status), Reason: r.told(), Comment: r.comment()}
	s := r.Signature
	if s.Domain != "" {
		m.Add("header", "d", s.Domain)
	}
	if s.Identity != "" {
		m.Add("header", "i", s.Identity)
	}
	if s.Selector != "" {
		m.Add("header", "s", s.Selector)
	}
	if a, ok := s.Tags.Get("a"); ok {
		m.Add("header", "a", a)
	}
	if b, ok := s.Tags.Get("b"); ok { // RFC 6008: enough of it to tell it from others
		b = compact(b)
		m.Add("header", "b", b[:min(len(b), 8)])
	}
	return m
}

// told is the reason for others to read, without what our resolver had to say.
func (r Result) told() string {
	for _, e := range []error{ErrUnavailable, ErrLookup} {
		if errors.Is(r.Err, e) {
			return e.Error()
		}
	}
	return r.Reason()
}

// comment says what a reader should know of the key.
func (r Result) comment() string {
	if r.Key == nil {
		return ""
	}
	c := strconv.Itoa(r.Key.Bits) + "-bit key"
	if r.Key.Weak() {
		c += ", weak"
	}
	if r.Key.Testing {
		c += ", testing"
	}
	if r.Uncovered > 0 {
		c += ", " + strconv.FormatInt(r.Uncovered, 10) + " bytes of the body not signed"
	}
	return c
}
