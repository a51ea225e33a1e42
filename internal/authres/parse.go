package authres

import (
	"errors"
	"fmt"
	"strings"
)

// ErrSyntax says that a field is no Authentication-Results.
var ErrSyntax = errors.New("authres: syntax error")

// Parse reads the value of an Authentication-Results field, folded or not. On
// error, which wraps ErrSyntax, the result holds what came before it.
func Parse(s string) (Results, error) {
	p := parser{rest: s}
	var r Results
	if r.ID = p.word(); r.ID == "" {
		return r, fmt.Errorf("%w: no authserv-id", ErrSyntax)
	}
	r.Version = p.keyword()
	for {
		p.skip()
		if p.rest == "" {
			return r, nil
		}
		if !p.take(';') {
			return r, p.error("semicolon")
		}
		p.skip()
		if p.rest == "" {
			return r, nil // a final semicolon
		}
		m, none, err := p.method()
		if err != nil {
			return r, err
		}
		if !none {
			r.Methods = append(r.Methods, m)
		}
	}
}

// ID returns who a field claims to be from, in lower case, and "" if that cannot
// be told.
func ID(s string) string {
	p := parser{rest: s}
	return strings.ToLower(p.word())
}

// parser reads from the front of rest.
type parser struct {
	rest    string
	comment string // the last one that was skipped
}

func (p *parser) error(wanted string) error {
	return fmt.Errorf("%w: want %s before %.20q", ErrSyntax, wanted, p.rest)
}

// method reads what stands between two semicolons. none says that it is the word
// for no results.
func (p *parser) method() (m Method, none bool, err error) {
	if m.Name = p.keyword(); m.Name == "" {
		return m, false, p.error("method")
	}
	p.skip()
	if p.take('/') {
		m.Version = p.keyword()
	}
	p.skip()
	if !p.take('=') {
		return m, strings.EqualFold(m.Name, "none"), p.noResult(m.Name)
	}
	if m.Result = p.keyword(); m.Result == "" {
		return m, false, p.error("result")
	}
	p.comment = ""
	p.skip()
	m.Comment = p.comment
	for p.rest != "" && p.rest[0] != ';' {
		if err := p.property(&m); err != nil {
			return m, false, err
		}
		p.skip()
	}
	return m, false, nil
}

func (p *parser) noResult(name string) error {
	if strings.EqualFold(name, "none") {
		return nil
	}
	return p.error("=")
}

// property reads reason=value or type.property=value.
func (p *parser) property(m *Method) error {
	name := p.keyword()
	// White space may stand around the dot (RFC 8601 §2.2, propspec).
	for p.skip(); strings.HasPrefix(p.rest, ".") || strings.HasSuffix(name, "."); p.skip() {
		more := p.keyword()
		if more == "" {
			break
		}
		name += more
	}
	if !p.take('=') {
		return p.error("property")
	}
	value := p.word()
	ptype, property, ok := strings.Cut(name, ".")
	switch {
	case ok && ptype != "" && property != "":
		m.Add(ptype, property, value)
	case strings.EqualFold(name, "reason"):
		m.Reason = value
	default:
		return fmt.Errorf("%w: %.20q is no property", ErrSyntax, name)
	}
	return nil
}

// skip passes white space and comments.
func (p *parser) skip() {
	for {
		p.rest = strings.TrimLeft(p.rest, " \t\r\n")
		if !strings.HasPrefix(p.rest, "(") {
			return
		}
		p.comment = p.enclosed('(', ')')
	}
}

// enclosed reads a comment, which may nest, or a quoted string. One that does not
// end, ends with the text.
func (p *parser) enclosed(open, end byte) string {
	var b strings.Builder
	depth := 1
	for i := 1; i < len(p.rest); i++ {
		c := p.rest[i]
		switch c {
		case end:
			if depth--; depth == 0 {
				p.rest = p.rest[i+1:]
				return clean(b.String())
			}
		case open:
			depth++
		case '\\':
			if i+1 < len(p.rest) {
				i++
				c = p.rest[i]
			}
		}
		b.WriteByte(c)
	}
	p.rest = ""
	return clean(b.String())
}

func (p *parser) take(c byte) bool {
	if p.rest != "" && p.rest[0] == c {
		p.rest = p.rest[1:]
		return true
	}
	return false
}

func (p *parser) keyword() string {
	p.skip()
	n := 0
	for n < len(p.rest) && isKeyword(p.rest[n]) {
		n++
	}
	k := p.rest[:n]
	p.rest = p.rest[n:]
	return k
}

// word reads a quoted string, or all up to white space, a semicolon or a comment:
// base64 and addresses are found unquoted everywhere. A quoted local part of an
// address keeps its quotes.
func (p *parser) word() string {
	p.skip()
	start := p.rest
	if strings.HasPrefix(p.rest, `"`) {
		text := p.enclosed('"', '"')
		if !strings.HasPrefix(p.rest, "@") {
			return text
		}
	}
	n := strings.IndexAny(p.rest, " \t\r\n;(")
	if n < 0 {
		n = len(p.rest)
	}
	p.rest = p.rest[n:]
	return clean(start[:len(start)-len(p.rest)])
}
