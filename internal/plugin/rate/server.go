package rate

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
)

// The datagrams are packed structures: numbers that say so are in network order,
// all others in the order of the host.
const (
	version       = 1
	typeHit       = 1
	typeCount     = 2
	typeLocalHit  = 5
	namespaceSize = 64
	entrySize     = 512
	hitAnswer     = 10 // cookie, allowed, exceeded, nextexpire
	countAnswer   = 8  // cookie, count
)

// datagram returns a request as rated reads it.
func (r *Request) datagram(cookie uint32) []byte {
	kind := byte(typeHit)
	switch {
	case r.Count == 0:
		kind = typeCount
	case r.Local:
		kind = typeLocalHit
	}
	b := append(make([]byte, 0, 14+namespaceSize+entrySize), version, kind)
	b = binary.NativeEndian.AppendUint32(b, cookie)
	b = binary.BigEndian.AppendUint32(b, r.Interval)
	if r.Count > 0 {
		b = binary.BigEndian.AppendUint32(b, r.Count)
	}
	b = append(b, r.Namespace...)
	b = append(b, make([]byte, namespaceSize-len(r.Namespace))...)
	b = append(b, r.Entry...)
	return append(b, make([]byte, entrySize-len(r.Entry))...)
}

// server is a connection to one rated, with a goroutine that hands out answers.
type server struct {
	conn net.Conn

	mu      sync.Mutex
	waiting map[uint32]chan []byte // by cookie; each takes one answer
	failure error                  // why the connection has ended
	ended   chan struct{}          // closed then
}

func connect(a net.Addr) (*server, error) {
	var conn net.Conn
	var err error
	switch a := a.(type) {
	case *net.UnixAddr:
		// Bound to a name of no file, for the answer to be sent to.
		conn, err = net.DialUnix(a.Net, &net.UnixAddr{Net: a.Net, Name: "@posthaste-rate-" + rand.Text()}, a)
	case *net.UDPAddr:
		conn, err = net.DialUDP("udp", nil, a)
	}
	if err != nil {
		return nil, fmt.Errorf("rate: %w", err)
	}
	s := &server{conn: conn, waiting: map[uint32]chan []byte{}, ended: make(chan struct{})}
	go s.read()
	return s, nil
}

func (s *server) close() { s.conn.Close() }

// read hands out answers until the connection is closed. That nobody listens on
// the other side, which a datagram finds out later, ends those who wait.
func (s *server) read() {
	b := make([]byte, 64)
	for {
		n, err := s.conn.Read(b)
		if err != nil {
			s.mu.Lock()
			s.failure = fmt.Errorf("rate: %w", err)
			for cookie, c := range s.waiting {
				close(c)
				delete(s.waiting, cookie)
			}
			if errors.Is(err, net.ErrClosed) {
				close(s.ended)
				s.mu.Unlock()
				return
			}
			s.mu.Unlock()
			continue
		}
		if n < countAnswer {
			continue
		}
		cookie := binary.NativeEndian.Uint32(b)
		s.mu.Lock()
		if c := s.waiting[cookie]; c != nil {
			c <- append([]byte(nil), b[4:n]...)
			delete(s.waiting, cookie)
		}
		s.mu.Unlock()
	}
}

func (s *server) ask(ctx context.Context, cookie uint32, r Request) (Answer, error) {
	c := make(chan []byte, 1)
	s.mu.Lock()
	s.waiting[cookie] = c
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.waiting, cookie)
		s.mu.Unlock()
	}()
	if _, err := s.conn.Write(r.datagram(cookie)); err != nil {
		return Answer{}, fmt.Errorf("rate: %w", err)
	}
	select {
	case b, ok := <-c:
		if !ok {
			s.mu.Lock()
			defer s.mu.Unlock()
			return Answer{}, s.failure
		}
		return r.answer(b)
	case <-s.ended:
		return Answer{}, errClosed
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
}

// answer reads what stands behind the cookie.
func (r *Request) answer(b []byte) (Answer, error) {
	if r.Count == 0 {
		return Answer{Count: binary.NativeEndian.Uint32(b)}, nil
	}
	if len(b) < hitAnswer-4 {
		return Answer{}, errors.New("rate: an answer that is too short")
	}
	return Answer{Allowed: b[0] != 0}, nil
}
