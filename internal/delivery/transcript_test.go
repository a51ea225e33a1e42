package delivery_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
)

// The files testdata/*.smtp hold conversations. Each begins with a line per
// attempt,
//
//	attempt: pool utf8 notify=SUCCESS
//	want: deferred MAIL 451 4.4.2 in 5m0s
//
// and goes on with the connections that the hosts expect, in order. A connection
// begins with "=== " and the address that is dialled, after which "refused",
// "unreachable" or "silent" says that it cannot be made. In it stand what the
// host says (S:, or W: with Go escapes), what we say (C:), bytes of a chunk or text (B:, with Go
// escapes), how long the host takes (sleep 5m) and that it hangs up (close). A
// file may hold several such tests, separated by lines "--- " and a name.
// Before the host speaks, all that we have to say must have been read, so a file
// shows what is sent together.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.smtp")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split("\n"+string(b), "\n--- ")[1:] {
			name, script, _ := strings.Cut(part, "\n")
			t.Run(strings.TrimSuffix(filepath.Base(f), ".smtp")+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { play(t, script) })
			})
		}
	}
}

// stage is a play: attempts, and connections that wait for them.
type stage struct {
	t           *testing.T
	connections [][]string
	played      int
	hosts       sync.WaitGroup
}

func play(t *testing.T, script string) {
	s := &stage{t: t}
	var attempts []string
	for _, line := range strings.Split(script, "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "attempt:"), strings.HasPrefix(line, "want:"):
			attempts = append(attempts, line)
		case strings.HasPrefix(line, "=== "):
			s.connections = append(s.connections, []string{line[4:]})
		case len(s.connections) > 0:
			last := &s.connections[len(s.connections)-1]
			*last = append(*last, line)
		default:
			t.Fatalf("line %q", line)
		}
	}
	c := delivery.New(noDNS{}, delivery.Options{Hostname: "client.example", PoolSize: 10, Dial: s.dial}, delivery.Events{})
	c.Start(t.Context())
	for i := 0; i+1 < len(attempts); i += 2 {
		a := parseAttempt(t, strings.TrimPrefix(attempts[i], "attempt:"))
		out := c.Deliver(t.Context(), a, hosts(len(a.Transport.Servers)))
		want := strings.TrimSpace(strings.TrimPrefix(attempts[i+1], "want:"))
		if got := describe(&out, want); got != want {
			t.Errorf("got  %s\nwant %s\nerr  %v", got, want, out.Err)
		}
	}
	c.Stop()
	s.hosts.Wait()
	if s.played != len(s.connections) {
		t.Errorf("%d of %d connections were made", s.played, len(s.connections))
	}
	if n := c.Metrics().Concurrent.Load(); n != 0 {
		t.Errorf("%d connections are still counted", n)
	}
}

var took = regexp.MustCompile(` in [0-9]`)

// describe says of an outcome what want says of its.
func describe(o *delivery.Outcome, want string) string {
	s := fmt.Sprintf("%s %s %d %s", o.Status, o.Stage, o.Reply.Code, o.EnhancedCode())
	if took.MatchString(want) {
		s += fmt.Sprintf(" in %v", o.Duration)
	}
	for _, word := range []struct {
		name string
		is   bool
	}{
		{"relayed", o.Relayed}, {"ours", !o.FromPeer}, {o.Kind.String(), o.Kind != 0},
		{"tlserror", o.Connection.TLS.Error != ""},
	} {
		if word.name != "" && word.is {
			s += " " + word.name
		}
	}
	if o.Connection.ID != 0 {
		s += fmt.Sprintf(" #%d", o.Connection.Transactions)
	}
	if !o.FromPeer && strings.Contains(want, `"`) {
		s += fmt.Sprintf(" %q", o.Reply.Text())
	}
	return s
}

// parseAttempt reads the words of an attempt.
func parseAttempt(t *testing.T, words string) *delivery.Attempt {
	tr := &delivery.Transport{ID: "t", Servers: []string{"one"}}
	tr.TLS.Mode = delivery.TLSDisabled
	a := attempt(t, tr)
	for _, w := range strings.Fields(words) {
		key, value, _ := strings.Cut(w, "=")
		var err error
		switch key {
		case "from":
			a.Sender = mailbox(t, value)
		case "to":
			a.Recipient = mailbox(t, value)
		case "helo":
			a.Override = override(a, func(t *delivery.Transport) { t.Helo = strings.ReplaceAll(value, `\n`, "\n") })
		case "body":
			a.Body, err = envelope.ParseBody(value)
		case "ret":
			a.Ret, err = envelope.ParseRet(value)
		case "notify":
			a.Notify, err = envelope.ParseNotify(value)
		case "envid":
			a.EnvID = value
		case "orcpt":
			a.ORcpt = value
		case "utf8":
			a.SMTPUTF8 = true
		case "requiretls":
			a.RequireTLS = true
		case "content":
			value, err = strconv.Unquote(`"` + value + `"`)
			a.Content = content(value)
		case "size":
			n, _ := strconv.Atoi(value)
			a.Content = content(strings.Repeat("0123456789abcde\r\n", n/17))
		case "hosts":
			n, _ := strconv.Atoi(value)
			tr.Servers = make([]string, n)
		case "lmtp":
			tr.Protocol = delivery.LMTP
		case "tls":
			tr.TLS.Mode, err = delivery.ParseTLSMode(value)
		case "pool":
			tr.Pooling.Enabled = true
			tr.Pooling.Transactions, _ = strconv.Atoi(value)
		case "auth":
			tr.Auth.Username, tr.Auth.Password, _ = strings.Cut(value, ":")
		case "xclient":
			if tr.XClient == nil {
				tr.XClient = map[string]string{}
			}
			k, v, _ := strings.Cut(value, ":")
			tr.XClient[k] = v
		default:
			stage, perr := delivery.ParseStage(key)
			if err = perr; err == nil {
				var d time.Duration
				d, err = time.ParseDuration(value)
				if tr.Timeouts == nil {
					tr.Timeouts = map[delivery.Stage]time.Duration{}
				}
				tr.Timeouts[stage] = d
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// dial makes the next connection of the play.
func (s *stage) dial(ctx context.Context, _ *delivery.Source, remote netip.AddrPort) (net.Conn, error) {
	if s.played == len(s.connections) {
		s.t.Errorf("unexpected connection to %s", remote)
		return nil, syscall.ECONNREFUSED
	}
	script := s.connections[s.played]
	s.played++
	addr, how, _ := strings.Cut(script[0], " ")
	if addr != remote.String() {
		s.t.Errorf("connection to %s, want %s", remote, addr)
	}
	switch how {
	case "refused":
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	case "unreachable":
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
	case "silent":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	client, server := pipe(netip.MustParseAddrPort("198.51.100.1:40000"), remote)
	s.hosts.Go(func() { s.host(server, remote.String(), script[1:]) })
	return client, nil
}

// host plays the host's part of one connection.
func (s *stage) host(conn *memConn, name string, script []string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for _, line := range script {
		kind, rest, _ := strings.Cut(line, " ")
		switch kind {
		case "S:":
			synctest.Wait()
			if n := in.Buffered(); n > 0 || conn.in.buffered() != "" {
				b, _ := in.Peek(n)
				s.t.Errorf("%s: before %q: we also sent %q", name, line, string(b)+conn.in.buffered())
				return
			}
			if _, err := io.WriteString(conn, rest+"\r\n"); err != nil {
				s.t.Errorf("%s: before %q we had hung up", name, line)
				return
			}
		case "C:":
			got, err := in.ReadString('\n')
			if got != rest+"\r\n" {
				s.t.Errorf("%s: got %q, %v; want %q", name, got, err, rest)
				return
			}
		case "W:":
			raw, err := strconv.Unquote(`"` + rest + `"`)
			if err != nil {
				s.t.Errorf("%s: %v", line, err)
			}
			_, _ = io.WriteString(conn, raw)
		case "B:":
			want, err := strconv.Unquote(`"` + rest + `"`)
			if err != nil {
				s.t.Errorf("%s: %v", line, err)
			}
			got := make([]byte, len(want))
			if _, err := io.ReadFull(in, got); string(got) != want {
				s.t.Errorf("%s: got %q, %v; want %q", name, got, err, want)
				return
			}
		case "sleep":
			d, err := time.ParseDuration(rest)
			if err != nil {
				s.t.Errorf("%s: %v", line, err)
			}
			time.Sleep(d)
		case "close":
			return
		default:
			s.t.Errorf("%s: what is %q?", name, line)
		}
	}
	if b, err := io.ReadAll(in); len(b) > 0 || err != nil {
		s.t.Errorf("%s: at the end: %q, %v", name, b, err)
	}
}
