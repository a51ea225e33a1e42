package server

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
)

// ErrBusy says that the server has as many connections as it may.
var ErrBusy = errors.New("server: too many connections")

// Limits bound simultaneous connections (spec config.md 3.1, concurrency). Zero
// means no bound.
type Limits struct {
	Total    int
	RemoteIP int
	Networks []NetworkLimit
}

// NetworkLimit bounds the connections from one network.
type NetworkLimit struct {
	Network netip.Prefix
	Limit   int
}

// counts knows who is connected.
type counts struct {
	total atomic.Int64

	mu       sync.Mutex
	clients  map[netip.Addr]int
	networks map[netip.Prefix]int
}

// enter counts a connection in unless there are limit already.
func (c *counts) enter(limit int) bool {
	if n := c.total.Add(1); limit > 0 && n > int64(limit) {
		c.total.Add(-1)
		return false
	}
	return true
}

func (c *counts) leave() { c.total.Add(-1) }

// enterClient counts a connection of a client in. The returned function counts
// it out again, and must be called once.
func (c *counts) enterClient(ip netip.Addr, limits Limits) (leave func(), err error) {
	var in []netip.Prefix
	for _, n := range limits.Networks {
		if n.Limit > 0 && n.Network.Contains(ip) {
			in = append(in, n.Network)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if limits.RemoteIP > 0 && c.clients[ip] >= limits.RemoteIP {
		return nil, fmt.Errorf("%w from %s: the limit is %d", ErrBusy, ip, limits.RemoteIP)
	}
	for _, n := range limits.Networks {
		if n.Limit > 0 && n.Network.Contains(ip) && c.networks[n.Network] >= n.Limit {
			return nil, fmt.Errorf("%w from %s: the limit is %d", ErrBusy, n.Network, n.Limit)
		}
	}
	c.addLocked(ip, in, +1)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.addLocked(ip, in, -1)
	}, nil
}

func (c *counts) addLocked(ip netip.Addr, in []netip.Prefix, n int) {
	if c.clients == nil {
		c.clients, c.networks = map[netip.Addr]int{}, map[netip.Prefix]int{}
	}
	add(c.clients, ip, n)
	for _, p := range in {
		add(c.networks, p, n)
	}
}

// of returns how many connections there are from a network.
func (c *counts) of(network netip.Prefix) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if network.IsSingleIP() {
		return c.clients[network.Addr()]
	}
	for ip, count := range c.clients {
		if network.Contains(ip) {
			n += count
		}
	}
	return n
}

// add keeps only keys that count something.
func add[K comparable](m map[K]int, key K, n int) {
	if m[key] += n; m[key] == 0 {
		delete(m, key)
	}
}
