// Package dmarc decides whether a message may use the domain of its From field,
// and what the owner of that domain asks for if not (RFC 7489, RFC 9989).
//
// SPF and DKIM prove domains; DMARC asks whether one of those belongs to the same
// organization as the author's. An Evaluator finds the record of the author's
// domain, finds out which domains belong together, and compares. The two RFCs do
// the middle part differently: RFC 7489 asks a list of public suffixes, RFC 9989
// walks up the tree of the DNS and lets the records themselves say where an
// organization ends. Options chooses; everything else is common to both.
//
// AuthorDomain takes the domain from a header. It reads addresses where mail
// programs find them, whether the grammar allows it or not: several From fields, or
// addresses of two domains in one, have no single author and are an error, because
// showing one and proving the other is how it would be abused.
//
// The records are never trusted to be well formed: what cannot be read is as if it
// were not there (RFC 7489 §6.3), except for what §6.6.3 lists.
package dmarc

import (
	"context"

	"github.com/posthaste-mta/posthaste/internal/authres"
)

// Resolver looks up records. A name without texts gives none and no error. An
// error is taken for temporary unless it has a method Temporary() bool that says
// otherwise.
type Resolver interface {
	TXT(ctx context.Context, name string) ([]string, error)
	// Exists reports whether the DNS knows the domain at all: false after
	// NXDOMAIN only (RFC 8020). It is asked when a record has an np= to apply.
	Exists(ctx context.Context, domain string) (bool, error)
}

// Status is the outcome of an evaluation (RFC 7489 §11.2).
type Status string

const (
	None      Status = "none" // there is no policy
	Pass      Status = "pass"
	Fail      Status = "fail"
	TempError Status = "temperror"
	PermError Status = "permerror"
)

// Policy is what the owner of a domain asks for (RFC 7489 §6.3, p).
type Policy string

const (
	Accept     Policy = "none"
	Quarantine Policy = "quarantine"
	Reject     Policy = "reject"
)

// milder returns the next lower policy (RFC 7489 §6.6.4).
func (p Policy) milder() Policy {
	if p == Reject {
		return Quarantine
	}
	return Accept
}

// Identifier is a domain that SPF or DKIM was asked about, and the outcome in the
// words of RFC 8601 §2.7.
type Identifier struct {
	Domain string
	Result string
}

// Identifiers are what was found out about a message.
type Identifiers struct {
	SPF  Identifier // the domain of the sender, or of HELO if there was no sender
	DKIM []Identifier
}

// Alignment says what an identifier is worth.
type Alignment string

const (
	Aligned   Alignment = "pass"      // it passed, and belongs to the author
	Unaligned Alignment = "unaligned" // it passed, and does not
	Unproven  Alignment = "fail"      // it did not pass
)

// Result is what became of an evaluation.
type Result struct {
	Status Status
	// Disposition is what the owner asks for this message: Accept unless Status
	// is Fail.
	Disposition Policy
	Reason      string // why Status is Fail or an error, for our log

	From         string // the author's domain, in A-labels
	Organization string // that domain's organization; "" when it was not needed
	Domain       string // where the record stands; "" without one
	Record       *Record
	// Policy is the one of the record that applies to the author's domain, before
	// sampling and testing.
	Policy Policy
	// Selected says that the message belongs to the percentage that the policy is
	// to be applied to (RFC 7489 §6.6.4).
	Selected bool

	SPF  Alignment
	DKIM []Alignment // one for each identifier
}

// BestDKIM returns the best of the alignments of DKIM, Unproven without any.
func (r Result) BestDKIM() Alignment {
	best := Unproven
	for _, a := range r.DKIM {
		if a == Aligned {
			return Aligned
		} else if a == Unaligned {
			best = Unaligned
		}
	}
	return best
}

// Method returns the result for an Authentication-Results field (RFC 7489 §11.1).
func (r Result) Method() authres.Method {
	m := authres.Method{Name: "dmarc", Result: string(r.Status)}
	if r.Record != nil {
		m.Comment = "p=" + string(r.Policy) + " dis=" + string(r.Disposition)
	}
	switch r.Status {
	case Fail, PermError:
		m.Reason = r.Reason
	case TempError: // what our resolver had to say is nobody else's business
		m.Reason = "look-up failed"
	}
	if r.From != "" {
		m.Add("header", "from", r.From)
	}
	return m
}
