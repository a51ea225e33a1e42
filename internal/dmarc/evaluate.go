package dmarc

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
)

// Options says how an Evaluator works.
type Options struct {
	// Walk finds organizations as RFC 9989 does, otherwise RFC 7489.
	Walk bool
	// Suffixes is the list that RFC 7489 needs. Nil means BuiltIn.
	Suffixes Suffixes
	// Timeout is for all look-ups of an evaluation. 0 means 15 s.
	Timeout time.Duration
	// MaxIdentifiers is how many DKIM identifiers count, from the first. 0 means
	// 8.
	MaxIdentifiers int
	// Percentile returns a number from 0 to 99, evenly spread, for records that
	// want their policy applied to a part of the mail. Nil means at random.
	Percentile func() int
}

// Evaluator evaluates messages. It is safe for concurrent use.
type Evaluator struct {
	resolver Resolver
	options  Options
}

// NewEvaluator returns an Evaluator that looks up with r.
func NewEvaluator(r Resolver, o Options) *Evaluator {
	if o.Suffixes == nil {
		o.Suffixes = BuiltIn
	}
	if o.Percentile == nil {
		o.Percentile = func() int { return rand.IntN(100) }
	}
	o.Timeout = cmp.Or(o.Timeout, 15*time.Second)
	o.MaxIdentifiers = cmp.Or(o.MaxIdentifiers, 8)
	return &Evaluator{resolver: r, options: o}
}

func (e *Evaluator) lookups() *lookups {
	return &lookups{resolver: e.resolver, known: map[string]lookup{}}
}

// Organization returns the organizational domain of a domain. With an error the
// answer may be too long a name.
func (e *Evaluator) Organization(ctx context.Context, domain string) (string, error) {
	return e.organization(ctx, e.lookups(), address.FoldDomain(domain))
}

// Walk returns the records on the way up the tree from a domain, the longest name
// first (RFC 9989 §4.10).
func (e *Evaluator) Walk(ctx context.Context, domain string) ([]Found, error) {
	return e.lookups().walk(ctx, address.FoldDomain(domain))
}

// Evaluate decides about a message of an author's domain, as AuthorDomain returns
// it.
func (e *Evaluator) Evaluate(ctx context.Context, from string, ids Identifiers) Result {
	ctx, cancel := context.WithTimeout(ctx, e.options.Timeout)
	defer cancel()
	r := Result{Status: None, Disposition: Accept, From: address.FoldDomain(from), SPF: Unproven}
	l := e.lookups()
	found, err := e.discover(ctx, l, r.From)
	switch {
	case err != nil:
		r.Status, r.Reason = TempError, err.Error()
		return r
	case found.Record == nil:
		r.Reason = "no policy"
		return r
	}
	r.Domain, r.Record = found.Domain, found.Record
	if !r.Record.usable(e.options.Walk) {
		r.Status, r.Reason = PermError, "record has no valid policy"
		return r
	}
	if r.Policy, err = e.policy(ctx, &r); err != nil {
		r.Status, r.Reason = TempError, err.Error()
		return r
	}
	r.Selected = e.options.Walk || e.options.Percentile() < r.Record.Percent
	e.align(ctx, l, &r, ids)
	if r.Status == Fail {
		r.Disposition = e.disposition(&r)
	}
	return r
}

// policy returns the one of p, sp and np that applies.
func (e *Evaluator) policy(ctx context.Context, r *Result) (Policy, error) {
	if r.Domain == r.From {
		return r.Record.Policy, nil
	}
	if r.Record.Nonexistent != "" {
		exists, err := e.resolver.Exists(ctx, r.From)
		if err := temporary(err); err != nil {
			return "", err
		}
		if err == nil && !exists {
			return r.Record.Nonexistent, nil
		}
	}
	return cmp.Or(r.Record.Subdomains, r.Record.Policy), nil
}

// disposition applies sampling or testing to the policy.
func (e *Evaluator) disposition(r *Result) Policy {
	switch {
	case e.options.Walk && r.Record.Testing: // RFC 9989 §4.7, t: do not apply it
		return Accept
	case !r.Selected:
		return r.Policy.milder()
	}
	return r.Policy
}

// align compares the identifiers with the author and sets the status.
func (e *Evaluator) align(ctx context.Context, l *lookups, r *Result, ids Identifiers) {
	a := alignment{e: e, l: l, r: r}
	r.SPF = a.of(ctx, ids.SPF, r.Record.StrictSPF)
	for _, id := range ids.DKIM[:min(len(ids.DKIM), e.options.MaxIdentifiers)] {
		r.DKIM = append(r.DKIM, a.of(ctx, id, r.Record.StrictDKIM))
	}
	switch {
	case r.SPF == Aligned || r.BestDKIM() == Aligned:
		r.Status = Pass
	case a.err != nil:
		r.Status, r.Reason = TempError, a.err.Error()
	case a.undecided: // RFC 9989 §5.3.6
		r.Status, r.Reason = TempError, "SPF or DKIM could not be decided for an aligned domain"
	default:
		r.Status, r.Reason = Fail, "neither SPF nor DKIM passed for an aligned domain"
	}
}

// alignment is the comparison of one message.
type alignment struct {
	e         *Evaluator
	l         *lookups
	r         *Result
	err       error // an organization could not be found
	undecided bool  // an aligned identifier had a temporary error
}

func (a *alignment) of(ctx context.Context, id Identifier, strict bool) Alignment {
	if id.Domain == "" || id.Result != "pass" && id.Result != "temperror" {
		return Unproven
	}
	aligned := a.belongs(ctx, address.FoldDomain(id.Domain), strict)
	switch {
	case id.Result == "temperror":
		a.undecided = a.undecided || aligned
		return Unproven
	case aligned:
		return Aligned
	}
	return Unaligned
}

// belongs reports whether a domain is in alignment with the author's (RFC 7489
// §3.1).
func (a *alignment) belongs(ctx context.Context, domain string, strict bool) bool {
	if domain == a.r.From || strict {
		return domain == a.r.From
	}
	if a.r.Organization == "" {
		if org, err := a.e.organization(ctx, a.l, a.r.From); err == nil {
			a.r.Organization = org
		} else {
			a.err = err
			return false
		}
	}
	org, err := a.e.organization(ctx, a.l, domain)
	if err != nil {
		a.err = err
		return false
	}
	return org == a.r.Organization
}
