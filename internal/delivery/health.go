package delivery

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"
)

// ProxyStatus is what is known of one proxy.
type ProxyStatus struct {
	Proxy       string    // server:port
	Down        bool      // it is not to be used now
	Reason      string    // why it is down
	Since       time.Time // of the state; zero: it has not been used
	Next        time.Time // when it is looked at again, if it is down
	Connections int       // that are open through it, idle ones included
	Failures    int       // how often it went down
}

// proxyPatience bounds a connect to a proxy, which is near. It is long enough
// for the second SYN when the first was lost.
const proxyPatience = 3 * time.Second

// A proxy that failed is left alone for Options.ProxyHoldDown, and each time
// that it fails again for twice as long, until this (spec operations.md 10.1).
const (
	defaultHoldDown = 10 * time.Second
	longestHoldDown = time.Minute
)

// manyProxies bounds those that are remembered. Scripts may name any.
const manyProxies = 1024

// proxies knows which proxies are down. Each that is has one goroutine, which
// connects to it from time to time until that works. Before start nothing is
// remembered: tools that send one message have no use for it.
type proxies struct {
	dial    func(context.Context, *Proxy) error // one connect, to see whether it is there
	changed func(ProxyStatus)
	metrics *Metrics

	mu       sync.Mutex
	holdDown time.Duration
	all      map[proxyAt]*health
	failing  map[netip.Addr]*run // by source address
	ctx      context.Context     // of the goroutines; nil: not started
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

// proxyAt is what one proxy is known by.
type proxyAt struct {
	server string
	port   uint16
}

// health is the state of one proxy. What changes is guarded by proxies.mu.
type health struct {
	proxy       Proxy
	configured  bool
	asked       bool // somebody wanted it since the last look
	down        bool
	reason      string
	since, next time.Time
	wait        time.Duration // the last hold-down; zero since it has worked
	open        int
	failures    int
	up          context.Context // ends when it goes down: who still connects gives up
	giveUp      context.CancelFunc
}

func (p *proxies) start(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ctx, p.cancel = context.WithCancel(ctx)
}

func (p *proxies) stop() {
	p.mu.Lock()
	if p.cancel != nil {
		p.cancel()
		p.ctx = nil
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// configure says which proxies the settings name. Others are forgotten once
// nobody uses them.
func (p *proxies) configure(holdDown time.Duration, named []Proxy) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holdDown = cmp.Or(holdDown, defaultHoldDown)
	for _, h := range p.all {
		h.configured = false
	}
	for _, one := range named {
		p.ofLocked(&one).configured = true
	}
	p.forgetLocked()
}

// forgetLocked drops what no setting names and nobody uses. Those that are down
// are watched, and dropped later.
func (p *proxies) forgetLocked() {
	for at, h := range p.all {
		if !h.configured && h.open == 0 && !h.down {
			delete(p.all, at)
		}
	}
}

func (p *proxies) ofLocked(one *Proxy) *health {
	at := proxyAt{one.Server, one.Port}
	h := p.all[at]
	if h == nil {
		if len(p.all) >= manyProxies {
			p.forgetLocked()
		}
		h = &health{proxy: *one}
		h.up, h.giveUp = context.WithCancel(context.Background())
		p.all[at] = h
	}
	return h
}

// ask returns the state of a proxy before a connect, and why it is not to be
// used, if so.
func (p *proxies) ask(one *Proxy) (h *health, up context.Context, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h = p.ofLocked(one)
	h.asked = true
	if h.down {
		return h, h.up, h.reason
	}
	return h, h.up, ""
}

// opened and closed count connections.
func (p *proxies) opened(one *Proxy) *health {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.ofLocked(one)
	h.open++
	if h.since.IsZero() {
		h.since = time.Now()
	}
	return h
}

func (p *proxies) closed(h *health) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.open--
}

// failed says that a proxy cannot be used. Only the first to say so is heard.
func (p *proxies) failed(h *health, reason string) {
	p.mu.Lock()
	if p.ctx == nil || p.ctx.Err() != nil || h.down {
		p.mu.Unlock()
		return
	}
	h.down, h.reason, h.since = true, reason, time.Now()
	h.failures++
	h.postpone(p.holdDown)
	h.giveUp()
	p.all[proxyAt{h.proxy.Server, h.proxy.Port}] = h
	ctx := p.ctx
	p.wg.Add(1)
	p.metrics.ProxiesDown.Inc()
	p.metrics.ProxyFailures.Inc()
	status := h.status()
	p.mu.Unlock()
	p.changed(status)
	go func() { // only now: what it finds comes after this
		defer p.wg.Done()
		p.watch(ctx, h)
	}()
}

func (h *health) postpone(first time.Duration) {
	h.wait = min(max(2*h.wait, first), max(longestHoldDown, first))
	h.next = time.Now().Add(h.wait)
}

// watch looks at a proxy that is down until it is there again, or nobody wants
// it any more.
func (p *proxies) watch(ctx context.Context, h *health) {
	for {
		p.mu.Lock()
		wait := time.Until(h.next)
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		p.metrics.ProxyProbes.Inc()
		err := p.dial(ctx, &h.proxy)
		if ctx.Err() != nil {
			return
		}
		if p.looked(h, err) {
			return
		}
	}
}

// looked notes what a look has shown and reports whether it was the last one.
func (p *proxies) looked(h *health, err error) bool {
	p.mu.Lock()
	if err != nil && (h.configured || h.asked) {
		h.reason, h.asked = networkText(err), false
		h.postpone(p.holdDown)
		p.mu.Unlock()
		return false
	}
	h.down, h.reason, h.since, h.next = false, "", time.Now(), time.Time{}
	h.up, h.giveUp = context.WithCancel(context.Background())
	p.metrics.ProxiesDown.Dec()
	status := h.status()
	p.mu.Unlock()
	p.changed(status)
	return true
}

// spoke says that an answer of a host came through: proxy and source address
// work.
func (p *proxies) spoke(h *health, from netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.wait = 0
	delete(p.failing, from)
}

// run is how often in a row an address has reached nobody.
type run struct {
	hosts [silentHosts]netip.Addr
	n     int
	wait  time.Duration
}

// silentHosts is how many different hosts in a row a source address of a proxy
// may fail to reach before it is left alone: the proxy accepts before it
// connects, so an address that it does not have looks like hosts that are down.
const silentHosts = 3

// silent notes that a connection from an address of a proxy ended before the
// host had said anything. It returns for how long the address is to be left
// alone; zero: not at all.
func (p *proxies) silent(from, host netip.Addr) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.failing[from]
	if r == nil {
		if len(p.failing) >= manyProxies {
			clear(p.failing)
		}
		r = &run{}
		p.failing[from] = r
	}
	if slices.Contains(r.hosts[:r.n], host) {
		return 0
	}
	if r.hosts[r.n], r.n = host, r.n+1; r.n < silentHosts {
		return 0
	}
	r.n = 0
	r.wait = min(max(2*r.wait, p.holdDown), max(longestHoldDown, p.holdDown))
	return r.wait
}

func (h *health) status() ProxyStatus {
	return ProxyStatus{
		Proxy: h.proxy.String(), Down: h.down, Reason: h.reason, Since: h.since, Next: h.next,
		Connections: h.open, Failures: h.failures,
	}
}

// Proxies lists the proxies that the settings name, and those in use, by name.
func (c *Courier) Proxies() []ProxyStatus {
	c.proxies.mu.Lock()
	defer c.proxies.mu.Unlock()
	var out []ProxyStatus
	for _, h := range c.proxies.all {
		out = append(out, h.status())
	}
	slices.SortFunc(out, func(a, b ProxyStatus) int { return cmp.Compare(a.Proxy, b.Proxy) })
	return out
}

// proxyChanged tells the world, after it has closed what idles through a proxy
// that is down.
func (c *Courier) proxyChanged(s ProxyStatus) {
	if s.Down {
		c.pool.shed(func(cl *client) bool { return cl.key.proxy.Server != "" && cl.key.proxy.String() == s.Proxy })
	}
	if c.events.ProxyChanged != nil {
		c.events.ProxyChanged(s)
	}
}

// errTurnedAway is a proxy that accepts connections only to close them.
var errTurnedAway = errors.New("delivery: closed at once")

// probeWait is how long a proxy has to turn us away after it has accepted.
const probeWait = 200 * time.Millisecond

// probe connects to a proxy and hangs up, without a header, so that it connects
// to nobody.
func (c *Courier) probe(ctx context.Context, p *Proxy) error {
	ctx, cancel := context.WithTimeout(ctx, proxyPatience)
	defer cancel()
	all, err := c.locate(ctx, p)
	if err != nil {
		return err
	}
	err = errNoAddress
	for _, at := range all {
		conn, cerr := c.settings.Load().Dial(ctx, nil, at)
		if cerr != nil {
			err = cerr
			continue
		}
		defer conn.Close()
		if err = conn.SetReadDeadline(time.Now().Add(probeWait)); err != nil {
			return err
		}
		_, err = conn.Read(make([]byte, 1))
		switch {
		case errors.Is(causeOf(err), ErrTimeout):
			return nil
		case errors.Is(err, syscall.ECONNRESET):
			return err
		}
		err = errTurnedAway
	}
	return err
}
