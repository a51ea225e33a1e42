package field

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/posthaste-mta/posthaste/internal/message/charset"
)

// Form says how a value is written.
type Form int

const (
	// Q encodes what is outside ASCII as encoded words that leave ASCII letters
	// readable, and folds long lines.
	Q Form = iota
	// B is Q with base64.
	B
	// Verbatim writes the value as it is given, with its own folds.
	Verbatim
)

// longestWord is the most that an encoded word may have, longestLine the most
// that a line with one may have (RFC 2047 §2).
const (
	longestWord = 75
	longestLine = 76
)

// EncodeWords returns text with its words that are not printable ASCII as encoded
// words in UTF-8; words between them that are stay as they are. Text that needs
// none is returned unchanged.
func EncodeWords(text string, form Form) string {
	if isPrintable(text) {
		return text
	}
	return encode(textTokens(strings.ToValidUTF8(text, "\ufffd")), form, 0)
}

// token is a piece of a value: what may be encoded, or what must stay.
type token struct {
	space  string // in front of it
	text   string
	encode bool
}

// textTokens cuts an unstructured value at its white space.
func textTokens(text string) (tokens []token) {
	for len(text) > 0 {
		rest := strings.TrimLeft(text, " \t")
		space := text[:len(text)-len(rest)]
		end := strings.IndexAny(rest, " \t")
		if end < 0 {
			end = len(rest)
		}
		tokens = append(tokens, token{space, rest[:end], !isPrintable(rest[:end])})
		text = rest[end:]
	}
	return tokens
}

// addressTokens cuts a value with addresses so that display names, comments and
// quoted strings can be encoded while the addresses stay as they are (RFC 2047
// §5 (2) and (3)): a quoted string that is not ASCII loses its quotes.
func addressTokens(text string) (tokens []token) {
	for len(text) > 0 {
		rest := strings.TrimLeft(text, " \t")
		t := token{space: text[:len(text)-len(rest)]}
		n := atomLength(rest)
		t.text = rest[:n]
		switch {
		case n > 0 && rest[0] == '"' && !isASCII(t.text):
			t.text, t.encode = unquote(t.text), true
		case n > 0 && rest[0] != '<' && rest[0] != '"':
			t.encode = !isASCII(t.text) && !strings.Contains(t.text, "@")
		}
		tokens = append(tokens, t)
		text = rest[n:]
	}
	return tokens
}

// atomLength returns the length of the quoted string, address in angle brackets,
// special or word with which s begins.
func atomLength(s string) int {
	if s == "" {
		return 0
	}
	switch s[0] {
	case '"':
		for i := 1; i < len(s); i++ {
			switch s[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
		return len(s)
	case '<':
		if i := strings.IndexByte(s, '>'); i >= 0 {
			return i + 1
		}
		return len(s)
	case ',', ';', ':', '(', ')':
		return 1
	}
	if n := strings.IndexAny(s, " \t\"<,;:()"); n >= 0 {
		return n
	}
	return len(s)
}

// unquote returns the content of a quoted string.
func unquote(s string) string {
	s = strings.TrimPrefix(s, `"`)
	var b strings.Builder
	for i := 0; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// encode writes tokens for a field whose value begins in the given column.
// Neighbours that are encoded share their words, with the white space between
// them, which would be lost otherwise (RFC 2047 §6.2).
func encode(tokens []token, form Form, column int) string {
	var b strings.Builder
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		if !t.encode {
			if i > 0 && tokens[i-1].encode && t.space == "" && t.text != ")" && t.text != "" {
				b.WriteByte(' ') // RFC 2047 §5 (3)
			}
			b.WriteString(t.space + t.text)
			continue
		}
		text := t.text
		for i+1 < len(tokens) && tokens[i+1].encode {
			i++
			text += tokens[i].space + tokens[i].text
		}
		if t.space == "" && b.Len() > 0 && !strings.HasSuffix(b.String(), "(") {
			b.WriteByte(' ')
		}
		b.WriteString(t.space)
		b.WriteString(words(text, form, min(longestWord, longestLine-column-b.Len())))
	}
	return b.String()
}

const (
	wordHead = "=?utf-8?"
	wordTail = "?="
	overhead = len(wordHead) + len("q?") + len(wordTail)
	// shortestWord is the room below which a first word is not squeezed into
	// what is left of its line.
	shortestWord = overhead + 12
)

// words encodes text as encoded words with spaces between them, the first of
// which has at most the given length.
func words(text string, form Form, first int) string {
	var b strings.Builder
	if first < shortestWord {
		first = longestWord
	}
	for room := first - overhead; len(text) > 0; room = longestWord - overhead {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		n := fitting(text, form, room)
		b.WriteString(wordHead)
		if form == B {
			b.WriteString("b?" + base64.StdEncoding.EncodeToString([]byte(text[:n])))
		} else {
			b.WriteString("q?")
			writeQ(&b, text[:n])
		}
		b.WriteString(wordTail)
		text = text[n:]
	}
	return b.String()
}

// fitting returns how much of text fits into the given room, in whole characters
// (RFC 2047 §5) and at least one.
func fitting(text string, form Form, room int) int {
	used, n := 0, 0
	for n < len(text) {
		_, size := utf8.DecodeRuneInString(text[n:])
		if form == B {
			used = base64.StdEncoding.EncodedLen(n + size)
		} else {
			used += lengthQ(text[n : n+size])
		}
		if used > room && n > 0 {
			break
		}
		n += size
	}
	return n
}

// plainQ reports whether c may stand for itself in an encoded word anywhere (RFC
// 2047 §5 (3)).
func plainQ(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '!' || c == '*' || c == '+' || c == '-' || c == '/' || c == ' '
}

func lengthQ(s string) (n int) {
	for i := range len(s) {
		if n++; !plainQ(s[i]) {
			n += 2
		}
	}
	return n
}

func writeQ(b *strings.Builder, s string) {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			b.WriteByte('_')
		case plainQ(c):
			b.WriteByte(c)
		default:
			b.Write([]byte{'=', hex[c>>4], hex[c&15]})
		}
	}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isPrintable reports whether s is ASCII without control characters but tabs.
func isPrintable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c >= 0x7f {
			return false
		}
	}
	return true
}

// line returns a value as one line of UTF-8: its line ends with the white space
// behind them and its control characters become spaces.
func line(value string) string {
	if !utf8.ValidString(value) {
		value = charset.Text([]byte(value), "")
	}
	if !strings.ContainsFunc(value, isControl) {
		return strings.Trim(value, " \t")
	}
	var b strings.Builder
	for i, part := range strings.FieldsFunc(value, func(r rune) bool { return r == '\r' || r == '\n' }) {
		if i > 0 {
			part = " " + strings.TrimLeft(part, " \t")
		}
		b.WriteString(part)
	}
	one := strings.Map(func(r rune) rune {
		if isControl(r) {
			return ' '
		}
		return r
	}, b.String())
	return strings.Trim(one, " \t")
}

func isControl(r rune) bool { return unicode.IsControl(r) && r != '\t' }
