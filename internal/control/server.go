package control

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Options say where the control socket is and who may use it.
type Options struct {
	// Path of a Unix socket, and who owns it; see listenUnix. Empty owner and
	// group mean those of the process.
	Path         string
	Owner, Group string
	Mode         fs.FileMode // zero means 0600

	// Address of a TCP socket, in place of Path.
	Address netip.AddrPort
	// TLS on the TCP socket; see ServerTLS. Nil means clear text.
	TLS *tls.Config

	// Listener is an open socket, in place of Path and Address, from whoever
	// started the process. TLS applies to it.
	Listener net.Listener

	Parts   Parts
	Events  Events
	Metrics *Metrics // nil: kept but not shown
}

const (
	maxConnections = 256              // at once; further ones wait in the backlog
	helloTimeout   = 10 * time.Second // for TLS and the first byte, and for HTTP headers
	idleTimeout    = 10 * time.Minute
)

// Server answers control clients. New makes one, Listen opens its socket, Start
// begins to serve and Stop ends it.
type Server struct {
	o        Options
	services *services
	http     http.Server
	frames   *frameServer

	listener net.Listener
	unlink   func() // takes the Unix socket away; nil: there is none
	sorted   *handover
	slots    chan struct{} // one token for each open connection; never closed

	cancel context.CancelFunc // of calls, at the end of Stop
	drain  context.CancelFunc // of waiting for further frames, at its beginning
	wg     sync.WaitGroup
}

// New returns a Server that is not listening yet.
func New(o Options) *Server {
	if o.Metrics == nil {
		o.Metrics = new(Metrics)
	}
	s := &Server{o: o, services: newServices(&o.Parts), slots: make(chan struct{}, maxConnections)}
	a := &audit{events: &s.o.Events, metrics: o.Metrics}
	s.frames = &frameServer{services: s.services, audit: a}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s.http = http.Server{
		Handler:           s.services.mux(a),
		Protocols:         &protocols,
		ReadHeaderTimeout: helloTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(faults{&s.o.Events}, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, c.(*conn).peer)
		},
	}
	return s
}

// faults turns lines of the HTTP server into events.
type faults struct{ events *Events }

func (f faults) Write(b []byte) (int, error) {
	f.events.failed(errors.New("control: " + strings.TrimSpace(string(b))))
	return len(b), nil
}

// Listen opens the socket, so that it may need more rights than Start. Clients
// that come before Start wait.
func (s *Server) Listen() (err error) {
	switch o := &s.o; {
	case o.Listener != nil:
		s.listener = o.Listener
	case o.Path != "":
		s.listener, s.unlink, err = listenUnix(o)
	case o.Address.Addr().IsValid():
		s.listener, err = net.Listen("tcp", o.Address.String())
	case o.Address.Port() != 0: // on all addresses
		s.listener, err = net.Listen("tcp", fmt.Sprintf(":%d", o.Address.Port()))
	default:
		err = errors.New("neither a path nor a port was given")
	}
	if err != nil {
		return fmt.Errorf("control: listen: %w", err)
	}
	return nil
}

// Addr returns the address of the socket. It is valid after Listen.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Start serves until Stop.
func (s *Server) Start(ctx context.Context) {
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.frames.draining, s.drain = context.WithCancel(ctx)
	s.http.BaseContext = func(net.Listener) context.Context { return ctx }
	s.sorted = &handover{conns: make(chan net.Conn), ended: make(chan struct{}), addr: s.listener.Addr()}
	if _, isTCP := s.listener.(*net.TCPListener); isTCP && (s.o.TLS == nil || s.o.TLS.ClientAuth != tls.RequireAndVerifyClientCert) {
		if s.o.Events.Exposed != nil {
			s.o.Events.Exposed(s.listener.Addr())
		}
	}
	s.wg.Go(func() { s.accept(ctx) })
	s.wg.Go(func() { _ = s.http.Serve(s.sorted) }) // ends with http.ErrServerClosed
}

// Stop takes no more clients, gives running calls until ctx ends, then cancels
// them and waits for their end.
func (s *Server) Stop(ctx context.Context) error {
	err := s.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil // stopped before
	}
	if s.unlink != nil {
		s.unlink()
	}
	if s.cancel == nil {
		return err // never started
	}
	s.drain()
	stopped := s.http.Shutdown(ctx)
	if stopped == nil {
		stopped = s.frames.wait(ctx)
	}
	if stopped != nil {
		err = fmt.Errorf("control: calls cut short: %w", stopped)
	}
	s.cancel()
	_ = s.http.Close()
	s.wg.Wait()
	return err
}

// accept sorts connections by protocol until the listener is closed, and waits
// for those that are still being sorted or speak in frames.
func (s *Server) accept(ctx context.Context) {
	var sorting sync.WaitGroup
	defer sorting.Wait()
	for {
		s.slots <- struct{}{}
		raw, err := s.listener.Accept()
		if err != nil {
			<-s.slots
			if errors.Is(err, net.ErrClosed) {
				return
			}
			s.o.Events.failed(fmt.Errorf("control: accept: %w", err))
			if !pause(ctx) {
				return
			}
			continue
		}
		s.o.Metrics.Connections.Inc()
		c := newConn(raw, func() { s.o.Metrics.Connections.Dec(); <-s.slots })
		sorting.Go(func() { s.sort(ctx, c) })
	}
}

// pause waits a moment after a failed accept, such as for want of descriptors.
func pause(ctx context.Context) bool {
	select {
	case <-time.After(100 * time.Millisecond):
		return true
	case <-ctx.Done():
		return false
	}
}

// sort looks at the first byte of a connection and gives it to those who speak
// its protocol.
func (s *Server) sort(ctx context.Context, c *conn) {
	silence := context.AfterFunc(s.frames.draining, c.abort)
	first, err := c.hello(ctx, s.o.TLS)
	silence()
	switch {
	case err != nil:
		c.Close()
		if !ordinaryEnd(err) {
			s.o.Events.failed(fmt.Errorf("control: %s: %w", c.RemoteAddr(), err))
		}
	case isFrame(first):
		stop := context.AfterFunc(ctx, c.abort)
		s.frames.serve(ctx, c)
		stop()
	default:
		s.sorted.give(c)
	}
}

// handover is a listener whose connections come from sort.
type handover struct {
	conns chan net.Conn // never closed
	ended chan struct{} // closed by Close
	once  sync.Once
	addr  net.Addr
}

// Accept implements net.Listener.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.ended:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. The socket itself is closed by Stop.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.ended) })
	return nil
}

// Addr implements net.Listener.
func (h *handover) Addr() net.Addr { return h.addr }

// give passes a connection on, or closes it when it is too late for that.
func (h *handover) give(c *conn) {
	select {
	case h.conns <- c:
	case <-h.ended:
		c.Close()
	}
}
