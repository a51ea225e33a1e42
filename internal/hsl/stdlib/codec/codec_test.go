package codec_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/codec"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func machine(t testing.TB, limits value.Limits) *stdlibtest.Machine {
	l := value.NewLibrary(nil, value.Declarations{Builtins: codec.Builtins()})
	return stdlibtest.New(t, l, value.Setup{Limits: limits})
}

func TestFunctions(t *testing.T) {
	machine(t, value.Limits{}).Check(t, []stdlibtest.Case{
		{`base32_encode("")`, `""`},
		{`base32_encode("fooba")`, `"MZXW6YTB"`},
		{`base32_decode("MZXW6===")`, `"foo"`},
		{`base32_decode("mzxw6")`, `"foo"`},
		{`base32_decode("MZXW1")`, `none`},
		{`base64_encode("fo\x00")`, `"Zm8A"`},
		{`base64_decode("Zm 9v\r\nYg")`, `"foob"`},
		{`base64_decode("Zm9v!YmFy")`, `"foo"`},
		{`base64_decode("Zm9vYg==Zm9v")`, `"foob"`},
		{`base64_decode("")`, `""`},
		{`base64_decode("Z")`, `""`},
		{`base64url_encode("\xfb\xff\xfe")`, `"-__-"`},
		{`base64url_encode("f")`, `"Zg"`},
		{`base64url_decode("Zg==")`, `"f"`},
		{`base64url_decode("-_8")`, "\"\xfb\xff\""},
		{`url_encode("a-b._~ /?&=+%\xff")`, `"a-b._~%20%2F%3F%26%3D%2B%25%FF"`},
		{`url_decode("%41%2f%2F%zz%")`, `"A//%zz%"`},
		{`url_decode("a+b")`, `"a+b"`},
		{`xtext_encode("a b+c=\xe9")`, `"a+20b+2Bc+3D+E9"`},
		{`xtext_decode("a+20b")`, `"a b"`},
		{`xtext_decode("a+2")`, `none`},
		{`xtext_decode("a=b")`, `none`},
		{`xtext_decode("a b")`, `none`},
		{`mimeword_encode("plain text")`, `"plain text"`},
		{`mimeword_encode("é")`, `"=?UTF-8?q?=C3=A9?="`},
		{`mimeword_decode("=?utf-8?B?w6k=?= =?utf-8?Q?_x?= y")`, `"é x y"`},
		{`mimeword_decode("=?utf-8*en?Q?a?=")`, `"a"`},
		{`mimeword_decode("=?nonsense?Q?=E9?=")`, `"é"`},
		{`mimeword_decode("=?utf-8?Q?unfinished")`, `"=?utf-8?Q?unfinished"`},
	})
}

func TestZlib(t *testing.T) {
	m := machine(t, value.Limits{})
	m.Check(t, []stdlibtest.Case{
		{`zlib_uncompress(zlib_compress("abc", 0))`, `"abc"`},
		{`zlib_uncompress(zlib_compress("abc", 9, -15), -15)`, `"abc"`},
		{`zlib_uncompress(zlib_compress("abc", 6, 31), 31)`, `"abc"`},
		{`zlib_uncompress("nonsense")`, `none`},
		{`zlib_uncompress("x\x9cK\x04\x02")`, `none`},
		{`zlib_uncompress("", 31)`, `none`},
		{`zlib_compress("", 10)`, `!zlib_compress: argument 2 (compression): want 0 to 9, got 10`},
		{`zlib_compress("", 6, 3)`, `!zlib_compress: argument 3 (windowbits): want 8 to 15, -15 to -8 or 24 to 31, got 3`},
	})
	// A bomb ends the script, not the process.
	bomb, err := m.Call(value.FromFunction(m.Library.Function("zlib_compress")), value.String(strings.Repeat("\x00", 4<<20)))
	if err != nil {
		t.Fatal(err)
	}
	small := machine(t, value.Limits{Memory: 1 << 20})
	_, err = small.Call(value.FromFunction(small.Library.Function("zlib_uncompress")), bomb)
	if err == nil || err.Error() != "script exceeded its memory limit of 1 MiB" {
		t.Errorf("bomb of %d bytes: %v", bomb.StrLen(), err)
	}
}

func TestPack(t *testing.T) {
	machine(t, value.Limits{}).Check(t, []stdlibtest.Case{
		{`unpack("nH4", "\x01\x02\xab\xcd")`, `[0=>258,1=>"abcd"]`},
		{`pack("nvNV", 258, 258, 16909060, 16909060)`, "''\x01\x02\x02\x01\x01\x02\x03\x04\x04\x03\x02\x01''"},
		{`pack("N", -1)`, "\"\xff\xff\xff\xff\""},
		{`pack("C*", 65, 66, 67)`, `"ABC"`},
		{`pack("C2", 65, 66)`, `"AB"`},
		{`pack("C3", 65, 66)`, `none`},
		{`pack("C", 65, 66)`, `none`},
		{`pack("a", "xyz")`, `"x"`},
		{`pack("a5", "xyz")`, "''xyz\x00\x00''"},
		{`pack("a*", "xyz")`, `"xyz"`},
		{`pack("Z*", "xy")`, "''xy\x00''"},
		{`pack("Z2", "xyz")`, "''x\x00''"},
		{`pack("H*", "4a4")`, `"J@"`},
		{`pack("H2", "4a")`, `"J"`},
		{`pack("H4", "4a")`, `none`},
		{`pack("H*", "xx")`, `none`},
		{`pack("x2")`, "''\x00\x00''"},
		{`pack("q", 1)`, `none`},
		{`pack("c", 1)`, `none`},
		{`pack("e", 1.5)`, "''\x00\x00\x00\x00\x00\x00\xf8?''"},
		{`pack("a")`, `none`},
		{`pack("")`, `""`},
		{`unpack("c2C", "\xff\x01\xff")`, `[0=>-1,1=>1,2=>255]`},
		{`unpack("n*", "\x00\x01\x00\x02\x00")`, `[0=>1,1=>2]`},
		{`unpack("N", "\xff\xff\xff\xff")`, `[0=>4294967295]`},
		{`unpack("V", "\x01\x00\x00")`, `none`},
		{`unpack("Z*a", "ab\x00c")`, `[0=>"ab",1=>"c"]`},
		{`unpack("Z3a", "a\x00xc")`, `[0=>"a",1=>"c"]`},
		{`unpack("Z*", "ab")`, `[0=>"ab"]`},
		{`unpack("xa*", "abc")`, `[0=>"bc"]`},
		{`unpack("H3", "\xab\xcd")`, `[0=>"abc"]`},
		{`unpack("E", "\x3f\xf8\x00\x00\x00\x00\x00\x00")`, `[0=>1.5]`},
		{`unpack("a2", "a")`, `none`},
		{`unpack("a", "abc", 1)`, `[0=>"b"]`},
		{`unpack("a", "abc", 4)`, `none`},
		{`unpack("a", none)`, `none`},
		{`unpack("a999999999999999999999", "a")`, `none`},
	})
	small := machine(t, value.Limits{Memory: 1 << 20})
	if got := small.Show(`pack("x2000000000")`); got != "!script exceeded its memory limit of 1 MiB" {
		t.Errorf("pack: %.80s", got)
	}
}

// TestRoundTrips: what was encoded decodes to itself.
func TestRoundTrips(t *testing.T) {
	m := machine(t, value.Limits{})
	pairs := [][2]string{
		{"base32_encode", "base32_decode"}, {"base64_encode", "base64_decode"}, {"base64url_encode", "base64url_decode"},
		{"url_encode", "url_decode"}, {"xtext_encode", "xtext_decode"}, {"zlib_compress", "zlib_uncompress"},
	}
	rapid.Check(t, func(r *rapid.T) {
		text := value.Bytes(rapid.SliceOf(rapid.Byte()).Draw(r, "text"))
		for _, pair := range pairs {
			v := text
			for _, name := range pair {
				var err error
				if v, err = m.Call(value.FromFunction(m.Library.Function(name)), v); err != nil {
					r.Fatal(err)
				}
			}
			if !value.Identical(v, text) {
				r.Fatalf("%s of %q came back as %q", pair[0], text.Str(), v.Str())
			}
		}
	})
}

// TestWords: encoded words decode to the text.
func TestWords(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.StringMatching(`[ -~äöü漢字]*`).Draw(r, "text")
		if got := codec.DecodeWords(codec.EncodeWords(text)); got != text && !strings.Contains(text, "=?") {
			r.Fatalf("%q came back as %q", text, got)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	m := machine(f, value.Limits{Memory: 1 << 24, Instructions: 1 << 40})
	f.Add("nH4a*", "\x01\x02\xab\xcd", 0.0)
	f.Fuzz(func(t *testing.T, format, data string, offset float64) {
		_, err := m.Call(value.FromFunction(m.Library.Function("unpack")), value.String(format), value.String(data), value.Number(offset))
		if err != nil {
			t.Fatal(err)
		}
	})
}
