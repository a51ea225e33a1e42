package smtp

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestReplyAppend(t *testing.T) {
	long := strings.Repeat("word ", 150)
	tests := []struct {
		reply Reply
		want  string
	}{
		{NewReply(250, EnhancedCode{2, 0, 0}, "Ok"), "250 2.0.0 Ok\r\n"},
		{NewReply(220, EnhancedCode{}, "mx.example.com ESMTP"), "220 mx.example.com ESMTP\r\n"},
		{NewReply(250, EnhancedCode{}, "mx", "SIZE 1", "DSN"), "250-mx\r\n250-SIZE 1\r\n250 DSN\r\n"},
		{NewReply(550, EnhancedCode{5, 1, 1}, "a\nb\r\nc"), "550-5.1.1 a\r\n550-5.1.1 b\r\n550 5.1.1 c\r\n"},
		{NewReply(550, EnhancedCode{}, "a\rb\x00c"), "550 a b c\r\n"},
		{NewReply(250, EnhancedCode{2, 0, 0}), "250 2.0.0 \r\n"},
		{NewReply(250, EnhancedCode{}, long), "250-" + long[:494] + "\r\n250 " + long[495:] + "\r\n"},
		{NewReply(250, EnhancedCode{}, strings.Repeat("ü", 300)), "250-" + strings.Repeat("ü", 248) + "\r\n250 " + strings.Repeat("ü", 52) + "\r\n"},
	}
	for _, tt := range tests {
		got := string(tt.reply.Append(nil))
		if got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.reply, got, tt.want)
		}
		for line := range strings.Lines(got) {
			if len(line) > 512 {
				t.Errorf("line of %d octets", len(line))
			}
		}
	}
}

func TestReadReply(t *testing.T) {
	tests := []struct {
		in   string
		want Reply
		err  error
	}{
		{in: "250 2.1.0 Ok\r\n", want: NewReply(250, EnhancedCode{2, 1, 0}, "Ok")},
		{in: "250 Ok\n", want: NewReply(250, EnhancedCode{}, "Ok")},
		{in: "250\r\n", want: NewReply(250, EnhancedCode{}, "")},
		{in: "250-a\r\n250-b c\r\n250 d\r\n", want: NewReply(250, EnhancedCode{}, "a", "b c", "d")},
		{in: "550-5.1.1 no\r\n550 5.1.1 one\r\n", want: NewReply(550, EnhancedCode{5, 1, 1}, "no", "one")},
		{in: "550 2.1.1 odd\r\n", want: NewReply(550, EnhancedCode{}, "2.1.1 odd")},
		{in: "550 5.1.1234 odd\r\n", want: NewReply(550, EnhancedCode{}, "5.1.1234 odd")},
		{in: "250-a\r\n251 b\r\n", err: ErrReply},
		{in: "hello\r\n", err: ErrReply},
		{in: "\r\n", err: ErrReply},
		{in: "100 x\r\n", err: ErrReply},
		{in: "+50 x\r\n", err: ErrReply},
		{in: "250_a\r\n", err: ErrReply},
		{in: strings.Repeat("250-a\r\n", 300), err: ErrReply},
		{in: "250 " + strings.Repeat("a", 3000) + "\r\n", err: ErrLongLine},
	}
	for _, tt := range tests {
		got, err := ReadReply(NewReader(strings.NewReader(tt.in)))
		if !errors.Is(err, tt.err) || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%.40q: %+v, %v", tt.in, got, err)
		}
	}
}

func FuzzReply(f *testing.F) {
	f.Add("250-2.0.0 a\r\n250 2.0.0 b\r\n")
	f.Add("550 5.7.1\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseReply(s)
		if err != nil {
			return
		}
		again, err := ParseReply(string(r.Append(nil)))
		if err != nil || again.Code != r.Code {
			t.Fatalf("%+v: %+v, %v", r, again, err)
		}
		third, err := ParseReply(string(again.Append(nil)))
		if err != nil || !reflect.DeepEqual(again, third) {
			t.Fatalf("%+v became %+v, %v", again, third, err)
		}
	})
}

func TestEnhanced(t *testing.T) {
	for _, s := range []string{"2.0.0", "5.7.30", "4.999.999"} {
		e, ok := ParseEnhanced(s)
		if !ok || e.String() != s {
			t.Errorf("%q: %v %v", s, e, ok)
		}
	}
	for _, s := range []string{"", "3.0.0", "5.1", "5.1.1.1", "5..1", "5.1.", "5.+1.1", "5.1.1000", "5.1.1 x", "15.1.1"} {
		if e, ok := ParseEnhanced(s); ok {
			t.Errorf("%q: %v", s, e)
		}
	}
}

func TestReplyText(t *testing.T) {
	r := NewReply(550, EnhancedCode{5, 1, 1}, "a", "b")
	if r.String() != "550 5.1.1 a b" || r.Text() != "a\nb" || !r.Permanent() || r.IsZero() {
		t.Errorf("%v %q", r, r.Text())
	}
	if (Reply{}).String() != "" || !(Reply{}).IsZero() {
		t.Error("zero reply")
	}
}

// 45 ns without allocation.
func BenchmarkReplyAppend(b *testing.B) {
	r := NewReply(250, EnhancedCode{2, 1, 0}, "Ok")
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buf = r.Append(buf[:0])
	}
}
