// Package codec holds the builtins that write bytes in other alphabets: base
// 32 and 64, percent signs, the encodings of mail, deflate, and binary records.
//
// Functions that encode take any bytes. Those that decode return none for what
// they cannot read, except where a script is better served by what could be
// read.
package codec

import (
	"encoding/base32"
	"encoding/base64"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Builtins returns the functions of the theme.
func Builtins() []*value.Builtin {
	return append(packing(),
		declare.Function("base32_encode(string string) string",
			"Returns the string in base 32 with padding (RFC 4648).",
			`echo base32_encode("foobar"); // MZXW6YTBOI======`, encode(base32.StdEncoding)),
		declare.Function("base32_decode(string string) string or none",
			"Returns what base 32 stands for, in either case and with or without padding; none if it is malformed.",
			`echo base32_decode("mzxw6ytboi"); // foobar`, base32Decode),
		declare.Function("base64_encode(string string) string",
			"Returns the string in base 64 with padding (RFC 4648).",
			`echo base64_encode("foob"); // Zm9vYg==`, encode(base64.StdEncoding)),
		declare.Function("base64_decode(string string) string",
			"Returns what base 64 stands for. White space is skipped, padding is not needed, and reading ends at the first byte of another alphabet.",
			`echo base64_decode("Zm9v\r\nYg=="); // foob`, base64Decode(false)),
		declare.Function("base64url_encode(string string) string",
			"Returns the string in base 64 without padding, in the alphabet for URLs and file names (RFC 4648).",
			`echo base64url_encode("\xfb\xff"); // -_8`, encode(base64.RawURLEncoding)),
		declare.Function("base64url_decode(string string) string",
			"Returns what base 64 in the alphabet for URLs stands for, with or without padding. Reading ends at the first byte of another alphabet.",
			`echo base64url_decode("Zm9vYg"); // foob`, base64Decode(true)),
		declare.Function("url_encode(string string) string",
			"Returns the string with all bytes but letters, digits and -._~ as percent signs and hexadecimal digits (RFC 3986).",
			`echo url_encode("a b/ö"); // a%20b%2F%C3%B6`, escape(unreserved, '%')),
		declare.Function("url_decode(string string) string",
			"Returns the string with percent signs and hexadecimal digits decoded. A plus sign stays one, as does a percent sign without digits.",
			`echo url_decode("a%20b+c"); // a b+c`, urlDecode),
		declare.Function("xtext_encode(string text) string",
			"Returns the text as xtext, the form of parameters in SMTP (RFC 3461).",
			`echo xtext_encode("a+b=c"); // a+2Bb+3Dc`, escape(xchar, '+')),
		declare.Function("xtext_decode(string text) string or none",
			"Returns what xtext stands for (RFC 3461); none if it is malformed.",
			`echo xtext_decode("a+2Bb"); // a+b`, xtextDecode),
		declare.Function("mimeword_encode(string string) string",
			"Returns the text as encoded words (RFC 2047) in UTF-8 if it holds anything but printable ASCII, and as it is otherwise.",
			`echo mimeword_encode("grüß"); // =?UTF-8?q?gr=C3=BC=C3=9F?=`, wordEncode),
		declare.Function("mimeword_decode(string string) string",
			"Returns the text with encoded words (RFC 2047) decoded to UTF-8. Malformed words stay as they are; an unknown character set is read as Windows-1252.",
			`echo mimeword_decode("=?ISO-8859-1?Q?gr=FC=DF?="); // grüß`, wordDecode),
		declare.Function("zlib_compress(string string, [number compression = 6], [number windowbits = 15]) string",
			"Returns the string compressed at a level from 0 to 9. The bits of the window choose the format: 15 zlib, -15 deflate alone, 31 gzip.",
			`echo zlib_uncompress(zlib_compress("aaaa")); // aaaa`, compress),
		declare.Function("zlib_uncompress(string string, [number windowbits = 15]) string or none",
			"Returns what was compressed in the format of the window bits; none if it is damaged.",
			`echo zlib_uncompress("x\x9cK\x04\x02\x00\x03\xce\x01\x85"); // aaaa`, uncompress),
	)
}

// alphabet is one of those of packages base32 and base64.
type alphabet interface {
	Encode(dst, src []byte)
	EncodedLen(n int) int
}

// encode returns the builtin of an encoding that cannot fail.
func encode(a alphabet) declare.Func {
	return func(c *value.Call) (value.Value, error) {
		s := c.Str(0)
		if err := c.Step(len(s) / 64); err != nil {
			return value.None, err
		}
		b := make([]byte, a.EncodedLen(len(s)))
		a.Encode(b, declare.View(s))
		return declare.Bytes(c, b)
	}
}

func base32Decode(c *value.Call) (value.Value, error) {
	text := strings.ToUpper(strings.TrimRight(c.Str(0), "="))
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	if err != nil {
		return value.None, nil // none says so
	}
	return declare.Bytes(c, b)
}

// base64Decode returns the builtin for one of the two alphabets.
func base64Decode(url bool) declare.Func {
	table := &standardDigits
	if url {
		table = &urlDigits
	}
	return func(c *value.Call) (value.Value, error) {
		if err := c.Step(len(c.Str(0)) / 64); err != nil {
			return value.None, err
		}
		return declare.Bytes(c, decode64(c.Str(0), table))
	}
}

// The values of the digits of base 64: other bytes end the text, white space is
// skipped.
var standardDigits, urlDigits = digitTable("+/"), digitTable("-_")

const (
	endOfDigits = 0xff
	skipped     = 0xfe
)

func digitTable(last string) (t [256]byte) {
	for i := range t {
		t[i] = endOfDigits
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + last) {
		t[c] = byte(i)
	}
	for _, c := range []byte(" \t\r\n\v\f") {
		t[c] = skipped
	}
	return t
}

// decode64 reads as far as it can. Package encoding/base64 skips line ends only,
// and gives up at the first mistake.
func decode64(s string, table *[256]byte) []byte {
	b := make([]byte, 0, len(s)/4*3+3)
	bits, n := uint32(0), 0
	for i := range len(s) {
		d := table[s[i]]
		if d == skipped {
			continue
		}
		if d == endOfDigits {
			break
		}
		bits, n = bits<<6|uint32(d), n+6
		if n >= 8 {
			n -= 8
			b = append(b, byte(bits>>n))
		}
	}
	return b
}
