package session

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrClientGone ends the context of a hook whose client has left.
var ErrClientGone = errors.New("session: the client has left")

// watch finds out whether a client has left while a hook runs: nobody reads from
// the connection then. A client that has sent commands ahead, such as QUIT, and
// closes its side may still want to hear the answers, so it counts as gone only
// when there is nothing more to read.
type watch struct {
	conn   net.Conn // beneath TLS
	cancel context.CancelCauseFunc
	ready  atomic.Bool // a hook runs, and all input has been read
}

// hook returns the context for the hook that is about to run: it ends when the
// session is cut off, or when the client has left and somebody has noticed.
func (s *Session) hook(ctx context.Context) context.Context {
	if s.hooks == nil {
		w := &watch{conn: s.raw}
		s.hooks, w.cancel = context.WithCancelCause(ctx)
		s.c.watch = w
	}
	s.c.watch.ready.Store(s.in.Buffered() == 0)
	return s.hooks
}

// unwatch ends the context of the hooks.
func (s *Session) unwatch() {
	if s.c.watch != nil {
		s.c.watch.cancel(nil)
	}
}

// Check looks whether the client is still there while a hook runs, and ends the
// context of the hook if it is not. It may be called at any time from anywhere,
// and costs a system call.
func (c *Connection) Check() {
	w := c.watch
	if w != nil && w.ready.Load() && gone(w.conn) {
		w.cancel(ErrClientGone)
	}
}

// gone reports whether the other side has closed the connection and everything
// that it sent has been read.
func gone(conn net.Conn) (closed bool) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Control(func(fd uintptr) {
		var one [1]byte
		n, _, err := unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		closed = err == nil && n == 0 || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.ETIMEDOUT) || errors.Is(err, unix.EPIPE)
	})
	return closed || err != nil
}
