package field

import (
	"strconv"
	"strings"
)

// sectionLength is how much of a value one section takes, so that a line with it
// and a name of usual length stays within 78 characters.
const sectionLength = 50

// AppendParam appends a parameter with "; " in front of it: as it is if it can be
// a token, quoted if ASCII allows, else percent-encoded in UTF-8 (RFC 2231 §4).
// A long value is cut into sections (RFC 2231 §3).
func AppendParam(b []byte, name, value string) []byte {
	value = line(value)
	encoded := value
	star := ""
	switch {
	case !isASCII(value):
		encoded, star = "utf-8''"+percent(value), "*"
	case len(value) <= sectionLength && isToken(value):
	default:
		encoded = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
	}
	if len(encoded) <= sectionLength+len(`""`) {
		return append(b, "; "+name+star+"="+encoded...)
	}
	return appendSections(b, name, value, star)
}

func appendSections(b []byte, name, value, star string) []byte {
	head := ""
	if star != "" {
		head, value = "utf-8''", percent(value)
	}
	for n := 0; n == 0 || len(value) > 0; n++ {
		cut := sectionCut(value, sectionLength-len(head))
		content := head + value[:cut]
		if star == "" {
			content = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(content) + `"`
		}
		b = append(b, "; "+name+"*"+strconv.Itoa(n)+star+"="+content...)
		value, head = value[cut:], ""
	}
	return b
}

// sectionCut returns the greatest length up to n that does not cut into an escape.
func sectionCut(s string, n int) int {
	if len(s) <= n {
		return len(s)
	}
	if i := strings.LastIndexByte(s[:n], '%'); i > n-3 {
		return i
	}
	return n
}

// isToken reports whether s can stand without quotes (RFC 2045 §5.1).
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// percent encodes what is not an attribute character (RFC 2231 §7).
func percent(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c < 0x80 && isToken(s[i:i+1]) && c != '*' && c != '\'' && c != '%' {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// ValidBoundary reports whether a text can be a boundary (RFC 2046 §5.1.1). One
// that begins with a space can be, but readers lose it.
func ValidBoundary(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("'()+_,-./:=? ", c) >= 0) {
			return false
		}
	}
	return s != "" && len(s) <= 70 && s[0] != ' ' && s[len(s)-1] != ' '
}
