// Package charset turns the bytes of mail into UTF-8.
//
// Decode trusts a declared character set; Text is for bytes whose declaration is
// missing, unknown or plainly wrong, as in a Subject with raw Latin-1, and always
// answers with something that people can read. The tables are those of the WHATWG
// in golang.org/x/text, which is how browsers and webmail read the same labels
// (iso-8859-1 as windows-1252, for one), with a few names that mail programs use
// and the WHATWG does not list.
//
// Nothing here fails on malformed input: what has no meaning in the character
// set becomes U+FFFD, so results are valid UTF-8 whatever went in. All functions
// are safe for concurrent use.
package charset

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/posthaste-mta/posthaste/internal/message"
)

// aliases are labels in lower case that mail carries and the WHATWG does not know.
var aliases = map[string]string{
	"cp932": "shift_jis", "cp936": "gbk", "cp949": "euc-kr", "cp950": "big5",
	"ms936": "gbk", "ms949": "euc-kr", "ms950": "big5", "x-gbk": "gbk",
	"iso-8859-8-e": "iso-8859-8", "iso-2022-jp-1": "iso-2022-jp",
	"iso-2022-jp-2": "iso-2022-jp", "iso-2022-jp-ms": "iso-2022-jp", "cp50220": "iso-2022-jp",
	"ks_c_5601": "euc-kr", "utf8mb4": "utf-8", "x-utf-8": "utf-8", "x-windows-1252": "windows-1252",
}

// Lookup returns the encoding that a label names, in any case and with white
// space or quotes around it, or nil if nobody knows it.
func Lookup(label string) encoding.Encoding {
	label = strings.ToLower(strings.Trim(label, " \t\r\n\"'"))
	if a, ok := aliases[label]; ok {
		label = a
	}
	switch e, err := htmlindex.Get(label); {
	case label == "hz-gb-2312": // the WHATWG refuses it
		return simplifiedchinese.HZGB2312
	case err == nil && e != encoding.Replacement:
		return e
	}
	if e, err := ianaindex.MIME.Encoding(label); err == nil && e != nil {
		return e
	}
	return nil
}

// Decode returns b, which is in the character set of the given label, as UTF-8.
// It reports false if the label is not known.
func Decode(b []byte, label string) (string, bool) {
	e := Lookup(label)
	if e == nil {
		return "", false
	}
	return decode(b, e), true
}

func decode(b []byte, e encoding.Encoding) string {
	out, err := e.NewDecoder().Bytes(b)
	if err != nil { // decoders replace instead of failing; UTF-16 of odd length may not
		out = b
	}
	return strings.ToValidUTF8(string(out), "\ufffd")
}

// Text returns b as UTF-8. Bytes that are UTF-8 already stay as they are, as RFC
// 6532 has it. Anything else is read by the label, which may be empty or wrong,
// then by what Detect says.
func Text(b []byte, label string) string {
	if message.IsASCII(b) || utf8.Valid(b) {
		return string(b)
	}
	if e := Lookup(label); e != nil && !isUnicode(label) {
		return decode(b, e)
	}
	text, _ := Decode(b, Detect(b))
	return text
}

// isUnicode reports whether a label names UTF-8 or plain ASCII, neither of which
// can be right for bytes that are not valid UTF-8.
func isUnicode(label string) bool {
	l := []byte(strings.ToLower(label))
	return bytes.Contains(l, []byte("utf")) || bytes.Contains(l, []byte("ascii"))
}
