package message

import (
	"io"
	"mime"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"
)

// Text returns the value for people to read: unfolded, with encoded words
// decoded (RFC 2047), as valid UTF-8 without control characters, cut at limit
// bytes. Encoded words that cannot be decoded stay as they are.
func (f Field) Text(limit int) string {
	// What is longer than any sensible encoding of that much text is not looked at.
	v := f.Value[:min(len(f.Value), 16*limit)]
	s := string(Field{Value: v}.AppendUnfolded(make([]byte, 0, 128)))
	if strings.Contains(s, "=?") {
		if t, err := words.DecodeHeader(s); err == nil {
			s = t
		}
	}
	return clean(s, limit)
}

// words knows the character sets that the WHATWG lists and mail still uses.
var words = mime.WordDecoder{
	CharsetReader: func(charset string, in io.Reader) (io.Reader, error) {
		e, err := htmlindex.Get(charset)
		if err != nil {
			return nil, err
		}
		return e.NewDecoder().Reader(in), nil
	},
}

// clean makes s valid UTF-8 without control characters, which terminals and log
// readers would obey, and cuts it at limit bytes.
func clean(s string, limit int) string {
	dirty := strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) })
	if dirty >= 0 {
		s = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r // broken bytes become U+FFFD
		}, s)
	}
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
