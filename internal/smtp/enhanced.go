package smtp

import (
	"strconv"
	"strings"
)

// EnhancedCode is an RFC 3463 status code such as 5.1.1. The zero value means
// none.
type EnhancedCode [3]uint16

// IsZero reports whether there is no code.
func (e EnhancedCode) IsZero() bool { return e == EnhancedCode{} }

// String returns the code with its dots, "" for none.
func (e EnhancedCode) String() string {
	if e.IsZero() {
		return ""
	}
	return string(e.Append(nil))
}

// Append appends what String returns to b.
func (e EnhancedCode) Append(b []byte) []byte {
	if e.IsZero() {
		return b
	}
	b = strconv.AppendUint(b, uint64(e[0]), 10)
	b = append(b, '.')
	b = strconv.AppendUint(b, uint64(e[1]), 10)
	b = append(b, '.')
	return strconv.AppendUint(b, uint64(e[2]), 10)
}

// ParseEnhanced parses a whole status code.
func ParseEnhanced(s string) (EnhancedCode, bool) {
	e, rest, ok := CutEnhanced(s)
	return e, ok && rest == ""
}

// CutEnhanced takes a status code and the space after it off the start of s.
// Without one it returns s as it is and false.
func CutEnhanced(s string) (e EnhancedCode, rest string, ok bool) {
	code, rest, _ := strings.Cut(s, " ")
	// RFC 3463 §2: class 2, 4 or 5; the others of at most three digits.
	if len(code) < 5 || len(code) > 9 || code[1] != '.' || code[0] != '2' && code[0] != '4' && code[0] != '5' {
		return EnhancedCode{}, s, false
	}
	subject, detail, ok := strings.Cut(code[2:], ".")
	if !ok {
		return EnhancedCode{}, s, false
	}
	e[0] = uint16(code[0] - '0')
	for i, digits := range [...]string{subject, detail} {
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || len(digits) > 3 {
			return EnhancedCode{}, s, false
		}
		e[i+1] = uint16(n)
	}
	return e, rest, true
}
