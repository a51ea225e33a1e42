package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Status is what people are shown of a name.
type Status struct {
	Record
	State   State
	RenewAt time.Time // zero without a certificate
	Next    time.Time // next attempt, of names that wait for one after a failure
	UsedBy  []string
}

// Status lists the names that want a certificate, in the order of the
// configuration. off says what is missing for the manager to work; stopped what
// keeps it from ordering anything.
func (m *Keeper) Status() (all []Status, off, stopped string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for i := range m.o.Wants {
		all = append(all, m.statusLocked(m.entries[m.o.Wants[i].Name], now))
	}
	if m.stopped != nil && now.Before(m.resumeAt) {
		stopped = m.stopped.Detail
	}
	return all, m.o.Off(), stopped
}

// Has reports whether there is a certificate, current or not.
func (s *Status) Has() bool { return s.has() }

// Wrong reports whether a person should look: the last attempt failed, or the
// certificate has ended.
func (s *Status) Wrong() bool { return s.FailuresInRow > 0 || s.State == Expired }

func (m *Keeper) statusLocked(e *entry, now time.Time) Status {
	s := Status{Record: *e.record, State: e.record.state(m.policy, now)}
	if e.want != nil {
		s.UsedBy = e.want.UsedBy
	}
	if s.has() {
		s.RenewAt = m.policy.renewAt(e.record)
	}
	if s.FailuresInRow > 0 {
		s.Next = later(m.policy.next(e.record), later(e.hold, m.resumeAt))
	}
	switch {
	case e.want != nil && e.want.Manual:
		s.State, s.NotAfter = Manual, e.want.Until
	case e.trying:
		s.State = Attempting
	case m.o.Off() != "":
		s.State = Disabled
	}
	return s
}

// Detail is all that is known of one name.
type Detail struct {
	Status
	Chain   []*x509.Certificate // leaf first; empty without a certificate
	Lineage string
	Left    int // new orders that our budget still allows at this moment
}

// What can be wrong with a wish for a name.
var (
	ErrUnknownName = errors.New("acme: no certificate is managed for this name")
	ErrDisabled    = errors.New("acme: certificates are not obtained")
	ErrTooMany     = errors.New("acme: too many failures")
)

// NotDueError says that a certificate is not to be renewed yet.
type NotDueError struct{ Until time.Time }

func (e *NotDueError) Error() string {
	return "not due until " + e.Until.Format("2006-01-02 15:04:05 -0700")
}

// Show returns all that is known of a name. The error wraps ErrUnknownName.
func (m *Keeper) Show(ctx context.Context, name string) (*Detail, error) {
	canonical, err := CanonicalName(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownName, name)
	}
	now := time.Now()
	m.mu.Lock()
	e := m.entries[canonical]
	if e == nil {
		m.mu.Unlock()
		return nil, fmt.Errorf("%w: %s", ErrUnknownName, canonical)
	}
	d := &Detail{Status: m.statusLocked(e, now)}
	budget, leaf, started := m.o.budget(), e.leaf, m.started
	m.mu.Unlock()
	d.Left = m.spent.left(budget, now)
	if leaf != nil {
		for _, der := range leaf.Certificate {
			if c, err := x509.ParseCertificate(der); err == nil {
				d.Chain = append(d.Chain, c)
			}
		}
	}
	if started {
		d.Lineage, _ = m.storage.Lineage(ctx, canonical)
	}
	return d, nil
}

// mostFailures of a name may reach an authority in an hour when people ask for
// retries (spec tls.md 8.2).
const mostFailures = 5

// Retry makes a name be tried at once, and begins the ladder of waits anew. It
// never renews a certificate before its time unless force is set. The channel
// yields the result of the attempt, also of one that runs already; it has room
// for it, so that nobody needs to read.
func (m *Keeper) Retry(name string, force bool) (<-chan Result, error) {
	canonical, err := CanonicalName(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownName, name)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e, now := m.entries[canonical], time.Now()
	if e == nil || !e.managed() {
		return nil, fmt.Errorf("%w: %s", ErrUnknownName, canonical)
	}
	if off := m.o.Off(); off != "" || !m.started {
		return nil, fmt.Errorf("%w: %s", ErrDisabled, off)
	}
	if !e.trying {
		if err := m.mayRetryLocked(e, force, now); err != nil {
			return nil, err
		}
		r := *e.record
		r.FailuresInRow, r.CANotBefore = 0, time.Time{}
		if !e.busy { // else the record is being changed: the wish alone will do
			e.record = &r
		}
		e.forced, e.hold = true, time.Time{}
		m.stopped, m.resumeAt = nil, time.Time{}
	}
	done := make(chan Result, 1)
	e.waiting = append(e.waiting, done)
	m.wake()
	return done, nil
}

func (m *Keeper) mayRetryLocked(e *entry, force bool, now time.Time) error {
	r := e.record
	if at := m.policy.renewAt(r); r.has() && now.Before(at) && !force {
		return &NotDueError{at}
	}
	if n := r.caFailures(now); n >= mostFailures {
		return fmt.Errorf("%w: the authority refused %s %d times in the last hour, which is as often as it allows; try later", ErrTooMany, r.Name, n)
	}
	return nil
}

// SelfCheck looks whether we reach ourselves by a name, as before an order,
// whatever the mode. It returns nil or why not.
func (m *Keeper) SelfCheck(ctx context.Context, name string) error {
	canonical, err := CanonicalName(name)
	if err != nil {
		return err
	}
	o := m.options()
	challenges := candidates(o.Challenges, canonical)
	if len(challenges) == 0 {
		return errors.New("a wildcard needs dns-01 or dns-persist-01 in pki.acme.challenges")
	}
	if p := m.checker(o).check(ctx, canonical, challenges[0], nil); p != nil {
		return p
	}
	return nil
}
