package delivery

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dane"
	"github.com/posthaste-mta/posthaste/internal/dns"
)

// Options are the settings of a Courier.
type Options struct {
	Hostname string // what to say in EHLO where nothing else is set; empty: localhost
	// Own, if set, tells mail exchanges that are ourselves, by name or address.
	Own            func(name string, a netip.Addr) bool
	PoolSize       int        // idle connections kept; zero: none
	PoolPolicy     PoolPolicy // what pooled connections are filed under
	MaxConnections int        // what the queue allows; for metrics only
	// ProxyHoldDown is how long a proxy that failed is left alone at first; zero:
	// 10 s. It doubles up to a minute.
	ProxyHoldDown time.Duration
	Proxies       []Proxy // that transports and addresses name, to be listed though they have no use yet
	// Dial, if set, opens connections in place of the system. source is nil
	// when the system is to choose.
	Dial func(ctx context.Context, source *Source, remote netip.AddrPort) (net.Conn, error)
}

// Events are facts that leave a Courier. They are called on the goroutine of the
// attempt and must not block. Nil fields are not called.
type Events struct {
	// Connecting is called before each connect.
	Connecting func(*Attempt, Way)
	// ProxyChanged is called when a proxy goes down and when it is up again, in
	// order for each proxy, also on goroutines of the Courier.
	ProxyChanged func(ProxyStatus)
	// SourceSilent is called when an address of a proxy has reached nobody at
	// several hosts in a row, with the time for which to leave it alone.
	SourceSilent func(source netip.Addr, wait time.Duration)
}

// Way is how one connection goes.
type Way struct {
	Source *Source // nil when the system chooses
	Host   *Host
	Proxy  netip.AddrPort // zero: none in between
}

// String returns the way as logs show it: "from [192.0.2.1] to [198.51.100.2]:25
// via [203.0.113.3]:2525".
func (w Way) String() string {
	from := "any"
	if w.Source != nil {
		from = w.Source.Addr.String()
	}
	text := "from [" + from + "] to [" + w.Host.Addr.Addr().String() + "]:" + portText(w.Host.Addr.Port())
	if w.Proxy.IsValid() {
		text += " via [" + w.Proxy.Addr().String() + "]:" + portText(w.Proxy.Port())
	}
	return text
}

// Courier carries out attempts. It is safe for concurrent use.
type Courier struct {
	resolver Resolver
	events   Events
	settings atomic.Pointer[Options]
	profiles sync.Map // *Transport → *profile, emptied by Configure
	lastID   atomic.Uint64
	pool     *pool
	proxies  proxies
	metrics  Metrics

	localMu sync.Mutex
	locals  map[netip.Addr]netip.Addr // by remote address
}

// maxHosts is how many addresses one attempt goes to. A domain with more has
// others for its retries, as the order changes with them.
const maxHosts = 10

// New returns a Courier that finds hosts with r.
func New(r Resolver, o Options, e Events) *Courier {
	c := &Courier{resolver: r, events: e, locals: map[netip.Addr]netip.Addr{}}
	c.lastID.Store(rand.Uint64() >> 12) // scripts have numbers of 53 bits
	c.pool = newPool(&c.metrics)
	c.proxies = proxies{
		dial: c.probe, changed: c.proxyChanged, metrics: &c.metrics,
		all: map[proxyAt]*health{}, failing: map[netip.Addr]*run{},
	}
	c.metrics.MaxConcurrent = func() float64 { return float64(c.settings.Load().MaxConnections) }
	c.metrics.PoolMaxSize = func() float64 { return float64(c.settings.Load().PoolSize) }
	c.Configure(o)
	return c
}

// Configure replaces the settings. Attempts that run finish with the old ones.
func (c *Courier) Configure(o Options) {
	if o.Dial == nil {
		o.Dial = dial
	}
	if o.Hostname == "" {
		o.Hostname = "localhost"
	}
	c.settings.Store(&o)
	c.pool.resize(o.PoolSize)
	c.proxies.configure(o.ProxyHoldDown, o.Proxies)
	c.profiles.Clear()
	c.localMu.Lock()
	clear(c.locals)
	c.localMu.Unlock()
}

// Start begins the upkeep of the pool and of what is known of proxies, which
// ends with Stop or ctx.
func (c *Courier) Start(ctx context.Context) {
	c.proxies.start(ctx)
	c.pool.start(ctx)
}

// Stop closes the connections that idle and waits until that is done. Attempts
// should have ended before; what they hold is closed as they end.
func (c *Courier) Stop() {
	c.proxies.stop()
	c.pool.stop()
}

// Metrics returns the live counters, to be registered once.
func (c *Courier) Metrics() *Metrics { return &c.metrics }

// profile returns the settings for an attempt.
func (c *Courier) profile(a *Attempt) (*profile, error) {
	var base *profile
	if v, ok := c.profiles.Load(a.Transport); ok {
		base = v.(*profile)
	} else {
		p, err := newProfile(a.Transport)
		if err != nil {
			return nil, err
		}
		v, _ := c.profiles.LoadOrStore(a.Transport, p)
		base = v.(*profile)
	}
	if t := a.transport(); t != a.Transport {
		return base.override(t)
	}
	return base, nil
}

// Deliver tries the hosts of d in order until one takes or refuses the message.
// It ends early when ctx does.
func (c *Courier) Deliver(ctx context.Context, a *Attempt, d *Destination) Outcome {
	start := time.Now()
	out := c.deliver(ctx, a, d, 0)
	out.Duration = time.Since(start)
	return *out
}

func (c *Courier) deliver(ctx context.Context, a *Attempt, d *Destination, until Stage) *Outcome {
	p, err := c.profile(a)
	if err != nil {
		return verdict(StageConnect, KindConfig, codeConfig, "the transport cannot be used", err)
	}
	m, out := newParcel(a)
	if out != nil {
		return out
	}
	m.until = until
	var best *Outcome
	for i := range d.Hosts[:min(len(d.Hosts), maxHosts)] {
		out := c.try(ctx, m, p, &d.Hosts[i])
		if ctx.Err() != nil && out.Status != Delivered && !out.FromPeer {
			conn := out.Connection
			out = interrupted(out.Stage, context.Cause(ctx))
			out.Connection = conn
			return out
		}
		if out.Status == Delivered || out.Stage >= StageMail || until == StageAuth && out.FromPeer && out.Stage >= StageAuthCRAMMD5 {
			return out
		}
		best = better(best, out)
	}
	if best == nil {
		return verdict(StageConnect, KindConfig, codeConfig, "there is no host to connect to", nil)
	}
	return best
}

// try makes an attempt at one host, from the first source address that this
// machine has, or whose proxy answers.
func (c *Courier) try(ctx context.Context, m *parcel, p *profile, h *Host) *Outcome {
	var out *Outcome
	for _, source := range m.sources(p, h.Addr.Addr()) {
		out = c.tryFrom(ctx, m, route{profile: p, host: h, source: source})
		if !errors.Is(out.Err, ErrNoSource) && !errors.Is(out.Err, ErrProxy) {
			return out
		}
	}
	if out == nil {
		return verdict(StageConnect, KindConfig, codeConfig, "there is no source address of the host's address family", nil)
	}
	return out
}

// sources lists the addresses from which to try a host.
func (a *Attempt) sources(p *profile, remote netip.Addr) []*Source {
	if a.Source == nil {
		return p.sources(remote)
	}
	if dns.FamilyOf(a.Source.Addr) != dns.FamilyOf(remote) {
		return nil
	}
	return []*Source{a.Source}
}

// route is a way to a host.
type route struct {
	*profile
	host   *Host
	source *Source // nil: the system's choice
	// tlsa is what TLSA records demand of the host; nil: not looked up.
	tlsa *dane.Policy
}

// tryFrom sends on a pooled connection if there is one, and on a new one
// otherwise, or when the peer had closed the pooled one before it said anything
// of this message.
func (c *Courier) tryFrom(ctx context.Context, m *parcel, r route) *Outcome {
	key := c.poolKey(m.Attempt, r)
	if r.Pooling.Enabled && m.until == 0 {
		if cl := c.pool.take(key, m); cl != nil {
			cl.route = r
			out, stale := c.carry(ctx, cl, m, key)
			if !stale {
				return out
			}
			c.metrics.PoolStale.Inc()
		}
	}
	cl, out := c.open(ctx, m.Attempt, r)
	if out != nil {
		return out
	}
	out, _ = c.carry(ctx, cl, m, key)
	return out
}

// carry runs one transaction and pools or closes the connection, which is not
// the caller's any more: others may be using it. stale says that the peer had
// left before this transaction.
func (c *Courier) carry(ctx context.Context, cl *client, m *parcel, key poolKey) (out *Outcome, stale bool) {
	stop := context.AfterFunc(ctx, func() { cl.raw.Close() })
	out = cl.transact(m)
	out.Connection, stale = cl.info, cl.stale
	if !stop() {
		cl.broken = true
	}
	if stale || m.until != 0 || !cl.reusable() || !c.pool.put(key, cl) {
		cl.close()
	}
	return out, stale
}

// open connects to a host and speaks with it up to MAIL. A TLS handshake that
// fails where clear text will do is answered by a second connection without.
func (c *Courier) open(ctx context.Context, a *Attempt, r route) (*client, *Outcome) {
	if out := c.lookUpTLSA(ctx, &r); out != nil {
		return nil, out
	}
	cl, out := c.connect(ctx, a, r, nil)
	if out != nil && cl != nil && cl.fallBack {
		cl, out = c.connect(ctx, a, r, &cl.info.TLS)
	}
	return cl, out
}

// connect makes one connection. noTLS, if not nil, says why TLS is not to be
// tried. After a failure the client is closed, and only good to look at.
func (c *Courier) connect(ctx context.Context, a *Attempt, r route, noTLS *TLSInfo) (*client, *Outcome) {
	if a.MayConnect != nil && !a.MayConnect(ctx) {
		return nil, interrupted(StageConnect, context.Cause(ctx))
	}
	conn, proxy, out := c.dial(ctx, a, r)
	if out != nil {
		out.Connection = r.describe()
		out.Connection.Proxy = proxy
		return nil, out
	}
	cl := newClient(c, conn, r)
	cl.info.Proxy = proxy
	cl.describeDANE()
	if noTLS != nil {
		cl.info.TLS.Error, cl.info.TLS.Report = noTLS.Error, noTLS.Report
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	out = cl.begin(a)
	if !stop() {
		cl.broken = true
	}
	if cl.by != nil {
		out = c.judge(ctx, cl, out)
	}
	if out != nil {
		out.Connection = cl.info
		cl.close()
	}
	return cl, out
}
