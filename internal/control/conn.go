package control

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// conn is the connection of one client. Its first byte has been looked at.
type conn struct {
	net.Conn
	raw    net.Conn // beneath TLS, if there is any
	peer   Peer
	first  []byte // to be read again
	closed sync.Once
	done   func() // when it is closed
}

func newConn(raw net.Conn, done func()) *conn {
	return &conn{Conn: raw, raw: raw, peer: peerCredentials(raw), done: done}
}

// hello makes the TLS handshake, if there is one, and returns the first byte.
func (c *conn) hello(ctx context.Context, t *tls.Config) (byte, error) {
	if err := c.SetDeadline(time.Now().Add(helloTimeout)); err != nil {
		return 0, err
	}
	if _, isUnix := c.Conn.(*net.UnixConn); t != nil && !isUnix {
		secured := tls.Server(c.Conn, t)
		c.Conn = secured
		if err := secured.HandshakeContext(ctx); err != nil {
			return 0, err
		}
		if certs := secured.ConnectionState().PeerCertificates; len(certs) > 0 {
			c.peer.Name = certs[0].Subject.String()
		}
	}
	var first [1]byte
	if _, err := io.ReadFull(c.Conn, first[:]); err != nil {
		return 0, err
	}
	c.first = first[:]
	return first[0], c.SetDeadline(time.Time{})
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	if len(c.first) > 0 && len(b) > 0 {
		n := copy(b, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// Close implements net.Conn. Calls after the first do nothing.
func (c *conn) Close() (err error) {
	c.closed.Do(func() {
		err = c.Conn.Close()
		c.done()
	})
	return err
}

// abort ends what is being read or written, from any goroutine.
func (c *conn) abort() { _ = c.raw.SetDeadline(time.Unix(1, 0)) }

// ordinaryEnd is how connections end that were only opened to see whether
// somebody answers, or that we closed ourselves.
func ordinaryEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, context.Canceled)
}
