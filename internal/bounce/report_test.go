package bounce_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/bounce"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
)

func readText(text string) (*bounce.Report, bool) {
	return bounce.Read(mime.NewBytes([]byte(strings.ReplaceAll(text, "\n", "\r\n"))))
}

const feedback = `Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: abuse
Version: 1
Original-Mail-From: <news@shop.test>
Original-Rcpt-To: <joe@example.test>

--b
Content-Type: message/rfc822

From: news@shop.test
Message-ID: <77@shop.test>

hi
--b--
`

const words = `From: MAILER-DAEMON@mx.test
To: news@shop.test
Subject: failure notice

Hi. I could not deliver your message.

<joe@example.test>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.1.1 nobody of that name

<ann@example.test>:
Remote host said: 452 4.2.2 mailbox full

--- Below this line is a copy of the message.

Return-Path: <news@shop.test>
Message-ID: <78@shop.test>
To: joe@example.test
`

func TestRead(t *testing.T) {
	r, ok := readText(feedback)
	if !ok || r.Kind != bounce.Complaint || r.Feedback != "abuse" || r.MessageID != "77@shop.test" || r.Sender != "news@shop.test" || r.Recipients[0].Address != "joe@example.test" {
		t.Errorf("%+v", r)
	}
	r, ok = readText(words)
	if !ok || r.Kind != bounce.Bounce || r.MessageID != "78@shop.test" || r.Sender != "news@shop.test" || len(r.Recipients) != 2 {
		t.Fatalf("%+v", r)
	}
	for i, want := range []struct{ address, text string }{{"joe@example.test", "550 5.1.1 nobody of that name"}, {"ann@example.test", "452 4.2.2 mailbox full"}} {
		if have := r.Recipients[i]; have.Address != want.address || have.Reply.Text != want.text {
			t.Errorf("%+v", have)
		}
	}
	r, ok = readText("From: joe@example.test\nAuto-Submitted: auto-replied\nIn-Reply-To: <79@shop.test>\nSubject: away\n\nback on Monday\n")
	if !ok || r.Kind != bounce.AutoReply || r.MessageID != "79@shop.test" || r.Recipients[0].Address != "joe@example.test" {
		t.Errorf("%+v", r)
	}
	for _, other := range []string{"", "From: joe@example.test\nSubject: hello\n\n550 5.1.1 user unknown <a@b.test>\n", "From: mailer-daemon@a.test\n\nnothing\n"} {
		if r, ok := readText(other); ok {
			t.Errorf("%q is a report: %+v", other, r)
		}
	}
}

// TestReadOwn reads the reports that we write.
func TestReadOwn(t *testing.T) {
	names, err := filepath.Glob("../message/dsn/testdata/*.eml")
	if err != nil || len(names) < 5 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r, ok := bounce.Read(mime.NewBytes(text))
		if !ok || len(r.Recipients) == 0 || !strings.Contains(r.Recipients[0].Address, "@") || r.Recipients[0].Action == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(feedback))
	f.Add([]byte(words))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, ok := bounce.Read(mime.NewBytes(text))
		if ok && r.Kind == "" {
			t.Errorf("%+v", r)
		}
		if ok && len(r.Recipients) > 0 {
			bounce.Default().Classify(r.Recipients[0].Reply)
		}
	})
}
