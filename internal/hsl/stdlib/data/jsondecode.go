package data

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// errSyntax is for a text that is not of its format; the builtins answer none.
var errSyntax = errors.New("data: malformed text")

func jsonDecode(c *value.Call) (value.Value, error) {
	v, err := parseJSON(c.Thread, c.Str(0), c.Options(1).Bool("allow_comments"))
	if errors.Is(err, errSyntax) {
		return value.None, nil
	}
	return v, err
}

// ParseJSON reads a whole text as json_decode does, for those who have values
// for scripts. The error says that the text is no JSON.
func ParseJSON(text string) (value.Value, error) {
	v, err := parseJSON(nil, text, false)
	if err != nil {
		return value.None, errors.New("data: malformed JSON")
	}
	return v, nil
}

// parseJSON reads a whole text (RFC 8259). The thread, which may be nil, pays.
func parseJSON(t *value.Thread, text string, comments bool) (value.Value, error) {
	r := jsonReader{thread: t, text: text, comments: comments}
	v, err := r.value(0)
	if err != nil {
		return value.None, err
	}
	if !r.skip() || r.at < len(r.text) {
		return value.None, errSyntax
	}
	return v, nil
}

// jsonReader stands at a byte of the text.
type jsonReader struct {
	thread   *value.Thread
	text     string
	at       int
	comments bool
	size     int // of what was read, estimated
	growth   value.Growth
}

// skip goes to the next token and reports whether what it went over was well
// formed.
func (r *jsonReader) skip() bool {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\r', '\n':
			r.at++
		case '/':
			if !r.comments || !r.comment() {
				return false
			}
		default:
			return true
		}
	}
	return true
}

func (r *jsonReader) comment() bool {
	rest := r.text[r.at:]
	length := -1
	switch {
	case strings.HasPrefix(rest, "//"):
		length = strings.IndexByte(rest, '\n') + 1
		if length == 0 {
			length = len(rest)
		}
	case strings.HasPrefix(rest, "/*"):
		if length = strings.Index(rest[2:], "*/"); length >= 0 {
			length += 4
		}
	}
	r.at += max(length, 0)
	return length >= 0
}

// peek returns the first byte of the next token, or 0.
func (r *jsonReader) peek() byte {
	if !r.skip() || r.at == len(r.text) {
		return 0
	}
	return r.text[r.at]
}

func (r *jsonReader) value(depth int) (value.Value, error) {
	if err := r.charge(elementSize); err != nil {
		return value.None, err
	}
	switch c := r.peek(); {
	case c == '"':
		s, err := r.string()
		return value.Part(r.text, s), err
	case c == '{' && depth < deepest:
		return r.object(depth)
	case c == '[' && depth < deepest:
		return r.array(depth)
	case c == '-' || c-'0' <= 9:
		return r.number()
	}
	return r.word()
}

func (r *jsonReader) word() (value.Value, error) {
	for _, word := range jsonWords {
		if strings.HasPrefix(r.text[r.at:], word.text) {
			r.at += len(word.text)
			return word.value, nil
		}
	}
	return value.None, errSyntax
}

var jsonWords = []struct {
	text  string
	value value.Value
}{{"true", value.True}, {"false", value.False}, {"null", value.None}}

func (r *jsonReader) array(depth int) (value.Value, error) {
	r.at++
	r.size += arraySize
	a := value.NewArray(0)
	if r.peek() == ']' {
		r.at++
		return value.FromArray(a), nil
	}
	for {
		v, err := r.value(depth + 1)
		if err != nil {
			return value.None, err
		}
		a.Push(v)
		if more, err := r.more(']'); !more || err != nil {
			return value.FromArray(a), err
		}
	}
}

func (r *jsonReader) object(depth int) (value.Value, error) {
	r.at++
	r.size += arraySize
	a := value.NewArray(0)
	if r.peek() == '}' {
		r.at++
		return value.FromArray(a), nil
	}
	for {
		if r.peek() != '"' {
			return value.None, errSyntax
		}
		key, err := r.string()
		if err != nil {
			return value.None, err
		}
		if r.peek() != ':' {
			return value.None, errSyntax
		}
		r.at++
		v, err := r.value(depth + 1)
		if err != nil {
			return value.None, err
		}
		a.Put(value.Part(r.text, key), v)
		r.size += keyedSize
		if more, err := r.more('}'); !more || err != nil {
			return value.FromArray(a), err
		}
	}
}

// more takes the comma before another element, or the end.
func (r *jsonReader) more(end byte) (bool, error) {
	c := r.peek()
	r.at++
	switch c {
	case ',':
		return true, nil
	case end:
		return false, nil
	}
	return false, errSyntax
}

// What values cost, about.
const (
	elementSize = 16
	keyedSize   = 32 // an element that is found by its key, in addition
	arraySize   = 64
)

// charge accounts for one value of so many bytes.
func (r *jsonReader) charge(size int) error {
	r.size += size
	if err := r.growth.To(r.thread, r.size); err != nil {
		return err
	}
	return r.thread.Step(1)
}

func (r *jsonReader) number() (value.Value, error) {
	start := r.at
	r.accept("-")
	if !r.accept("0") && r.digits() == 0 {
		return value.None, errSyntax
	}
	if r.accept(".") && r.digits() == 0 {
		return value.None, errSyntax
	}
	if r.accept("eE") {
		r.accept("+-")
		if r.digits() == 0 {
			return value.None, errSyntax
		}
	}
	text := r.text[start:r.at]
	if len(text) < 10 {
		if n, err := strconv.Atoi(text); err == nil {
			return value.Int(n), nil
		}
	}
	f, _ := strconv.ParseFloat(text, 64) // beyond the range it is infinite
	return value.Number(f), nil
}

// accept takes one byte of the set.
func (r *jsonReader) accept(set string) bool {
	if r.at < len(r.text) && strings.IndexByte(set, r.text[r.at]) >= 0 {
		r.at++
		return true
	}
	return false
}

func (r *jsonReader) digits() int {
	start := r.at
	for r.at < len(r.text) && r.text[r.at]-'0' <= 9 {
		r.at++
	}
	return r.at - start
}

// string reads a string. Without escapes it is a part of the text, not a copy.
func (r *jsonReader) string() (string, error) {
	r.at++
	start, ascii := r.at, true
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			s := r.text[start:r.at]
			r.at++
			if !ascii && !utf8.ValidString(s) {
				return "", errSyntax
			}
			r.size += len(s)
			return s, nil
		case c == '\\':
			return r.escaped(start)
		case c < ' ':
			return "", errSyntax
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", errSyntax
}

// escaped reads on at the first escape of a string that began at start.
func (r *jsonReader) escaped(start int) (string, error) {
	b := []byte(r.text[start:r.at])
	for r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		switch {
		case c == '"':
			if !utf8.Valid(b) {
				return "", errSyntax
			}
			r.size += len(b)
			return string(b), nil
		case c < ' ':
			return "", errSyntax
		case c != '\\':
			b = append(b, c)
			continue
		}
		char, ok := r.escape()
		if !ok {
			return "", errSyntax
		}
		b = utf8.AppendRune(b, char)
	}
	return "", errSyntax
}

// escape reads what follows a backslash. Half of a surrogate pair becomes
// U+FFFD.
func (r *jsonReader) escape() (rune, bool) {
	if r.at == len(r.text) {
		return 0, false
	}
	c := r.text[r.at]
	r.at++
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), true
	}
	if c != 'u' {
		return 0, false
	}
	char, ok := r.unit()
	if !ok || !utf16.IsSurrogate(char) {
		return char, ok
	}
	if !strings.HasPrefix(r.text[r.at:], `\u`) {
		return utf8.RuneError, true
	}
	back := r.at
	r.at += 2
	low, ok := r.unit()
	if pair := utf16.DecodeRune(char, low); ok && pair != utf8.RuneError {
		return pair, true
	}
	r.at = back
	return utf8.RuneError, true
}

// unit reads four hexadecimal digits.
func (r *jsonReader) unit() (rune, bool) {
	if len(r.text)-r.at < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(r.text[r.at:r.at+4], 16, 16)
	if err != nil {
		return 0, false
	}
	r.at += 4
	return rune(n), true
}
