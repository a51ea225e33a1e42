package syntax

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Lexeme is one token of a file.
type Lexeme struct {
	Token Token
	Pos   Pos
	End   Pos
	// Text is the name of an identifier, keyword or variable, and the pattern
	// of a regular expression.
	Text string
	// Number is the value of a number.
	Number float64
	// Parts are the pieces of a string.
	Parts []Part
	// Modifiers are those of a regular expression.
	Modifiers string
}

// Part is a piece of a string: literal text, or a variable to interpolate.
type Part struct {
	Text     string // of the literal
	Variable string // name without dollar sign; "" for a literal
	Pos      Pos
}

// Lexer cuts a file into tokens. It skips what it cannot read after reporting
// it.
type Lexer struct {
	file  *File
	text  string
	at    int
	start int // of the token under way
	fail  func(Pos, string)
	// Comment, if set, is called with each comment and its place.
	Comment func(Pos, string)
}

// NewLexer returns a lexer for the file that reports mistakes to fail.
func NewLexer(f *File, fail func(p Pos, message string)) *Lexer {
	l := &Lexer{file: f, text: f.Text, fail: fail}
	if strings.HasPrefix(l.text, "\xef\xbb\xbf") {
		l.at = 3
	}
	if strings.HasPrefix(l.text[l.at:], "#!") { // how a system starts a script
		if l.at = strings.IndexByte(l.text, '\n'); l.at < 0 {
			l.at = len(l.text)
		}
	}
	return l
}

func (l *Lexer) pos(offset int) Pos { return l.file.base + Pos(offset) }

func (l *Lexer) failf(offset int, format string, args ...any) {
	l.fail(l.pos(offset), fmt.Sprintf(format, args...))
}

// peek returns the byte n places ahead, 0 at the end.
func (l *Lexer) peek(n int) byte {
	if l.at+n < len(l.text) {
		return l.text[l.at+n]
	}
	return 0
}

// Next returns the next token; EOF again and again at the end.
func (l *Lexer) Next() Lexeme {
	for {
		l.skipSpace()
		l.start = l.at
		if l.at == len(l.text) {
			return l.lexeme(EOF)
		}
		if lx, ok := l.scan(l.text[l.at]); ok {
			return lx
		}
	}
}

func (l *Lexer) lexeme(t Token) Lexeme {
	return Lexeme{Token: t, Pos: l.pos(l.start), End: l.pos(l.at)}
}

// scan reads the token that begins with c; ok is false when there was none.
func (l *Lexer) scan(c byte) (lx Lexeme, ok bool) {
	switch {
	case isLetter(c):
		return l.word(), true
	case c-'0' <= 9:
		return l.number()
	case c == '$':
		return l.variable()
	case c == '"':
		return l.quoted()
	case c == '\'':
		return l.raw()
	case c == '#':
		return l.regex()
	}
	for n := 3; n > 0; n-- {
		if l.at+n > len(l.text) {
			continue
		}
		if t, known := punctuators[l.text[l.at:l.at+n]]; known {
			l.at += n
			return l.lexeme(t), true
		}
	}
	l.strange()
	return lx, false
}

func (l *Lexer) skipSpace() {
	for l.at < len(l.text) {
		switch c := l.text[l.at]; {
		case c == ' ' || c >= '\t' && c <= '\r':
			l.at++
		case c == '/' && l.peek(1) == '/':
			l.comment(strings.IndexByte(l.text[l.at:], '\n'), 0)
		case c == '/' && l.peek(1) == '*':
			end := strings.Index(l.text[l.at+2:], "*/")
			if end < 0 {
				l.failf(l.at, "comment is not closed")
			} else {
				end += 2
			}
			l.comment(end, 2)
		default:
			return
		}
	}
}

// comment skips a comment that ends n bytes ahead, at the end of the file if n
// is negative, and closes with so many bytes.
func (l *Lexer) comment(n, closing int) {
	if n < 0 || l.at+n+closing > len(l.text) {
		n, closing = len(l.text)-l.at, 0
	}
	if l.Comment != nil {
		l.Comment(l.pos(l.at), l.text[l.at:l.at+n+closing])
	}
	l.at += n + closing
}

// strange reports a character that begins no token, with its name if it is one
// of those that editors and mail programs like to smuggle in.
func (l *Lexer) strange() {
	r, n := utf8.DecodeRuneInString(l.text[l.at:])
	switch r {
	case '\u00a0':
		l.failf(l.at, "no-break space (U+00A0) outside a string")
	case '“', '”', '‘', '’', '„':
		l.failf(l.at, "typographic quote %c (U+%04X) outside a string", r, r)
	default:
		l.failf(l.at, "unexpected character %s", strconv.QuoteToASCII(l.text[l.at:l.at+n]))
	}
	l.at += n
}

func isLetter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }

func isNamePart(c byte) bool { return isLetter(c) || c-'0' <= 9 }

// nameEnd returns where the name that begins at offset ends; offset if there is
// none.
func nameEnd(text string, offset int) int {
	if offset >= len(text) || !isLetter(text[offset]) {
		return offset
	}
	for offset++; offset < len(text) && isNamePart(text[offset]); offset++ {
	}
	return offset
}

func (l *Lexer) word() Lexeme {
	l.at = nameEnd(l.text, l.at)
	lx := l.lexeme(Ident)
	lx.Text = l.text[l.start:l.at]
	if t, ok := keywords[lx.Text]; ok {
		lx.Token = t
	} else if reserved[lx.Text] {
		lx.Token = Reserved
	}
	return lx
}

func (l *Lexer) variable() (Lexeme, bool) {
	end := nameEnd(l.text, l.at+1)
	if end == l.at+1 {
		l.failf(l.at, "want a name after $")
		l.at++
		return Lexeme{}, false
	}
	l.at = end
	lx := l.lexeme(VariableName)
	lx.Text = l.text[l.start+1 : l.at]
	return lx, true
}

// number reads a number. A point belongs to it only between digits, because it
// is an operator as well.
func (l *Lexer) number() (Lexeme, bool) {
	base := 10
	if l.peek(0) == '0' {
		switch l.peek(1) {
		case 'x':
			base = 16
		case 'o':
			base = 8
		case 'b':
			base = 2
		}
	}
	var f float64
	if base == 10 {
		f = l.decimal()
	} else {
		l.at += 2
		f = l.digits(base)
	}
	if isNamePart(l.peek(0)) || l.text[l.at-1] == '_' {
		for l.at = nameEnd(l.text, l.at); l.at < len(l.text) && isNamePart(l.text[l.at]); l.at++ {
		}
		l.failf(l.start, "malformed number %q", l.text[l.start:l.at])
	}
	lx := l.lexeme(NumberLiteral)
	lx.Number = f
	return lx, true
}

func (l *Lexer) decimal() float64 {
	l.digits(10)
	if l.peek(0) == '.' && l.peek(1)-'0' <= 9 {
		l.at++
		l.digits(10)
		if l.peek(0) == '.' && l.peek(1)-'0' <= 9 {
			l.at++
			l.digits(10)
			l.failf(l.start, "malformed number %q", l.text[l.start:l.at])
		}
	}
	f, _ := strconv.ParseFloat(strings.ReplaceAll(l.text[l.start:l.at], "_", ""), 64)
	return f
}

// digits reads digits of the base, with single underscores between them.
func (l *Lexer) digits(base int) (f float64) {
	first := l.at
	for l.at < len(l.text) {
		c := l.text[l.at]
		if c == '_' && l.at > first && l.text[l.at-1] != '_' {
			l.at++
			continue
		}
		d := digit(c)
		if d >= base {
			break
		}
		f = f*float64(base) + float64(d)
		l.at++
	}
	if l.at == first {
		l.failf(l.start, "number has no digits")
	}
	return f
}

func digit(c byte) int {
	switch {
	case c-'0' <= 9:
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return 99
}
