// Package sink is an SMTP and LMTP server that takes mail at full speed and
// misbehaves on request. Tests and benchmarks use it as the far end of the
// world, and so does whoever tries the product out.
//
// A Sink counts what it takes (Stats, Metrics), can note which marked messages
// arrived and which came twice (package sequence), can keep messages in a
// Maildir, and tells a callback of each. Faults come from rules: replies, delays
// and lost connections at any phase, for some recipients or a percentage of
// trials (Rule), or from the recipient's own local part, as in 451@ or
// eod-550-5.7.1@. Dice are seeded, so a run can be repeated.
//
//	s, err := sink.New(sink.Options{Listen: []string{"127.0.0.1:0"}})
//	err = s.Start(ctx)
//	defer s.Stop()
//	… deliver to s.Addr() …
//	s.Stats().Messages
//
// A connection is one goroutine with a small buffer. While a body comes in it
// borrows a large one and looks for the final dot with bytes.Index, so lines are
// never looked at one by one, and replies leave together when there is nothing
// more to read.
package sink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Sink is the server. Its methods are safe for concurrent use; Start may be
// called once.
type Sink struct {
	// Metrics are the live counters.
	Metrics Metrics

	options  Options
	rules    *ruleset
	patience *patience
	store    *maildir // nil: messages are discarded
	domains  domainCounts
	started  atomic.Pointer[time.Time]
	serial   atomic.Uint64
	wg       sync.WaitGroup
	cancel   context.CancelFunc

	mu        sync.Mutex
	listeners []net.Listener
	conns     map[net.Conn]struct{}
	stopped   bool
}

// New checks the options and builds a sink. Nothing listens before Start.
func New(o Options) (*Sink, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Sink{options: o, rules: newRuleset(o.Rules, o.Seed), patience: newPatience(o.Limits, len(o.Rules)), conns: make(map[net.Conn]struct{}), cancel: func() {}}
	if o.Store != "" {
		if s.store, err = openMaildir(o.Store); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Start listens on all addresses and serves until Stop is called or ctx ends.
// On error nothing listens.
func (s *Sink) Start(ctx context.Context) error {
	for _, l := range []struct {
		addresses []string
		tls       *tls.Config
	}{{s.options.Listen, nil}, {s.options.ListenTLS, s.options.TLS}} {
		for _, address := range l.addresses {
			if err := s.listen(address, l.tls); err != nil {
				s.Stop()
				return err
			}
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	s.cancel = cancel
	now := time.Now()
	s.started.Store(&now)
	context.AfterFunc(ctx, s.closeAll)
	for _, l := range s.listeners {
		s.wg.Go(func() { s.accept(ctx, l) })
	}
	return nil
}

// Stop closes the listeners and every connection at once, and waits until all
// is quiet.
func (s *Sink) Stop() {
	s.cancel()
	s.closeAll()
	s.wg.Wait()
}

// Addr returns the address of the first listener, or nil.
func (s *Sink) Addr() net.Addr {
	if all := s.Addrs(); len(all) > 0 {
		return all[0]
	}
	return nil
}

// Addrs returns the addresses of Options.Listen, then Options.ListenTLS.
func (s *Sink) Addrs() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := make([]net.Addr, len(s.listeners))
	for i, l := range s.listeners {
		addrs[i] = l.Addr()
	}
	return addrs
}

func (s *Sink) listen(address string, config *tls.Config) error {
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
		removeStale(path)
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return fmt.Errorf("sink: %w", err)
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, l)
	return nil
}

// removeStale removes the socket that a dead process has left behind. One that
// answers is left alone, and listening then fails.
func removeStale(path string) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return
	}
	os.Remove(path)
}

// acceptPause is how long accept waits when the system is out of descriptors.
const acceptPause = 50 * time.Millisecond

func (s *Sink) accept(ctx context.Context, l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(acceptPause):
				continue
			}
		}
		s.wg.Go(func() { s.ServeConn(ctx, c) })
	}
}

// ServeConn holds one conversation over c, which need not come from a listener
// of the sink, and closes it. A connection over the limit is turned away.
func (s *Sink) ServeConn(ctx context.Context, c net.Conn) {
	defer c.Close()
	switch open, ok := s.enter(c); {
	case !ok:
		return
	case s.options.MaxConnections > 0 && open > s.options.MaxConnections:
		s.leave(c)
		s.turnAway(c)
		return
	}
	defer s.leave(c)
	unhook := context.AfterFunc(ctx, func() { rawConn(c).Close() })
	defer unhook()
	newConn(ctx, s, c).serve()
}

// enter notes an open connection and returns how many there are. It reports
// false when the sink has stopped.
func (s *Sink) enter(c net.Conn) (open int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return 0, false
	}
	s.conns[c] = struct{}{}
	open = len(s.conns)
	if limit := s.options.MaxConnections; limit <= 0 || open <= limit {
		s.Metrics.rise(int64(open))
	}
	return open, true
}

func (s *Sink) leave(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.Metrics.ConnectionsOpen.Set(int64(len(s.conns)))
}

func (s *Sink) turnAway(c net.Conn) {
	s.Metrics.ConnectionsRefused.Inc()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	// The peer may be gone already, and it is being sent away.
	_, _ = c.Write([]byte("421 4.3.2 " + s.options.Hostname + " too many connections\r\n"))
}

func (s *Sink) closeAll() {
	s.mu.Lock()
	s.stopped = true
	listeners, conns := s.listeners, slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, l := range listeners {
		l.Close()
	}
	for _, c := range conns {
		rawConn(c).Close()
	}
}

// rawConn returns what lies beneath TLS, where closing needs no farewell.
func rawConn(c net.Conn) net.Conn {
	if t, ok := c.(*tls.Conn); ok {
		return t.NetConn()
	}
	return c
}
