// Package transfer holds the content transfer encodings of MIME (RFC 2045 §6):
// decoders that read whatever arrives, and encoders that write what survives
// every transport.
//
// Decoding never fails. Mail with broken base64 or quoted-printable is common,
// sometimes to slip past those who give up on it, so a decoder does what mail
// programs do: it skips what cannot be meant and goes on. Choose picks the
// encoding that keeps a body readable and its lines within limits; Write streams
// a body of any size through a small buffer, and Size tells its length before.
package transfer

import (
	"io"
	"strings"
)

// Encoding is the value of a Content-Transfer-Encoding field, in lower case.
type Encoding string

// The encodings of RFC 2045 §6.1. All but the last two leave bytes as they are.
const (
	SevenBit        Encoding = "7bit"
	EightBit        Encoding = "8bit"
	Binary          Encoding = "binary"
	QuotedPrintable Encoding = "quoted-printable"
	Base64          Encoding = "base64"
)

// Parse reads the value of a Content-Transfer-Encoding field. It reports false
// for a value that is none of the known ones.
func Parse(value string) (Encoding, bool) {
	value, _, _ = strings.Cut(value, ";")
	e := Encoding(strings.ToLower(strings.Trim(value, " \t\r\n\"")))
	switch e {
	case SevenBit, EightBit, Binary, QuotedPrintable, Base64:
		return e, true
	}
	return e, false
}

// Around returns what a multipart has to say of itself when it holds parts in the
// given encodings: 8bit or binary if one of them is so, and else nothing (RFC 2045
// §6.4).
func Around(parts ...Encoding) (label Encoding) {
	for _, e := range parts {
		if e == Binary || e == EightBit && label == "" {
			label = e
		}
	}
	return label
}

// longestLine is the most that a line may have without its line end (RFC 5321
// §4.5.3.1.6).
const longestLine = 998

// Choose returns the encoding for a body: 7bit if nothing stands against it,
// else quoted-printable for what stays mostly readable in it, else base64. A
// body of text may have its line ends made CRLF; any other must keep its bytes.
func Choose(body string, text bool) Encoding {
	if isBinary(body) {
		return Base64
	}
	s := survey(body)
	ends := s.bareLF == 0 && s.bareCR == 0 || text && s.bareCR == 0
	switch {
	case s.escaped == 0 && s.longest <= longestLine && ends:
		return SevenBit
	case s.fitsQuoted(text):
		return QuotedPrintable
	}
	return Base64
}

// ChooseEncoded is Choose without 7bit.
func ChooseEncoded(body string, text bool) Encoding {
	if !isBinary(body) && survey(body).fitsQuoted(text) {
		return QuotedPrintable
	}
	return Base64
}

// isBinary reports whether body holds a NUL, as most files that are no text do
// near their beginning, which spares a look at the rest.
func isBinary(body string) bool { return strings.IndexByte(body, 0) >= 0 }

// ChooseIdentity returns the label for a body that may not be encoded, as RFC
// 2046 §5.1 and §5.2.1 have it of multiparts and messages.
func ChooseIdentity(body string) Encoding {
	s := survey(body)
	switch {
	case s.longest > longestLine || s.bareCR > 0 || s.bareLF > 0:
		return Binary
	case s.high > 0:
		return EightBit
	}
	return SevenBit
}

// findings are what decides about an encoding.
type findings struct {
	size    int
	escaped int // bytes outside printable ASCII, tab and line ends
	high    int // of them, above 127
	bareCR  int
	bareLF  int
	longest int // line
}

// escaped is 1 for the bytes that quoted-printable has to escape, apart from line
// ends.
var escaped = func() (t [256]uint8) {
	for c := range t {
		if c < ' ' && c != '\t' || c >= 0x7f {
			t[c] = 1
		}
	}
	return t
}()

func survey(body string) (f findings) {
	f.size = len(body)
	start := 0
	for i := range len(body) {
		switch c := body[i]; c {
		case '\n':
			end := i
			if i > 0 && body[i-1] == '\r' {
				end--
				f.bareCR-- // it was none
			} else {
				f.bareLF++
			}
			f.longest = max(f.longest, end-start)
			start = i + 1
		case '\r':
			f.bareCR++
		default:
			f.escaped += int(escaped[c])
			f.high += int(c >> 7)
		}
	}
	f.longest = max(f.longest, len(body)-start)
	return f
}

// fitsQuoted reports whether quoted-printable serves better than base64, which
// makes three bytes four: for data when it is no longer than that, for text also
// when it is a little longer and can be read.
func (f findings) fitsQuoted(text bool) bool {
	if text {
		return (f.escaped+f.bareCR)*4 <= f.size
	}
	return (f.escaped+f.bareCR+f.bareLF)*6 <= f.size
}

// Write writes body in the given encoding. In quoted-printable text, line ends
// become CRLF; any other line end is kept as a byte of the body.
func Write(w io.Writer, body string, e Encoding, text bool) error {
	switch e {
	case Base64:
		return writeBase64(w, body)
	case QuotedPrintable:
		return writeQuoted(w, body, text)
	}
	_, err := io.WriteString(w, body)
	return err
}

// Size returns how many bytes Write writes.
func Size(body string, e Encoding, text bool) int64 {
	switch e {
	case Base64:
		return base64Size(int64(len(body)))
	case QuotedPrintable:
		var n counter
		_ = writeQuoted(&n, body, text) // a counter does not fail
		return int64(n)
	}
	return int64(len(body))
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// CRLF returns text with each CR, LF or CRLF as CRLF.
func CRLF(text string) string {
	f := survey(text)
	if f.bareCR == 0 && f.bareLF == 0 {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + f.bareCR + f.bareLF)
	for len(text) > 0 {
		i := strings.IndexAny(text, "\r\n")
		if i < 0 {
			b.WriteString(text)
			break
		}
		b.WriteString(text[:i])
		b.WriteString("\r\n")
		if strings.HasPrefix(text[i:], "\r\n") {
			i++
		}
		text = text[i+1:]
	}
	return b.String()
}
