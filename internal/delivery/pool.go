package delivery

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// PoolPolicy is what pooled connections are filed under, besides what they must
// share anyway (spec config.md 3.8, queues.pooling.policy).
type PoolPolicy uint8

const (
	PoolByRemoteMX PoolPolicy = iota
	PoolByRemoteIP
	PoolByGrouping // the MX name for what belongs to no grouping
)

var poolPolicyNames = []string{"remotemx", "remoteip", "grouping"}

func (p PoolPolicy) String() string { return name(poolPolicyNames, p) }

// ParsePoolPolicy reads a policy as String writes it.
func ParsePoolPolicy(s string) (PoolPolicy, error) {
	if i := slices.Index(poolPolicyNames, s); i >= 0 {
		return PoolPolicy(i), nil
	}
	return 0, fmt.Errorf("delivery: unknown pooling policy %q", s)
}

// poolKey is what a pooled connection must share with the one that is wanted.
type poolKey struct {
	value   string // by policy
	addr    netip.Addr
	local   netip.Addr // source address; zero: the system's choice
	helo    string     // of the source
	proxy   Proxy      // in between; zero: none
	port    uint16
	profile string
}

func (c *Courier) poolKey(a *Attempt, r route) poolKey {
	if !r.Pooling.Enabled {
		return poolKey{}
	}
	k := poolKey{port: r.host.Addr.Port(), profile: r.key}
	if r.source != nil {
		k.local, k.helo = r.source.Addr, r.source.Hostname
	}
	if p := r.proxy(); p != nil {
		k.proxy = *p
	}
	policy := c.settings.Load().PoolPolicy
	switch {
	case policy == PoolByGrouping && a.Grouping != "":
		k.value = a.Grouping
	case policy == PoolByRemoteIP || r.host.Name == "":
		k.addr = r.host.Addr.Addr()
	default:
		k.value = r.host.Name
	}
	// A certificate that is good for one host of a grouping says nothing about
	// another.
	if (r.TLS.Mode.verified() || a.RequireTLS) && k.value != r.host.Name {
		k.value += " " + r.host.Name
	}
	if r.TLS.Mode.dane() { // and below an authority the name may be the recipient's
		k.value += " " + r.host.Name + " " + a.Recipient.Domain
	}
	return k
}

// Idle reports whether a connection idles that the attempt could use, from its
// Source to its first host. Another attempt may take it before this one does.
func (c *Courier) Idle(a *Attempt, d *Destination) bool {
	p, err := c.profile(a)
	if err != nil || !p.Pooling.Enabled || len(d.Hosts) == 0 {
		return false
	}
	key := c.poolKey(a, route{profile: p, host: &d.Hosts[0], source: a.Source})
	now := time.Now()
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	return slices.ContainsFunc(c.pool.idle[key], func(cl *client) bool { return now.Before(cl.until) })
}

// pooled is what the pool notes on a connection that it holds.
type pooled struct {
	key        poolKey
	until      time.Time
	prev, next *client // in the order in which they came
}

// pool keeps connections that idle. A single goroutine looks through it once a
// second while there are any, so that none needs a timer.
type pool struct {
	metrics *Metrics
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	wake    chan struct{} // of capacity 1, never closed: the pool is no longer empty

	mu             sync.Mutex
	size, most     int
	stopped        bool
	idle           map[poolKey][]*client // the last to come is the last in its list
	oldest, newest *client
}

func newPool(m *Metrics) *pool {
	return &pool{metrics: m, wake: make(chan struct{}, 1), idle: map[poolKey][]*client{}, cancel: func() {}}
}

func (p *pool) start(ctx context.Context) {
	ctx, p.cancel = context.WithCancel(ctx)
	p.wg.Go(func() { p.clean(ctx) })
}

// stop closes what idles, and from now on whatever would be put in.
func (p *pool) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.cancel()
	p.wg.Wait()
	p.shed(func(*client) bool { return true })
}

// resize sets how many connections may idle and closes those beyond.
func (p *pool) resize(most int) {
	p.mu.Lock()
	p.most = most
	excess := p.size - most
	p.mu.Unlock()
	p.metrics.PoolEvicts.Add(int64(p.shed(func(*client) bool { excess--; return excess >= 0 })))
}

// clean closes what has idled for too long.
func (p *pool) clean(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		for empty := false; !empty; {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				p.metrics.PoolExpires.Add(int64(p.shed(func(c *client) bool { return !now.Before(c.until) })))
			}
			p.mu.Lock()
			empty = p.size == 0
			p.mu.Unlock()
		}
	}
}

// shed takes out the connections that match accepts, oldest first, closes them
// and returns their number.
func (p *pool) shed(match func(*client) bool) int {
	var out []*client
	p.mu.Lock()
	for c := p.oldest; c != nil; {
		next := c.next
		if match(c) {
			p.removeLocked(c)
			out = append(out, c)
		}
		c = next
	}
	p.mu.Unlock()
	for _, c := range out {
		c.hangUp()
	}
	return len(out)
}

// take finds the connection of a key that was used last and can carry m; nil if
// there is none.
func (p *pool) take(k poolKey, m *parcel) *client {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[k]
	for i := len(list) - 1; i >= 0; i-- {
		if c := list[i]; now.Before(c.until) && m.suits(c) {
			p.removeLocked(c)
			p.metrics.PoolHits.Inc()
			return c
		}
	}
	p.metrics.PoolMisses.Inc()
	return nil
}

// put takes a connection in, or reports false when there is no room for it. The
// oldest that may be closed makes room.
func (p *pool) put(k poolKey, c *client) bool {
	p.mu.Lock()
	var evicted *client
	if p.size >= p.most && p.most > 0 {
		for evicted = p.oldest; evicted != nil && evicted.Pooling.Fixed; evicted = evicted.next {
		}
		if evicted != nil {
			p.removeLocked(evicted)
			p.metrics.PoolEvicts.Inc()
		}
	}
	ok := p.size < p.most && !p.stopped
	if ok {
		c.pooled = pooled{key: k, until: time.Now().Add(c.Pooling.Timeout)}
		p.insertLocked(c)
	} else if p.most > 0 && !p.stopped {
		p.metrics.PoolSkips.Inc()
	}
	p.mu.Unlock()
	if evicted != nil {
		evicted.hangUp()
	}
	return ok
}

func (p *pool) insertLocked(c *client) {
	c.prev = p.newest
	if p.newest != nil {
		p.newest.next = c
	} else {
		p.oldest = c
	}
	p.newest = c
	p.idle[c.key] = append(p.idle[c.key], c)
	p.size++
	p.metrics.PoolSize.Set(int64(p.size))
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *pool) removeLocked(c *client) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		p.oldest = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		p.newest = c.prev
	}
	c.prev, c.next = nil, nil
	list := p.idle[c.key]
	i := slices.Index(list, c)
	if list = slices.Delete(list, i, i+1); len(list) == 0 {
		delete(p.idle, c.key)
	} else {
		p.idle[c.key] = list
	}
	p.size--
	p.metrics.PoolSize.Set(int64(p.size))
}
