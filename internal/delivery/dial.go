package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// dial connects within the time for it. The address is that of the proxy, if
// there is one in between.
func (c *Courier) dial(ctx context.Context, a *Attempt, r route) (net.Conn, netip.AddrPort, *Outcome) {
	ctx, cancel := context.WithTimeout(ctx, r.timeouts[StageConnect])
	defer cancel()
	if p := r.proxy(); p != nil {
		return c.dialProxy(ctx, a, r, p)
	}
	c.connecting(a, Way{Source: r.source, Host: r.host})
	conn, out := c.dialHost(ctx, r)
	return conn, netip.AddrPort{}, out
}

func (c *Courier) connecting(a *Attempt, w Way) {
	if c.events.Connecting != nil {
		c.events.Connecting(a, w)
	}
}

func (c *Courier) dialHost(ctx context.Context, r route) (net.Conn, *Outcome) {
	conn, err := c.settings.Load().Dial(ctx, r.source, r.host.Addr)
	if err == nil {
		return conn, nil
	}
	if r.source != nil && isBind(err) {
		return nil, verdict(StageConnect, KindConfig, codeConfig,
			"source address "+r.source.Addr.String()+" cannot be used", fmt.Errorf("%w: %w", ErrNoSource, err))
	}
	cause := causeOf(err)
	if errors.Is(cause, errLost) {
		cause = errors.New("delivery")
	}
	return nil, verdict(StageConnect, KindNetwork, codeNoAnswer,
		"connect to "+r.host.String()+": "+networkText(err), fmt.Errorf("%w: connect to %s: %w", cause, r.host, err))
}

// isBind reports whether an error is about the source address rather than the
// way to the host. A connect that finds no free port has the same number.
func isBind(err error) bool {
	var s *os.SyscallError
	return errors.As(err, &s) && s.Syscall == "bind" && errors.Is(err, syscall.EADDRNOTAVAIL)
}

// describe says what was tried when there is no connection.
func (r *route) describe() Connection {
	info := Connection{RemoteIP: r.host.Addr.Addr(), RemotePort: r.host.Addr.Port(), RemoteMX: r.host.Name}
	if r.source != nil {
		info.LocalIP, info.LocalID = r.source.Addr, r.source.ID
	}
	return info
}

// dial opens a TCP connection from source.
func dial(ctx context.Context, source *Source, remote netip.AddrPort) (net.Conn, error) {
	// The timeouts of SMTP find a dead peer; keep-alive probes would only cost.
	d := net.Dialer{KeepAlive: -1}
	if source != nil {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source.Addr, 0))
		d.Control = func(_, _ string, raw syscall.RawConn) error {
			var err error
			if cerr := raw.Control(func(fd uintptr) { err = prepareSource(int(fd), source) }); cerr != nil {
				return cerr
			}
			return err
		}
	}
	return d.DialContext(ctx, "tcp", remote.String())
}
