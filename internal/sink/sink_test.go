package sink

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	netsmtp "net/smtp"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	gosasl "github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"

	"github.com/posthaste-mta/posthaste/internal/sink/sequence"
)

// collector keeps what OnMessage tells.
type collector struct {
	mu   sync.Mutex
	seen []Message
}

func (c *collector) add(m *Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := *m
	kept.Body = append([]byte(nil), m.Body...)
	c.seen = append(c.seen, kept)
}

// start starts a sink on loopback that trusts nobody and is stopped with the test.
func start(t *testing.T, o Options) *Sink {
	t.Helper()
	if o.Listen == nil {
		o.Listen = []string{"127.0.0.1:0"}
	}
	s := newSink(t, o)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func TestStandardLibraryClient(t *testing.T) {
	var c collector
	s := start(t, Options{Capture: 1 << 10, OnMessage: c.add})
	text := "Subject: dots\r\n\r\n.one\r\n..two\r\nend\r\n"
	err := netsmtp.SendMail(s.Addr().String(), nil, "a@x.example", []string{"b@y.example", "\"c d\"@Z.example"}, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	m := c.seen[0]
	if string(m.Body) != text || m.Size != int64(len(text)) {
		t.Errorf("body %q, %d bytes", m.Body, m.Size)
	}
	if m.Sender.String() != "a@x.example" || len(m.Recipients) != 2 || m.Recipients[1].Address.String() != `"c d"@Z.example` {
		t.Errorf("envelope %+v", m)
	}
	if m.Protocol != "ESMTP" || m.Helo != "localhost" || m.Connection != 1 || m.Transaction != 1 {
		t.Errorf("conversation %+v", m)
	}
	st := s.Stats()
	want := []DomainCount{{"y.example", 1, 0}, {"z.example", 1, 0}}
	if st.Messages != 1 || st.Recipients != 2 || st.Bytes != m.Size || len(st.Domains) != 2 || st.Domains[0] != want[0] || st.Domains[1] != want[1] {
		t.Errorf("%+v", st)
	}
}

// TestOtherClient speaks to the sink with an independent client, under TLS with
// AUTH and DSN.
func TestOtherClient(t *testing.T) {
	certificate, err := SelfSigned("sink.test", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate.Leaf)
	trust := &tls.Config{RootCAs: roots, ServerName: "sink.test"}
	var c collector
	s := start(t, Options{
		TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}, ListenTLS: []string{"127.0.0.1:0"},
		Auth: true, Capture: 1 << 20, OnMessage: c.add,
	})
	clients := map[string]func() (*gosmtp.Client, error){
		"starttls": func() (*gosmtp.Client, error) { return gosmtp.DialStartTLS(s.Addrs()[0].String(), trust) },
		"implicit": func() (*gosmtp.Client, error) { return gosmtp.DialTLS(s.Addrs()[1].String(), trust) },
	}
	text := "Subject: long\r\n\r\n" + strings.Repeat(".\r\nx.\r\n", 50_000)
	for name, connect := range clients {
		client, err := connect()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, mechanism := range []gosasl.Client{gosasl.NewPlainClient("", name, "secret")} {
			if err := client.Auth(mechanism); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if err := sendDSN(client, text); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := client.Quit(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, m := range c.seen {
		notify, _ := m.Recipients[0].Params.Get("NOTIFY")
		ret, _ := m.Params.Get("RET")
		if string(m.Body) != text || m.Protocol != "ESMTPSA" || clients[m.Username] == nil || notify != "SUCCESS" || ret != "HDRS" {
			t.Errorf("%d bytes, %s, %s, NOTIFY %q, RET %q", len(m.Body), m.Protocol, m.Username, notify, ret)
		}
	}
	if st := s.Stats(); st.Messages != 2 || st.Violations != 0 {
		t.Errorf("%+v", st)
	}
}

func sendDSN(client *gosmtp.Client, text string) error {
	if err := client.Mail("a@x.example", &gosmtp.MailOptions{Return: gosmtp.DSNReturnHeaders, EnvelopeID: "q"}); err != nil {
		return err
	}
	if err := client.Rcpt("b@y.example", &gosmtp.RcptOptions{Notify: []gosmtp.DSNNotify{gosmtp.DSNNotifySuccess}}); err != nil {
		return err
	}
	w, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	return w.Close()
}

func TestLMTPOverUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lmtp")
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	s := start(t, Options{Listen: []string{"unix:" + path}, LMTP: true})
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	client := gosmtp.NewClientLMTP(nc)
	defer client.Close()
	if err := client.Mail("", nil); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"one@x.example", "eod-452-4.2.2@x.example", "two@x.example"} {
		if err := client.Rcpt(to, nil); err != nil {
			t.Fatal(err)
		}
	}
	w, err := client.Data()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "x\r\n"); err != nil {
		t.Fatal(err)
	}
	taken, err := w.CloseWithLMTPResponse()
	var refused gosmtp.LMTPDataError
	if !errors.As(err, &refused) || len(taken) != 2 || refused["eod-452-4.2.2@x.example"].Code != 452 {
		t.Errorf("taken %v, refused %v", taken, err)
	}
	if st := s.Stats(); st.Messages != 1 || st.Recipients != 2 || st.RecipientsRejected != 1 {
		t.Errorf("%+v", st)
	}
	if other, err := New(Options{Listen: []string{"unix:" + path}}); err != nil || other.Start(t.Context()) == nil {
		t.Errorf("a socket in use was taken over (%v)", err)
	}
}

func TestStore(t *testing.T) {
	dir := t.TempDir()
	s := newSink(t, Options{Store: dir})
	message := strings.Replace(message("b@y.example"), "C: hello", "C: Subject: x\nC: \nC: ..dot", 1)
	converseOnce(t, s, message+"S: 250 *")
	converseOnce(t, s, strings.Replace(message, "<b@", "<eod-451@", 1)+"S: 451 *")
	files, err := filepath.Glob(dir + "/*/*")
	if err != nil || len(files) != 1 || filepath.Base(filepath.Dir(files[0])) != "new" {
		t.Fatalf("files %v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	want := "Return-Path: <a@x.example>\r\nDelivered-To: b@y.example\r\nSubject: x\r\n\r\n.dot\r\n"
	if err != nil || string(text) != want {
		t.Errorf("%q, %v", text, err)
	}
}

func TestStoreThatFails(t *testing.T) {
	dir := t.TempDir()
	s := newSink(t, Options{Store: dir})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	converseOnce(t, s, message("b@y.example")+"S: 451 4.3.0 *")
	if st := s.Stats(); st.Messages != 0 || st.MessagesRejected != 1 {
		t.Errorf("%+v", st)
	}
}

// converseOnce holds one conversation over a pipe in real time.
func converseOnce(t *testing.T, s *Sink, transcript string) {
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

func TestMarksAreFound(t *testing.T) {
	padding := strings.Repeat("X-Trace: "+strings.Repeat("x", 60)+"\r\n", 200)
	for name, test := range map[string]struct {
		header string
		want   uint64
	}{
		"first":       {"X-Posthaste-Seq: r/5\r\nA: b\r\n\r\nbody", 1},
		"last":        {"A: b\r\nX-Posthaste-Seq: r/5\r\n\r\nbody", 1},
		"no body":     {"A: b\r\nX-Posthaste-Seq: r/5\r\n", 1},
		"far down":    {padding + "X-Posthaste-Seq: r/5\r\n\r\nbody", 1},
		"in the body": {"A: b\r\n\r\nX-Posthaste-Seq: r/5\r\n", 0},
		"in a field":  {"A: X-Posthaste-Seq: r/5\r\n\r\n", 0},
		"malformed":   {"X-Posthaste-Seq: five\r\n\r\n", 0},
		"none":        {"A: b\r\n\r\nbody", 0},
	} {
		for _, piece := range []int{1, 7, 100, 1 << 20} {
			ledger := new(sequence.Ledger)
			c := &conn{sink: newSink(t, Options{Ledger: ledger})}
			c.tx.body.marks = true
			for text := test.header; text != ""; {
				n := min(piece, len(text))
				c.tx.body.mark.write([]byte(text[:n]))
				text = text[n:]
			}
			c.note(ledger)
			if counts := ledger.Counts(); uint64(len(counts)) != test.want || test.want == 1 && !ledger.Has("r", 5) {
				t.Errorf("%s in pieces of %d: %+v", name, piece, counts)
			}
		}
	}
}

func TestMessageThatCameInParts(t *testing.T) {
	ledger := new(sequence.Ledger)
	s := newSink(t, Options{Ledger: ledger})
	marked := func(to string) string {
		return strings.Replace(message(to), "C: hello", "C: X-Posthaste-Seq: r/2/3\nC: \nC: x", 1) + "S: 250 *"
	}
	converseOnce(t, s, marked("user-7@y.example"))
	converseOnce(t, s, marked("user-8@y.example"))
	converseOnce(t, s, marked("user-8@y.example"))
	converseOnce(t, s, marked("user-9@y.example")) // not one of 6, 7 and 8
	want := sequence.Count{Run: "r", Arrivals: 3, Distinct: 2, Duplicates: 1, End: 9, Gaps: 7}
	if got := s.Stats().Runs; len(got) != 1 || got[0] != want {
		t.Errorf("%+v", got)
	}
}

func TestStopEndsEverything(t *testing.T) {
	s := start(t, Options{Rules: rules(t, "* noop delay 1h", "* rset stall")})
	for _, last := range []string{"", "NOOP\r\n", "RSET\r\n", "HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nx"} {
		c := dial(t, s)
		converse(t, c, "S: 220 *")
		if _, err := io.WriteString(c, last); err != nil {
			t.Fatal(err)
		}
	}
	s.Stop()
	if open := s.Stats().ConnectionsOpen; open != 0 {
		t.Errorf("%d connections open", open)
	}
	s.Stop() // again, as the test's end will
	if err := newSink(t, Options{Listen: []string{"127.0.0.1:0", "256.0.0.1:0"}}).Start(t.Context()); err == nil {
		t.Error("a bad address was accepted")
	}
}

func TestBadOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no certificate": {ListenTLS: []string{"127.0.0.1:0"}},
		"hostname":       {Hostname: "a b"},
		"store":          {Store: "/dev/null/x"},
	} {
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "sink: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseExtension("xyz"); err == nil {
		t.Error("unknown extension accepted")
	}
	for _, name := range Extensions() {
		if e, err := ParseExtension(strings.ToUpper(name)); err != nil || e == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDomainCountsAreBounded(t *testing.T) {
	var d domainCounts
	for i := range maxDomains + 5 {
		d.add("d"+string(rune(i+0x10000)), 1, 0)
	}
	top, all := d.top(1)
	if all != maxDomains+1 || top[0] != (DomainCount{otherDomains, 5, 0}) {
		t.Errorf("%d domains, first %+v", all, top)
	}
}
