package message

import (
	"mime"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/posthaste-mta/posthaste/internal/address"
)

const (
	// foldAt is where lines are folded if a space allows it (RFC 5322 §2.1.1).
	foldAt = 78
	// longestWord is where a word without spaces is broken all the same, so
	// that no line comes near the 998 octets that RFC 5322 §2.1.1 allows.
	longestWord = 900
)

// Builder writes header fields one after the other, with CRLF line ends. White
// space and control characters in values become single spaces and folds, so no
// value can end its field. The zero Builder is ready.
type Builder struct{ b []byte }

// Bytes returns what was written. It stays valid until the next call.
func (w *Builder) Bytes() []byte { return w.b }

// Line writes an empty line, as it stands behind a header.
func (w *Builder) Line() { w.b = append(w.b, "\r\n"...) }

// Text writes an unstructured field such as Subject. Text outside ASCII becomes
// encoded words (RFC 2047 §5).
func (w *Builder) Text(name, value string) {
	w.fold(name, mime.QEncoding.Encode("utf-8", plain(value))) // leaves ASCII alone
}

// Field writes a field whose value is in its final form. Characters outside
// ASCII are written as UTF-8 (RFC 6532).
func (w *Builder) Field(name, value string) { w.fold(name, plain(value)) }

// Mailbox writes a field with one address and a name before it, which may be
// empty.
func (w *Builder) Mailbox(name, display string, a address.Address) {
	display = plain(display)
	switch {
	case display == "":
		w.fold(name, plain(a.String()))
		return
	case !IsASCII([]byte(display)):
		display = encodePhrase(display)
	case strings.ContainsFunc(display, isSpecial):
		display = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(display) + `"`
	}
	w.fold(name, display+" "+plain(a.Path()))
}

// Date writes a field with a time (RFC 5322 §3.3) in the zone of t.
func (w *Builder) Date(name string, t time.Time) { w.fold(name, FormatDate(t)) }

// FormatDate returns t as header fields have it (RFC 5322 §3.3).
func FormatDate(t time.Time) string { return t.Format("Mon, 02 Jan 2006 15:04:05 -0700") }

// fold writes the field, breaking lines before the spaces of value.
func (w *Builder) fold(name, value string) {
	w.b = append(append(w.b, name...), ':')
	column := len(name) + 1
	for word := range strings.SplitSeq(value, " ") {
		for len(word) > longestWord {
			cut := runeCut(word, longestWord)
			w.b = append(append(w.b, "\r\n "...), word[:cut]...)
			word, column = word[cut:], foldAt
		}
		if column+1+len(word) > foldAt && column > len(name)+1 {
			w.Line()
			column = 0
		}
		w.b = append(append(w.b, ' '), word...)
		column += 1 + len(word)
	}
	w.Line()
}

// plain returns s as one line of valid UTF-8 without control characters, its
// words separated by single spaces.
func plain(s string) string {
	fields := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || unicode.IsControl(r) })
	return strings.ToValidUTF8(strings.Join(fields, " "), "\ufffd")
}

// encodePhrase encodes a display name, where Q may leave fewer characters as they
// are than in a text (RFC 2047 §5 (3)) and package mime does not know it.
func encodePhrase(s string) string {
	if strings.ContainsAny(s, "\"#$%&'(),.:;<>@[\\]^`{|}~") {
		return mime.BEncoding.Encode("utf-8", s)
	}
	return mime.QEncoding.Encode("utf-8", s)
}

// isSpecial reports whether a display name with r in it must be quoted (RFC
// 5322 §3.2.3).
func isSpecial(r rune) bool { return strings.ContainsRune(`()<>[]:;@\,."`, r) }

// runeCut returns the greatest offset up to n at which s can be cut without
// dividing a character.
func runeCut(s string, n int) int {
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}
