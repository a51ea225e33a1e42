package socket_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/certificate"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/socket"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var library = value.NewLibrary(nil, value.Declarations{Classes: append(socket.Classes(nil), certificate.Classes()...)})

// machine returns a machine on which o() is what source gives. PORT in sources
// stands for the port of a listener, and ADDRESS for its address or path.
type machine struct {
	*stdlibtest.Machine
	replace *strings.Replacer
}

func newMachine(t *testing.T, listener net.Addr, source string, setup value.Setup) machine {
	m := machine{stdlibtest.New(t, library, setup), strings.NewReplacer()}
	switch a := listener.(type) {
	case *net.TCPAddr:
		m.replace = strings.NewReplacer("PORT", strconv.Itoa(a.Port), "ADDRESS", a.IP.String())
	case *net.UDPAddr:
		m.replace = strings.NewReplacer("PORT", strconv.Itoa(a.Port), "ADDRESS", a.IP.String())
	case *net.UnixAddr:
		m.replace = strings.NewReplacer("ADDRESS", a.Name)
	}
	v, err := m.Eval(m.replace.Replace(source))
	if err != nil {
		t.Fatal(err)
	}
	m.Functions = map[string]func([]value.Value) (value.Value, error){"o": func([]value.Value) (value.Value, error) { return v, nil }}
	return m
}

func (m machine) check(t *testing.T, cases []stdlibtest.Case) {
	t.Helper()
	for i := range cases {
		cases[i][0] = m.replace.Replace(cases[i][0])
	}
	m.Check(t, cases)
}

// listen returns a listener whose connections are each served by f.
func listen(t *testing.T, network, address string, f func(net.Conn)) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all []net.Conn
	var wg sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range all {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			all = append(all, c)
			mu.Unlock()
			wg.Go(func() { f(c); c.Close() })
		}
	})
	return l
}

// echo answers each line with itself until there is none.
func echo(c net.Conn) {
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		io.WriteString(c, "you said "+lines.Text()+"\n")
	}
}

func TestStream(t *testing.T) {
	for _, at := range [][3]string{{"tcp", "127.0.0.1:0", "AF_INET"}, {"tcp", "[::1]:0", "AF_INET6"}, {"unix", filepath.Join(t.TempDir(), "s"), "AF_UNIX"}} {
		l := listen(t, at[0], at[1], echo)
		connect := `->connect("ADDRESS", PORT)`
		if at[0] == "unix" {
			connect = `->connect("ADDRESS")`
		}
		m := newMachine(t, l.Addr(), `Socket("`+at[2]+`", "SOCK_STREAM")`+connect, value.Setup{})
		m.check(t, []stdlibtest.Case{
			{`o()->send("a\n")`, `2`},
			{`o()->recv(11, ["MSG_WAITALL", "MSG_PEEK"])`, "''you said a\n''"},
			{`o()->recv(3, "MSG_WAITALL")`, `"you"`},
			{`o()->recv(1)`, `" "`},
			{`o()->recv(100)`, "''said a\n''"},
			{`o()->recv(100, ["MSG_DONTWAIT"])`, `none`},
			{`o()->errno()`, `11`},
			{`o()->settimeout(0.01)->recv(100)`, `none`},
			{`o()->errno()`, `110`},
			{`o()->settimeout(0)->send("b\n")`, `2`},
			{`o()->shutdown("SHUT_WR")->errno()`, `0`},
			{`o()->recv(100, ["MSG_WAITALL"])`, "''you said b\n''"},
			{`o()->recv(100)`, `""`},
			{`o()->close()->errno()`, `0`},
			{`o()->recv(100)`, `none`},
			{`o()->errno()`, `9`},
			{`o()->close()`, `none`},
		})
	}
}

func TestRefused(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0", echo)
	l.Close()
	newMachine(t, l.Addr(), `Socket("AF_INET", "SOCK_STREAM")`, value.Setup{}).check(t, []stdlibtest.Case{
		{`o()->connect("ADDRESS", PORT)`, `none`},
		{`o()->errno()`, `111`},
		{`o()->connect("localhost", PORT)`, `none`},
		{`o()->errno()`, `22`},
		{`o()->connect("::1", PORT)`, `none`},
		{`o()->errno()`, `97`},
		{`o()->send("x")`, `none`},
		{`o()->errno()`, `32`},
		{`o()->bind("192.0.2.1")`, `none`},
		{`o()->errno()`, `99`},
		{`o()->bind("192.0.2.1", 0, ["nonlocal" => true])->errno()`, `0`},
		{`Socket("AF_X", "SOCK_STREAM")`, `!Socket: argument 1 (family): want AF_INET, AF_INET6 or AF_UNIX, got "AF_X"`},
		{`Socket("AF_INET", "SOCK_RAW")`, `!Socket: argument 2 (type): want SOCK_STREAM or SOCK_DGRAM, got "SOCK_RAW"`},
		{`o()->shutdown("NOW")`, `!shutdown: argument 1 (how): want SHUT_RD, SHUT_WR or SHUT_RDWR, got "NOW"`},
		{`o()->recv(1, ["MSG_OOB"])`, `!recv: argument 2 (flags): want MSG_PEEK, MSG_WAITALL or MSG_DONTWAIT`},
		{`o()->recv(-1)`, `!recv: argument 1 (length): want a number that is not below 0, got -1`},
		{`o()->settimeout(-1)`, `!settimeout: argument 1 (timeout): want a number of seconds that is not below 0, got -1`},
		{`Socket::AF("192.0.2.1")`, `"AF_INET"`},
		{`Socket::AF("::1")`, `"AF_INET6"`},
		{`Socket::AF("localhost")`, `none`},
	})
}

func TestDatagrams(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := newMachine(t, c.LocalAddr(), `Socket("AF_INET", "SOCK_DGRAM")->bind("127.0.0.1")->connect("ADDRESS", PORT)->settimeout(5)`, value.Setup{})
	m.check(t, []stdlibtest.Case{{`o()->send("question")`, `8`}})
	b := make([]byte, 100)
	n, from, err := c.ReadFrom(b)
	if err != nil || string(b[:n]) != "question" {
		t.Fatalf("got %q, %v", b[:n], err)
	}
	c.WriteTo([]byte("answer"), from)
	m.check(t, []stdlibtest.Case{{`o()->recv(100)`, `"answer"`}})
}

// TestEnds: what waits ends with the script, at once.
func TestEnds(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) { io.Copy(io.Discard, c) })
	m := newMachine(t, l.Addr(), `Socket("AF_INET", "SOCK_STREAM")->connect("ADDRESS", PORT)`, value.Setup{Limits: value.Limits{Time: 50 * time.Millisecond}})
	m.check(t, []stdlibtest.Case{{`o()->recv(1)`, `!script exceeded its time limit of 50ms`}})

	ctx, cancel := context.WithCancel(t.Context())
	cancelled := stdlibtest.NewContext(t, ctx, library, value.Setup{})
	o, err := cancelled.Eval(m.replace.Replace(`Socket("AF_INET", "SOCK_STREAM")->connect("ADDRESS", PORT)`))
	if err != nil {
		t.Fatal(err)
	}
	cancelled.Functions = map[string]func([]value.Value) (value.Value, error){"o": func([]value.Value) (value.Value, error) { return o, nil }}
	time.AfterFunc(10*time.Millisecond, cancel)
	if got := cancelled.Show(`o()->recv(1)`); got != "!script was cancelled: context canceled" {
		t.Error(got)
	}
}

// TestFlood: a peer who sends without end does not fill the memory.
func TestFlood(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		for b := make([]byte, 1<<16); ; {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	})
	m := newMachine(t, l.Addr(), `Socket("AF_INET", "SOCK_STREAM")->connect("ADDRESS", PORT)`, value.Setup{Limits: value.Limits{Memory: 1 << 20}})
	m.check(t, []stdlibtest.Case{
		{`o()->recv(1e12, "MSG_WAITALL")`, `!script exceeded its memory limit of 1 MiB`},
		{`o()->recv(1e12, ["MSG_WAITALL", "MSG_PEEK"])`, `!script exceeded its memory limit of 1 MiB`},
	})
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS() // for its certificate, which has the names example.com and 127.0.0.1
	defer s.Close()
	l := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		secure := tls.Server(c, &tls.Config{Certificates: s.TLS.Certificates})
		echo(secure)
		secure.CloseWrite()
	})
	const connect = `Socket("AF_INET", "SOCK_STREAM")->connect("ADDRESS", PORT)`
	newMachine(t, l.Addr(), `TLSSocket(`+connect+`, ["tls_sni" => "example.com"])`, value.Setup{}).check(t, []stdlibtest.Case{
		{`o()->getpeerx509()`, `none`},
		{`o()->handshake()->errno()`, `0`},
		{`o()->getpeerx509()->subject()`, `[0=>[0=>"O",1=>"Acme Co"]]`},
		{`o()->send("a\n")`, `2`},
		{`o()->recv(100)`, "''you said a\n''"},
		{`o()->shutdown()`, `1`},
		{`o()->recv(100)`, `""`},
		{`o()->toSocket()->close()->errno()`, `0`},
		{`o()->send("x")`, `none`},
		{`o()->recv(-1)`, `!recv: argument 1 (length): want a number that is not below 0, got -1`},
	})
	newMachine(t, l.Addr(), connect, value.Setup{}).check(t, []stdlibtest.Case{
		{`TLSSocket(o(), ["tls_verify_name" => ["other.example", "example.com"]])->handshake()->errno()`, `0`},
		{`TLSSocket(` + connect + `, ["tls_verify_name" => ["other.example"]])->handshake()`, `none`},
		{`TLSSocket(` + connect + `, ["tls_verify_ca" => true, "tls_default_ca" => true])->handshake()`, `none`},
		{`TLSSocket(` + connect + `, ["tls_verify_ca" => true])->handshake()`, `none`},
		{`TLSSocket(` + connect + `, ["tls_protocols" => "TLSv9"])`, `!TLSSocket: option tls_protocols: want protocols, got "TLSv9"`},
		{`TLSSocket(` + connect + `, ["tls_client_cert" => "nobody"])`, `!TLSSocket: option tls_client_cert: want a certificate with its key, got "nobody"`},
		{`TLSSocket(` + connect + `->settimeout(0.01))->recv(1)`, `none`},
	})
}

// TestTLSEnds: a handshake that the peer does not answer ends with the script.
func TestTLSEnds(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) { io.Copy(io.Discard, c) })
	newMachine(t, l.Addr(), `TLSSocket(Socket("AF_INET", "SOCK_STREAM")->connect("ADDRESS", PORT))`,
		value.Setup{Limits: value.Limits{Time: 50 * time.Millisecond}}).check(t, []stdlibtest.Case{
		{`o()->handshake()`, `!script exceeded its time limit of 50ms`},
	})
}
