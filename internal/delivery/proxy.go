package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
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

// proxy returns the one that connections of the route go through, or nil.
func (r *route) proxy() *Proxy { return r.ProxyFor(r.source) }

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
	h, up, reason := c.proxies.ask(p)
	if reason != "" {
		return nil, netip.AddrPort{}, proxyFailure(p, reason, errDown)
	}
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, proxyPatience)
	defer cancel()
	defer context.AfterFunc(up, cancel)()
	conn, at, out := c.reachProxy(ctx, a, r, p)
	switch {
	case out == nil || !errors.Is(out.Err, ErrProxy) || errors.Is(whole.Err(), context.Canceled):
	case up.Err() != nil:
		if _, _, reason = c.proxies.ask(p); reason != "" {
			out = proxyFailure(p, reason, errDown)
		}
	default:
		c.proxies.failed(h, proxyReason(out.Err))
	}
	return conn, at, out
}

// judge draws conclusions about a proxy from how a conversation through it
// began. A reset before the first byte is the proxy's; anything else that ends a
// connection so early is taken to be the host's, but not of one address for ever.
func (c *Courier) judge(ctx context.Context, cl *client, out *Outcome) *Outcome {
	var from netip.Addr
	if cl.source != nil {
		from = cl.source.Addr
	}
	switch {
	case out == nil || out.Kind != KindNetwork || out.Stage > StageBanner:
		c.proxies.spoke(cl.by, from)
	case ctx.Err() != nil:
	case errors.Is(out.Err, syscall.ECONNRESET):
		out = proxyFailure(cl.proxy(), networkText(out.Err)+" before the host said anything", out.Err)
		c.proxies.failed(cl.by, proxyReason(out.Err))
	case from.IsValid():
		if wait := c.proxies.silent(from, cl.host.Addr.Addr()); wait > 0 && c.events.SourceSilent != nil {
			c.events.SourceSilent(from, wait)
		}
	}
	return out
}

var (
	errDown      = errors.New("delivery: it was down a moment ago")
	errNoAddress = errors.New("delivery: no address")
)

// reachProxy tries the addresses of a proxy.
func (c *Courier) reachProxy(ctx context.Context, a *Attempt, r route, p *Proxy) (net.Conn, netip.AddrPort, *Outcome) {
	all, err := c.locate(ctx, p)
	if err != nil {
		return nil, netip.AddrPort{}, proxyFailure(p, "cannot be found", err)
	}
	var at netip.AddrPort
	out := proxyFailure(p, "cannot be found", errNoAddress)
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
		&proxyError{p, why, err})
}

// proxyError is an ErrProxy with its reason in words for operators.
type proxyError struct {
	proxy *Proxy
	why   string
	err   error
}

func (e *proxyError) Error() string {
	return fmt.Sprintf("%s: %s: %s: %s", ErrProxy, e.proxy, e.why, e.err)
}

func (e *proxyError) Unwrap() []error { return []error{ErrProxy, e.err} }

// proxyReason returns the words of an ErrProxy.
func proxyReason(err error) string {
	var e *proxyError
	if errors.As(err, &e) {
		return e.why
	}
	return networkText(err)
}
