package field

import (
	"bytes"
	"errors"
	"mime"
	"net/mail"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/posthaste-mta/posthaste/internal/message"
)

func TestDecode(t *testing.T) {
	tests := []struct{ name, in, label, want string }{
		{"plain", " hello ", "", "hello"},
		{"folded", " a\r\n  b\r\n\tc\r\n", "", "a  b\tc"},
		{"Q", "=?utf-8?q?Gr=C3=BC=C3=9Fe_aus?= Bonn", "", "Grüße aus Bonn"},
		{"B", "=?ISO-8859-1?B?Sm9oYW5uIPxiZXI=?=", "", "Johann über"},
		{"neighbours", "=?utf-8?q?a?=\r\n =?iso-8859-1?q?=FC?= =?utf-8?q?b?=", "", "aüb"},
		{"a character cut in two", "=?utf-8?b?w7w=?= =?utf-8?q?=C3?= =?UTF-8?Q?=BC?=", "", "üü"},
		{"ISO-2022-JP", "=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "", "日本"},
		{"language", "=?us-ascii*en-gb?q?colour?=", "", "colour"},
		{"spaces inside", "=?utf-8?q?a b?=", "", "a b"},
		{"within a word", "x=?utf-8?q?=C3=BC?=y", "", "xüy"},
		{"in quotes", `"=?utf-8?q?J=C3=BCrg?=" <j@example.com>`, "", `"Jürg" <j@example.com>`},
		{"unknown charset", "=?x-none?q?=41?= =?x-none?q?=42?= c", "", "=?x-none?q?=41?= =?x-none?q?=42?= c"},
		{"bad base64", "=?utf-8?b?a!Gk?=", "", "hi"},
		{"unclosed", "=?utf-8?q?abc", "", "=?utf-8?q?abc"},
		{"no encoding", "=?utf-8?x?abc?= =?utf-8?qq?abc?= =??q?a?=", "", "=?utf-8?x?abc?= =?utf-8?qq?abc?= =??q?a?="},
		{"two starts", "=?=?utf-8?q?a?=", "", "=?a"},
		{"raw UTF-8", "Grüße", "iso-8859-1", "Grüße"},
		{"raw by label", "\xcf\xf0\xe8\xe2\xe5\xf2", "windows-1251", "Привет"},
		{"raw without label", "Gr\xfc\xdfe", "", "Grüße"},
		{"raw beside a word", "\xfc =?utf-8?q?=C3=BC?=", "iso-8859-1", "ü ü"},
		{"broken UTF-8", "=?utf-8?q?=FF?=", "", "\ufffd"},
	}
	for _, tt := range tests {
		if got := Decode([]byte(tt.in), tt.label); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestEncodeWords(t *testing.T) {
	tests := []struct {
		in   string
		form Form
		want string
	}{
		{"plain  text", Q, "plain  text"},
		{"Grüße", Q, "=?utf-8?q?Gr=C3=BC=C3=9Fe?="},
		{"Grüße", B, "=?utf-8?b?R3LDvMOfZQ==?="},
		{"viele Grüße aus Köln", Q, "viele =?utf-8?q?Gr=C3=BC=C3=9Fe?= aus =?utf-8?q?K=C3=B6ln?="},
		{"über  Öl", Q, "=?utf-8?q?=C3=BCber__=C3=96l?="},
		{"=?utf-8?q?done?=", Q, "=?utf-8?q?done?="},
		{"a\nb", Q, "=?utf-8?q?a=0Ab?="},
		{"\xff", Q, "=?utf-8?q?=EF=BF=BD?="},
		{
			strings.Repeat("ü", 12), Q,
			"=?utf-8?q?" + strings.Repeat("=C3=BC", 10) + "?= =?utf-8?q?=C3=BC=C3=BC?=",
		},
	}
	for _, tt := range tests {
		if got := EncodeWords(tt.in, tt.form); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestAppend(t *testing.T) {
	word := "=?utf-8?q?J=C3=BCrg?="
	tests := []struct {
		name, field, value string
		form               Form
		want               string
	}{
		{"plain", "X", "a b", Q, "X: a b\r\n"},
		{"empty", "X", "", Q, "X: \r\n"},
		{"spaces stay", "X", " a  b ", Q, "X: a  b\r\n"},
		{"cannot end itself", "X", "a\r\n\r\nBcc: eve\x00\r\n", Q, "X: a Bcc: eve\r\n"},
		{"text", "Subject", "für alle", Q, "Subject: =?utf-8?q?f=C3=BCr?= alle\r\n"},
		{"base64", "Subject", "für alle", B, "Subject: =?utf-8?b?ZsO8cg==?= alle\r\n"},
		{"Latin-1", "Subject", "f\xfcr", Q, "Subject: =?utf-8?q?f=C3=BCr?=\r\n"},
		{"name", "From", "Jürg <j@example.com>", Q, "From: " + word + " <j@example.com>\r\n"},
		{"quoted name", "To", `"Jürg" <j@example.com>`, Q, "To: " + word + " <j@example.com>\r\n"},
		{"quoted with escape", "To", `"Jü\"rg"<j@example.com>`, Q, "To: =?utf-8?q?J=C3=BC=22rg?= <j@example.com>\r\n"},
		{"quoted ASCII", "To", `"A, B" <a@example.com>`, Q, "To: \"A, B\" <a@example.com>\r\n"},
		{"list", "Cc", "Jürg <j@example.com>,ü@example.com", Q, "Cc: " + word + " <j@example.com>,ü@example.com\r\n"},
		{"comment", "Cc", "a@example.com (Jürg)", Q, "Cc: a@example.com (" + word + ")\r\n"},
		{"group", "To", "Jürg: a@b;", Q, "To: " + word + " : a@b;\r\n"},
		{"resent", "Resent-To", `"Jürg" <j@example.com>`, Q, "Resent-To: " + word + " <j@example.com>\r\n"},
		{"quotes in a text", "Subject", `"Jürg"`, Q, "Subject: =?utf-8?q?=22J=C3=BCrg=22?=\r\n"},
		{
			"folds", "X", strings.Repeat("1234567 ", 10) + "x", Q,
			"X:" + strings.Repeat(" 1234567", 9) + "\r\n 1234567 x\r\n",
		},
		{
			"first word fits its line", "Subject", strings.Repeat("ü", 30), Q,
			"Subject: =?utf-8?q?" + strings.Repeat("=C3=BC", 9) + "?=\r\n =?utf-8?q?" +
				strings.Repeat("=C3=BC", 10) + "?=\r\n =?utf-8?q?" +
				strings.Repeat("=C3=BC", 10) + "?=\r\n =?utf-8?q?=C3=BC?=\r\n",
		},
		{
			"no space to fold at", "X", strings.Repeat("x", 1000), Q,
			"X: " + strings.Repeat("x", 899) + "\r\n " + strings.Repeat("x", 101) + "\r\n",
		},
		{"verbatim", "X", "a\r\n\tb\r\n c", Verbatim, "X: a\r\n\tb\r\n c\r\n"},
		{"verbatim bytes", "X", "\xff =?x", Verbatim, "X: \xff =?x\r\n"},
		{"verbatim line end", "X", "a\r\n", Verbatim, "X: a\r\n"},
		{"verbatim cannot end itself", "X", "\n\r\na\nBcc: eve\r\r\n \r\n\r\nbody", Verbatim, "X: a\r\n Bcc: eve\r\n body\r\n"},
		{"verbatim empty", "X", "", Verbatim, "X: \r\n"},
	}
	for _, tt := range tests {
		got, err := Append([]byte("."), tt.field, tt.value, tt.form)
		if err != nil || string(got) != "."+tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
	for _, name := range []string{"", "a b", "a:", "ü", "a\r\nb", strings.Repeat("x", 300)} {
		if b, err := Append(nil, name, "x", Q); !errors.Is(err, ErrName) || b != nil {
			t.Errorf("%q: %q, %v", name, b, err)
		}
	}
}

func TestRename(t *testing.T) {
	if got, err := Rename([]byte("A : b\r\n c\r\n"), "X"); err != nil || string(got) != "X: b\r\n c\r\n" {
		t.Errorf("%q, %v", got, err)
	}
	for field, name := range map[string]string{"no field\r\n": "X", "A: b\r\n": "X Y"} {
		if got, err := Rename([]byte(field), name); !errors.Is(err, ErrName) {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestParam(t *testing.T) {
	tests := []struct{ name, in, param, main, want string }{
		{"plain", "text/plain; charset=utf-8", "charset", "text/plain", "utf-8"},
		{"case and space", "Text/Plain ;\r\n\tCharset = \"utf-8\" ; x=y", "charset", "Text/Plain", "utf-8"},
		{"comments", "text/(a)plain (b;c) ; (d) charset (e) = (f) utf-8 (g)", "charset", "text/plain", "utf-8"},
		{"quoted", `x; a="b \"c\" \\ ;d" junk; e=f`, "a", "x", `b "c" \ ;d`},
		{"behind quoted", `x; a="b;" junk; e=f`, "e", "x", "f"},
		{"unclosed quote", `x; a="b; c=d`, "a", "x", "b; c=d"},
		{"spaces", "x; filename=my file.pdf; y=z", "filename", "x", "my file.pdf"},
		{"first of two", "x; a=b; a=c", "a", "x", "b"},
		{"extended", "x; a*=utf-8'en'%c3%bc%20x", "a", "x", "ü x"},
		{"extended before plain", "x; a=u; a*=utf-8''%C3%BC", "a", "x", "ü"},
		{"extended without charset", "x; a*=%C3%BC", "a", "x", "ü"},
		{"extended in Latin-1", "x; a*=iso-8859-1''%FC%", "a", "x", "ü%"},
		{"sections", `x; a*1="two "; a*0="one "; a*2=three`, "a", "x", "one two three"},
		{"extended sections", "x; a*0*=utf-8''%C3; a*1*=%BC; a*2=%41", "a", "x", "ü%41"},
		{"a section is missing", "x; a*0=one; a*2=three", "a", "x", "one"},
		{"RFC 2231 §4.1", "application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20; " +
			"title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"", "title", "application/x-stuff",
			"This is even more ***fun*** isn't it!"},
		{"encoded word", `x; a="=?utf-8?q?=C3=BC?=.txt"`, "a", "x", "ü.txt"},
		{"raw", "x; a=\"\xfc.txt\"", "a", "x", "ü.txt"},
		{"spaces in quotes", `x; a=" b "`, "a", "x", " b "},
		{"empty", `x; a=""; b=c`, "a", "x", ""},
		{"no equals sign", "x; junk; a=b", "a", "x", "b"},
		{"no main", "; a=b", "a", "", "b"},
		{"an open comment", "x(; a=b", "a", "x(", "b"},
	}
	for _, tt := range tests {
		v := ParseValue([]byte(tt.in), "")
		if got, ok := v.Param(tt.param); !ok || got != tt.want || v.Main != tt.main {
			t.Errorf("%s: %q %q, %v", tt.name, v.Main, got, ok)
		}
	}
	v := ParseValue([]byte("x; a*2=b; *=c; ="), "")
	for _, name := range []string{"a", "b", ""} {
		if got, ok := v.Param(name); ok {
			t.Errorf("%q: %q", name, got)
		}
	}
}

func TestAppendParam(t *testing.T) {
	long := strings.Repeat("0123456789", 6)
	tests := map[string]string{
		"":          `; a=""`,
		"token.txt": "; a=token.txt",
		"two words": `; a="two words"`,
		`q"\`:       `; a="q\"\\"`,
		"a\r\nb":    `; a="a b"`,
		"grün":      "; a*=utf-8''gr%C3%BCn",
		"50% ü":     "; a*=utf-8''50%25%20%C3%BC",
		long:        `; a*0="` + long[:50] + `"; a*1="` + long[50:] + `"`,
		strings.Repeat("ü", 12): "; a*0*=utf-8''" + strings.Repeat("%C3%BC", 7) + "; a*1*=" +
			strings.Repeat("%C3%BC", 5),
	}
	for in, want := range tests {
		if got := string(AppendParam(nil, "a", in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestValidBoundary(t *testing.T) {
	for s, want := range map[string]bool{
		"a": true, "----=_Part_1.2": true, "a b": true, strings.Repeat("x", 70): true,
		"": false, "a ": false, " a": false, "ü": false, `a"b`: false, "a\r\n": false, strings.Repeat("x", 71): false,
	} {
		if got := ValidBoundary(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}

// TestBounds reads texts made to cost more than they are long.
func TestBounds(t *testing.T) {
	const size = 1 << 18
	begin := time.Now()
	for _, unit := range []string{"(", "=?", "=?a?q? ", "=?a?q?=?=", "\"", ";a=(", ";a*0=x", "=?utf-8?q?a?= \xff"} {
		in := []byte(strings.Repeat(unit, size/len(unit)))
		Decode(in, "")
		v := ParseValue(in, "")
		v.Param("a")
	}
	t.Logf("%v for eight texts of 256 KB", time.Since(begin))
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("=?utf-8?q?=C3?= =?utf-8?b?vA==?= \xfc"), "iso-8859-1")
	f.Fuzz(func(t *testing.T, b []byte, label string) {
		if s := Decode(b, label); !utf8.ValidString(s) || strings.Contains(s, "\n") && !bytes.Contains(b, wordStart) {
			t.Fatalf("%q", s)
		}
	})
}

func FuzzAppend(f *testing.F) {
	f.Add("Subject", "Grüße aus Köln", 0)
	f.Add("To", `"Jü" <a@b>, (c`, 1)
	f.Add("X", "a\r\nb: c\r\n\r\n", 2)
	f.Add("X", strings.Repeat(" ", 2000)+strings.Repeat("ü", 2000), 0)
	f.Fuzz(func(t *testing.T, name, value string, form int) {
		b, err := Append(nil, name, value, Form(form&3))
		if err != nil {
			return
		}
		n := 0
		for fld := range message.Fields(b) {
			n++
			if string(fld.Name) != name {
				t.Fatalf("%q has the name %q", b, fld.Name)
			}
		}
		if header, _, whole := message.Split(b); n != 1 || whole || header != len(b) {
			t.Fatalf("%d fields in %q", n, b)
		}
		if form&3 == int(Verbatim) {
			return
		}
		for part := range strings.SplitSeq(strings.TrimSuffix(string(b), "\r\n"), "\r\n") {
			if len(part) > 998 || strings.Trim(part, " \t") == "" || strings.ContainsAny(part, "\r\n\x00") {
				t.Fatalf("line %q", part)
			}
		}
		if strings.Contains(value, "=?") || len(value) > 200 || holdsAddresses(name) {
			return
		}
		if got := Decode(b[len(name)+1:], ""); got != line(value) {
			t.Fatalf("%q is read as %q\n%q", line(value), got, b)
		}
		theirs, err := new(mime.WordDecoder).DecodeHeader(string(Unfold(b[len(name)+1:])))
		if err != nil || theirs != line(value) {
			t.Fatalf("%q is read as %q by others, %v\n%q", line(value), theirs, err, b)
		}
	})
}

func FuzzAddresses(f *testing.F) {
	f.Add("Jürg")
	f.Add(`a "b" \ ü`)
	f.Fuzz(func(t *testing.T, display string) {
		display = strings.TrimSpace(line(display))
		if display == "" || len(display) > 100 || strings.Contains(display, "=?") || strings.ContainsRune(display, utf8.RuneError) {
			return
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(display) + `"`
		b, err := Append(nil, "To", quoted+" <a@b.example>", Q)
		if err != nil {
			t.Fatal(err)
		}
		a, err := mail.ParseAddress(string(Unfold(b[3:])))
		if err != nil || a.Address != "a@b.example" || a.Name != display {
			t.Fatalf("%q: %v, %v", b, a, err)
		}
	})
}

func FuzzParam(f *testing.F) {
	f.Add("grün.txt")
	f.Add(strings.Repeat("ü \"%\\", 30))
	f.Fuzz(func(t *testing.T, value string) {
		want := line(value)
		v := ParseValue(append([]byte("x/y"), AppendParam(nil, "a", value)...), "")
		if got, ok := v.Param("a"); !ok || got != want && !strings.Contains(value, "=?") {
			t.Fatalf("%q is read as %q, %v\n%s", want, got, ok, AppendParam(nil, "a", value))
		}
		if len(value) > 100 { // the others give up on many sections
			return
		}
		_, params, err := mime.ParseMediaType("x/y" + string(AppendParam(nil, "a", value)))
		if err != nil || params["a"] != want {
			t.Fatalf("%q is read as %q by others, %v\n%s", want, params["a"], err, AppendParam(nil, "a", value))
		}
		ParseValue([]byte(value), value)
	})
}

// 0.11 µs for a subject in ASCII, 0.8 µs for one with two encoded words.
func BenchmarkDecode(b *testing.B) {
	for name, in := range map[string]string{
		"ascii": " Your order 1234567 has been shipped", "words": " =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?q?aus_K=C3=B6ln?=",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Decode([]byte(in), "")
			}
		})
	}
}
