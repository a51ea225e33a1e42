package acme

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Result is how an attempt ended.
type Result struct {
	Name     string
	NotAfter time.Time // of what was obtained
	Failure  *Failure  // nil: it succeeded
}

// attemptLocked begins an attempt when there is room.
func (m *Keeper) attemptLocked(e *entry) {
	if m.running >= m.o.concurrency() {
		return
	}
	m.running++
	e.trying = true
	m.beginLocked(e, m.attempt)
}

// attempt tries a name once, under its lock: of several processes with one
// storage only one does.
func (m *Keeper) attempt(ctx context.Context, e *entry) {
	r, result := m.locked(ctx, e)
	m.mu.Lock()
	m.running--
	waiting := e.waiting
	if result != nil {
		e.waiting, e.forced = nil, false
	} else {
		waiting = nil
	}
	m.mu.Unlock()
	m.end(e, r)
	for _, w := range waiting {
		w <- *result // has room for one
	}
}

// locked returns the record after an attempt and its result; nil when there was
// no attempt yet, because of a budget or the end of the process.
func (m *Keeper) locked(ctx context.Context, e *entry) (*Record, *Result) {
	name := e.record.Name
	unlock, err := m.storage.Lock(ctx, "name."+Word(name))
	if err != nil {
		return nil, m.unlockable(ctx, e, err)
	}
	defer unlock()
	r, err := loadRecord(ctx, m.storage, name)
	if err != nil {
		r = e.record
	}
	old, err := m.loadPair(ctx, name)
	if err != nil && !errors.Is(err, ErrAbsent) && ctx.Err() == nil {
		m.parts.Events.warned("%v", err)
	}
	r = completed(r, old)
	m.mu.Lock()
	if e.forced { // a person looks: the ladder begins anew
		r.FailuresInRow, r.CANotBefore = 0, time.Time{}
	}
	m.mu.Unlock()
	if old != nil && r.NotAfter.After(e.record.NotAfter) { // another node was faster
		m.serve(ctx, e, r, old, nil)
		return r, &Result{Name: name, NotAfter: r.NotAfter}
	}
	return m.try(ctx, e, r, old)
}

// unlockable is what comes of a lock that cannot be had.
func (m *Keeper) unlockable(ctx context.Context, e *entry, err error) *Result {
	if ctx.Err() != nil {
		return nil
	}
	m.mu.Lock()
	e.hold = time.Now().Add(time.Minute)
	m.mu.Unlock()
	m.parts.Events.warned("acme: %s: %v", e.record.Name, err)
	return nil
}

// try makes one attempt and writes down what came of it.
func (m *Keeper) try(ctx context.Context, e *entry, r *Record, old *tls.Certificate) (*Record, *Result) {
	issued, key, problem := m.order(ctx, e, r, old)
	if ctx.Err() != nil {
		return nil, nil // interrupted, which is nobody's failure
	}
	if problem != nil && problem.Code == codeBudget {
		m.mu.Lock()
		e.hold = problem.RetryAfter
		m.mu.Unlock()
		return nil, nil
	}
	now := time.Now()
	if problem == nil {
		if next, err := m.publish(ctx, e, r, issued, key); err != nil {
			problem = problemOf(err)
		} else {
			return next, &Result{Name: r.Name, NotAfter: next.NotAfter}
		}
	}
	next := *r
	f := &Failure{Code: problem.Code, SelfCheck: isSelfCheck(problem), Message: verb(r) + " failed: " + problem.Detail}
	m.mu.Lock()
	p := m.policy
	if problem.ofAccount() {
		m.stopped, m.resumeAt = problem, now.Add(p.delay(&next, true, now, 0))
	}
	m.mu.Unlock()
	next.fail(p, f, problem, now, rand.Float64())
	if err := next.store(ctx, m.storage); err != nil {
		m.parts.Events.warned("%v", err)
	}
	m.count(f)
	m.parts.Events.failed(r.Name, f.Code, f.Message, next.NextAttempt)
	m.tell(ctx, e, EventFailed, f)
	return &next, &Result{Name: r.Name, Failure: f}
}

// verb is what an attempt is called.
func verb(r *Record) string {
	if r.has() {
		return "Renewal"
	}
	return "Registration"
}

func isSelfCheck(p *Problem) bool {
	return len(p.Code) > 10 && p.Code[:10] == "selfcheck:" || p.Code == codeReserved
}

func (m *Keeper) count(f *Failure) {
	if f.SelfCheck {
		m.parts.Metrics.Unchecked.Inc()
	} else {
		m.parts.Metrics.Failed.Inc()
	}
}

// order looks at ourselves and then asks one authority after the other.
func (m *Keeper) order(ctx context.Context, e *entry, r *Record, old *tls.Certificate) (*Issued, crypto.Signer, *Problem) {
	m.mu.Lock()
	o, issuers := m.o, m.issuers
	m.mu.Unlock()
	challenges := candidates(o.Challenges, r.Name)
	if len(challenges) == 0 {
		return nil, nil, &Problem{Code: codeNoSolution, Detail: "a wildcard needs dns-01 or dns-persist-01 in pki.acme.challenges"}
	}
	if len(issuers) == 0 {
		return nil, nil, &Problem{Code: codeInternal, Detail: "no authority is configured"}
	}
	if o.Authorities[0].public() {
		if err := notPublic(r.Name); err != nil {
			return nil, nil, &Problem{Code: codeReserved, Detail: err.Error()}
		}
	}
	if p := m.check(ctx, o, issuers[0], r.Name, challenges); p != nil {
		return nil, nil, p
	}
	if p := m.spend(ctx, o, old != nil); p != nil {
		return nil, nil, p
	}
	key, err := m.keyFor(ctx, o, r.Name)
	if err != nil {
		return nil, nil, problemOf(err)
	}
	request := &Order{Name: r.Name, Key: key, Challenges: challenges, Profile: o.Profile}
	if old != nil && o.ARI && !r.NoReplaces {
		request.Replaces, request.ReplacesAccount = old.Leaf, r.Account
	}
	issued, problem := ask(ctx, issuers, request)
	return issued, key, problem
}

// ask goes to the next authority when one fails for reasons of its own.
func ask(ctx context.Context, issuers []Issuer, o *Order) (issued *Issued, problem *Problem) {
	for i, issuer := range issuers {
		var err error
		if issued, err = issuer.Obtain(ctx, o); err == nil {
			return issued, nil
		}
		p := problemOf(err)
		if i == 0 {
			problem = p
		} else {
			problem.Detail += fmt.Sprintf("; authority %d: %s", i+1, p.Detail)
		}
		if !p.atAuthority() {
			break
		}
	}
	return nil, problem
}

// check looks at ourselves. In the mode CheckWarn a failure is told and ignored.
func (m *Keeper) check(ctx context.Context, o *Options, first Issuer, name string, challenges []string) *Problem {
	if o.Check.Mode == CheckOff {
		return nil
	}
	c := m.checker(o)
	var ours []string
	if d, err := first.Describe(ctx); err == nil { // one that does not answer is told of by the order
		ours = d.CAAIdentities
	}
	p := c.check(ctx, name, challenges[0], ours)
	if p != nil && o.Check.Mode == CheckWarn {
		m.parts.Events.warned("acme: %s: %s", name, p.Detail)
		return nil
	}
	return p
}

func (m *Keeper) checker(o *Options) *checker {
	c := &checker{Check: o.Check, resolver: o.Check.Resolver, responder: m.responder, agent: m.parts.Agent}
	if c.resolver == nil {
		c.resolver = m.parts.Resolver
	}
	return c
}

// patience is how long an attempt waits for its place in the budget; longer
// waits are spent outside of the few workers.
const patience = 30 * time.Second

// spend takes one order from the budget.
func (m *Keeper) spend(ctx context.Context, o *Options, renewal bool) *Problem {
	for {
		wait := m.spent.take(ctx, o.budget(), renewal, time.Now())
		switch {
		case wait <= 0:
			return nil
		case wait > patience:
			return &Problem{Code: codeBudget, RetryAfter: time.Now().Add(wait)}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return problemOf(ctx.Err())
		}
	}
}

// keyFor returns the key for an order: the one that serves, where it is to be
// kept and is of the right kind, or a new one.
func (m *Keeper) keyFor(ctx context.Context, o *Options, name string) (crypto.Signer, error) {
	if o.ReuseKey != nil && o.ReuseKey(name) {
		if pair, err := m.storage.LoadPair(ctx, name); err == nil {
			if key, err := parseKey(pair.Key); err == nil && o.KeyType.is(key) {
				return key, nil
			}
		}
	}
	return o.KeyType.make()
}

// publish stores what was obtained and serves it. What comes after must not make
// the attempt fail: the certificate is there.
func (m *Keeper) publish(ctx context.Context, e *entry, r *Record, issued *Issued, key crypto.Signer) (*Record, error) {
	text, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	pair := &Pair{Key: text, Chain: issued.Chain}
	c, err := tls.X509KeyPair(pair.Chain, pair.Key)
	if err != nil {
		return nil, fmt.Errorf("acme: the authority's certificate for %s: %w", r.Name, err)
	}
	ctx = never(ctx)
	if err := m.storage.StorePair(ctx, r.Name, pair); err != nil {
		return nil, err
	}
	renewed := r.has()
	next := *r
	next.succeed(issued, m.options().Profile, time.Now())
	next.ARI.RetryAfter = time.Now().Add(rand.N(leastARI)) // ask soon, not all at once
	if err := next.store(ctx, m.storage); err != nil {
		m.parts.Events.warned("%v", err)
	}
	kind := EventObtained
	if renewed {
		kind = EventRenewed
		m.parts.Metrics.Renewed.Inc()
	} else {
		m.parts.Metrics.Obtained.Inc()
	}
	m.serve(ctx, e, &next, &c, pair)
	m.parts.Events.obtained(r.Name, next.NotAfter, renewed)
	m.tell(ctx, e, kind, nil)
	return &next, nil
}

// serve exports a pair and hands it to handshakes. A nil pair is read again.
func (m *Keeper) serve(ctx context.Context, e *entry, r *Record, c *tls.Certificate, pair *Pair) {
	if pair == nil {
		pair, _ = m.storage.LoadPair(ctx, r.Name)
	}
	if pair != nil {
		m.export(r.Name, pair, m.options().Exports)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e.record = r
	m.serveLocked(e, c)
}

// export copies a pair for other programs.
func (m *Keeper) export(name string, pair *Pair, exports []Export) {
	for i := range exports {
		if _, err := exports[i].write(name, pair); err != nil {
			m.parts.Events.warned("%v", err)
		}
	}
}

// exportAll brings the exports up to date with what serves.
func (m *Keeper) exportAll() {
	m.mu.Lock()
	exports := m.o.Exports
	var names []string
	for name, e := range m.entries {
		if len(exports) > 0 && e.managed() && e.leaf != nil {
			names = append(names, name)
		}
	}
	m.mu.Unlock()
	for _, name := range names {
		if pair, err := m.storage.LoadPair(m.ctx, name); err == nil {
			m.export(name, pair, exports)
		}
	}
}

// tell announces what has happened to hooks.
func (m *Keeper) tell(ctx context.Context, e *entry, kind EventKind, f *Failure) {
	m.mu.Lock()
	hooks, r, c := m.o.Hooks, e.record, e.leaf
	m.mu.Unlock()
	event := Event{Kind: kind, Name: r.Name, Serial: r.Serial, NotAfter: r.NotAfter}
	if c != nil {
		event.SHA256, event.SPKI = fingerprint(c.Certificate[0]), fingerprint(c.Leaf.RawSubjectPublicKeyInfo)
	}
	if lineage, err := m.storage.Lineage(ctx, r.Name); err == nil {
		event.Lineage = lineage
	}
	if f != nil {
		event.Error, event.ErrorCode = f.Message, f.Code
	}
	switch kind {
	case EventObtained, EventRenewed, EventRemoved:
		m.hooks.tell(hooks.Deploy, event)
	case EventFailed:
		m.hooks.tell(hooks.Failure, event)
	case EventExpiring:
		m.hooks.tell(hooks.Expiry, event)
	}
}

// noteWindow writes down when the authority wants a renewal, and chooses the
// instant: once for each window.
func (m *Keeper) noteWindow(r *Record, w Window, err error) {
	now := time.Now()
	if err != nil { // the last window stays
		r.ARI.RetryAfter = nextARI(time.Time{}, now)
		return
	}
	r.ARI.RetryAfter, r.ARI.URL = nextARI(w.RetryAfter, now), w.URL
	if r.ARI.Start.Equal(w.Start) && r.ARI.End.Equal(w.End) && !r.ARI.Selected.IsZero() {
		return
	}
	before := r.ARI.Selected
	r.ARI.Start, r.ARI.End = w.Start, w.End
	r.ARI.Selected = choose(w.Start, w.End, now, rand.Float64())
	if !before.IsZero() && r.ARI.Selected.Before(before) && w.End.Before(before) {
		m.parts.Events.moved(r.Name, r.ARI.Selected, w.URL)
	}
}
