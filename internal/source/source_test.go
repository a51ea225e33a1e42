package source

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/posthaste-mta/posthaste/internal/sink"
	"github.com/posthaste-mta/posthaste/internal/sink/sequence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startSink(t testing.TB, o sink.Options) *sink.Sink {
	t.Helper()
	if o.Listen == nil && o.ListenTLS == nil {
		o.Listen = []string{"127.0.0.1:0"}
	}
	s, err := sink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func newSource(t testing.TB, peer *sink.Sink, o Options) *Source {
	t.Helper()
	o.To = peer.Addr().String()
	o.From = pattern(t, "from-%d@source.example")
	if o.Rcpt.local == nil {
		o.Rcpt = pattern(t, "user-%d@d%d.example")
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pattern(t testing.TB, text string) Pattern {
	t.Helper()
	p, err := ParsePattern(text, 10)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func sinkRules(t *testing.T, lines ...string) []sink.Rule {
	t.Helper()
	r, err := sink.ReadRules(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestEveryWay sends the same run in each way that a server can be spoken to,
// and expects the same to arrive.
func TestEveryWay(t *testing.T) {
	certificate, err := sink.SelfSigned("localhost", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	server := &tls.Config{Certificates: []tls.Certificate{certificate}}
	client := &tls.Config{InsecureSkipVerify: true}
	for _, test := range []struct {
		name     string
		sink     sink.Options
		source   Options
		protocol string
	}{
		{"pipelined", sink.Options{}, Options{}, "ESMTP"},
		{"lockstep", sink.Options{}, Options{Lockstep: true}, "ESMTP"},
		{"not offered", sink.Options{Hide: sink.Pipelining | sink.Chunking}, Options{Chunking: true}, "ESMTP"},
		{"chunking", sink.Options{}, Options{Chunking: true}, "ESMTP"},
		{"chunking in lockstep", sink.Options{}, Options{Chunking: true, Lockstep: true}, "ESMTP"},
		{"lmtp", sink.Options{LMTP: true}, Options{LMTP: true}, "LMTP"},
		{"lmtp chunking", sink.Options{LMTP: true}, Options{LMTP: true, Chunking: true}, "LMTP"},
		{"starttls", sink.Options{TLS: server}, Options{TLS: client}, "ESMTPS"},
		{"implicit", sink.Options{TLS: server, ListenTLS: []string{"127.0.0.1:0"}}, Options{TLS: client, Implicit: true}, "ESMTPS"},
		{"auth", sink.Options{Auth: true}, Options{Username: "joe", Password: "secret"}, "ESMTPA"},
		{"helo", sink.Options{Rules: sinkRules(t, "* helo reply 502 5.5.1 no EHLO @50%")}, Options{Reconnect: time.Minute, PerConnection: 1}, "SMTP"},
		{"new connections", sink.Options{}, Options{PerConnection: 3}, "ESMTP"},
		{"their limit", sink.Options{MaxMessages: 3}, Options{}, "ESMTP"},
	} {
		t.Run(test.name, func(t *testing.T) { runOneWay(t, test.sink, test.source, test.protocol) })
	}
}

func runOneWay(t *testing.T, so sink.Options, o Options, protocol string) {
	const messages, recipients = 50, 3
	var mu sync.Mutex
	protocols := map[string]int{}
	size := int64(0)
	so.Ledger = new(sequence.Ledger)
	so.OnMessage = func(m *sink.Message) {
		mu.Lock()
		defer mu.Unlock()
		protocols[m.Protocol]++
		size += m.Size
	}
	peer := startSink(t, so)
	o.Sessions, o.Messages, o.Recipients, o.Run = 4, messages, recipients, "test"
	report, err := newSource(t, peer, o).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report.Messages != messages || report.Recipients != messages*recipients || !report.Complete() {
		t.Errorf("report %+v", report)
	}
	st := peer.Stats()
	want := sequence.Count{Run: "test", Arrivals: 150, Distinct: 150, End: 150}
	if st.Messages != messages || len(st.Runs) != 1 || st.Runs[0] != want || st.Violations != 0 {
		t.Errorf("sink %+v", st)
	}
	if report.Bytes != st.Bytes || size != st.Bytes || report.Reply.Count != messages {
		t.Errorf("%d bytes sent, %d taken, %d shown; %d replies", report.Bytes, st.Bytes, size, report.Reply.Count)
	}
	if protocols[protocol] == 0 {
		t.Errorf("protocols %v, want %s", protocols, protocol)
	}
}

// TestFaultsAddUp lets the sink misbehave in every way, and expects that the
// two ends agree on what became of each message.
func TestFaultsAddUp(t *testing.T) {
	for _, test := range []struct {
		name  string
		lmtp  bool
		rules []string
		o     Options
	}{
		{"temporary", false, []string{"* rcpt reply 451 4.7.1 slow down @20%", "* eod reply 452 4.3.1 full @10%"}, Options{}},
		{"permanent", false, []string{"* rcpt reply 550 5.1.1 unknown @20%", "* mail reply 550 5.7.1 no @5%", "* data reply 554 5.0.0 no @5%"}, Options{}},
		{"retried", false, []string{"* mail reply 450 4.0.0 wait @20%", "* rcpt reply 451 4.7.1 slow down @30%", "* eod reply 452 4.3.1 full @30%"}, Options{Retry: 50, RetryDelay: time.Microsecond}},
		{"lost early", false, []string{"* mail drop @2%", "* rcpt reset @2%", "* data drop @2%", "* connect drop @10%"}, Options{Reconnect: time.Minute}},
		{"lost late", false, []string{"* body drop @2%", "* eod drop @5%", "* after-eod drop @5%"}, Options{Reconnect: time.Minute}},
		{"closed", false, []string{"* mail reply 421 4.3.2 later @5%", "* eod reply 421 4.3.2 later @5%"}, Options{Retry: 20, RetryDelay: time.Microsecond}},
		{"chunking", false, []string{"* rcpt reply 550 5.1.1 unknown @40%", "* eod drop @3%"}, Options{Chunking: true, Reconnect: time.Minute}},
		{"lockstep", false, []string{"* mail reply 550 5.7.1 no @10%", "* rcpt reply 550 5.1.1 unknown @40%", "* data reply 451 4.0.0 no @10%"}, Options{Lockstep: true}},
		{"lmtp", true, []string{"* rcpt reply 550 5.1.1 unknown @20%", "* eod reply 452 4.2.2 full @20%", "* eod drop @1%"}, Options{LMTP: true, Reconnect: time.Minute}},
	} {
		for _, recipients := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s to %d", test.name, recipients), func(t *testing.T) {
				test.o.Recipients = recipients
				checkFaults(t, sink.Options{LMTP: test.lmtp, Rules: sinkRules(t, test.rules...), Seed: 7}, test.o)
			})
		}
	}
}

func checkFaults(t *testing.T, so sink.Options, o Options) {
	const messages = 500
	path := filepath.Join(t.TempDir(), "acked")
	log, err := sequence.OpenLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	so.Ledger = new(sequence.Ledger)
	peer := startSink(t, so)
	o.Messages, o.Sessions, o.Acked, o.Run, o.Size = messages, 3, log, "faults", 1000
	report, err := newSource(t, peer, o).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	total := report.Recipients + report.RefusedTemporarily + report.RefusedForGood + report.Unacknowledged + report.Unsent
	if want := int64(messages * max(o.Recipients, 1)); total != want || report.Started != messages {
		t.Errorf("%d outcomes for %d recipients: %+v", total, want, report)
	}
	text, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	found, err := so.Ledger.Compare(text)
	if err != nil || found.Lost != 0 || found.Acknowledged != uint64(report.Recipients) {
		t.Errorf("log against ledger: %+v, %v", found, err)
	}
	// What arrived is what was acknowledged, but for those that nobody knows of.
	run := so.Ledger.Counts()[0]
	unknown := uint64(report.Unacknowledged)
	if run.Duplicates != 0 || run.Distinct < found.Acknowledged || run.Distinct > found.Acknowledged+unknown {
		t.Errorf("%+v for %d acknowledged and %d unacknowledged", run, found.Acknowledged, unknown)
	}
	faults := peer.Stats().Faults
	if faults.Replies+faults.Drops == 0 {
		t.Error("the sink behaved")
	}
}

func TestSessionEndsWithItsConnection(t *testing.T) {
	peer := startSink(t, sink.Options{Rules: sinkRules(t, "* mail drop")})
	report, err := newSource(t, peer, Options{Messages: 5, Recipients: 2}).Run(t.Context())
	if err == nil || report.Unsent != 2 || report.Started != 1 || report.ConnectionsLost != 1 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestHopelessServerIsGivenUp(t *testing.T) {
	peer := startSink(t, sink.Options{Rules: sinkRules(t, "* mail drop")})
	synthetic := Options{Messages: 5, Reconnect: time.Hour, Dial: pipeTo(peer)}
	synctest.Test(t, func(t *testing.T) {
		report, err := newSource(t, peer, synthetic).Run(t.Context())
		if err == nil || report.Unsent != 1 || report.ConnectionsLost != maxLosses+1 {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

// pipeTo connects to a sink without a network.
func pipeTo(peer *sink.Sink) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		client, server := net.Pipe()
		go peer.ServeConn(context.WithoutCancel(ctx), server)
		return client, nil
	}
}

func TestRateAndDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, err := sink.New(sink.Options{Rules: sinkRules(t, "* eod delay 50ms")})
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(Options{
			Dial: pipeTo(peer), Rcpt: pattern(t, "a@b.example"), Sessions: 20, Rate: 100, Duration: 9995 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		report, err := s.Run(t.Context())
		if err != nil || report.Messages != 1000 || report.Seconds < 9.99 || report.Seconds > 10.1 {
			t.Errorf("%+v, %v", report, err)
		}
		if report.Reply.P50 != 50 || report.Reply.Max != 50 {
			t.Errorf("latency %+v", report.Reply)
		}
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, err := sink.New(sink.Options{Rules: sinkRules(t, "* eod stall")})
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(Options{Dial: pipeTo(peer), Rcpt: pattern(t, "a@b.example"), Messages: 1, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		report, err := s.Run(t.Context())
		if err == nil || report.Unacknowledged != 1 || report.Seconds < 52 || report.Seconds > 60 {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

func TestInterruptEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, err := sink.New(sink.Options{Rules: sinkRules(t, "stuck.example eod stall")})
		if err != nil {
			t.Fatal(err)
		}
		for domain, seconds := range map[string]float64{"stuck.example": 15, "quick.example": 5} {
			s, err := New(Options{Dial: pipeTo(peer), Rcpt: pattern(t, "a@"+domain), Rate: 1})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			report, _ := s.Run(ctx)
			cancel()
			if report.Seconds != seconds {
				t.Errorf("%s: ended after %v s, want %v", domain, report.Seconds, seconds)
			}
		}
	})
}

// TestBadServers meets servers that make no sense.
func TestBadServers(t *testing.T) {
	for name, script := range map[string]string{
		"nothing":        "",
		"not a reply":    "hello\r\n",
		"bad code":       "999 hi\r\n",
		"endless":        strings.Repeat("220-x\r\n", 1000),
		"long line":      "220 " + strings.Repeat("x", 100000) + "\r\n",
		"refused":        "554 5.7.1 go away\r\n",
		"no service":     "220 hi\r\n500 what\r\n500 what\r\n",
		"3xx to the end": "220 hi\r\n250 hi\r\n250 ok\r\n250 ok\r\n354 go\r\n354 go\r\n",
		"2xx to DATA":    "220 hi\r\n250 hi\r\n250 ok\r\n250 ok\r\n250 ok\r\n",
		"cut short":      "220 hi\r\n250-hi\r\n250 PIPELINING\r\n250 ok\r\n25",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial := func(context.Context) (net.Conn, error) {
					client, server := net.Pipe()
					go func() { _, _ = io.Copy(io.Discard, server) }()
					go func() {
						_, _ = io.WriteString(server, script) // the client may leave before the end
						server.Close()
					}()
					return client, nil
				}
				s, err := New(Options{Dial: dial, Rcpt: pattern(t, "a@b.example"), Messages: 1, Timeout: time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				report, err := s.Run(t.Context())
				if err == nil || report.Messages != 0 {
					t.Errorf("%+v, %v", report, err)
				}
			})
		})
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.eml": "Subject: a\n\n.hidden\nbare lines\n..\n",
		"b.eml": ".Dot: first\r\n\r\nno end",
		"c.eml": "Subject: gr\u00fcn\r\n\r\nx\r\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, chunking := range []bool{false, true} {
		var mu sync.Mutex
		got := map[string]string{}
		peer := startSink(t, sink.Options{Capture: 1 << 20, OnMessage: func(m *sink.Message) {
			mark, rest, _ := strings.Cut(string(m.Body), "\r\n")
			body, _ := m.Params.Get("BODY")
			mu.Lock()
			defer mu.Unlock()
			got[mark] = body + "|" + rest
		}})
		o := Options{Files: []string{dir}, Messages: 3, Run: "r", Chunking: chunking}
		if _, err := newSource(t, peer, o).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"X-Posthaste-Seq: r/0": "|Subject: a\r\n\r\n.hidden\r\nbare lines\r\n..\r\n",
			"X-Posthaste-Seq: r/1": "|.Dot: first\r\n\r\nno end\r\n",
			"X-Posthaste-Seq: r/2": "8BITMIME|Subject: gr\u00fcn\r\n\r\nx\r\n",
		}
		for mark, text := range want {
			if got[mark] != text {
				t.Errorf("chunking %t: %s: got %q, want %q", chunking, mark, got[mark], text)
			}
		}
	}
}

func TestBadOptions(t *testing.T) {
	one, many := pattern(t, "a@b.example"), pattern(t, "a-%d@b.example")
	for name, o := range map[string]Options{
		"no recipient": {},
		"same address": {Rcpt: one, Recipients: 2},
		"bad run":      {Rcpt: many, Run: "a b"},
		"bad helo":     {Rcpt: many, Helo: "a\r\nQUIT"},
		"no files":     {Rcpt: many, Files: []string{"/nonexistent"}},
		"empty folder": {Rcpt: many, Files: []string{t.TempDir()}},
		"negative":     {Rcpt: many, Rate: -1},
		"implicit":     {Rcpt: many, Implicit: true},
	} {
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "source: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
