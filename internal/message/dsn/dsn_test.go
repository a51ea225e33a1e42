package dsn

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

var update = flag.Bool("update", false, "write the golden files again")

var zone = time.FixedZone("", 2*3600)

const original = "Received: from client.example by mx1.example.com;\r\n" +
	"\tMon, 21 Sep 2026 16:13:20 +0200\r\n" +
	"From: Joe <joe@example.com>\r\nTo: jane@example.org\r\nSubject: Lunch\r\n" +
	"Date: Mon, 21 Sep 2026 16:13:00 +0200\r\nMessage-ID: <1@example.com>\r\n" +
	"\r\nAt noon?\r\n.\r\nJoe\r\n"

func addr(s string) address.Address {
	a, err := address.Parse(s)
	if err != nil {
		panic(err)
	}
	return a
}

// failure is a report with every field set.
func failure() *Report {
	return &Report{
		Kind:      Failed,
		Host:      "mx1.example.com",
		MessageID: "<4f2a0000-1111-4222-8333-444455556666@mx1.example.com>",
		Date:      time.Date(2026, 9, 21, 18, 0, 0, 0, zone),
		Sender:    addr("joe@example.com"),
		Arrival:   time.Date(2026, 9, 21, 16, 13, 20, 0, zone),
		EnvID:     "order 77",
		Recipients: []Recipient{{
			Address: addr("jane.doe@example.org"),
			ORcpt:   "rfc822;jane@example.org",
			Reply: smtp.Reply{
				Code: 550, Enhanced: smtp.EnhancedCode{5, 1, 1},
				Lines: []string{"No such user here.", "See https://example.org/help for what you can do about it."},
			},
			FromPeer:    true,
			Command:     "RCPT",
			RemoteMTA:   "mx.example.org",
			LastAttempt: time.Date(2026, 9, 21, 17, 59, 59, 0, zone),
			RetryUntil:  time.Date(2026, 9, 25, 16, 13, 20, 0, zone),
		}},
		Original:     strings.NewReader(original),
		OriginalSize: int64(len(original)),
	}
}

func with(change func(*Report)) *Report {
	r := failure()
	change(r)
	return r
}

func setOriginal(r *Report, s string) {
	r.Original, r.OriginalSize = strings.NewReader(s), int64(len(s))
}

var golden = map[string]*Report{
	"failed":      failure(),
	"failed-full": with(func(r *Report) { r.Full = true }),
	"failed-locally": with(func(r *Report) {
		r.EnvID = ""
		r.Recipients[0] = Recipient{Address: addr("jane@nosuch.example"), Cause: "the domain nosuch.example does not exist", Status: smtp.EnhancedCode{5, 1, 2}}
	}),
	"failed-bare": {
		Kind: Failed, Host: "mx1.example.com", Sender: addr("joe@example.com"),
		MessageID: "<1@mx1.example.com>", Date: time.Date(2026, 9, 21, 18, 0, 0, 0, zone),
		Recipients: []Recipient{{Address: addr("jane@example.org")}},
	},
	"delayed": with(func(r *Report) {
		r.Kind = Delayed
		r.Full = true // to no effect
		r.Recipients[0].Reply = smtp.Reply{Code: 450, Lines: []string{"try later"}}
		r.Recipients[0].ORcpt = ""
	}),
	"delivered": with(func(r *Report) {
		r.Kind = Delivered
		r.Recipients[0].Reply = smtp.Reply{Code: 250, Enhanced: smtp.EnhancedCode{2, 1, 5}, Lines: []string{"stored"}}
		r.Recipients[0].Command = "EOD"
	}),
	"relayed": with(func(r *Report) {
		r.Kind = Relayed
		r.Recipients[0].Reply = smtp.Reply{Code: 250, Lines: []string{"ok"}}
	}),
	"expanded": with(func(r *Report) { r.Kind = Expanded; r.Recipients[0].Reply = smtp.Reply{} }),
	"utf8": with(func(r *Report) {
		r.SMTPUTF8 = true
		r.Sender = addr("jürgen@bücher.example")
		r.Recipients[0].Address = addr("用户@例子.广告")
		r.Recipients[0].ORcpt = "utf-8;用户@例子.广告"
		setOriginal(r, "From: Jürgen <jürgen@bücher.example>\r\nSubject: Grüße\r\n\r\nHallo\r\n")
	}),
	"utf8-unknown-to-sender": with(func(r *Report) {
		r.Sender = addr("joe@bücher.example")
		r.Recipients[0].Address = addr("jürgen+x@例子.广告")
		r.Recipients[0].Reply.Lines = []string{"Kein Empfänger \xff"}
		setOriginal(r, "From: Joe <joe@example.com>\r\nSubject: Gr\xfc\xdfe\r\n\r\nHallo\r\n")
	}),
	"options": with(func(r *Report) {
		r.Options = Options{
			From: addr("bounces@example.com"), FromName: "Post Office, Köln", To: addr("archive@example.com"),
			SubjectPrepend: "[Rückläufer]", OmitOriginal: true,
			Headers: []string{
				"X-Campaign: 77", "Auto-Submitted: auto-generated", "Content-Type: text/html",
				"no header", "Two Words: x", "X-Inject: a\r\nBcc: eve@example.com",
			},
			Readable: []byte("Content-Type: text/html; charset=utf-8\n\n<p>Unzustellbar</p>\n"),
		}
	}),
	"several": with(func(r *Report) {
		second := r.Recipients[0]
		second.Address, second.ORcpt, second.FromPeer = addr("bob@example.net"), "", false
		second.Reply = smtp.Reply{Code: 554, Enhanced: smtp.EnhancedCode{5, 4, 6}, Lines: []string{"too many hops"}}
		r.Recipients = append(r.Recipients, second)
	}),
}

func render(t *testing.T, r *Report) (*Message, []byte) {
	t.Helper()
	m, err := (&form{report: r, boundary: "=_BOUNDARY"}).build()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if n, err := m.WriteTo(&b); err != nil || n != m.Size() || n != int64(b.Len()) {
		t.Fatalf("%d bytes written, %d announced, %d there, %v", n, m.Size(), b.Len(), err)
	}
	return m, b.Bytes()
}

func TestGolden(t *testing.T) {
	for name, r := range golden {
		t.Run(name, func(t *testing.T) {
			m, got := render(t, r)
			check(t, r, m, got)
			file := filepath.Join("testdata", name+".eml")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("is not %s (-update to accept):\n%s", file, got)
			}
		})
	}
}

// part is one part of a report as other software reads it.
type part struct {
	header textproto.MIMEHeader
	kind   string
	body   string
}

// read takes a message apart with the standard library and asserts that it is
// a well-formed report.
func read(t *testing.T, b []byte) (mail.Header, []part) {
	t.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("%v\n%q", err, b)
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["report-type"] != "delivery-status" {
		t.Fatalf("type %q, %v, %v", kind, params, err)
	}
	var parts []part
	for in := multipart.NewReader(msg.Body, params["boundary"]); ; {
		p, err := in.NextRawPart()
		if err == io.EOF {
			return msg.Header, parts
		}
		if err != nil {
			t.Fatalf("part %d: %v\n%q", len(parts), err, b)
		}
		body, err := io.ReadAll(p)
		if err != nil {
			t.Fatalf("part %d: %v\n%q", len(parts), err, b)
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		parts = append(parts, part{p.Header, kind, string(body)})
	}
}

// check asserts what holds for every report.
func check(t *testing.T, r *Report, m *Message, b []byte) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSuffix(string(b), "\r\n"), "\r\n") {
		if len(line) > maxLine || strings.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("line %q", line)
		}
	}
	if eight := bytes.ContainsFunc(b, func(c rune) bool { return c >= 0x80 }); eight && !m.EightBit() {
		t.Fatalf("holds 8-bit text unannounced: %q", b)
	}
	_, to := r.to().ASCII()
	_, from := r.from().ASCII()
	if m.NeedsUTF8() && !r.SMTPUTF8 && to && from {
		t.Fatal("needs SMTPUTF8, which the sender did not use")
	}
	header, parts := read(t, b)
	want := 2
	if r.returns() {
		want = 3
	}
	if len(parts) != want {
		t.Fatalf("%d parts, want %d: %q", len(parts), want, b)
	}
	for _, name := range []string{"From", "To", "Subject", "Date", "Message-Id", "Auto-Submitted", "Mime-Version"} {
		if len(header[name]) != 1 {
			t.Errorf("%d header fields %s", len(header[name]), name)
		}
	}
	checkStatus(t, r, parts[1])
}

// checkStatus asserts the part for programs.
func checkStatus(t *testing.T, r *Report, p part) {
	t.Helper()
	if p.kind != "message/delivery-status" && p.kind != "message/global-delivery-status" {
		t.Fatalf("second part is %s", p.kind)
	}
	in := textproto.NewReader(bufioReader(p.body + "\r\n"))
	message, err := in.ReadMIMEHeader()
	if err != nil || len(message["Reporting-Mta"]) != 1 {
		t.Fatalf("%v, %v, %q", message, err, p.body)
	}
	for i := range r.Recipients {
		fields, err := in.ReadMIMEHeader()
		if err != nil {
			t.Fatalf("recipient %d: %v in %q", i, err, p.body)
		}
		if got := fields.Get("Action"); got != r.Kind.String() {
			t.Errorf("recipient %d: action %q", i, got)
		}
		if e, ok := smtp.ParseEnhanced(fields.Get("Status")); !ok || e.IsZero() {
			t.Errorf("recipient %d: status %q", i, fields.Get("Status"))
		}
		if fields.Get("Final-Recipient") == "" {
			t.Errorf("recipient %d is nobody", i)
		}
	}
	if more, err := in.ReadMIMEHeader(); err != io.EOF || len(more) > 0 {
		t.Errorf("more than the recipients: %v, %v", more, err)
	}
}

func TestKinds(t *testing.T) {
	for k := Failed; k <= Expanded; k++ {
		if got, err := ParseKind(strings.ToUpper(k.String())); err != nil || got != k {
			t.Errorf("%v: %v, %v", k, got, err)
		}
	}
	if _, err := ParseKind("lost"); err == nil {
		t.Error("ParseKind accepts anything")
	}
	for _, k := range []Kind{0, Expanded + 1} {
		if _, err := New(&Report{Kind: k}); err == nil {
			t.Errorf("a report of kind %v", k)
		}
	}
}

func TestStatus(t *testing.T) {
	none := smtp.EnhancedCode{}
	tests := []struct {
		kind     Kind
		own      smtp.EnhancedCode
		code     int
		enhanced smtp.EnhancedCode
		want     string
	}{
		{Failed, none, 550, smtp.EnhancedCode{5, 1, 1}, "5.1.1"},
		{Failed, none, 550, smtp.EnhancedCode{4, 7, 1}, "5.7.1"},
		{Failed, none, 550, none, "5.0.0"},
		{Failed, none, 0, none, "5.0.0"},
		{Failed, none, 450, none, "4.4.7"},
		{Failed, none, 452, smtp.EnhancedCode{4, 2, 2}, "4.2.2"},
		{Failed, none, 250, smtp.EnhancedCode{2, 0, 0}, "5.0.0"},
		{Failed, smtp.EnhancedCode{5, 1, 2}, 450, smtp.EnhancedCode{4, 2, 2}, "5.1.2"},
		{Delayed, none, 450, none, "4.0.0"},
		{Delayed, none, 550, smtp.EnhancedCode{5, 1, 1}, "4.1.1"},
		{Delayed, none, 0, none, "4.0.0"},
		{Delivered, none, 250, none, "2.0.0"},
		{Delivered, none, 250, smtp.EnhancedCode{2, 1, 5}, "2.1.5"},
		{Relayed, none, 250, smtp.EnhancedCode{5, 1, 5}, "2.1.5"},
		{Expanded, none, 0, none, "2.0.0"},
	}
	for _, tt := range tests {
		r := &Recipient{Status: tt.own, Reply: smtp.Reply{Code: tt.code, Enhanced: tt.enhanced}}
		if got := tt.kind.Status(r).String(); got != tt.want {
			t.Errorf("%v, own %v, reply %v: %s, want %s", tt.kind, tt.own, r.Reply, got, tt.want)
		}
	}
}

func TestOriginalReturned(t *testing.T) {
	header := original[:strings.Index(original, "\r\n\r\n")+2]
	eightBit := strings.Replace(original, "noon", "Mittag, schön", 1)
	tests := []struct {
		name   string
		change func(*Report)
		kind   string
		body   string
	}{
		{"header", func(*Report) {}, "text/rfc822-headers", header},
		{"full", func(r *Report) { r.Full = true }, "message/rfc822", original},
		{"too large", func(r *Report) { r.Full = true; r.Options.MaxOriginal = 50 }, "text/rfc822-headers", header},
		{"delayed", func(r *Report) { r.Full = true; r.Kind = Delayed }, "text/rfc822-headers", header},
		{"8-bit", func(r *Report) { r.Full = true; setOriginal(r, eightBit) }, "message/rfc822", eightBit},
		{"no body", func(r *Report) { setOriginal(r, "A: b") }, "text/rfc822-headers", "A: b"},
		{"line ends", func(r *Report) { r.Full = true; setOriginal(r, "A: b\n\nc\rd\x00e") }, "message/rfc822", "A: b\r\n\r\nc\r\nd e"},
		{
			"long line", func(r *Report) { r.Full = true; setOriginal(r, "A: b\r\n\r\n"+strings.Repeat("x", 2000)) }, "message/rfc822",
			"A: b\r\n\r\n" + strings.Repeat("x", 998) + "\r\n" + strings.Repeat("x", 998) + "\r\n" + "xxxx",
		},
		{
			"long header line", func(r *Report) { setOriginal(r, "A: "+strings.Repeat("x", 1000)+"\r\n\r\n") }, "text/rfc822-headers",
			"A: " + strings.Repeat("x", 995) + "\r\n " + "xxxxx\r\n",
		},
		{"boundary", func(r *Report) { r.Full = true; setOriginal(r, "A: b\r\n\r\n--=_BOUND\r\n") }, "message/rfc822", "A: b\r\n\r\n--=_BOUND\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := with(tt.change)
			m, b := render(t, r)
			check(t, r, m, b)
			_, parts := read(t, b)
			if p := parts[2]; p.kind != tt.kind || p.body != tt.body {
				t.Errorf("%s %q, want %s %q", p.kind, p.body, tt.kind, tt.body)
			}
		})
	}
}

func TestEncodings(t *testing.T) {
	for name, want := range map[string][2]bool{ // 8-bit, SMTPUTF8
		"failed":                 {false, false},
		"utf8":                   {true, true},
		"utf8-unknown-to-sender": {false, false},
	} {
		m, _ := render(t, golden[name])
		if m.EightBit() != want[0] || m.NeedsUTF8() != want[1] {
			t.Errorf("%s: 8-bit %v, SMTPUTF8 %v", name, m.EightBit(), m.NeedsUTF8())
		}
	}
	m, _ := render(t, with(func(r *Report) { r.Full = true; setOriginal(r, "A: b\r\n\r\nü\r\n") }))
	if !m.EightBit() || m.NeedsUTF8() {
		t.Errorf("8-bit original: 8-bit %v, SMTPUTF8 %v", m.EightBit(), m.NeedsUTF8())
	}
}

func TestReadableWithoutHeaderIsText(t *testing.T) {
	for _, text := range []string{"Sorry.", "Sorry:\r\nno such user\r\n\r\nBye", "Content-Type: text/html"} {
		_, b := render(t, with(func(r *Report) { r.Options.Readable = []byte(text) }))
		_, parts := read(t, b)
		if len(parts[0].header) != 0 || parts[0].body != text {
			t.Errorf("%q became %v %q", text, parts[0].header, parts[0].body)
		}
	}
}

func TestNewIsRandomWhereItMust(t *testing.T) {
	r := with(func(r *Report) { r.MessageID = "" })
	var texts [2]string
	for i := range texts {
		m, err := New(r)
		if err != nil {
			t.Fatal(err)
		}
		var first, second bytes.Buffer
		for _, b := range []*bytes.Buffer{&first, &second} {
			if _, err := m.WriteTo(b); err != nil {
				t.Fatal(err)
			}
		}
		if first.String() != second.String() {
			t.Error("written twice, not the same")
		}
		check(t, r, m, first.Bytes())
		texts[i] = first.String()
	}
	for _, field := range []string{"Message-ID: ", "boundary="} {
		line := func(s string) string {
			_, rest, ok := strings.Cut(s, field)
			line, _, _ := strings.Cut(rest, "\r\n")
			if !ok || line == "" {
				t.Fatalf("no %s in %s", field, s)
			}
			return line
		}
		if line(texts[0]) == line(texts[1]) {
			t.Errorf("%s is the same twice", field)
		}
	}
}

type brokenOriginal struct{ good int64 }

func (b brokenOriginal) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > b.good {
		return 0, os.ErrClosed
	}
	return copy(p, strings.Repeat("A: b\n", len(p)/5+1)), nil
}

func TestOriginalFails(t *testing.T) {
	for _, good := range []int64{0, 300 << 10} { // at the header, behind it
		r := with(func(r *Report) { r.Full = true; r.Original, r.OriginalSize = brokenOriginal{good}, 1<<20 })
		if _, err := New(r); !errors.Is(err, os.ErrClosed) {
			t.Errorf("good up to %d: %v", good, err)
		}
	}
	r := with(func(r *Report) { r.Full = true })
	m, err := New(r)
	if err != nil {
		t.Fatal(err)
	}
	// A bare LF is written as CRLF, so the length gives the change away.
	m.original = strings.NewReader(strings.Replace(original, "Joe", "\nJo", 1))
	if _, err := m.WriteTo(io.Discard); !errors.Is(err, errChanged) {
		t.Errorf("changed original: %v", err)
	}
	m.original = strings.NewReader(original[:10])
	if _, err := m.WriteTo(io.Discard); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("shorter original: %v", err)
	}
}

func TestWriteErrorIsReturned(t *testing.T) {
	m, err := New(with(func(r *Report) { r.Full = true }))
	if err != nil {
		t.Fatal(err)
	}
	pr, pw := io.Pipe()
	pr.Close()
	if _, err := m.WriteTo(pw); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

// The size of the writes does not matter.
func TestCanonicalInPieces(t *testing.T) {
	text := strings.Repeat("line\r\nbare\nx\ry\x00\r\r\n"+strings.Repeat("long", 400)+"\r\n", 20)
	whole, _ := normal([]byte(text), nil)
	for _, size := range []int{1, 2, 3, 7, 1000} {
		var b bytes.Buffer
		c := &canonical{w: &b}
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if k, err := c.Write([]byte(rest[:n])); k != n || err != nil {
				t.Fatal(k, err)
			}
			rest = rest[n:]
		}
		if err := c.Flush(); err != nil || b.String() != string(whole) {
			t.Errorf("in pieces of %d: %v", size, err)
		}
	}
}
