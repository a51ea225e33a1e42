package session

import (
	"crypto/tls"
	"io"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
)

// TestIndependentClient lets another implementation speak to a session: TLS,
// AUTH, dots in text, and LMTP's reply per recipient.
func TestIndependentClient(t *testing.T) {
	const text = "Subject: dots\r\n\r\n.\r\n..\r\n.x\r\nend\r\n"
	queue := new(memory)
	settings := &Settings{
		Hostname: "mx.example.com", Transport: "mx", Queue: queue, TLS: func() *tls.Config { return testTLS() },
		Auth:       Auth{Mechanisms: []string{"PLAIN"}, TLSOnly: true},
		Extensions: Extensions{Pipelining: true, EightBitMIME: true, SMTPUTF8: true, EnhancedStatusCodes: true, Size: true, DSN: true},
		Hooks:      &rules{rules: []rule{parseRule("auth PLAIN__ann_secret_0_ accept"), parseRule("rcptto * accept"), parseRule("eod * accept")}},
	}
	client, server := pipe()
	over := make(chan struct{}) // closed when Serve has returned
	go func() {
		defer close(over)
		New(server, benchPeer, settings).Serve(t.Context())
	}()
	c, err := gosmtp.NewClientStartTLS(client, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Auth(sasl.NewPlainClient("", "ann", "secret")); err != nil {
		t.Fatal(err)
	}
	if err := c.SendMail("joe@example.org", []string{"ann@example.com", "bob@example.com"}, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	_ = c.Quit() // fails when the session has closed first, which it may
	<-over
	checkKept(t, queue, text)
}

func TestIndependentLMTPClient(t *testing.T) {
	const text = "Subject: lmtp\r\n\r\n.\r\n"
	queue := new(memory)
	settings := &Settings{Hostname: "mx.example.com", Transport: "mx", Queue: queue, LMTP: true, Hooks: &rules{rules: []rule{parseRule("eod * accept")}}}
	client, server := pipe()
	over := make(chan struct{}) // closed when Serve has returned
	go func() {
		defer close(over)
		New(server, Peer{}, settings).Serve(t.Context())
	}()
	c := gosmtp.NewClientLMTP(client)
	if err := c.Mail("joe@example.org", nil); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"ann@example.com", "bob@example.com"} {
		if err := c.Rcpt(to, nil); err != nil {
			t.Fatal(err)
		}
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if replies, err := w.CloseWithLMTPResponse(); err != nil || len(replies) != 2 {
		t.Fatal(err, replies)
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
	<-over
	checkKept(t, queue, text)
}

func checkKept(t *testing.T, queue *memory, text string) {
	t.Helper()
	if len(queue.messages) != 1 || len(queue.messages[0].Recipients) != 2 || !strings.HasSuffix(string(queue.messages[0].body), "\r\n"+text) {
		t.Errorf("%+v", queue.messages)
	}
}
