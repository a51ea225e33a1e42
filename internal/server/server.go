// Package server takes connections: it owns the listening sockets, reads PROXY
// headers, counts clients against the limits, and drains.
//
// What is said on a connection is none of its business. Each one that passes is
// given to the Begin function, which returns the Conversation to run; package
// session has the one for SMTP. One goroutine per socket accepts, one per
// connection serves.
package server

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Conversation is what happens on one connection.
type Conversation interface {
	// Serve runs until the conversation is over and closes the connection. It
	// ends early when the context does.
	Serve(context.Context)
	// Drain asks it to come to an end: at once when nothing is going on, else
	// after the message that is being received.
	Drain()
}

// Options are what a Server is built from.
type Options struct {
	ID        string
	Listeners []*Listener
	// Begin takes a connection that has passed all checks. It must not block.
	Begin func(net.Conn, Peer) Conversation
	// Limits returns those in force now. It is called once per connection.
	Limits func() Limits
	// Busy is written to a client that is over a limit, in clear text, before
	// the connection is closed.
	Busy    []byte
	Events  Events
	Metrics *Metrics // nil: counted but not shown
}

// Events are facts that leave the server. Nil fields are not called.
type Events struct {
	Refused  func(Peer, error)               // by a limit, or for want of a good PROXY header
	Overload func(listening bool, err error) // descriptors ran out; then again when they have been enough for a while
	Failed   func(error)                     // a listener is broken for good
}

// Server is one virtual server. Its methods are safe for concurrent use.
type Server struct {
	options Options
	metrics *Metrics
	count   counts
	ctx     context.Context // of the conversations
	cancel  context.CancelFunc
	accepts sync.WaitGroup
	serving sync.WaitGroup

	mu       sync.Mutex
	live     map[Conversation]struct{}
	draining bool
	calm     *time.Timer // calls recovered; nil: descriptors have not run out
}

// New returns a Server for listeners that are open already. It accepts nothing
// before Start.
func New(o Options) *Server {
	if o.Metrics == nil {
		o.Metrics = new(Metrics)
	}
	return &Server{options: o, metrics: o.Metrics, live: map[Conversation]struct{}{}}
}

// Start begins to accept.
func (s *Server) Start(ctx context.Context) {
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, l := range s.options.Listeners {
		s.accepts.Go(func() { s.accept(l) })
	}
}

// Stop closes the sockets, asks every conversation to end, and returns when all
// have, or when ctx has ended and they have been cut off.
func (s *Server) Stop(ctx context.Context) error {
	for _, l := range s.options.Listeners {
		l.Close()
	}
	s.accepts.Wait()
	s.drain()
	quiet := make(chan struct{}) // closed when the last conversation is over
	go func() { s.serving.Wait(); close(quiet) }()
	select {
	case <-quiet:
		s.cancel()
		return nil
	case <-ctx.Done():
		s.cancel()
		<-quiet
		return context.Cause(ctx)
	}
}

func (s *Server) drain() {
	s.mu.Lock()
	s.draining = true
	if s.calm != nil {
		s.calm.Stop()
	}
	var live []Conversation
	for c := range s.live {
		live = append(live, c)
	}
	s.mu.Unlock()
	for _, c := range live {
		c.Drain()
	}
}

// Live calls yield for each running conversation until it returns false.
func (s *Server) Live(yield func(Conversation) bool) {
	s.mu.Lock()
	var live []Conversation
	for c := range s.live {
		live = append(live, c)
	}
	s.mu.Unlock()
	for _, c := range live {
		if !yield(c) {
			return
		}
	}
}

// ID returns the name of the server.
func (s *Server) ID() string { return s.options.ID }

// Concurrency returns how many connections there are, those that say nothing of
// themselves yet included.
func (s *Server) Concurrency() int { return int(s.count.total.Load()) }

// ConcurrencyFrom returns how many of them are from a network.
func (s *Server) ConcurrencyFrom(network netip.Prefix) int { return s.count.of(network) }

// accept takes connections from one socket until it is closed.
func (s *Server) accept(l *Listener) {
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			s.admit(l, conn)
		case errors.Is(err, net.ErrClosed):
			return
		case exhausted(err):
			s.overload(err)
		default:
			s.metrics.Errors.Inc()
			if !temporary(err) {
				s.failed(err)
				return
			}
		}
	}
}

// admit counts a new connection in and serves it on a goroutine of its own.
func (s *Server) admit(l *Listener, conn net.Conn) {
	s.metrics.Accepted.Inc()
	limits := s.options.Limits()
	if !s.count.enter(limits.Total) {
		s.refuse(conn, peerOf(conn, l), l, ErrBusy)
		return
	}
	s.metrics.Concurrent.Set(s.count.total.Load())
	s.serving.Go(func() {
		defer func() {
			s.count.leave()
			s.metrics.Concurrent.Set(s.count.total.Load())
		}()
		s.serve(l, conn, limits)
	})
}

// serve finds out who the client is and runs its conversation.
func (s *Server) serve(l *Listener, conn net.Conn, limits Limits) {
	conn, peer, err := l.identify(conn)
	if err != nil {
		s.metrics.BadProxy.Inc()
		s.drop(conn, peer, err)
		return
	}
	leave, err := s.count.enterClient(peer.Remote.Addr().Unmap(), limits)
	if err != nil {
		s.refuse(conn, peer, l, err)
		return
	}
	defer leave()
	c := s.options.Begin(conn, peer)
	if !s.enlist(c) {
		c.Drain()
	}
	defer s.delist(c)
	c.Serve(s.ctx)
}

// enlist reports whether c should go on for now.
func (s *Server) enlist(c Conversation) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[c] = struct{}{}
	return !s.draining
}

func (s *Server) delist(c Conversation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, c)
}

// refuse says why and closes. The text fits the empty send buffer of a new
// connection, so the write does not wait for the client.
func (s *Server) refuse(conn net.Conn, peer Peer, l *Listener, why error) {
	s.metrics.Refused.Inc()
	if !l.implicit(peer) {
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = conn.Write(s.options.Busy)
	}
	s.drop(conn, peer, why)
}

func (s *Server) drop(conn net.Conn, peer Peer, why error) {
	conn.Close()
	if s.options.Events.Refused != nil {
		s.options.Events.Refused(peer, why)
	}
}

// How long a socket rests when descriptors have run out, and for how long they
// must not run out before that counts as over: at the limit, each client that
// leaves lets one in, and the next one fails again.
const (
	overloadPause = 100 * time.Millisecond
	overloadCalm  = 3 * time.Second
)

// overload waits for descriptors to come back. It says once that they are gone.
func (s *Server) overload(err error) {
	s.metrics.Errors.Inc()
	s.mu.Lock()
	first := s.calm == nil && !s.draining
	switch {
	case first:
		s.calm = time.AfterFunc(overloadCalm, s.recovered)
	case s.calm != nil:
		s.calm.Reset(overloadCalm)
	}
	s.mu.Unlock()
	if first && s.options.Events.Overload != nil {
		s.options.Events.Overload(false, err)
	}
	select {
	case <-time.After(overloadPause):
	case <-s.ctx.Done():
	}
}

// recovered says that descriptors have been enough for a while.
func (s *Server) recovered() {
	s.mu.Lock()
	over := s.calm != nil && !s.draining
	s.calm = nil
	s.mu.Unlock()
	if over && s.options.Events.Overload != nil {
		s.options.Events.Overload(true, nil)
	}
}

func (s *Server) failed(err error) {
	if s.options.Events.Failed != nil {
		s.options.Events.Failed(err)
	}
}

// exhausted reports whether err means that the process or the host is out of
// descriptors or memory.
func exhausted(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// temporary reports whether the next accept may go well: the client of this one
// was gone before we took it (accept(2), "Error handling").
func temporary(err error) bool {
	for _, e := range []error{
		syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR, syscall.EPROTO, syscall.EPERM,
		syscall.ENETDOWN, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ETIMEDOUT,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
