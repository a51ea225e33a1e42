package codec

import (
	"io"
	"mime"
	"strings"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func wordEncode(c *value.Call) (value.Value, error) {
	s := c.Str(0)
	if err := c.Alloc(4 * len(s)); err != nil {
		return value.None, err
	}
	return value.String(EncodeWords(s)), c.Step(len(s) / 16)
}

// words knows the character sets of the WHATWG, which are those that mail uses,
// and reads all others as Windows-1252, so that it never fails.
var words = mime.WordDecoder{
	CharsetReader: func(charset string, in io.Reader) (io.Reader, error) {
		charset, _, _ = strings.Cut(charset, "*") // a language may follow (RFC 2231 §5)
		if e, err := htmlindex.Get(charset); err == nil {
			return e.NewDecoder().Reader(in), nil
		}
		return charmap.Windows1252.NewDecoder().Reader(in), nil
	},
}

// DecodeWords returns a header value with its encoded words decoded (RFC 2047).
// Malformed ones stay as they are.
func DecodeWords(s string) string {
	decoded, err := words.DecodeHeader(s)
	if err != nil {
		return s
	}
	return decoded
}

// EncodeWords returns UTF-8 text as encoded words if it has to.
func EncodeWords(s string) string {
	return mime.QEncoding.Encode("UTF-8", strings.ToValidUTF8(s, "\uFFFD"))
}

func wordDecode(c *value.Call) (value.Value, error) {
	return declare.Text(c, DecodeWords(c.Str(0)))
}
