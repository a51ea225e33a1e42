package session

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipe returns the two ends of a connection in memory. Unlike those of net.Pipe
// they have buffers and can be closed on one side only.
func pipe() (client, server *end) {
	a, b := newStream(), newStream()
	return &end{in: a, out: b}, &end{in: b, out: a}
}

type end struct {
	in, out *stream
	net.Conn
	writes int
}

func (e *end) Read(p []byte) (int, error)         { return e.in.read(p) }
func (e *end) SetReadDeadline(t time.Time) error  { e.in.until(&e.in.readBy, t); return nil }
func (e *end) SetWriteDeadline(t time.Time) error { e.out.until(&e.out.writeBy, t); return nil }
func (e *end) CloseWrite() error                  { e.out.end(io.EOF); return nil }
func (e *end) LocalAddr() net.Addr                { return &net.TCPAddr{} }
func (e *end) RemoteAddr() net.Addr               { return &net.TCPAddr{} }

func (e *end) Write(p []byte) (int, error) {
	e.writes++
	return e.out.write(p)
}

func (e *end) SetDeadline(t time.Time) error {
	_ = e.SetReadDeadline(t)
	return e.SetWriteDeadline(t)
}

func (e *end) Close() error {
	e.out.end(io.EOF)
	e.in.end(net.ErrClosed)
	return nil
}

// stream is one direction.
type stream struct {
	mu              sync.Mutex
	changed         sync.Cond
	buf             []byte
	store           []byte // of buf
	window          int    // bytes that fit; 0: no limit
	ended           error
	readBy, writeBy time.Time
	timers          map[*time.Time]*time.Timer
}

func newStream() *stream {
	s := &stream{timers: map[*time.Time]*time.Timer{}}
	s.changed.L = &s.mu
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case errors.Is(s.ended, net.ErrClosed):
			return 0, net.ErrClosed
		case passed(s.readBy):
			return 0, os.ErrDeadlineExceeded
		case len(s.buf) > 0:
			n := copy(p, s.buf)
			if s.buf = s.buf[n:]; len(s.buf) == 0 {
				s.buf = s.store[:0]
			}
			s.changed.Broadcast()
			return n, nil
		case s.ended != nil:
			return 0, s.ended
		}
		s.changed.Wait()
	}
}

func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		room := len(p)
		if s.window > 0 {
			room = min(room, s.window-len(s.buf))
		}
		switch {
		case s.ended != nil:
			return n, io.ErrClosedPipe
		case passed(s.writeBy):
			return n, os.ErrDeadlineExceeded
		}
		empty := len(s.buf) == 0
		if s.buf = append(s.buf, p[:room]...); empty {
			s.store = s.buf
		}
		n, p = n+room, p[room:]
		s.changed.Broadcast()
		if len(p) == 0 {
			return n, nil
		}
		s.changed.Wait()
	}
}

func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil || errors.Is(err, net.ErrClosed) {
		s.ended = err
	}
	s.changed.Broadcast()
}

func (s *stream) until(limit *time.Time, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*limit = t
	if timer := s.timers[limit]; timer != nil {
		timer.Stop()
		delete(s.timers, limit)
	}
	if !t.IsZero() {
		s.timers[limit] = time.AfterFunc(time.Until(t), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.changed.Broadcast()
		})
	}
	s.changed.Broadcast()
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }
