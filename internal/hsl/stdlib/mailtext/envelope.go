package mailtext

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func parseEnvelope(c *value.Call) (value.Value, error) {
	s := c.Str(0)
	if strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">") {
		s = s[1 : len(s)-1]
	}
	local, domain, ok := splitAddress(s)
	if !ok {
		return value.None, nil
	}
	return value.FromArray(value.Map("localpart", value.Part(s, local), "domain", value.Part(s, domain))), nil
}

// splitAddress parts a mailbox (RFC 5321 §4.1.2). The null sender is empty on
// both sides.
func splitAddress(s string) (local, domain string, ok bool) {
	if s == "" {
		return "", "", true
	}
	at := strings.LastIndexByte(s, '@')
	if at < 1 {
		return "", "", false
	}
	local, domain = s[:at], s[at+1:]
	if domain == "" || strings.ContainsAny(domain, "<>\"(),;@\\ \t\r\n\x00") {
		return "", "", false
	}
	if local[0] == '"' {
		local, ok = unquote(local)
		return local, domain, ok
	}
	return local, domain, !strings.ContainsAny(local, "<>\"(),;:@\\[] \t\r\n\x00")
}

// unquote takes the quotes and backslashes off a quoted string that s is.
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	var b strings.Builder
	for s = s[1 : len(s)-1]; s != ""; s = s[1:] {
		if s[0] == '"' {
			return "", false
		}
		if s[0] == '\\' {
			if s = s[1:]; s == "" {
				return "", false
			}
		}
		b.WriteByte(s[0])
	}
	return b.String(), true
}

// quote writes s as a quoted string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
	return b.String()
}

// isAtext reports whether the byte stands in an atom (RFC 5322 §3.2.3), which
// bytes of UTF-8 do (RFC 6532 §3.2).
func isAtext(c byte) bool {
	return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// isDotAtom reports whether s is atoms joined by dots.
func isDotAtom(s string) bool {
	dot := true
	for i := range len(s) {
		switch {
		case isAtext(s[i]):
			dot = false
		case s[i] != '.' || dot:
			return false
		default:
			dot = true
		}
	}
	return !dot
}

func escapeLocal(c *value.Call) (value.Value, error) {
	if isDotAtom(c.Str(0)) {
		return c.Args[0], nil
	}
	return declare.Text(c, quote(c.Str(0)))
}
