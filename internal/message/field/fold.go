package field

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/posthaste-mta/posthaste/internal/message"
)

// ErrName says that a text cannot be the name of a header field.
var ErrName = errors.New("field: bad name")

const (
	// foldAt is where lines are folded if white space allows it: 76, as lines with
	// encoded words want (RFC 2047 §2). breakAt is where they are broken without
	// any (RFC 5322 §2.1.1).
	foldAt  = longestLine
	breakAt = 900
	// longestName bounds names, so that there is room for a value on their line.
	longestName = 256
)

// Append appends a header field with its line end. It fails only for a name that
// is none.
func Append(b []byte, name, value string, form Form) ([]byte, error) {
	if !message.ValidName(name) || len(name) > longestName {
		return b, ErrName
	}
	if form == Verbatim {
		return appendVerbatim(b, name, value), nil
	}
	value = line(value)
	if !isASCII(value) {
		tokens := textTokens
		if holdsAddresses(name) {
			tokens = addressTokens
		}
		value = encode(tokens(value), form, len(name)+2)
	}
	return fold(b, name, value), nil
}

// AppendText appends a header field whose value is in its final form, folded.
func AppendText(b []byte, name, value string) []byte { return fold(b, name, line(value)) }

// holdsAddresses reports whether a field is made of addresses.
func holdsAddresses(name string) bool {
	name = strings.TrimPrefix(strings.ToLower(name), "resent-")
	switch name {
	case "from", "sender", "to", "cc", "bcc", "reply-to", "return-path", "errors-to",
		"disposition-notification-to", "return-receipt-to", "mail-followup-to", "mail-reply-to":
		return true
	}
	return false
}

// fold writes a field, breaking lines in front of white space, which stays.
func fold(b []byte, name, value string) []byte {
	b = append(append(b, name...), ':')
	column := len(name) + 1
	value = " " + value
	for first := true; len(value) > 0; first = false {
		n := spaceAndWord(value)
		part := value[:n]
		value = value[n:]
		if len(part) > breakAt { // no line may consist of white space
			part = " " + strings.TrimLeft(part, " \t")
		}
		if column+len(part) > foldAt && !first {
			b = append(b, "\r\n"...)
			column = 0
		}
		for len(part) > breakAt {
			cut := runeCut(part, breakAt)
			b = append(append(b, part[:cut]...), "\r\n "...)
			part, column = part[cut:], 1
		}
		b = append(b, part...)
		column += len(part)
	}
	return append(b, "\r\n"...)
}

// spaceAndWord returns the length of the white space with which s begins and the
// word behind it. White space at the end belongs to the last word, so that no
// line consists of it.
func spaceAndWord(s string) int {
	word := strings.TrimLeft(s, " \t")
	end := strings.IndexAny(word, " \t")
	if end < 0 || strings.TrimLeft(word[end:], " \t") == "" {
		return len(s)
	}
	return len(s) - len(word) + end
}

// runeCut returns the greatest length up to n at which s can be cut without
// dividing a character.
func runeCut(s string, n int) int {
	for i := n; i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			return i
		}
	}
	return n
}

// appendVerbatim writes a value as it is given. What would end the field is made
// a fold: each line break becomes CRLF with white space behind it, empty lines
// and the line end behind the value are left out.
func appendVerbatim(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	start := len(b)
	value = strings.ReplaceAll(value, "\x00", " ")
	for part := range strings.FieldsFuncSeq(value, isBreak) {
		if strings.Trim(part, " \t") == "" {
			continue
		}
		if len(b) > start {
			b = append(b, "\r\n"...)
			if part[0] != ' ' && part[0] != '\t' {
				b = append(b, ' ')
			}
		} else {
			part = strings.TrimLeft(part, " \t")
		}
		b = append(b, part...)
	}
	return append(b, "\r\n"...)
}

func isBreak(r rune) bool { return r == '\r' || r == '\n' }

// Rename returns a whole field with another name. It fails if the name is none
// or the bytes are no field.
func Rename(whole []byte, name string) ([]byte, error) {
	i := bytes.IndexByte(whole, ':')
	if i < 0 || !message.ValidName(name) || len(name) > longestName {
		return nil, ErrName
	}
	return append([]byte(name), whole[i:]...), nil
}
