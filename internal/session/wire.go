package session

import (
	"io"
	"net"
	"sync"
	"time"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// wire is the connection as a session uses it: replies wait in out until
// something is read.
type wire struct {
	conn    net.Conn // TLS, or raw
	timeout time.Duration
	out     []byte
	buffer  *[outBuffer]byte // of out, from the pool; nil: nothing to send
	broken  error            // of a write; none is tried after it
	in      int64
	sent    int64
}

const outBuffer = 4 << 10

var outBuffers = sync.Pool{New: func() any { return new([outBuffer]byte) }}

// Read sends what there is to send before it waits (RFC 2920 §3.2).
func (w *wire) Read(p []byte) (int, error) {
	if err := w.flush(); err != nil {
		return 0, err
	}
	n, err := w.conn.Read(p)
	w.in += int64(n)
	return n, err
}

// reply adds one reply to what is to be sent.
func (w *wire) reply(r smtp.Reply) error {
	if w.broken != nil {
		return w.broken
	}
	if w.buffer == nil {
		w.buffer = outBuffers.Get().(*[outBuffer]byte)
		w.out = w.buffer[:0]
	}
	w.out = r.Append(w.out)
	if len(w.out) < outBuffer/2 {
		return nil
	}
	return w.flush()
}

// flush sends what there is to send.
func (w *wire) flush() error {
	if w.buffer == nil || w.broken != nil {
		return w.broken
	}
	_ = w.conn.SetWriteDeadline(time.Now().Add(w.timeout)) // the write says what is wrong
	n, err := w.conn.Write(w.out)
	w.sent += int64(n)
	outBuffers.Put(w.buffer)
	w.buffer, w.out = nil, nil
	w.broken = err
	return err
}

// Bounds of linger.
const (
	lingerTime  = time.Second
	lingerBytes = 256 << 10
)

// linger reads on for a moment, so that the client gets our last reply: a TCP
// connection that is closed with input unread is reset, and a reset throws away
// what the other side has not read yet.
func (w *wire) linger() {
	_ = w.conn.SetReadDeadline(time.Now().Add(lingerTime))
	_, _ = io.Copy(io.Discard, io.LimitReader(w.conn, lingerBytes))
}
