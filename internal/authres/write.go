package authres

import (
	"strings"
	"unicode/utf8"
)

// lineLength is where Folded breaks lines (RFC 5322 §2.1.1).
const lineLength = 76

// String returns the value of the field on one line.
func (r Results) String() string {
	var b strings.Builder
	for i, group := range r.groups() {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strings.Join(group, " "))
	}
	return b.String()
}

// Folded returns the value with each method on a line of its own, as it stands
// behind "Authentication-Results: " and without a line end behind it.
func (r Results) Folded() string {
	var b strings.Builder
	column := len("Authentication-Results: ")
	for i, group := range r.groups() {
		for j, part := range group {
			switch {
			case i == 0 && j == 0:
			case j == 0 || column+1+len(part) > lineLength:
				b.WriteString("\r\n\t")
				column = 8
			default:
				b.WriteByte(' ')
				column++
			}
			b.WriteString(part)
			column += len(part)
		}
	}
	return b.String()
}

// groups returns the words of the field: who, and one group per method.
func (r Results) groups() [][]string {
	first := []string{value(r.ID)}
	if r.Version != "" {
		first = append(first, keyword(r.Version))
	}
	groups := [][]string{first}
	for _, m := range r.Methods {
		groups = append(groups, m.words())
	}
	if len(r.Methods) == 0 {
		groups = append(groups, []string{"none"}) // RFC 8601 §2.2, no-result
	}
	for _, g := range groups[:len(groups)-1] {
		g[len(g)-1] += ";"
	}
	return groups
}

// String returns the method as it stands in a field.
func (m Method) String() string { return strings.Join(m.words(), " ") }

func (m Method) words() []string {
	name := keyword(m.Name)
	if m.Version != "" {
		name += "/" + keyword(m.Version)
	}
	words := []string{name + "=" + keyword(m.Result)}
	if m.Comment != "" {
		words = append(words, "("+escape(m.Comment, `()\`)+")")
	}
	if m.Reason != "" {
		words = append(words, "reason="+quoted(m.Reason))
	}
	for _, p := range m.Props {
		words = append(words, keyword(p.Type)+"."+keyword(p.Property)+"="+value(p.Value))
	}
	return words
}

// keyword leaves out what cannot stand in a keyword.
func keyword(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && isKeyword(byte(r)) {
			return r
		}
		return -1
	}, s)
	if s == "" {
		return "unknown" // rather than break the field
	}
	return s
}

// isKeyword reports whether c can stand in the name of a method, type, property
// or result. RFC 5321's Keyword has letters, digits and hyphens; dots and
// underscores occur.
func isKeyword(c byte) bool {
	l := c | 0x20
	return 'a' <= l && l <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

// value writes a value bare where the grammar lets it: a token (RFC 2045 §5.1) or
// an address with an unquoted local part.
func value(s string) string {
	local, domain, _ := strings.Cut(s, "@")
	if s != "" && isToken(local) && isToken(domain) && s != "@" {
		return s
	}
	return quoted(s)
}

func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, c) >= 0 {
			return false
		}
	}
	return true
}

func quoted(s string) string { return `"` + escape(s, `"\`) + `"` }

// escape puts a backslash before the given characters and cleans the rest.
func escape(s, special string) string {
	var b strings.Builder
	for _, r := range clean(s) {
		if strings.ContainsRune(special, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// clean returns s as valid UTF-8 with spaces for control characters.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r // a broken byte is U+FFFD by now
	}, strings.ToValidUTF8(s, "\ufffd"))
}
