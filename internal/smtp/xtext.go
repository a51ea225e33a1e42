package smtp

import (
	"errors"
	"strings"
)

// ErrXtext says that a string is no xtext.
var ErrXtext = errors.New("smtp: malformed xtext")

const upperHex = "0123456789ABCDEF"

// AppendXtext appends s in xtext (RFC 3461 §4): what cannot stand in a
// parameter becomes "+" and two hexadecimal digits. UTF-8 stays as it is, for
// it is only used where SMTPUTF8 is (RFC 6533 §3).
func AppendXtext(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c > ' ' && c != '+' && c != '=' && c != 0x7f {
			b = append(b, c)
		} else {
			b = append(b, '+', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

// DecodeXtext returns what AppendXtext encoded. It takes hexadecimal digits in
// any case and refuses what would put a control character into a line of ours.
func DecodeXtext(s string) (string, error) {
	if !strings.ContainsAny(s, "+") {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' {
			if i+2 >= len(s) {
				return "", ErrXtext
			}
			high, low := unhex(s[i+1]), unhex(s[i+2])
			c = high<<4 | low
			if high > 15 || low > 15 || c < ' ' || c == 0x7f {
				return "", ErrXtext
			}
			i += 2
		}
		b = append(b, c)
	}
	return string(b), nil
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}
