package field

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/message/charset"
)

// Value is a value with parameters, such as that of Content-Type.
type Value struct {
	// Main is what stands before the parameters, without comments and white
	// space, in its own case.
	Main   string
	params []param
	label  string
}

// param is one parameter as it stands in the field, perhaps a section of a longer
// one (RFC 2231 §3).
type param struct {
	name     string // in lower case, without section and star
	section  int    // -1: not cut into sections
	extended bool   // percent-encoded (RFC 2231 §4)
	value    []byte
}

// maxParams bounds the parameters that are looked at.
const maxParams = 512

// ParseValue reads a value with parameters, folded or not. The label names the
// character set of raw bytes, as in Decode.
func ParseValue(value []byte, label string) Value {
	s := scanner(Unfold(value))
	v := Value{Main: strings.Trim(string(s.until(";")), " \t"), label: label}
	for len(s) > 0 && len(v.params) < maxParams {
		s = s[1:] // the semicolon
		name := bytes.ToLower(bytes.Trim(s.until("=;"), " \t"))
		if len(s) == 0 || s[0] != '=' {
			continue
		}
		s = s[1:]
		if content := s.value(); len(name) > 0 {
			v.params = append(v.params, newParam(string(name), content))
		}
	}
	return v
}

// newParam takes apart name, name*, name*0 and name*0*.
func newParam(name string, value []byte) param {
	p := param{name: name, section: -1, value: value}
	base, extended := strings.CutSuffix(name, "*")
	plain := base
	if i := strings.LastIndexByte(base, '*'); i > 0 {
		if n, err := strconv.ParseUint(base[i+1:], 10, 16); err == nil {
			p.section, plain = int(n), base[:i]
		}
	}
	if plain != "" {
		p.name, p.extended = plain, extended
	}
	return p
}

// scanner is what is left of a value to read.
type scanner []byte

// until returns what stands in front of the next of the given bytes, without
// comments (RFC 5322 §3.2.2), and goes there.
func (s *scanner) until(stops string) (out []byte) {
	b := *s
	comments := true // until one does not end
	for i := 0; i < len(b); i++ {
		switch {
		case strings.IndexByte(stops, b[i]) >= 0:
			*s = b[i:]
			return out
		case b[i] == '(' && comments:
			n := commentLength(b[i:])
			if comments = n > 0; comments {
				i += n - 1
				continue
			}
		}
		out = append(out, b[i])
	}
	*s = nil
	return out
}

// commentLength returns the length of the comment with which b begins, or 0 if
// it does not end.
func commentLength(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// value reads a quoted string or a token, which may have spaces in it as bad
// mail has, and goes to the next semicolon.
func (s *scanner) value() []byte {
	b := bytes.TrimLeft(*s, " \t")
	if len(b) == 0 || b[0] != '"' {
		*s = b
		return bytes.Trim(s.until(";"), " \t")
	}
	*s = b[1:]
	content := s.quoted()
	s.until(";")
	return content
}

// quoted reads the rest of a quoted string. Without a closing quote it is all
// that is left.
func (s *scanner) quoted() (out []byte) {
	b := *s
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '"':
			*s = b[i+1:]
			return out
		case b[i] == '\\' && i+1 < len(b):
			i++
		}
		out = append(out, b[i])
	}
	*s = nil
	return out
}

// HasParams reports whether there is any parameter.
func (v *Value) HasParams() bool { return len(v.params) > 0 }

// Param returns the value of a parameter, whose name is in lower case: decoded
// and joined from its sections (RFC 2231), with encoded words, which do not
// belong there, decoded too. The form of RFC 2231 is preferred to a plain one;
// of several the first counts.
func (v *Value) Param(name string) (string, bool) {
	var plain *param
	for i := range v.params {
		switch p := &v.params[i]; {
		case p.name != name:
		case p.extended && p.section < 0:
			return extended(p.value, v.label), true
		case p.section == 0:
			return v.joined(p), true
		case p.section < 0 && plain == nil:
			plain = p
		}
	}
	if plain == nil {
		return "", false
	}
	return DecodeWords(plain.value, v.label), true
}

// joined returns a parameter cut into sections, which may stand in any order.
func (v *Value) joined(first *param) string {
	language, content := first.splitCharset()
	for n := 1; ; n++ {
		p := v.section(first.name, n)
		if p == nil {
			break
		}
		if p.extended {
			content = appendPercent(content, p.value)
		} else {
			content = append(content, p.value...)
		}
	}
	if !first.extended {
		return DecodeWords(content, v.label)
	}
	return declared(content, language, v.label)
}

func (v *Value) section(name string, n int) *param {
	for i := range v.params {
		if p := &v.params[i]; p.section == n && p.name == name {
			return p
		}
	}
	return nil
}

// splitCharset returns the character set and the content of a first section.
func (p *param) splitCharset() (label string, content []byte) {
	if !p.extended {
		return "", bytes.Clone(p.value)
	}
	label, rest := cutCharset(p.value)
	return label, appendPercent(nil, rest)
}

// cutCharset takes charset'language' from the front of an extended value.
func cutCharset(b []byte) (label string, rest []byte) {
	name, rest, ok := bytes.Cut(b, []byte("'"))
	if !ok {
		return "", b
	}
	if _, text, ok := bytes.Cut(rest, []byte("'")); ok {
		return string(name), text
	}
	return "", b
}

func extended(b []byte, label string) string {
	language, rest := cutCharset(b)
	return declared(appendPercent(nil, rest), language, label)
}

// declared reads b in the character set that stands in the parameter, or else in
// that of the label.
func declared(b []byte, own, label string) string {
	if text, ok := charset.Decode(b, own); ok {
		return text
	}
	return charset.Text(b, label)
}

// appendPercent appends text with its percent signs decoded.
func appendPercent(b, text []byte) []byte {
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if n, err := strconv.ParseUint(string(text[i+1:i+3]), 16, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, text[i])
	}
	return b
}
