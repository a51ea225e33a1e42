package acme

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Record is what is known about one name, and what is kept of it over restarts
// (spec tls.md 6.1). Times that are zero have not come to pass.
type Record struct {
	Name string `json:"name"`

	// Of the certificate, as long as there is one.
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	Serial    string    `json:"serial,omitempty"`
	Issuer    string    `json:"issuer,omitempty"`
	Profile   string    `json:"profile,omitempty"`
	Directory string    `json:"directory,omitempty"` // of the authority
	Account   string    `json:"account,omitempty"`   // that ordered it
	ARI       ARI       `json:"ari,omitzero"`
	// NoReplaces: the next order must not say which certificate it replaces,
	// because the authority refused the last one for that.
	NoReplaces bool `json:"no_replaces,omitempty"`
	// Notified is the shortest rest of life that expiry hooks were told of.
	Notified time.Duration `json:"notified,omitempty"`

	// Of attempts.
	FirstFailure  time.Time `json:"first_failure,omitzero"` // in this row
	LastFailure   *Failure  `json:"last_failure,omitempty"`
	FailuresInRow int       `json:"failures_in_row,omitempty"`
	NextAttempt   time.Time `json:"next_attempt,omitzero"`
	CANotBefore   time.Time `json:"ca_not_before,omitzero"` // what the authority asked for
	LastSuccess   time.Time `json:"last_success,omitzero"`
	History       []Attempt `json:"history,omitempty"` // newest last, at most maxHistory

	// Removed is since when nobody wants the name any more.
	Removed time.Time `json:"removed,omitzero"`
}

// ARI is what the authority said about when to renew (RFC 9773).
type ARI struct {
	Start      time.Time `json:"window_start,omitzero"`
	End        time.Time `json:"window_end,omitzero"`
	Selected   time.Time `json:"selected,omitzero"`    // the instant within that we have chosen
	RetryAfter time.Time `json:"retry_after,omitzero"` // when to ask again
	URL        string    `json:"url,omitempty"`        // explains the window
}

// Failure is why an attempt failed.
type Failure struct {
	Time    time.Time `json:"time"`
	Code    string    `json:"code"`    // such as "selfcheck:dns" or "acme:rateLimited"
	Message string    `json:"message"` // for people
	// SelfCheck: the authority was not asked.
	SelfCheck bool `json:"selfcheck,omitempty"`
}

// Attempt is one line of the history.
type Attempt struct {
	Time    time.Time `json:"time"`
	Code    string    `json:"code,omitempty"` // empty: it succeeded
	Message string    `json:"message,omitempty"`
	AtCA    bool      `json:"at_ca,omitempty"` // the authority was asked
}

// maxHistory bounds what is kept of attempts.
const maxHistory = 20

// State of a name.
type State string

// The states (spec tls.md 6.1).
const (
	Disabled    State = "disabled"     // not set up
	Pending     State = "pending"      // never tried
	Attempting  State = "attempting"   // being tried now
	Valid       State = "valid"        // has a certificate that is not due
	Due         State = "due"          // is to be renewed
	Failed      State = "failed"       // has none, and the last attempt failed
	RenewFailed State = "renew-failed" // has one, and the last attempt failed
	Expired     State = "expired"      // the one it has is past its time
	Paused      State = "paused"       // the authority wants a person to act
	Manual      State = "manual"       // configured, not obtained
)

// has reports whether there is a certificate, current or not.
func (r *Record) has() bool { return !r.NotAfter.IsZero() }

// state derives the state of a name that is not being tried at this moment.
func (r *Record) state(p *policy, now time.Time) State {
	failed := r.FailuresInRow > 0
	switch {
	case failed && r.LastFailure != nil && r.LastFailure.Code == codePaused:
		return Paused
	case r.has() && now.After(r.NotAfter):
		return Expired
	case r.has() && failed:
		return RenewFailed
	case failed:
		return Failed
	case !r.has():
		return Pending
	case !now.Before(p.renewAt(r)):
		return Due
	}
	return Valid
}

// fail notes a failed attempt that ended now.
func (r *Record) fail(p *policy, f *Failure, problem *Problem, now time.Time, jitter float64) {
	f.Time = now
	if r.FailuresInRow == 0 {
		r.FirstFailure = now
	}
	r.FailuresInRow++
	r.LastFailure = f
	r.remember(Attempt{Time: now, Code: f.Code, Message: f.Message, AtCA: !f.SelfCheck})
	r.CANotBefore = problem.RetryAfter
	r.NoReplaces = r.NoReplaces || problem.replacement()
	r.NextAttempt = now.Add(p.delay(r, problem.Permanent(), now, jitter))
	if r.CANotBefore.After(r.NextAttempt) {
		r.NextAttempt = r.CANotBefore
	}
}

// succeed notes a certificate that was obtained now.
func (r *Record) succeed(issued *Issued, profile string, now time.Time) {
	leaf := issued.Leaf
	history := r.History
	*r = Record{
		Name: r.Name, NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, Serial: serialOf(leaf),
		Issuer: issuerOf(leaf), Profile: profile, Directory: issued.Directory, Account: issued.Account,
		LastSuccess: now, History: history,
	}
	r.remember(Attempt{Time: now, AtCA: true})
}

func (r *Record) remember(a Attempt) {
	r.History = append(r.History, a)
	if over := len(r.History) - maxHistory; over > 0 {
		r.History = append([]Attempt(nil), r.History[over:]...)
	}
}

// caFailures counts the attempts of the last hour that failed at the authority.
func (r *Record) caFailures(now time.Time) (n int) {
	for _, a := range r.History {
		if a.Code != "" && a.AtCA && now.Sub(a.Time) < time.Hour {
			n++
		}
	}
	return n
}

// loadRecord returns the record of a name, a new one when there is none.
func loadRecord(ctx context.Context, s Storage, name string) (*Record, error) {
	data, err := s.Load(ctx, recordKey(name))
	if errors.Is(err, ErrAbsent) {
		return &Record{Name: name}, nil
	}
	if err != nil {
		return nil, err
	}
	r := new(Record)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("acme: state of %s is damaged: %w", name, err)
	}
	r.Name = name
	return r, nil
}

func (r *Record) store(ctx context.Context, s Storage) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("acme: state of %s: %w", r.Name, err)
	}
	return s.Store(ctx, recordKey(r.Name), append(data, '\n'))
}
