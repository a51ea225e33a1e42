package acme

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/posthaste-mta/posthaste/internal/metric"
)

// Keeper obtains and renews certificates. It is safe for concurrent use.
type Keeper struct {
	parts     Parts
	storage   Storage // set by Start
	responder *Responder
	served    sync.Map // name to []*tls.Certificate
	spent     spending
	kick      chan struct{} // holds one token while something has changed; never closed

	ctx    context.Context // of everything that runs
	cancel context.CancelFunc
	wg     sync.WaitGroup
	hooks  *hookRunner

	mu       sync.Mutex // guards what follows; never held over I/O
	o        *Options
	policy   *policy
	issuers  []Issuer
	entries  map[string]*entry
	running  int // attempts
	asking   int // questions of when to renew
	shown    int // certificates with metrics of their own
	started  bool
	stopped  *Problem  // what every order would fail with …
	resumeAt time.Time // … until then
}

// entry is one name.
type entry struct {
	record *Record // replaced, never changed
	want   *Want   // nil: nobody wants it any more
	busy   bool    // an attempt runs, or the record is being changed
	trying bool    // an attempt runs
	forced bool    // a person wants an attempt now
	hold   time.Time
	leaf   *tls.Certificate // what serves; nil: none

	waiting []chan Result
	metrics CertificateMetrics
	shown   *metric.Set
}

// managed reports whether a certificate is to be obtained.
func (e *entry) managed() bool { return e.want != nil && !e.want.Manual }

// New returns a Keeper that does nothing yet. Start it once.
func New(p Parts) *Keeper {
	if p.Metrics == nil {
		p.Metrics = new(Metrics)
	}
	m := &Keeper{
		parts: p, responder: newResponder(), kick: make(chan struct{}, 1),
		entries: map[string]*entry{}, o: new(Options), policy: new(Options).policy(),
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.hooks = newHookRunner(m.ctx, p.Events)
	m.describe()
	return m
}

// Responder answers the challenges of authorities.
func (m *Keeper) Responder() *Responder { return m.responder }

// Certificates implements pki.Obtained.
func (m *Keeper) Certificates(name string) []*tls.Certificate {
	if v, ok := m.served.Load(name); ok {
		return v.([]*tls.Certificate)
	}
	return nil
}

// Start loads what is stored, so that it serves, and then begins to work. Call
// it once. The error is about the storage; damage to single names is told as a
// warning. A Keeper that was not started knows what is wanted and has nothing.
func (m *Keeper) Start(ctx context.Context, s Storage) error {
	words, err := s.List(ctx, certsKey)
	if err != nil {
		return err
	}
	m.storage, m.spent.storage = s, s
	m.responder.use(s)
	m.Configure(m.options()) // its issuers need the storage
	for _, word := range words {
		name := nameOf(word)
		if canonical, err := CanonicalName(name); err == nil && canonical == name {
			m.adopt(ctx, name)
		}
	}
	m.spent.load(ctx)
	m.mu.Lock()
	m.started = true
	m.mu.Unlock()
	m.exportAll()
	m.wg.Go(m.work)
	return nil
}

// Started reports whether Start has succeeded.
func (m *Keeper) Started() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.started
}

// Stop ends what runs and waits for it.
func (m *Keeper) Stop() {
	m.cancel()
	m.wg.Wait()
	m.hooks.wg.Wait()
}

// Configure puts options in force. Names that are new are looked up in storage
// and tried at once; those that are gone keep what they have, and are renewed no
// more.
func (m *Keeper) Configure(o *Options) {
	m.mu.Lock()
	m.o, m.policy = o, o.policy()
	m.issuers = nil
	for _, a := range o.Authorities {
		m.issuers = append(m.issuers, m.connect(a, o))
	}
	m.stopped, m.resumeAt = nil, time.Time{}
	var fresh []string
	for i := range o.Wants {
		w := &o.Wants[i]
		if e := m.entries[w.Name]; e == nil {
			m.entries[w.Name] = &entry{record: &Record{Name: w.Name}, busy: m.started}
			fresh = append(fresh, w.Name)
		}
	}
	started := m.started
	m.settleWantsLocked()
	m.mu.Unlock()
	if started {
		for _, name := range fresh {
			m.adopt(m.ctx, name)
		}
		m.exportAll()
	}
	m.wake()
}

// settleWantsLocked marks who is wanted, and by whom.
func (m *Keeper) settleWantsLocked() {
	for _, e := range m.entries {
		e.want = nil
	}
	for i := range m.o.Wants {
		m.entries[m.o.Wants[i].Name].want = &m.o.Wants[i]
	}
	for _, e := range m.entries {
		m.showLocked(e)
	}
}

func (m *Keeper) connect(a Authority, o *Options) Issuer {
	if m.parts.Connect != nil {
		return m.parts.Connect(a)
	}
	return newClient(a, o.Email, m.storage, m.responder, o.Publisher, m.parts.Agent)
}

// adopt loads what is stored of a name and serves it.
func (m *Keeper) adopt(ctx context.Context, name string) {
	record, err := loadRecord(ctx, m.storage, name)
	if err != nil {
		m.parts.Events.warned("%v", err)
		record = &Record{Name: name}
	}
	certificate, err := m.loadPair(ctx, name)
	if err != nil && !errors.Is(err, ErrAbsent) {
		m.parts.Events.warned("%v", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[name]
	if e == nil {
		e = &entry{}
		m.entries[name] = e
	}
	e.record, e.busy = completed(record, certificate), false
	m.serveLocked(e, certificate)
	m.showLocked(e)
}

// completed makes a record agree with the pair that is there: the pair is what
// serves, and the record may have been lost or be older.
func completed(r *Record, c *tls.Certificate) *Record {
	out := *r
	if c == nil {
		out.NotBefore, out.NotAfter, out.Serial, out.ARI = time.Time{}, time.Time{}, "", ARI{}
		return &out
	}
	if out.Serial != serialOf(c.Leaf) {
		out.Serial, out.Issuer, out.ARI, out.Account = serialOf(c.Leaf), issuerOf(c.Leaf), ARI{}, ""
	}
	out.NotBefore, out.NotAfter = c.Leaf.NotBefore, c.Leaf.NotAfter
	return &out
}

func (m *Keeper) loadPair(ctx context.Context, name string) (*tls.Certificate, error) {
	pair, err := m.storage.LoadPair(ctx, name)
	if err != nil {
		return nil, err
	}
	c, err := tls.X509KeyPair(pair.Chain, pair.Key)
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// serveLocked hands a certificate to handshakes from now on.
func (m *Keeper) serveLocked(e *entry, c *tls.Certificate) {
	e.leaf = c
	if c == nil {
		m.served.Delete(e.record.Name)
		return
	}
	m.served.Store(e.record.Name, []*tls.Certificate{c})
}

// wake makes the worker look again.
func (m *Keeper) wake() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// idle is the longest that the worker sleeps: other nodes may have obtained
// something.
const idle = time.Minute

// work starts what is due until the manager stops.
func (m *Keeper) work() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-m.kick:
		case <-timer.C:
		}
		timer.Reset(m.dispatch(time.Now()))
	}
}

// due is a name and since when it waits for something.
type due struct {
	e    *entry
	at   time.Time
	what func(*entry)
}

// dispatch starts what is due at now and returns how long nothing further will
// be.
func (m *Keeper) dispatch(now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ready []due
	wait := idle
	for _, e := range m.entries {
		if e.busy {
			continue
		}
		for _, d := range m.dutiesLocked(e, now) {
			if d.at.After(now) {
				wait = min(wait, d.at.Sub(now))
			} else {
				ready = append(ready, d)
			}
		}
	}
	// Renewals have a time; names that were never tried have none and come last.
	slices.SortFunc(ready, func(a, b due) int {
		return cmp.Or(cmp.Compare(zeroLast(a.at), zeroLast(b.at)), a.at.Compare(b.at), cmp.Compare(a.e.record.Name, b.e.record.Name))
	})
	for _, d := range ready {
		if !d.e.busy {
			d.what(d.e)
		}
	}
	return wait
}

func zeroLast(t time.Time) int {
	if t.IsZero() {
		return 1
	}
	return 0
}

// dutiesLocked lists what is to be done about a name, and when.
func (m *Keeper) dutiesLocked(e *entry, now time.Time) (all []due) {
	r := e.record
	switch {
	case e.want == nil && r.Removed.IsZero():
		return []due{{e, now, m.removeLocked}}
	case e.want == nil:
		return []due{{e, r.Removed.Add(attic), m.retireLocked}}
	case e.want.Manual:
		return nil
	case !r.Removed.IsZero():
		return []due{{e, now, m.restoreLocked}}
	}
	if mark := expiryMark(r, now); r.has() && mark > 0 && (r.Notified == 0 || mark < r.Notified) {
		all = append(all, due{e, now, m.notifyLocked})
	}
	if m.o.Off() != "" || len(m.issuers) == 0 {
		return all
	}
	if r.has() && m.o.ARI && e.leaf != nil {
		all = append(all, due{e, r.ARI.RetryAfter, m.askLocked})
	}
	at := m.policy.next(r)
	if e.forced {
		at = time.Time{}
	}
	at = later(later(at, e.hold), m.resumeAt)
	return append(all, due{e, at, m.attemptLocked})
}

// attic is how long files of a name that nobody wants stay where they are:
// links in old mail still lead to it (spec tls.md 4, TLS-07).
const attic = 30 * 24 * time.Hour

// begin marks an entry as busy and runs f beside; f calls end.
func (m *Keeper) beginLocked(e *entry, f func(context.Context, *entry)) {
	e.busy = true
	m.wg.Go(func() { f(m.ctx, e) })
}

// end puts the record that came out of some work in force.
func (m *Keeper) end(e *entry, r *Record) {
	m.mu.Lock()
	e.busy, e.trying = false, false
	if r != nil {
		e.record = r
	}
	m.showLocked(e)
	m.mu.Unlock()
	m.wake()
}

// change stores a changed copy of the record of an entry.
func (m *Keeper) change(ctx context.Context, e *entry, edit func(*Record)) {
	m.mu.Lock()
	r := *e.record
	m.mu.Unlock()
	edit(&r)
	if err := r.store(ctx, m.storage); err != nil && ctx.Err() == nil {
		m.parts.Events.warned("%v", err)
	}
	m.end(e, &r)
}

func (m *Keeper) removeLocked(e *entry) {
	m.beginLocked(e, func(ctx context.Context, e *entry) {
		m.change(ctx, e, func(r *Record) { r.Removed = time.Now() })
	})
}

func (m *Keeper) restoreLocked(e *entry) {
	m.beginLocked(e, func(ctx context.Context, e *entry) {
		m.change(ctx, e, func(r *Record) { r.Removed = time.Time{} })
	})
}

func (m *Keeper) notifyLocked(e *entry) {
	name, until := e.record.Name, e.record.NotAfter
	m.beginLocked(e, func(ctx context.Context, e *entry) {
		now := time.Now()
		m.parts.Events.expiring(name, until)
		m.tell(ctx, e, EventExpiring, nil)
		m.change(ctx, e, func(r *Record) { r.Notified = expiryMark(r, now) })
	})
}

func (m *Keeper) retireLocked(e *entry) {
	m.beginLocked(e, func(ctx context.Context, e *entry) {
		name := e.record.Name
		m.tell(ctx, e, EventRemoved, nil)
		for _, x := range m.options().Exports {
			if err := x.remove(name); err != nil {
				m.parts.Events.warned("%v", err)
			}
		}
		if err := m.storage.Retire(ctx, name); err != nil {
			m.parts.Events.warned("%v", err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if e.want != nil { // somebody wants it again
			e.busy, e.record = false, &Record{Name: name}
			m.serveLocked(e, nil)
			return
		}
		m.serveLocked(e, nil)
		delete(m.entries, name)
	})
}

func (m *Keeper) options() *Options {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.o
}

// askLocked asks the authority when to renew, a few names at a time.
func (m *Keeper) askLocked(e *entry) {
	if m.asking >= mostAsking {
		return
	}
	m.asking++
	issuer, leaf := m.issuerOfLocked(e.record), e.leaf.Leaf
	m.beginLocked(e, func(ctx context.Context, e *entry) {
		window, err := issuer.RenewalInfo(ctx, leaf)
		m.mu.Lock()
		m.asking--
		m.mu.Unlock()
		m.change(ctx, e, func(r *Record) { m.noteWindow(r, window, err) })
	})
}

// mostAsking bounds the questions at once.
const mostAsking = 4

// issuerOfLocked is the authority that a certificate came from, or the first.
func (m *Keeper) issuerOfLocked(r *Record) Issuer {
	for i, a := range m.o.Authorities {
		if a.Directory == r.Directory {
			return m.issuers[i]
		}
	}
	return m.issuers[0]
}
