package sink

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// maxPending is how many bytes of replies may wait for the input to run dry.
const maxPending = 4 << 10

// Ends of a conversation that are no failures.
var (
	errClose = errors.New("sink: close after the pending replies")
	errAbort = errors.New("sink: close at once")
	errReset = errors.New("sink: close with a TCP reset")
)

// conn is one connection and its conversation. Only its own goroutine uses it.
type conn struct {
	sink     *Sink
	ctx      context.Context
	nc       net.Conn
	serial   uint64
	in       *smtp.Reader
	out      []byte // replies to send
	deadline time.Time
	session
}

// session is what a conversation has come to; STARTTLS begins a new one.
type session struct {
	helo          string
	esmtp         bool
	secure        bool
	authenticated bool
	username      string
	silenced      bool // the greeting refused service: QUIT only
	messages      int  // transactions that reached the end of their body
	violations    int
	tx            transaction
}

func newConn(ctx context.Context, s *Sink, nc net.Conn) *conn {
	c := &conn{sink: s, ctx: ctx, nc: nc, serial: s.serial.Add(1)}
	c.in = smtp.NewReader(input{c})
	_, c.secure = nc.(*tls.Conn)
	return c
}

// serve holds the conversation to its end. The caller closes the connection.
func (c *conn) serve() {
	err := c.greet()
	for err == nil {
		err = c.command()
	}
	c.tx.body.discard()
	c.in.Release()
	switch {
	case errors.Is(err, errReset):
		if t, ok := rawConn(c.nc).(*net.TCPConn); ok {
			_ = t.SetLinger(0) // closing then sends RST
		}
		rawConn(c.nc).Close()
	case errors.Is(err, errClose):
		_ = c.flush() // the peer may be gone already
		c.nc.Close()  // says farewell under TLS
	}
}

// input is what the Reader of a connection reads from. Before it waits, it sends
// the replies that are pending, so those to a pipelined group leave together
// (RFC 2920 §3.2).
type input struct{ c *conn }

func (i input) Read(p []byte) (int, error) {
	if err := i.c.flush(); err != nil {
		return 0, err
	}
	i.c.extend()
	return i.c.nc.Read(p)
}

// extend moves the deadline of reads and writes. It does so once in a while
// only, because setting one costs more than looking at the clock.
func (c *conn) extend() {
	idle := c.sink.options.IdleTimeout
	now := time.Now()
	if c.deadline.Sub(now) < idle-idle/8 {
		c.deadline = now.Add(idle)
		_ = c.nc.SetDeadline(c.deadline) // fails on a closed connection, as the read will
	}
}

func (c *conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	c.extend()
	_, err := c.nc.Write(c.out)
	c.out = c.out[:0]
	return err
}

// send queues a reply.
func (c *conn) send(reply string) error {
	c.out = append(c.out, reply...)
	if len(c.out) > maxPending {
		return c.flush()
	}
	return nil
}

// stall waits for the peer to give up, for as long as that takes.
func (c *conn) stall() {
	_ = c.nc.SetDeadline(time.Time{}) // fails on a closed connection, as the read will
	_, _ = io.Copy(io.Discard, c.nc)
}

// stallUnread waits without reading, so that the peer's writes stop as well. It
// would never notice that the peer has left, and so it does not wait forever.
func (c *conn) stallUnread() {
	select {
	case <-c.ctx.Done():
	case <-time.After(maxStall):
	}
}
