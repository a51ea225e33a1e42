package syntax

import "strings"

// quoted reads a string in double quotes, with escapes and variables.
func (l *Lexer) quoted() (Lexeme, bool) {
	var parts []Part
	var text strings.Builder
	first := l.at
	flush := func() {
		if text.Len() > 0 {
			parts = append(parts, Part{Text: text.String(), Pos: l.pos(first)})
			text.Reset()
		}
	}
	for l.at++; ; {
		n := strings.IndexAny(l.text[l.at:], "\"\\$")
		if n < 0 {
			l.at = len(l.text)
			l.failf(l.start, "string is not closed")
			break
		}
		text.WriteString(l.text[l.at : l.at+n])
		l.at += n
		if l.text[l.at] == '"' {
			l.at++
			break
		}
		if l.text[l.at] == '\\' {
			l.escape(&text)
			continue
		}
		name, size := interpolated(l.text[l.at:])
		if name == "" {
			text.WriteByte('$')
			l.at++
			continue
		}
		flush()
		parts = append(parts, Part{Variable: name, Pos: l.pos(l.at)})
		l.at += size
		first = l.at
	}
	flush()
	lx := l.lexeme(StringLiteral)
	lx.Parts = parts
	return lx, true
}

// escape reads an escape sequence. Those that mean nothing stay as they are.
func (l *Lexer) escape(text *strings.Builder) {
	c := l.peek(1)
	switch c {
	case '\\', '"', '$':
		text.WriteByte(c)
	case 'n':
		text.WriteByte('\n')
	case 'r':
		text.WriteByte('\r')
	case 't':
		text.WriteByte('\t')
	case 'x':
		if high, low := digit(l.peek(2)), digit(l.peek(3)); high < 16 && low < 16 {
			text.WriteByte(byte(high<<4 | low))
			l.at += 4
			return
		}
		text.WriteString(`\x`)
	default:
		text.WriteByte('\\')
		l.at++
		if l.at < len(l.text) {
			text.WriteByte(c)
			l.at++
		}
		return
	}
	l.at += 2
}

// interpolated returns the name of the variable that s, which begins with a
// dollar sign, asks for, and how long that is; "" if it asks for none.
func interpolated(s string) (name string, size int) {
	if end := nameEnd(s, 1); end > 1 {
		return s[1:end], end
	}
	if len(s) > 1 && s[1] == '{' {
		if end := nameEnd(s, 2); end > 2 && end < len(s) && s[end] == '}' {
			return s[2:end], end + 1
		}
	}
	return "", 0
}

// raw reads 'DELIM'text'DELIM', which has no escapes.
func (l *Lexer) raw() (Lexeme, bool) {
	end := l.at + 1
	for end < len(l.text) && l.text[end] > ' ' && l.text[end] < 0x7f && l.text[end] != '\'' {
		end++
	}
	if end == len(l.text) || l.text[end] != '\'' {
		l.failf(l.at, "want ' to close the opening of a raw string")
		l.at++
		return Lexeme{}, false
	}
	delimiter := l.text[l.at : end+1]
	rest := l.text[end+1:]
	n := strings.Index(rest, delimiter)
	if n < 0 {
		l.failf(l.at, "raw string is not closed: want %s", delimiter)
		l.at = len(l.text)
		return l.lexeme(StringLiteral), true
	}
	l.at = end + 1 + n + len(delimiter)
	lx := l.lexeme(StringLiteral)
	if n > 0 {
		lx.Parts = []Part{{Text: rest[:n], Pos: l.pos(end + 1)}}
	}
	return lx, true
}

// regex reads #/pattern/modifiers.
func (l *Lexer) regex() (Lexeme, bool) {
	if l.peek(1) != '/' {
		l.failf(l.at, "unexpected character \"#\": comments begin with //")
		l.at++
		return Lexeme{}, false
	}
	end := l.at + 2
	for end < len(l.text) && l.text[end] != '/' && l.text[end] != '\n' {
		if l.text[end] == '\\' && end+1 < len(l.text) && l.text[end+1] != '\n' {
			end++
		}
		end++
	}
	if end >= len(l.text) || l.text[end] != '/' {
		l.failf(l.at, "regular expression is not closed")
		l.at = min(end, len(l.text))
		return l.lexeme(RegexLiteral), true
	}
	pattern := l.text[l.at+2 : end]
	l.at = end + 1
	for l.at < len(l.text) && strings.IndexByte("imusxUX", l.text[l.at]) >= 0 {
		l.at++
	}
	if pattern == "" {
		l.failf(l.start, "regular expression is empty")
	}
	if isNamePart(l.peek(0)) {
		l.failf(l.at, "unknown modifier %q of a regular expression", l.text[l.at:l.at+1])
		l.at = max(nameEnd(l.text, l.at), l.at+1)
	}
	lx := l.lexeme(RegexLiteral)
	lx.Text, lx.Modifiers = pattern, l.text[end+1:l.at]
	return lx, true
}
