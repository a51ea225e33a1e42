package message

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSummarize(t *testing.T) {
	header := strings.Index(sample, "\r\n\r\n") + 2
	want := Summary{
		Header: header, Body: header + 2,
		Received: 2, Subject: "Grüße aus Köln", MessageID: "<1@example.com>",
		HasFrom: true, HasDate: true, HasMessageID: true,
	}
	if got := Summarize([]byte(sample)); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := Summarize(nil); got != (Summary{}) {
		t.Errorf("%+v", got)
	}
}

func TestSummarizeEightBit(t *testing.T) {
	for in, want := range map[string]bool{
		"Subject: Grüße\r\n\r\n":              true,
		"Subject: x\r\n\r\nGrüße\r\n":         false,
		"X: 1234567890123456789012345678ü":    true,
		"X: 123456789012345678901234567890\n": false,
	} {
		if got := Summarize([]byte(in)).EightBit; got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
}

func TestSubject(t *testing.T) {
	tests := map[string]string{
		"plain":                              "plain",
		"folded\r\n  twice\r\n\there":        "folded  twice here",
		"bad \xff\xfe bytes":                 "bad \ufffd\ufffd bytes",
		"=?utf-8?q?a=1B[31mb?=":              "a [31mb",
		"=?unknown-8bit?q?x?=":               "=?unknown-8bit?q?x?=",
		"=?utf-8?q?broken":                   "=?utf-8?q?broken",
		"=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=": "日本",
		"=?windows-1251?q?=CF=F0?=":          "Пр",
		"":                                   "",
		strings.Repeat("x", 300):             strings.Repeat("x", 256),
		"x" + strings.Repeat("ü", 200):       "x" + strings.Repeat("ü", 127),
	}
	for in, want := range tests {
		if got := Summarize([]byte("Subject: " + in + "\r\n\r\n")).Subject; got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestMessageIDIsCleaned(t *testing.T) {
	s := Summarize([]byte("Message-Id: <a\x1bb@" + strings.Repeat("c", 300) + ">\r\nMessage-ID: <second>\r\n"))
	if len(s.MessageID) != MaxText || !strings.HasPrefix(s.MessageID, "<a b@") {
		t.Errorf("%q", s.MessageID)
	}
}

func FuzzSummarize(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("Subject: =?utf-8?b?/////w==?="))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := Summarize(b)
		for _, text := range []string{s.Subject, s.MessageID} {
			if len(text) > MaxText || !utf8.ValidString(text) || strings.ContainsAny(text, "\r\n\x00\x1b") {
				t.Fatalf("text %q", text)
			}
		}
	})
}

// 1.2 µs/op with three allocations for a header of 1.4 KB.
func BenchmarkSummarize(b *testing.B) {
	received := "Received: from out-3.mail.example.net (out-3.mail.example.net [192.0.2.17])\r\n" +
		"\tby mx.example.org with ESMTPS id 4f2a0000;\r\n\tMon, 02 Jan 2006 15:04:05 -0700\r\n"
	header := strings.Repeat(received, 3) + "DKIM-Signature: v=1; a=rsa-sha256;\r\n b=" +
		strings.Repeat("x", 344) + "\r\n" + strings.Repeat("X-Tracking: abcdefghijklmnopqrstuvwxyz\r\n", 10) +
		"From: Joe <joe@example.com>\r\nTo: jane@example.org\r\nSubject: Your order 1234567\r\n" +
		"Date: Mon, 02 Jan 2006 15:04:05 -0700\r\nMessage-ID: <1234567890@mail.example.net>\r\n\r\n"
	text := []byte(header + strings.Repeat("body\r\n", 1500))
	b.SetBytes(int64(len(header)))
	b.ReportAllocs()
	for b.Loop() {
		if s := Summarize(text); s.Received != 3 {
			b.Fatal(s)
		}
	}
}
