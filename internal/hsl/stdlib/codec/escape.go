package codec

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// unreserved are the bytes that stand for themselves in a URL (RFC 3986 §2.3).
func unreserved(c byte) bool {
	return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte("-._~", c) >= 0
}

// xchar are the bytes that stand for themselves in xtext (RFC 3461 §4).
func xchar(c byte) bool { return c > ' ' && c < 0x7f && c != '+' && c != '=' }

const upperHex = "0123456789ABCDEF"

// escape returns the builtin that writes bytes as a mark and two digits.
func escape(plain func(byte) bool, mark byte) declare.Func {
	return func(c *value.Call) (value.Value, error) {
		s := c.Str(0)
		if err := c.Alloc(3 * len(s)); err != nil {
			return value.None, err
		}
		b := make([]byte, 0, len(s)+len(s)/2)
		for i := range len(s) {
			if plain(s[i]) {
				b = append(b, s[i])
			} else {
				b = append(b, mark, upperHex[s[i]>>4], upperHex[s[i]&15])
			}
		}
		return value.String(string(b)), c.Step(len(s) / 16)
	}
}

// hexByte reads two hexadecimal digits at the beginning of s.
func hexByte(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	high, ok1 := hexDigit(s[0])
	low, ok2 := hexDigit(s[1])
	return high<<4 | low, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c-'0' <= 9:
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

func urlDecode(c *value.Call) (value.Value, error) {
	s := c.Str(0)
	if strings.IndexByte(s, '%') < 0 {
		return c.Args[0], nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			if x, ok := hexByte(s[i+1:]); ok {
				b = append(b, x)
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return declare.Bytes(c, b)
}

func xtextDecode(c *value.Call) (value.Value, error) {
	s := c.Str(0)
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if xchar(s[i]) {
			b = append(b, s[i])
			continue
		}
		x, ok := hexByte(s[i+1:])
		if s[i] != '+' || !ok {
			return value.None, nil
		}
		b = append(b, x)
		i += 2
	}
	return declare.Bytes(c, b)
}
