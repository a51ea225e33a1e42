package delivery_test

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// half is one direction of a connection: a buffer without limit.
type half struct {
	mu       sync.Mutex
	change   sync.Cond
	data     []byte
	closed   bool // by the writer: what is there can still be read
	broken   bool // by the reader: writes fail
	deadline time.Time
	timer    *time.Timer
}

func newHalf() *half {
	h := &half{}
	h.change.L = &h.mu
	return h
}

func (h *half) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.broken:
			return 0, net.ErrClosed
		case !h.deadline.IsZero() && !time.Now().Before(h.deadline):
			return 0, os.ErrDeadlineExceeded
		case len(h.data) > 0:
			n := copy(p, h.data)
			h.data = h.data[n:]
			return n, nil
		case h.closed:
			return 0, io.EOF
		}
		h.change.Wait()
	}
}

func (h *half) write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.broken {
		return 0, io.ErrClosedPipe
	}
	h.data = append(h.data, p...)
	h.change.Broadcast()
	return len(p), nil
}

func (h *half) buffered() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.data)
}

func (h *half) set(f func(*half)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(h)
	h.change.Broadcast()
}

// memConn is one end of a connection in memory, which has deadlines and works
// with synthetic time.
type memConn struct {
	in, out     *half
	local, peer netip.AddrPort
	onWrite     func(n int)
}

func pipe(local, peer netip.AddrPort) (client, server *memConn) {
	a, b := newHalf(), newHalf()
	return &memConn{in: a, out: b, local: local, peer: peer}, &memConn{in: b, out: a, local: peer, peer: local}
}

func (c *memConn) Read(p []byte) (int, error) { return c.in.read(p) }

func (c *memConn) Write(p []byte) (int, error) {
	if c.onWrite != nil {
		c.onWrite(len(p))
	}
	return c.out.write(p)
}

func (c *memConn) Close() error {
	c.in.set(func(h *half) { h.broken = true })
	c.out.set(func(h *half) { h.closed = true })
	return nil
}

func (c *memConn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.local) }
func (c *memConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.peer) }

func (c *memConn) SetDeadline(t time.Time) error {
	return c.SetReadDeadline(t)
}

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.in.set(func(h *half) {
		h.deadline = t
		if h.timer != nil {
			h.timer.Stop()
		}
		if !t.IsZero() {
			h.timer = time.AfterFunc(time.Until(t), func() { h.set(func(*half) {}) })
		}
	})
	return nil
}

// SetWriteDeadline has nothing to do: writes never block.
func (c *memConn) SetWriteDeadline(time.Time) error { return nil }
