// Package field reads and writes what stands in header fields: encoded words
// (RFC 2047), parameters (RFC 2045 §5.1, RFC 2231) and folded lines (RFC 5322
// §2.2.3).
//
// Reading is lenient and total. An encoded word in an odd place is decoded, one
// that nobody can decode stays as it stands, raw bytes are read as package
// charset sees fit, and every result is valid UTF-8. Writing is strict: names and
// values come out as one field with CRLF line ends, whatever they hold, so that
// no value can begin a field of its own or end the header.
//
// All functions are safe for concurrent use and keep nothing of their arguments.
package field

import (
	"bytes"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/message"
	"github.com/posthaste-mta/posthaste/internal/message/charset"
	"github.com/posthaste-mta/posthaste/internal/message/transfer"
)

// Unfold returns a value without its line ends and without white space around it
// (RFC 5322 §2.2.3).
func Unfold(value []byte) []byte {
	return message.Field{Value: value}.AppendUnfolded(make([]byte, 0, len(value)))
}

// Decode returns what people read in a value: unfolded, without white space
// around it, its encoded words decoded, as UTF-8. Raw bytes outside ASCII are read
// in the character set of the given label, which may be empty, unless they are
// UTF-8.
func Decode(value []byte, label string) string {
	v := Unfold(value)
	if !bytes.Contains(v, wordStart) {
		return charset.Text(v, label)
	}
	return DecodeWords(v, label)
}

var wordStart = []byte("=?")

// DecodeWords decodes the encoded words in text, which is one line. White space
// between two of them goes (RFC 2047 §6.2); neighbours in the same character set
// are joined before they are decoded, since senders cut characters in two.
func DecodeWords(text []byte, label string) string {
	d := decoder{label: label}
	for len(text) > 0 {
		i := bytes.Index(text, wordStart)
		if i < 0 {
			break
		}
		w, ok := parseWord(text[i:])
		if !ok {
			d.literal = append(d.literal, text[:i+2]...)
			text = text[i+2:]
			continue
		}
		d.literal = append(d.literal, text[:i]...)
		d.word(w)
		text = text[i+len(w.raw):]
	}
	d.literal = append(d.literal, text...)
	d.flushWords()
	d.flushLiteral()
	return d.out.String()
}

// decoder gathers neighbouring words and what stands between them.
type decoder struct {
	label   string
	out     strings.Builder
	literal []byte // behind the words, not yet written
	words   []word // of one character set, not yet written
}

func (d *decoder) word(w word) {
	if len(d.words) > 0 && len(bytes.Trim(d.literal, " \t")) == 0 {
		d.literal = d.literal[:0] // RFC 2047 §6.2
		if !strings.EqualFold(d.words[0].charset, w.charset) {
			d.flushWords()
		}
	} else {
		d.flushWords()
		d.flushLiteral()
	}
	d.words = append(d.words, w)
}

func (d *decoder) flushLiteral() {
	d.out.WriteString(charset.Text(d.literal, d.label))
	d.literal = d.literal[:0]
}

func (d *decoder) flushWords() {
	if len(d.words) == 0 {
		return
	}
	var content []byte
	for _, w := range d.words {
		content = w.appendContent(content)
	}
	text, ok := charset.Decode(content, d.words[0].charset)
	if !ok {
		text = raw(d.words)
	}
	d.out.WriteString(text)
	d.words = d.words[:0]
}

// raw returns words as they stood in the text.
func raw(words []word) string {
	var b []byte
	for i, w := range words {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, w.raw...)
	}
	return charset.Text(b, "")
}

// word is an encoded word (RFC 2047 §2).
type word struct {
	raw     []byte
	charset string // without the language that RFC 2231 §5 allows behind it
	base64  bool
	text    []byte
}

const (
	// longestCharset is more than any name of a character set has.
	longestCharset = 64
	// longestText bounds the search for the end of a word. RFC 2047 §2 allows 75
	// characters; some senders put a whole Subject into one.
	longestText = 8192
)

// parseWord reads the encoded word with which b begins.
func parseWord(b []byte) (w word, ok bool) {
	rest := b[len(wordStart):]
	n := bytes.IndexByte(rest[:min(len(rest), longestCharset)], '?')
	if n <= 0 || len(rest) < n+3 || rest[n+2] != '?' {
		return w, false
	}
	name, encoding := rest[:n], rest[n+1]
	text := rest[n+3:]
	end := bytes.Index(text[:min(len(text), longestText)], []byte("?="))
	if end < 0 || bytes.IndexByte(name, ' ') >= 0 {
		return w, false
	}
	switch encoding {
	case 'b', 'B':
		w.base64 = true
	case 'q', 'Q':
	default:
		return w, false
	}
	if i := bytes.IndexByte(name, '*'); i >= 0 {
		name = name[:i]
	}
	w.charset, w.text = string(name), text[:end]
	w.raw = b[:len(wordStart)+n+3+end+2]
	return w, true
}

// appendContent appends the bytes that the word stands for.
func (w *word) appendContent(b []byte) []byte {
	if w.base64 {
		return append(b, transfer.DecodeBase64(string(w.text))...)
	}
	return transfer.AppendUnquoted(b, bytes.ReplaceAll(w.text, []byte("_"), []byte(" ")))
}
