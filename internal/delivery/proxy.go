package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/proxyproto"
)

// Proxy is a proxy that connects in our place: we tell it by a PROXY header
// where to, and from which of its addresses (spec operations.md 10.1). A pointer
// to one is nil where there is none; what points to the same settings shares
// connections.
type Proxy struct {
	Server  string // host name or address
	Port    uint16
	Version int // of the header; zero: 1
}

// String returns the proxy as server:port.
func (p *Proxy) String() string { return net.JoinHostPort(p.Server, portText(p.Port)) }

// ErrProxy is the cause of an attempt for which the proxy itself could not be
// reached. It says nothing of the destination. Once the proxy has accepted, what
// goes wrong counts against the destination: a proxy accepts before it connects.
var ErrProxy = errors.New("delivery: proxy cannot be reached")

// proxy returns the one that connections of the route go through, or nil. That
// of an address goes before that of the transport.
func (r *route) proxy() *Proxy {
	if r.source != nil && r.source.Proxy != nil {
		return r.source.Proxy
	}
	return r.Proxy
}

// locate finds the addresses of a proxy.
func (c *Courier) locate(ctx context.Context, p *Proxy) ([]netip.AddrPort, error) {
	if a, err := netip.ParseAddr(p.Server); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(a.Unmap(), p.Port)}, nil
	}
	hosts, err := c.resolver.Hosts(ctx, []string{p.Server}, dns.IPv4|dns.IPv6, dns.Seed{})
	if err != nil {
		return nil, err
	}
	var all []netip.AddrPort
	for _, h := range hosts {
		all = append(all, netip.AddrPortFrom(h.Addr, p.Port))
	}
	return all, nil
}

// dialProxy connects to the first of a proxy's addresses that answers, and tells
// it where to connect to. There is no other way to the host: mail that went out
// by our own address would come from where it should not.
func (c *Courier) dialProxy(ctx context.Context, a *Attempt, r route, p *Proxy) (net.Conn, netip.AddrPort, *Outcome) {
	all, err := c.locate(ctx, p)
	if err != nil {
		return nil, netip.AddrPort{}, proxyFailure(p, "cannot be found", err)
	}
	var at netip.AddrPort
	out := proxyFailure(p, "cannot be found", errors.New("no address"))
	for _, at = range all {
		c.connecting(a, Way{Source: r.source, Host: r.host, Proxy: at})
		conn, err := c.settings.Load().Dial(ctx, nil, at)
		if err != nil {
			out = proxyFailure(p, networkText(err), err)
			continue
		}
		if out = announce(conn, r, p); out == nil {
			return conn, at, nil
		}
		conn.Close()
	}
	return nil, at, out
}

// announce writes the header. Its source port is our own, which tells the
// connections of one source apart in the logs of both sides.
func announce(conn net.Conn, r route, p *Proxy) *Outcome {
	own, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return proxyFailure(p, "has no TCP address", err)
	}
	if r.source != nil {
		own = netip.AddrPortFrom(r.source.Addr, own.Port())
	}
	header, err := proxyproto.Append(nil, max(p.Version, 1), own, r.host.Addr)
	if err != nil {
		return verdict(StageConnect, KindConfig, codeConfig,
			"there is no source address of the host's address family to go through the proxy with", fmt.Errorf("delivery: proxy %s: %w", p, err))
	}
	err = conn.SetWriteDeadline(time.Now().Add(r.timeouts[StageConnect]))
	if err == nil {
		_, err = conn.Write(header)
	}
	if err != nil {
		return proxyFailure(p, networkText(err), err)
	}
	return nil
}

func proxyFailure(p *Proxy, why string, err error) *Outcome {
	return verdict(StageConnect, KindNetwork, codeNoAnswer, "the proxy "+p.String()+" cannot be reached: "+why,
		fmt.Errorf("%w: %s: %w", ErrProxy, p, err))
}
