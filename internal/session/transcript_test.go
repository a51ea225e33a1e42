package session

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestTranscripts plays testdata/*.smtp. A file holds cases that begin with
// "=== name"; their lines are:
//
//	set KEY=VALUE ...    settings, see (*play).set
//	hook RULE            a rule for the hooks, see parseRule
//	hook relay           the hooks are Relay
//	hook defaults        they are Defaults, asked in every phase
//	C: text              the client sends the line
//	C= "text"            it sends this Go string as it is
//	C*N "text"           N times, with %d for the number
//	S: glob              the server answers so; "EOF": it closes
//	S*N glob             N times
//	wait 5m              time passes
//	tls                  the client does its handshake
//	shut, close          the client closes its side, or all of it
//	drain, cut           Drain is called, or the context ends
//	status glob          what Status tells
//	writes N             how often the server has written
//	Q: glob              a message has been queued, see kept.String
//	B: glob              the next line of its body
//	E: glob              an event has happened, after those asked for before
//	H: glob              a hook has been told this, likewise
//
// In a glob only * is special.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.smtp")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, cases, _ := strings.Cut(string(b), "=== ")
		line := strings.Count(head, "\n") + 1
		for text := range strings.SplitSeq(cases, "\n=== ") {
			name, script, _ := strings.Cut(text, "\n")
			t.Run(filepath.Base(file)+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { newPlay(t, line).run(script) })
			})
			line += strings.Count(text, "\n") + 1
		}
	}
}

// play is one case being played.
type play struct {
	*testing.T
	line     int
	settings Settings
	peer     Peer
	window   int
	queue    memory
	rules    rules

	session *Session
	cancel  func()
	server  *end
	client  *end
	conn    net.Conn // client, or TLS on it
	replies *bufio.Reader
	over    chan struct{} // closed when Serve has returned

	mu     sync.Mutex
	events []string
	queued int
	body   []string
}

func newPlay(t *testing.T, line int) *play {
	p := &play{T: t, line: line}
	p.peer = Peer{Remote: netip.MustParseAddrPort("192.0.2.1:40000"), Local: netip.MustParseAddrPort("192.0.2.25:25")}
	p.settings = Settings{
		ServerID: "inbound", Hostname: "mx.example.com", Transport: "mx", Queue: &p.queue, Verbose: true,
		Auth: Auth{Mechanisms: []string{"PLAIN", "LOGIN"}},
		Extensions: Extensions{
			Pipelining: true, EightBitMIME: true, SMTPUTF8: true, EnhancedStatusCodes: true, Size: true, Chunking: true,
			RequireTLS: true,
		},
	}
	p.settings.Events = Events{
		Connected: func(c *Connection) { p.event("connected %s", c.Remote.Addr()) },
		Line:      func(_ *Connection, client bool, line string) { p.event("line %t %s", client, line) },
		Rejected: func(_ *Connection, r *Rejection) {
			p.event("rejected %s %s transaction=%t recipient=%t err=%v", r.Phase, r.Reply, r.Transaction != nil, r.Recipient != nil, r.Err)
		},
		Accepted: func(_ *Connection, a *Acceptance) {
			p.event("accepted %s %d recipients", a.Transaction.Sender.Path(), len(a.Message.Recipients))
		},
		Closed: func(_ *Connection, s *Summary) {
			p.event("closed local=%t reply=%d state=%s messages=%d err=%v", s.Local, s.Reply.Code, s.State, s.Messages, s.Err)
		},
	}
	return p
}

func (p *play) event(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, fmt.Sprintf(format, args...))
}

func (p *play) run(script string) {
	for text := range strings.Lines(script) {
		p.line++
		text = strings.TrimRight(text, "\n")
		if text == "" || text[0] == '#' {
			continue
		}
		if !p.prepare(text) {
			p.begin()
			p.step(text)
		}
	}
	p.begin()
	p.client.Close()
	<-p.over
	p.cancel()
	if rest, _ := io.ReadAll(p.replies); len(rest) > 0 {
		p.Errorf("line %d: unread %.300q", p.line, rest)
	}
	if p.queue.open != 0 {
		p.Errorf("%d bodies not discarded", p.queue.open)
	}
	if p.queued < len(p.queue.messages) && p.queued > 0 {
		p.Errorf("more messages: %s", p.queue.messages[p.queued])
	}
}

// prepare obeys the lines that come before the connection.
func (p *play) prepare(text string) bool {
	word, rest, _ := strings.Cut(text, " ")
	switch word {
	case "set":
		for setting := range strings.FieldsSeq(rest) {
			key, value, _ := strings.Cut(setting, "=")
			p.set(key, value)
		}
	case "hook":
		switch rest {
		case "relay":
			p.settings.Hooks = Relay{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
		case "defaults":
			p.settings.Hooks = asked{}
		default:
			p.rules.rules = append(p.rules.rules, parseRule(rest))
			p.settings.Hooks = &p.rules
		}
	default:
		return false
	}
	return true
}

func (p *play) set(key, value string) {
	s, l := &p.settings, &p.settings.Limits
	number, _ := strconv.Atoi(value)
	duration, _ := time.ParseDuration(value)
	switch key {
	case "transport":
		s.Transport = value
	case "lmtp":
		s.LMTP = true
	case "priority":
		s.Priority = uint8(number)
	case "size":
		l.Size = int64(number)
	case "recipients":
		l.Recipients = number
	case "messages":
		l.Messages = number
	case "hops":
		l.Hops = number
	case "bad":
		l.BadCommands = number
	case "idlecommands":
		l.IdleCommands = number
	case "refusals":
		l.Refusals = number
	case "authfailures":
		l.AuthFailures = number
	case "excess":
		l.Excess = int64(number)
	case "idle":
		s.Timeouts.Idle = duration
	case "repair":
		s.LineEnds, s.NULs = smtp.Repair, smtp.Repair
	case "delay":
		s.GreetDelay = duration
	case "early":
		s.RefuseEarly = true
	case "tls":
		s.TLS = func() *tls.Config { return testTLS() }
	case "notls":
		s.TLS = func() *tls.Config { return nil }
	case "implicit":
		p.peer.Implicit = true
	case "tlsonly":
		s.Auth.TLSOnly = true
	case "requiretls":
		s.RequireTLS = true
	case "mechanisms":
		s.Auth.Mechanisms = strings.Split(value, ",")
	case "xclient":
		s.XCLIENT = []netip.Prefix{netip.MustParsePrefix(value)}
	case "remote":
		p.peer.Remote = netip.AddrPortFrom(parseAddr(value), 40000)
	case "unix":
		p.peer.Remote, p.peer.UID, p.peer.HasUID = netip.AddrPort{}, number, true
	case "proxy":
		p.peer.Proxy, p.peer.TLVs = parseAddr(value), []TLV{{Type: 2, Value: []byte("a")}}
	case "ptr":
		s.LookupPTR = func(_ context.Context, ip netip.Addr) PTR {
			return PTR{Name: strings.ReplaceAll(value, "%", ip.String())}
		}
	case "nohooks":
		s.Hooks = nil
	case "dsn":
		s.Extensions.DSN = true
	case "limits":
		s.Extensions.Limits = true
	case "noext":
		s.Extensions = Extensions{}
	case "full":
		p.queue.addErr = ErrNoSpace
	case "broken":
		p.queue.addErr = errors.New("broken")
	case "fullat":
		p.queue.writeErr, p.queue.failAt = ErrNoSpace, number
	case "window":
		p.window = number
	default:
		p.Fatalf("line %d: set %s", p.line, key)
	}
}

func parseAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

// begin starts the session if it has not been.
func (p *play) begin() {
	if p.session != nil {
		return
	}
	p.client, p.server = pipe()
	p.server.out.window = p.window
	p.conn, p.replies = p.client, bufio.NewReader(p.client)
	p.session = New(p.server, p.peer, &p.settings)
	p.over = make(chan struct{})
	var ctx context.Context
	ctx, p.cancel = context.WithCancel(p.Context())
	go func() {
		defer close(p.over)
		p.session.Serve(ctx)
	}()
}

func (p *play) step(text string) {
	word, rest, _ := strings.Cut(text, " ")
	op, count, _ := strings.Cut(word, "*")
	n, _ := strconv.Atoi(count)
	switch {
	case word == "C:":
		p.send(rest + "\r\n")
	case word == "C=":
		p.send(p.unquote(rest))
	case op == "C":
		for i := range n {
			p.send(strings.ReplaceAll(p.unquote(rest), "%d", strconv.Itoa(i)))
		}
	case word == "S:":
		p.expect(rest)
	case op == "S":
		for range n {
			p.expect(rest)
		}
	default:
		p.act(word, rest)
	}
}

func (p *play) unquote(s string) string {
	text, err := strconv.Unquote(s)
	if err != nil {
		p.Fatalf("line %d: %v", p.line, err)
	}
	return text
}

func (p *play) act(word, rest string) {
	switch word {
	case "wait":
		d, err := time.ParseDuration(rest)
		if err != nil {
			p.Fatalf("line %d: %v", p.line, err)
		}
		time.Sleep(d)
	case "tls":
		conn := tls.Client(p.conn, &tls.Config{InsecureSkipVerify: true})
		if err := conn.Handshake(); err != nil {
			p.Fatalf("line %d: %v", p.line, err)
		}
		p.conn, p.replies = conn, bufio.NewReader(conn)
	case "shut":
		_ = p.client.CloseWrite()
	case "close":
		_ = p.client.Close()
		<-p.over
	case "drain":
		synctest.Wait()
		p.session.Drain()
	case "cut":
		p.cancel()
	case "status":
		synctest.Wait()
		s := p.session.Status()
		p.match(rest, fmt.Sprintf("%s helo=%s user=%s tls=%t messages=%d recipients=%d mail=%t draining=%t",
			s.Activity, s.Helo, s.Username, s.TLS, s.Messages, s.Recipients, s.InMail, s.Draining))
	case "writes":
		synctest.Wait()
		p.match(rest, strconv.Itoa(p.server.writes))
	default:
		p.check(word, rest)
	}
}

func (p *play) check(word, rest string) {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch word {
	case "Q:":
		if p.queued == len(p.queue.messages) {
			p.Fatalf("line %d: no message queued", p.line)
		}
		m := p.queue.messages[p.queued]
		p.queued++
		p.body = strings.SplitAfter(string(m.body), "\r\n")
		p.match(rest, m.String())
	case "B:":
		p.match(rest, strings.TrimSuffix(p.body[0], "\r\n"))
		p.body = p.body[1:]
	case "E:":
		p.events = p.find(rest, p.events)
	case "H:":
		p.rules.saw = p.find(rest, p.rules.saw)
	default:
		p.Fatalf("line %d: what is %q?", p.line, word)
	}
}

// find drops what comes before a match, and the match.
func (p *play) find(glob string, list []string) []string {
	i := slices.IndexFunc(list, func(s string) bool { return matches(glob, s) })
	if i < 0 {
		p.Fatalf("line %d: no %q in\n%s", p.line, glob, strings.Join(list, "\n"))
	}
	return list[i+1:]
}

func (p *play) send(text string) {
	if _, err := io.WriteString(p.conn, text); err != nil {
		p.Logf("line %d: %v", p.line, err)
	}
}

func (p *play) expect(glob string) {
	line, err := p.replies.ReadString('\n')
	if err != nil {
		line = "EOF"
	}
	p.match(glob, strings.TrimSuffix(line, "\r\n"))
}

func (p *play) match(glob, got string) {
	if !matches(glob, got) {
		p.Fatalf("line %d: %q, want %q", p.line, got, glob)
	}
}

// asked are Defaults that want to be asked.
type asked struct{ Defaults }

func (asked) Phases() Phases { return AllPhases &^ Defaults{}.Phases() }

// matches reports whether s is glob with something for each *.
func matches(glob, s string) bool {
	first, rest, more := strings.Cut(glob, "*")
	if !more {
		return s == glob
	}
	s, ok := strings.CutPrefix(s, first)
	for i := 0; ok && i <= len(s); i++ {
		if matches(rest, s[i:]) {
			return true
		}
	}
	return false
}

// testTLS has a certificate of its own.
var testTLS = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"mx.example.com"},
		NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
})
