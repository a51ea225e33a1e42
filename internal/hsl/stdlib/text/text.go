// Package text holds the builtins for strings: searching, cutting, replacing.
//
// Strings of HSL are strings of bytes; positions and lengths count bytes, and
// case is that of ASCII.
package text

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Builtins returns the functions of the theme.
func Builtins() []*value.Builtin {
	return []*value.Builtin{
		declare.Function("chr(number number) string",
			"Returns the string of one byte with that code. Codes beyond a byte count modulo 256.",
			`echo chr(65); // A`, chr),
		declare.Function("ord(string character) number or none",
			"Returns the code of the first byte, or none if the string is empty.",
			`echo ord("A"); // 65`, ord),
		declare.Function("str_repeat(string string, number multiplier) string",
			"Returns the string repeated; an empty string if the multiplier is less than one.",
			`echo str_repeat("ab", 3); // ababab`, repeat),
		declare.Function("str_replace(string search, string replace, string subject) string",
			"Returns subject with every occurrence of search, from left to right, replaced. An empty search replaces nothing.",
			`echo str_replace(".", "-", "192.0.2.1"); // 192-0-2-1`, replace),
		declare.Function("str_split(string string, string delimiter, [number limit = 0]) array",
			"Returns the parts of a string between delimiters. A limit above zero is the greatest number of parts, "+
				"and the last one keeps the rest. A limit below zero splits from the right, and the first part keeps the rest. "+
				"An empty delimiter gives a list of bytes.",
			`echo str_split("a,b,c", ",", 2); // [0=>"a",1=>"b,c"]`, split),
		declare.Function("str_find(string string, string substring, [number offset = 0]) number",
			"Returns the first position at or behind the offset where substring occurs, or -1. A negative offset counts from the end.",
			`echo str_find("user@example.com", "@"); // 4`, find),
		declare.Function("str_rfind(string string, string substring, [number offset = 0]) number",
			"Returns the last position where substring occurs, or -1. The offset is how many bytes at the end are left out.",
			`echo str_rfind("www.example.com", "."); // 11`, rfind),
		declare.Function("str_lower(string string) string",
			"Returns the string with the letters A to Z in lower case.",
			`echo str_lower("Example.COM"); // example.com`,
			mapped('A', 'Z')),
		declare.Function("str_upper(string string) string",
			"Returns the string with the letters a to z in upper case.",
			`echo str_upper("ham"); // HAM`,
			mapped('a', 'z')),
		declare.Function("str_slice(string string, number offset, [number length]) string",
			"Returns the bytes from the offset on, at most length of them. What lies outside of the string is left out. "+
				"A negative offset counts from the end; a negative length leaves out as many bytes at the end.",
			`echo str_slice("message", 1, 3); // ess`, slice),
		declare.Function("str_strip(string string, [string characters]) string",
			"Returns the string without any of the characters at both ends: white space unless they are given.",
			`echo "[" . str_strip("  text ") . "]"; // [text]`, strip(true, true)),
		declare.Function("str_lstrip(string string, [string characters]) string",
			"Returns the string without any of the characters at its beginning: white space unless they are given.",
			`echo str_lstrip("0042", "0"); // 42`, strip(true, false)),
		declare.Function("str_rstrip(string string, [string characters]) string",
			"Returns the string without any of the characters at its end: white space unless they are given.",
			`echo str_rstrip("example.com.", "."); // example.com`, strip(false, true)),
		declare.Function("str_chunk(string string, number length, [number firstlength]) array",
			"Returns the string cut into pieces of length bytes. The first piece has firstlength bytes if that is given.",
			`echo str_chunk("abcde", 2); // [0=>"ab",1=>"cd",2=>"e"]`, chunk),
	}
}

func chr(c *value.Call) (value.Value, error) { return value.Byte(byte(c.Int(0))), nil }

func ord(c *value.Call) (value.Value, error) {
	s := c.Str(0)
	if s == "" {
		return value.None, nil
	}
	return value.Int(int(s[0])), nil
}

func repeat(c *value.Call) (value.Value, error) {
	s, n := c.Str(0), max(c.Int(1), 0)
	if err := c.AllocFloat(float64(len(s)) * float64(n)); err != nil {
		return value.None, err
	}
	if s == "" {
		n = 0
	}
	return value.String(strings.Repeat(s, n)), nil
}

func replace(c *value.Call) (value.Value, error) {
	search, with, subject := c.Str(0), c.Str(1), c.Str(2)
	if search == "" {
		return c.Args[2], nil
	}
	n := strings.Count(subject, search)
	if n == 0 {
		return c.Args[2], nil
	}
	if err := c.AllocFloat(float64(len(subject)) + float64(n)*float64(len(with)-len(search))); err != nil {
		return value.None, err
	}
	return value.String(strings.ReplaceAll(subject, search, with)), c.Step(n)
}

// mapped returns the builtin that changes the case of some letters. Bytes outside
// of ASCII stay, which they do not in the functions of package strings.
func mapped(first, last byte) declare.Func {
	return func(c *value.Call) (value.Value, error) {
		s := c.Str(0)
		i := 0
		for i < len(s) && (s[i] < first || s[i] > last) {
			i++
		}
		if i == len(s) {
			return c.Args[0], nil
		}
		b := []byte(s)
		for ; i < len(b); i++ {
			if x := b[i]; x >= first && x <= last {
				b[i] = x ^ 0x20
			}
		}
		return declare.Bytes(c, b)
	}
}
