package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pires/go-proxyproto"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a conversation that greets, says who the peer is and waits for one
// line or to be drained.
type echo struct {
	conn  net.Conn
	peer  Peer
	drain chan struct{}
	once  sync.Once
}

func (e *echo) Drain() { e.once.Do(func() { close(e.drain) }) }

func (e *echo) Serve(ctx context.Context) {
	defer e.conn.Close()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-e.drain:
			_, _ = io.WriteString(e.conn, "drained\n")
			e.conn.Close()
		case <-ctx.Done():
			e.conn.Close()
		case <-stop:
		}
	}()
	_, _ = io.WriteString(e.conn, "hello "+e.peer.Remote.String()+" at "+e.peer.Local.String()+"\n")
	_, _ = bufio.NewReader(e.conn).ReadString('\n')
}

// start runs a server on a loopback socket and returns it with its address.
func start(t *testing.T, l *Listener, limits Limits, events Events) (*Server, string) {
	t.Helper()
	if l.Listener == nil {
		sock, err := Socket{Address: netip.MustParseAddr("127.0.0.1")}.Open(t.Context(), "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Listener = sock
	}
	s := New(Options{
		ID: "test", Listeners: []*Listener{l}, Busy: []byte("421 busy\r\n"), Events: events,
		Limits: func() Limits { return limits },
		Begin: func(c net.Conn, p Peer) Conversation {
			return &echo{conn: c, peer: p, drain: make(chan struct{})}
		},
	})
	s.Start(t.Context())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return s, l.Addr().String()
}

func dial(t *testing.T, address string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

// say sends text. The server may have hung up already, which the test sees by
// what it reads.
func say(c net.Conn, text string) { _, _ = io.WriteString(c, text) }

func expect(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	line, err := r.ReadString('\n')
	if !strings.Contains(line, want) || err != nil && want != "" {
		t.Fatalf("got %q, %v; want %q", line, err, want)
	}
}

func expectEOF(t *testing.T, r *bufio.Reader) {
	t.Helper()
	if b, err := r.ReadByte(); err == nil {
		t.Fatalf("got byte %q, want the end", b)
	}
}

func TestTotalLimit(t *testing.T) {
	s, addr := start(t, &Listener{}, Limits{Total: 2}, Events{})
	a, ra := dial(t, addr)
	expect(t, ra, "hello")
	_, rb := dial(t, addr)
	expect(t, rb, "hello")
	_, rc := dial(t, addr)
	expect(t, rc, "421 busy")
	expectEOF(t, rc)

	say(a, "bye\n")
	expectEOF(t, ra)
	awaitConcurrent(t, s, 1)
	_, rd := dial(t, addr)
	expect(t, rd, "hello")
}

// awaitConcurrent polls for what no event tells: that a goroutine has counted
// its connection out.
func awaitConcurrent(t *testing.T, s *Server, want int64) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for s.count.total.Load() != want {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections, want %d", s.count.total.Load(), want)
		}
		runtime.Gosched()
	}
}

func TestClientLimits(t *testing.T) {
	loopback := netip.MustParsePrefix("127.0.0.0/8")
	for name, limits := range map[string]Limits{
		"address": {RemoteIP: 1},
		"network": {Networks: []NetworkLimit{{loopback, 1}, {netip.MustParsePrefix("10.0.0.0/8"), 5}}},
	} {
		t.Run(name, func(t *testing.T) {
			s, addr := start(t, &Listener{}, limits, Events{})
			_, ra := dial(t, addr)
			expect(t, ra, "hello")
			_, rb := dial(t, addr)
			expect(t, rb, "421 busy")
			awaitConcurrent(t, s, 1)
		})
	}
}

// TestCountsDoNotLeak aborts connections at every stage before a conversation
// begins (spec operations.md 26, 5).
func TestCountsDoNotLeak(t *testing.T) {
	l := &Listener{Proxy: Proxy{Expected: true}}
	s, addr := start(t, l, Limits{Total: 100, RemoteIP: 100}, Events{})
	for _, sent := range []string{"", "PRO", "garbage that is no header\r\n", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"} {
		c, _ := dial(t, addr)
		say(c, sent)
		c.Close()
	}
	awaitConcurrent(t, s, 0)
	s.count.mu.Lock()
	defer s.count.mu.Unlock()
	if n := len(s.count.clients); n != 0 {
		t.Errorf("%d clients are still counted", n)
	}
}

func TestProxyHeader(t *testing.T) {
	_, addr := start(t, &Listener{Proxy: Proxy{Expected: true}}, Limits{}, Events{})
	header := func(version byte, from, to string) string {
		f, _ := net.ResolveTCPAddr("tcp", from)
		d, _ := net.ResolveTCPAddr("tcp", to)
		b, err := proxyproto.HeaderProxyFromAddrs(version, f, d).Format()
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, c := range []struct{ name, sent, want string }{
		{"v1", header(1, "192.0.2.7:4000", "198.51.100.1:25"), "hello 192.0.2.7:4000 at 198.51.100.1:25"},
		{"v2", header(2, "192.0.2.7:4000", "198.51.100.1:25"), "hello 192.0.2.7:4000 at 198.51.100.1:25"},
		{"v2 IPv6", header(2, "[2001:db8::7]:4000", "[2001:db8::1]:25"), "hello [2001:db8::7]:4000 at [2001:db8::1]:25"},
		{"unknown", "PROXY UNKNOWN\r\n", "hello 127.0.0.1:"},
		{"broken", "EHLO me\r\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, r := dial(t, addr)
			say(conn, c.sent+"and what follows\n")
			if c.want == "" {
				expectEOF(t, r)
				return
			}
			expect(t, r, c.want)
			expectEOF(t, r) // the line after the header reached the conversation
		})
	}
}

func TestProxyFromUntrustedPeer(t *testing.T) {
	refused := make(chan error, 1)
	l := &Listener{Proxy: Proxy{Expected: true, From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}
	_, addr := start(t, l, Limits{}, Events{Refused: func(_ Peer, err error) { refused <- err }})
	conn, r := dial(t, addr)
	say(conn, "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n")
	expectEOF(t, r)
	if err := <-refused; !errors.Is(err, ErrProxy) || !strings.Contains(err.Error(), "127.0.0.1 is not a trusted proxy") {
		t.Errorf("refused because %v", err)
	}
}

func TestProxyHeaderTakesTooLong(t *testing.T) {
	refused := make(chan error, 1)
	l := &Listener{Proxy: Proxy{Expected: true, Timeout: time.Millisecond}}
	_, addr := start(t, l, Limits{}, Events{Refused: func(_ Peer, err error) { refused <- err }})
	_, r := dial(t, addr)
	expectEOF(t, r)
	if err := <-refused; !errors.Is(err, ErrProxy) {
		t.Errorf("refused because %v", err)
	}
}

func TestStopDrains(t *testing.T) {
	s, addr := start(t, &Listener{}, Limits{}, Events{})
	_, r := dial(t, addr)
	expect(t, r, "hello")
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, r, "drained")
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("the socket still accepts")
	}
}

// scripted is a listener that fails as it is told and then waits to be closed.
type scripted struct {
	errs   chan error
	closed chan struct{}
	once   sync.Once
	net.Listener
}

func (l *scripted) Accept() (net.Conn, error) {
	select {
	case err := <-l.errs:
		if err == nil {
			a, b := net.Pipe()
			b.Close()
			return a, nil
		}
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *scripted) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *scripted) Addr() net.Addr { return &net.TCPAddr{} }

// TestDescriptorsRunOut checks that the server says so once, goes on trying and
// says when it is over (spec operations.md 26, 13), and not before: now and then
// a connection gets in while they are scarce.
func TestDescriptorsRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &scripted{errs: make(chan error, 8), closed: make(chan struct{})}
		full := &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
		for _, err := range []error{full, full, nil, full, syscall.ECONNABORTED, nil, full} {
			l.errs <- err
		}
		said := make(chan bool, 8)
		start(t, &Listener{Listener: l}, Limits{}, Events{Overload: func(listening bool, _ error) { said <- listening }})
		began := time.Now()
		if first, second := <-said, <-said; first || !second {
			t.Errorf("said listening %v, then %v", first, second)
		}
		if took := time.Since(began); took != 3*overloadPause+overloadCalm {
			t.Errorf("said that it is over after %v", took)
		}
	})
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	sock := Socket{Path: path, Owner: -1, Group: -1, Mode: 0o660}
	for range 2 { // the second time over the socket that a dead process left
		l, err := sock.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		defer l.Close()
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
			t.Fatalf("mode %v, %v", info.Mode(), err)
		}
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p := peerOf(c, &Listener{})
			if !p.HasUID || p.UID != os.Getuid() {
				t.Errorf("peer is %+v", p)
			}
			c.Close()
		}()
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(c)
		c.Close()
		if _, err := sock.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("a socket in use was taken: %v", err)
		}
		l.Close()
	}
}

// TestBindErrorInTheWordsOfTheCLibrary: operators and scripts look for them.
func TestBindErrorInTheWordsOfTheCLibrary(t *testing.T) {
	s := Socket{Address: netip.MustParseAddr("192.0.2.1"), Port: 25}
	_, err := s.Open(t.Context(), s.Addresses()[0])
	if err == nil || err.Error() != "bind: Cannot assign requested address" {
		t.Errorf("error is %v", err)
	}
	s.NonLocal, s.Port = true, 0
	l, err := s.Open(t.Context(), "192.0.2.1:0")
	if err != nil {
		t.Fatalf("non-local bind: %v", err)
	}
	l.Close()
}

// TestEverywhere checks the wildcard sockets of a host that has the
// family switched off (spec operations.md 26, 4): what Addresses returns can be
// opened, and IPv4 is always among it.
func TestEverywhere(t *testing.T) {
	all := Socket{}.Addresses()
	if all[0] != "0.0.0.0:0" || len(all) > 1 != hasFamily(syscall.AF_INET6) {
		t.Errorf("addresses are %v", all)
	}
	for _, a := range all {
		l, err := Socket{Backlog: 16}.Open(t.Context(), a)
		if err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		l.Close()
	}
	if hasFamily(syscall.AF_MAX) {
		t.Error("a family that no kernel has was found")
	}
}
