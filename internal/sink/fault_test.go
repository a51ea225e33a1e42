package sink

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const oneMessage = `S: 220 *
C: HELO client.test
S: 250 *
C: MAIL FROM:<a@x.example>
C: RCPT TO:<%>
C: DATA
S: 250 *
S: 250 *
S: 354 *
C: hello
C: .
`

// message is the transcript of one message to one recipient up to its dot.
func message(to string) string { return strings.Replace(oneMessage, "%", to, 1) }

func TestFaultsOfOneMessage(t *testing.T) {
	for _, test := range []struct {
		name     string
		rule     string
		to       string
		rest     string
		took     time.Duration
		messages int64
		faults   FaultStats
	}{
		{"none", "", "b@y.example", "S: 250 *", 0, 1, FaultStats{}},
		{"delay", "* eod delay 5s", "b@y.example", "S: 250 *", 5 * time.Second, 1, FaultStats{Delays: 1}},
		{"two delays", "* eod delay 5s\n*@y.example eod delay 1m", "b@y.example", "S: 250 *", 65 * time.Second, 1, FaultStats{Delays: 1}},
		{"drop", "* eod drop", "b@y.example", "S: (closed)", 0, 0, FaultStats{Drops: 1}},
		{"drop after", "* after-eod drop", "b@y.example", "S: 250 *\nS: (closed)", 0, 1, FaultStats{Drops: 1}},
		{"drop in body", "y.example body drop", "b@y.example", "S: (closed)", 0, 0, FaultStats{Drops: 1}},
		{"other domain", "z.example body drop", "b@y.example", "S: 250 *", 0, 1, FaultStats{}},
		{"reply and drop", "* eod reply 451 4.0.0 no\n* after-eod drop", "b@y.example", "S: 451 *\nS: (closed)", 0, 0, FaultStats{Replies: 1, Drops: 1}},
		{"first reply wins", "* eod reply 451 4.0.0 no\n* eod reply 550 5.0.0 never", "b@y.example", "S: 451 *", 0, 0, FaultStats{Replies: 1}},
		{"address delays", "", "eod-delay-90s+x@y.example", "S: 250 *", 90 * time.Second, 1, FaultStats{Delays: 1}},
		{"address drops", "", "eod-drop@y.example", "S: (closed)", 0, 0, FaultStats{Drops: 1}},
		{"address replies", "", "body-delay-1s@y.example", "S: 250 *", time.Second, 1, FaultStats{Delays: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			start, took := time.Time{}, time.Duration(0)
			o := Options{Rules: rules(t, test.rule)}
			var s *Sink
			synctest.Test(t, func(t *testing.T) {
				start = time.Now()
				s = newSink(t, o)
				converseWith(t, s, message(test.to)+test.rest)
				took = time.Since(start)
			})
			st := s.Stats()
			if st.Messages != test.messages || st.Faults != test.faults || took != test.took {
				t.Errorf("%d messages, faults %+v, %s; want %d, %+v, %s", st.Messages, st.Faults, took, test.messages, test.faults, test.took)
			}
		})
	}
}

// converseWith holds one conversation inside a bubble.
func converseWith(t *testing.T, s *Sink, transcript string) {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ServeConn(t.Context(), server)
	}()
	converse(t, client, transcript)
	client.Close()
	<-done
}

func TestStall(t *testing.T) {
	for rule, want := range map[string]string{
		"* rcpt stall":       "S: 220 *\nC: HELO c\nS: 250 *\nC: MAIL FROM:<>\nC: RCPT TO:<b@y.example>\nS: 250 *",
		"* after-rcpt stall": "S: 220 *\nC: HELO c\nS: 250 *\nC: MAIL FROM:<>\nC: RCPT TO:<b@y.example>\nS: 250 *\nS: 250 *",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSink(t, Options{Rules: rules(t, rule)})
			client, server := net.Pipe()
			done := make(chan struct{})
			go func() {
				defer close(done)
				s.ServeConn(t.Context(), server)
			}()
			converse(t, client, want)
			_ = client.SetReadDeadline(time.Now().Add(24 * time.Hour))
			var timeout net.Error
			if _, err := client.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("%s: read ended with %v", rule, err)
			}
			client.Close()
			<-done // the peer's leaving is noticed
		})
	}
}

func TestStallInBodyStopsReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink(t, Options{Rules: rules(t, "* body stall")})
		ctx, cancel := context.WithCancel(t.Context())
		client, server := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.ServeConn(ctx, server)
		}()
		converse(t, client, strings.TrimSuffix(message("b@y.example"), "C: hello\nC: .\n"))
		_ = client.SetWriteDeadline(time.Now().Add(10 * time.Minute))
		n, err := client.Write(make([]byte, 1<<20))
		if err == nil || n > 128<<10 {
			t.Errorf("wrote %d bytes, %v", n, err)
		}
		cancel()
		<-done
		client.Close()
	})
}

func TestPercentageIsExactForASeed(t *testing.T) {
	count := func(seed uint64) int {
		s := newRuleset(rules(t, "* rcpt drop @10%", "* rcpt stall @10%"), seed)
		n := 0
		for range 10000 {
			if s.roll(s.byPhase[PhaseRcpt].all[0]) {
				n++
			}
		}
		return n
	}
	if a, b := count(1), count(1); a != b {
		t.Errorf("the same seed gave %d and %d", a, b)
	}
	for seed := range uint64(50) {
		if n := count(seed); n < 880 || n > 1120 { // four standard deviations
			t.Errorf("seed %d: %d of 10000 at 10%%", seed, n)
		}
	}
}

func TestTooManyConnections(t *testing.T) {
	s := newSink(t, Options{Listen: []string{"127.0.0.1:0"}, MaxConnections: 1})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	first := dial(t, s)
	converse(t, first, "S: 220 *")
	second := dial(t, s)
	converse(t, second, "S: 421 4.3.2 *\nS: (closed)")
	converse(t, first, "C: QUIT\nS: 221 *\nS: (closed)")
	if st := s.Stats(); st.Connections != 1 || st.ConnectionsRefused != 1 || st.ConnectionsPeak != 1 {
		t.Errorf("%+v", st)
	}
}

func TestReset(t *testing.T) {
	s := newSink(t, Options{Listen: []string{"127.0.0.1:0"}, Rules: rules(t, "* mail reset")})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	c := dial(t, s)
	converse(t, c, "S: 220 *\nC: HELO c\nS: 250 *")
	if _, err := io.WriteString(c, "MAIL FROM:<>\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("connection ended with %v, want a reset", err)
	}
}

func dial(t *testing.T, s *Sink) net.Conn {
	t.Helper()
	c, err := net.Dial(s.Addr().Network(), s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestBadPeers(t *testing.T) {
	endless := strings.Repeat("x", 1<<20)
	for name, input := range map[string]string{
		"binary":         "\x00\xff\xfe\r\n\x80\x01\n\n\r\r\r\n",
		"endless line":   endless,
		"endless lines":  strings.Repeat("JUNK\r\n", 10000),
		"long line":      endless[:20000] + "\r\nQUIT\r\n",
		"cut in body":    "HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@y.example>\r\nDATA\r\nabc\r\n.",
		"cut in chunk":   "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@y.example>\r\nBDAT 9223372036854775807 LAST\r\nabc",
		"bare line feed": "HELO c\nMAIL FROM:<>\nRCPT TO:<b@y.example>\nDATA\na\n.\nMAIL\r\n.\r\nQUIT\n",
		"half closed":    "",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSink(t, Options{})
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				done := make(chan struct{})
				go func() {
					defer close(done)
					s.ServeConn(t.Context(), server)
				}()
				go func() { _, _ = io.Copy(io.Discard, client) }()
				_, _ = io.WriteString(client, input) // fails when the sink has had enough
				client.Close()
				<-done
			})
			want := int64(0)
			if name == "bare line feed" {
				want = 1 // only the dot between CRLFs ended it
			}
			if st := s.Stats(); st.Messages != want || st.ConnectionsOpen != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := newSink(t, Options{IdleTimeout: time.Minute})
		converseWith(t, s, "S: 220 *\nS: (closed)")
		if took := time.Since(start); took != time.Minute {
			t.Errorf("closed after %s", took)
		}
	})
}
