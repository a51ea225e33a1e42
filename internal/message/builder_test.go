package message

import (
	"mime"
	"net/mail"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/posthaste-mta/posthaste/internal/address"
)

func TestBuilder(t *testing.T) {
	joe := address.Address{Local: "joe", Domain: "example.com"}
	tests := []struct {
		write func(*Builder)
		want  string
	}{
		{func(w *Builder) { w.Text("Subject", "plain text") }, "Subject: plain text\r\n"},
		{func(w *Builder) { w.Text("Subject", "Grüße") }, "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"},
		{func(w *Builder) { w.Text("Subject", "a\r\nBcc: eve@example.com\x00") }, "Subject: a Bcc: eve@example.com\r\n"},
		{func(w *Builder) { w.Text("Subject", "") }, "Subject: \r\n"},
		{func(w *Builder) { w.Field("X", "Grüße") }, "X: Grüße\r\n"},
		{
			func(w *Builder) { w.Field("X", strings.Repeat("1234567 ", 11)) },
			"X: " + strings.TrimSpace(strings.Repeat("1234567 ", 9)) + "\r\n 1234567 1234567\r\n",
		},
		{
			func(w *Builder) { w.Field("X", strings.Repeat("x", 1000)) },
			"X:\r\n " + strings.Repeat("x", 900) + "\r\n " + strings.Repeat("x", 100) + "\r\n",
		},
		{func(w *Builder) { w.Mailbox("To", "", joe) }, "To: joe@example.com\r\n"},
		{func(w *Builder) { w.Mailbox("To", "Joe Doe", joe) }, "To: Joe Doe <joe@example.com>\r\n"},
		{func(w *Builder) { w.Mailbox("To", `Doe, "J"`, joe) }, `To: "Doe, \"J\"" <joe@example.com>` + "\r\n"},
		{func(w *Builder) { w.Mailbox("To", "Jö", joe) }, "To: =?utf-8?q?J=C3=B6?= <joe@example.com>\r\n"},
		{
			func(w *Builder) { w.Date("Date", time.Date(2006, 1, 2, 15, 4, 5, 0, time.FixedZone("", -7*3600))) },
			"Date: Mon, 02 Jan 2006 15:04:05 -0700\r\n",
		},
	}
	for _, tt := range tests {
		var w Builder
		tt.write(&w)
		if got := string(w.Bytes()); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// checkLines asserts what RFC 5322 §2.1.1 and §2.3 want of lines.
func checkLines(t *testing.T, b []byte) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSuffix(string(b), "\r\n"), "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("line %q", line)
		}
	}
}

func FuzzBuilder(f *testing.F) {
	f.Add("Subject text", "Grüße", "joe doe")
	f.Add("0", "\xff]", "0")
	f.Add(strings.Repeat("ü", 600), "\x00\r\n .\r\n", `"`)
	f.Fuzz(func(t *testing.T, text, display, local string) {
		var w Builder
		w.Text("Subject", text)
		w.Mailbox("From", display, address.Address{Local: "a", Domain: "b.example"})
		w.Field("X-Field", local)
		w.Line()
		checkLines(t, w.Bytes())
		m, err := mail.ReadMessage(strings.NewReader(string(w.Bytes())))
		if err != nil || len(m.Header) != 3 {
			t.Fatalf("%q: %v, %v", w.Bytes(), m, err)
		}
		if from, err := mail.ParseAddress(m.Header.Get("From")); err != nil || from.Address != "a@b.example" {
			t.Fatalf("%q: %v, %v", w.Bytes(), from, err)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
		long := len(text) > longestWord // may have been broken
		if !long && !strings.Contains(text, "=?") && (err != nil || subject != strings.TrimSpace(plain(text))) {
			t.Fatalf("%q read as %q, %v", text, subject, err)
		}
		if !utf8.Valid(w.Bytes()) {
			t.Fatalf("%q is not UTF-8", w.Bytes())
		}
	})
}
