package dns

import (
	"context"
	"iter"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	wire "github.com/miekg/dns"

	"github.com/posthaste-mta/posthaste/internal/address"
)

// Options are the settings of a Resolver (spec config.md 3.4).
type Options struct {
	// Servers are the upstreams in order of preference. When there are none,
	// the nameserver lines of ResolvConf are used.
	Servers []netip.AddrPort
	// ResolvConf is read by New and by each Configure; empty means
	// /etc/resolv.conf. A file that is missing or names no server stands for
	// a server on loopback, as resolv.conf(5) has it.
	ResolvConf string
	// TrustAD believes the AD bit of upstreams that are not on loopback. The
	// option trust-ad of ResolvConf does the same for the servers of that file.
	TrustAD bool

	Timeout     time.Duration // per try; zero: 5 s
	Retries     int           // tries after the first; each goes to the next upstream
	Concurrency int           // queries that run at once, others wait; zero: 1000

	CacheSize       int           // answers kept; zero: none
	DomainCacheSize int           // mail domains kept with their hosts; zero: none
	MinTTL          time.Duration // floor under the TTLs of data
	MaxTTL          time.Duration // ceiling over all TTLs; zero: one day
	NegativeTTL     time.Duration // for absent names and records; zero: the SOA rule of RFC 2308
	// ServeStale is how long after its time an answer may still be used when
	// all upstreams fail (RFC 8767); zero: not at all.
	ServeStale time.Duration

	// Dial, if set, opens connections to upstreams in place of net.Dialer. A
	// connection that is no net.PacketConn carries messages framed as over TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// settings are Options made ready: one immutable snapshot per configuration.
type settings struct {
	Options
	upstreams []*upstream
	slots     chan struct{} // one entry per running query; never closed
}

// Resolver asks upstream resolvers and remembers. It is safe for concurrent use.
type Resolver struct {
	current atomic.Pointer[settings]
	answers cache[question, kept]
	domains cache[domainKey, *exchanges]
	metrics Metrics

	base   context.Context // of all flights
	cancel context.CancelFunc
	wg     sync.WaitGroup // flights

	mu      sync.Mutex
	flights map[question]*flight
	stopped bool
}

// New returns a Resolver with the given settings. The error is about a
// ResolvConf that exists and cannot be read. Stop ends it.
func New(o Options) (*Resolver, error) {
	r := &Resolver{flights: map[question]*flight{}}
	r.base, r.cancel = context.WithCancel(context.Background())
	r.answers.evicts = &r.metrics.CacheEvicts
	r.domains.evicts = &r.metrics.DomainEvicts
	r.describe()
	if err := r.Configure(o); err != nil {
		r.cancel()
		return nil, err
	}
	return r, nil
}

// Configure replaces the settings and reads ResolvConf again. Queries that run
// finish with the old ones; what is cached stays. After an error nothing has
// changed.
func (r *Resolver) Configure(o Options) error {
	o.Timeout = orDefault(o.Timeout, 5*time.Second)
	o.Concurrency = orDefault(o.Concurrency, 1000)
	o.MaxTTL = orDefault(o.MaxTTL, 24*time.Hour)
	o.Retries = max(o.Retries, 0)
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	upstreams, err := upstreams(&o)
	if err != nil {
		return err
	}
	r.current.Store(&settings{Options: o, upstreams: upstreams, slots: make(chan struct{}, o.Concurrency)})
	r.answers.resize(o.CacheSize)
	r.domains.resize(o.DomainCacheSize)
	return nil
}

func orDefault[T int | time.Duration](v, fallback T) T {
	if v <= 0 {
		return fallback
	}
	return v
}

// Stop cancels the queries that run, makes new ones fail and waits until the
// last has ended.
func (r *Resolver) Stop() {
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	r.cancel()
	r.wg.Wait()
}

// Metrics returns the live counters, to be registered once.
func (r *Resolver) Metrics() *Metrics { return &r.metrics }

func (r *Resolver) describe() {
	setting := func(get func(*settings) int) func() float64 {
		return func() float64 { return float64(get(r.current.Load())) }
	}
	m := &r.metrics
	m.MaxRunning = setting(func(s *settings) int { return s.Concurrency })
	m.CacheMaxSize = setting(func(s *settings) int { return s.CacheSize })
	m.DomainMaxSize = setting(func(s *settings) int { return s.DomainCacheSize })
	m.CacheSize = r.answers.size
	m.DomainSize = r.domains.size
}

// Clear forgets what is cached of a name and of the domains beneath it, or
// everything when name is empty. It returns how many answers that were.
func (r *Resolver) Clear(name string) int {
	name = plain(name)
	match := func(s string) bool {
		return name == "" || s == name || strings.HasSuffix(s, "."+name)
	}
	r.domains.clear(func(k domainKey) bool { return match(k.name) })
	return r.answers.clear(func(q question) bool { return match(q.name) })
}

// Cached is one entry of the cache: an answer, or why there is none.
type Cached struct {
	Name   string
	Type   Type
	Answer *Answer // nil: Err says why
	Err    error
	Until  time.Time // when it will be asked for again
}

// Cached lists what the cache holds and may still be used, in no order.
func (r *Resolver) Cached() iter.Seq[Cached] {
	return func(yield func(Cached) bool) {
		store, now := r.answers.store.Load(), time.Now()
		if store == nil {
			return
		}
		for q, k := range store.All() {
			if now.Before(k.until) && !yield(Cached{q.name, q.typ, k.answer, k.err, k.until}) {
				return
			}
		}
	}
}

// Query asks for the records of one type at one name. An answer with any
// response code is returned without error; its Err tells whether it holds what
// was asked for. The error, an *Error, is for questions that cannot be asked or
// got no answer at all, and for a cancelled ctx.
func (r *Resolver) Query(ctx context.Context, name string, t Type) (*Answer, error) {
	ascii, err := canonical(name)
	if err != nil {
		return nil, &Error{Name: name, Type: t, Reason: ErrName}
	}
	q := question{ascii, t}
	if a := loopback(q); a != nil {
		return a, nil
	}
	s := r.current.Load()
	k, ok, stale := r.lookup(q, s)
	if ok {
		return k.answer, k.err
	}
	return r.join(ctx, q, s, stale)
}

// canonical returns the form in which names are asked for and cached.
func canonical(name string) (string, error) {
	ascii, err := address.ASCIIDomain(name)
	if err != nil {
		return "", err
	}
	if _, ok := wire.IsDomainName(ascii); !ok || ascii == "" {
		return "", ErrName
	}
	return plain(ascii), nil
}

// loopback answers for localhost and the names beneath it, which never leave
// the machine (RFC 6761 §6.3). For other names it returns nil.
func loopback(q question) *Answer {
	if q.name != "localhost" && !strings.HasSuffix(q.name, ".localhost") {
		return nil
	}
	a := &Answer{Name: q.name, Type: q.typ}
	switch q.typ {
	case TypeA:
		a.Records = []Record{{q.name, TypeA, 0, netip.AddrFrom4([4]byte{127, 0, 0, 1})}}
	case TypeAAAA:
		a.Records = []Record{{q.name, TypeAAAA, 0, netip.IPv6Loopback()}}
	}
	return a
}
