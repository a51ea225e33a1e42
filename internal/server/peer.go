package server

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/posthaste-mta/posthaste/internal/proxyproto"
)

// ErrProxy says that the PROXY header was missing, broken or not expected from
// that peer.
var ErrProxy = errors.New("server: PROXY header")

// Peer is who is at the other end. Behind a proxy, Remote and Local are what
// its header says, and Proxy is the proxy.
type Peer struct {
	Listener string // id of the listener; may be empty
	Remote   netip.AddrPort
	Local    netip.AddrPort
	Proxy    netip.Addr // zero: no proxy
	TLVs     []proxyproto.TLV
	UID      int // of the process at the other end of a Unix socket
	HasUID   bool
}

// Proxy says whether a PROXY header is expected on a listener.
type Proxy struct {
	Expected bool
	From     []netip.Prefix // who may send one; empty: anyone. Others are refused
	Timeout  time.Duration  // for the header to come; 0: DefaultProxyTimeout
}

// DefaultProxyTimeout is how long a PROXY header may take.
const DefaultProxyTimeout = 10 * time.Second

// peerOf reads the addresses of the socket.
func peerOf(conn net.Conn, l *Listener) Peer {
	p := Peer{Listener: l.ID, Remote: addrPort(conn.RemoteAddr()), Local: addrPort(conn.LocalAddr())}
	if c, ok := conn.(*net.UnixConn); ok {
		p.UID, p.HasUID = peerUID(c)
	}
	return p
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func peerUID(c *net.UnixConn) (int, bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, unix.SO_PEERCRED) })
	if err != nil || failed != nil {
		return 0, false
	}
	return int(cred.Uid), true
}

// identify reads the PROXY header where one is expected. The connection that it
// returns goes on after the header; TLS, implicit or not, comes later on it.
func (l *Listener) identify(conn net.Conn) (net.Conn, Peer, error) {
	p := peerOf(conn, l)
	if !l.Proxy.Expected {
		return conn, p, nil
	}
	if !l.Proxy.trusts(p.Remote.Addr()) {
		return conn, p, fmt.Errorf("%w: %s is not a trusted proxy", ErrProxy, p.Remote.Addr())
	}
	timeout := l.Proxy.Timeout
	if timeout == 0 {
		timeout = DefaultProxyTimeout
	}
	_ = conn.SetReadDeadline(time.Now().Add(timeout))
	r := bufio.NewReaderSize(conn, proxyproto.Buffer)
	h, err := proxyproto.Read(r)
	if err != nil {
		return conn, p, fmt.Errorf("%w from %s: %w", ErrProxy, p.Remote.Addr(), err)
	}
	_ = conn.SetReadDeadline(time.Time{})
	p.proxied(h)
	return &proxiedConn{Conn: conn, rest: r}, p, nil
}

func (p Proxy) trusts(peer netip.Addr) bool {
	return len(p.From) == 0 || slices.ContainsFunc(p.From, func(n netip.Prefix) bool { return n.Contains(peer) })
}

// proxied takes over what the header says. Where the proxy speaks for itself, the
// socket's addresses stand.
func (p *Peer) proxied(h *proxyproto.Header) {
	p.Proxy, p.TLVs = p.Remote.Addr(), h.TLVs
	if !h.Local {
		p.Remote, p.Local = h.Source, h.Destination
	}
}

// proxiedConn gives what was read ahead of the end of the header first.
type proxiedConn struct {
	net.Conn
	rest *bufio.Reader // nil once it is empty
}

// SyscallConn implements syscall.Conn, for who looks at the socket itself.
func (c *proxiedConn) SyscallConn() (syscall.RawConn, error) {
	if raw, ok := c.Conn.(syscall.Conn); ok {
		return raw.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

func (c *proxiedConn) Read(b []byte) (int, error) {
	if c.rest != nil {
		if c.rest.Buffered() > 0 {
			return c.rest.Read(b[:min(len(b), c.rest.Buffered())])
		}
		c.rest = nil
	}
	return c.Conn.Read(b)
}
