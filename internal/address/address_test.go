package address

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

var parseTests = []struct {
	in            string
	local, domain string
	print         string // "" when the same as in
	err           error
}{
	{in: "joe@example.com", local: "joe", domain: "example.com"},
	{in: "Joe.Doe+tag@Example.COM", local: "Joe.Doe+tag", domain: "Example.COM"},
	{in: "joe@localhost", local: "joe", domain: "localhost"},
	{in: "!#$%&'*+-/=?^_`{|}~@a", local: "!#$%&'*+-/=?^_`{|}~", domain: "a"},
	{in: `"joe"@example.com`, local: "joe", domain: "example.com", print: "joe@example.com"},
	{in: `"joe doe"@example.com`, local: "joe doe", domain: "example.com"},
	{in: `"a\"b\\c"@example.com`, local: `a"b\c`, domain: "example.com"},
	{in: `"\a@b>"@example.com`, local: "a@b>", domain: "example.com", print: `"a@b>"@example.com`},
	{in: `""@example.com`, local: "", domain: "example.com"},
	{in: "a..b@example.com", local: "a..b", domain: "example.com", print: `"a..b"@example.com`},
	{in: "a.@example.com", local: "a.", domain: "example.com", print: `"a."@example.com`},
	{in: "joe@[192.0.2.1]", local: "joe", domain: "[192.0.2.1]"},
	{in: "joe@[IPv6:2001:db8::1]", local: "joe", domain: "[IPv6:2001:db8::1]"},
	{in: "joe@[x-tag:some.thing]", local: "joe", domain: "[x-tag:some.thing]"},
	{in: "joe@my_host.example.com", local: "joe", domain: "my_host.example.com"},
	{in: "jürgen@müller.example", local: "jürgen", domain: "müller.example"},
	{in: "用户@例子.广告", local: "用户", domain: "例子.广告"},
	{in: strings.Repeat("a", 65) + "@b", local: strings.Repeat("a", 65), domain: "b"},
	{in: strings.Repeat("a", 255) + "@b", err: ErrTooLong},
	{in: strings.Repeat("a", 200) + "@" + strings.Repeat("b.", 100) + "com", err: ErrTooLong},
	{in: "a@" + strings.Repeat("b.", 130) + "com", err: ErrTooLong},
	{in: "a@" + strings.Repeat("b", 63), local: "a", domain: strings.Repeat("b", 63)},
	{in: "a@" + strings.Repeat("b", 64), err: ErrDomain},
	{in: "", err: ErrNull},
	{in: "joe", err: ErrNoAt},
	{in: "joe@", err: ErrDomain},
	{in: "@example.com", err: ErrLocal},
	{in: "joe doe@example.com", err: ErrLocal},
	{in: "joe@exa mple.com", err: ErrDomain},
	{in: "joe@example.com ", err: ErrDomain},
	{in: "joe@example.com.", err: ErrDomain},
	{in: "joe@.example.com", err: ErrDomain},
	{in: "joe@-example.com", err: ErrDomain},
	{in: "joe@example-.com", err: ErrDomain},
	{in: "joe@a@b", err: ErrDomain},
	{in: "joe@b>", err: ErrDomain},
	{in: `"joe@example.com`, err: ErrLocal},
	{in: `"joe\`, err: ErrLocal},
	{in: `"joe"doe@example.com`, err: ErrLocal},
	{in: "\"a\x00b\"@c", err: ErrLocal},
	{in: "a\r\n@c", err: ErrLocal},
	{in: "a\xffb@c", err: ErrLocal},
	{in: "a\u0085b@c", err: ErrLocal},
	{in: "a@b\xff", err: ErrDomain},
	{in: "a@xn--.ü", err: ErrDomain},
	{in: "a@[192.0.2]", err: ErrDomain},
	{in: "a@[IPv6:192.0.2.1]", err: ErrDomain},
	{in: "a@[IPv6:fe80::1%eth0]", err: ErrDomain},
	{in: "a@[192.0.2.1", err: ErrDomain},
	{in: "a@[]", err: ErrDomain},
	{in: "a@[tag-:x]", err: ErrDomain},
	{in: "a@[tag:a b]", err: ErrDomain},
}

func TestParse(t *testing.T) {
	for _, tt := range parseTests {
		a, err := Parse(tt.in)
		if !errors.Is(err, tt.err) {
			t.Errorf("Parse(%q): error %v, want %v", tt.in, err, tt.err)
			continue
		}
		if want := (Address{tt.local, tt.domain}); a != want {
			t.Errorf("Parse(%q) = %#v, want %#v", tt.in, a, want)
		}
		if err != nil {
			continue
		}
		want := tt.print
		if want == "" {
			want = tt.in
		}
		if got := a.String(); got != want {
			t.Errorf("Parse(%q).String() = %q, want %q", tt.in, got, want)
		}
	}
}

func TestParsePath(t *testing.T) {
	joe := Address{"joe", "example.com"}
	tests := []struct {
		in       string
		want     Address
		rest     string
		reverse  error
		forward  error
		bothFail error
	}{
		{in: "<joe@example.com>", want: joe},
		{in: "<joe@example.com> SIZE=1", want: joe, rest: " SIZE=1"},
		{in: `<"a>b"@example.com>x`, want: Address{"a>b", "example.com"}, rest: "x"},
		{in: "<@a.example,@b.example:joe@example.com>", want: joe},
		{in: "<@[192.0.2.1]:joe@example.com>", want: joe},
		{in: "<>", forward: ErrNull},
		{in: "<> BODY=8BITMIME", rest: " BODY=8BITMIME", forward: ErrNull},
		{in: "<PostMaster>", want: Address{Local: "PostMaster"}, reverse: ErrNoAt},
		{in: "<postmaster@example.com>", want: Address{"postmaster", "example.com"}},
		{in: "<joe>", bothFail: ErrNoAt},
		{in: "joe@example.com", bothFail: ErrPath},
		{in: "", bothFail: ErrPath},
		{in: "<", bothFail: ErrNull},
		{in: "<joe@example.com", bothFail: ErrPath},
		{in: "<joe@example.com SIZE=1>", bothFail: ErrPath},
		{in: "<@a.example>", bothFail: ErrPath},
		{in: "<@a.example:>", bothFail: ErrLocal},
		{in: "<@a.example,b:joe@example.com>", bothFail: ErrPath},
		{in: "< joe@example.com>", bothFail: ErrLocal},
	}
	for _, tt := range tests {
		for name, parse := range map[string]func(string) (Address, string, error){
			"reverse": ParseReversePath, "forward": ParseForwardPath,
		} {
			wantErr := tt.bothFail
			if wantErr == nil && name == "reverse" {
				wantErr = tt.reverse
			} else if wantErr == nil {
				wantErr = tt.forward
			}
			a, rest, err := parse(tt.in)
			if !errors.Is(err, wantErr) {
				t.Errorf("%s path %q: error %v, want %v", name, tt.in, err, wantErr)
			}
			if err == nil && (a != tt.want || rest != tt.rest) {
				t.Errorf("%s path %q = %#v, %q", name, tt.in, a, rest)
			}
		}
	}
}

func TestFold(t *testing.T) {
	for in, want := range map[Address]string{
		{"Joe", "Example.COM"}:       "joe@example.com",
		{"Joe Doe", "EXAMPLE"}:       `"joe doe"@example`,
		{"JÜRGEN", "MÜLLER.example"}: "jürgen@müller.example",
		{Local: "Postmaster"}:        "postmaster",
		{}:                           "",
	} {
		if got := in.Fold(); got != want {
			t.Errorf("%#v.Fold() = %q, want %q", in, got, want)
		}
	}
}

func TestNullAndPath(t *testing.T) {
	if got := (Address{}).Path(); got != "<>" {
		t.Errorf("null path = %q", got)
	}
	if got := (Address{"a b", "c"}).Path(); got != `<"a b"@c>` {
		t.Errorf("path = %q", got)
	}
}

func TestASCII(t *testing.T) {
	tests := []struct {
		in, want string
		utf8, ok bool
	}{
		{"joe@Example.com", "joe@Example.com", false, true},
		{"joe@bücher.example", "joe@xn--bcher-kva.example", true, true},
		{"joe@BÜCHER.example", "joe@xn--bcher-kva.example", true, true},
		{"jürgen@example.com", "jürgen@example.com", true, false},
	}
	for _, tt := range tests {
		a, err := Parse(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := a.ASCII()
		if got.String() != tt.want || ok != tt.ok || a.NeedsUTF8() != tt.utf8 {
			t.Errorf("%q: ASCII %v %v, NeedsUTF8 %v", tt.in, got, ok, a.NeedsUTF8())
		}
	}
}

func TestFoldDomain(t *testing.T) {
	for in, want := range map[string]string{
		"Example.COM":    "example.com",
		"BÜCHER.example": "xn--bcher-kva.example",
		"bücher。example": "xn--bcher-kva.example",
		"[IPv6:2001::1]": "[ipv6:2001::1]",
		"\xff.EXAMPLE":   strings.ToLower("\xff.EXAMPLE"),
	} {
		if got := FoldDomain(in); got != want {
			t.Errorf("FoldDomain(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLiteral(t *testing.T) {
	for in, want := range map[string]netip.Addr{
		"[192.0.2.1]":             netip.MustParseAddr("192.0.2.1"),
		"[IPv6:2001:db8::1]":      netip.MustParseAddr("2001:db8::1"),
		"[ipv6:::ffff:192.0.2.1]": netip.MustParseAddr("192.0.2.1"),
		"[2001:db8::1]":           {},
		"[x:y]":                   {},
		"192.0.2.1":               {},
		"":                        {},
		"[":                       {},
	} {
		got, ok := Literal(in)
		if ok != want.IsValid() || (ok && got != want) {
			t.Errorf("Literal(%q) = %v, %v", in, got, ok)
		}
	}
}

func TestPlainASCIIDoesNotAllocate(t *testing.T) {
	var buf [64]byte
	n := testing.AllocsPerRun(100, func() {
		a, _, err := ParseReversePath("<joe.doe@mail.example.com> SIZE=1000")
		if err != nil || a.NeedsUTF8() {
			t.Fatal(a, err)
		}
		a.AppendPath(buf[:0])
		if FoldDomain(a.Domain) != a.Domain {
			t.Fatal("folded")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, tt := range parseTests {
		f.Add(tt.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(s, "\r\n\x00") {
			t.Fatalf("accepted line ends: %q", s)
		}
		if b, err := Parse(a.String()); err != nil || a != b {
			t.Fatalf("%q: %#v printed as %q is %#v, %v", s, a, a.String(), b, err)
		}
		if b, rest, err := ParseReversePath(a.Path() + " X"); err != nil || a != b || rest != " X" {
			t.Fatalf("%q: path %q is %#v, %q, %v", s, a.Path(), b, rest, err)
		}
		if b, ok := a.ASCII(); ok {
			if c, err := Parse(b.String()); err != nil || c != b || b.NeedsUTF8() {
				t.Fatalf("%q: ASCII form %#v, parsed %#v, %v", s, b, c, err)
			}
		}
	})
}

func FuzzParsePath(f *testing.F) {
	f.Add("<a@b> X")
	f.Add("<@a,@b:c@d>")
	f.Add("<>")
	f.Add("<postmaster>")
	f.Fuzz(func(t *testing.T, s string) {
		a, rest, err := ParsePath(s)
		if err != nil {
			return
		}
		if !strings.HasSuffix(s, rest) {
			t.Fatalf("rest %q of %q", rest, s)
		}
		if b, _, err := ParsePath(a.Path()); err != nil || a != b {
			t.Fatalf("%q: %q is %#v, %v", s, a.Path(), b, err)
		}
	})
}

// 32 ns/op without allocation.
func BenchmarkParseReversePath(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ParseReversePath("<joe.doe@mail.example.com> SIZE=1000"); err != nil {
			b.Fatal(err)
		}
	}
}
