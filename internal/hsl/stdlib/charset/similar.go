package charset

import (
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// look are characters that have no decomposition, and what looks like them.
var look = map[rune]string{
	'‘': "'", '’': "'", '‚': ",", '“': `"`, '”': `"`, '„': `"`, '«': "<<", '»': ">>", '‹': "<", '›': ">",
	'–': "-", '—': "-", '‐': "-", '−': "-", '•': "o", '·': ".", '…': "...", '€': "EUR", '©': "(C)", '®': "(R)", '™': "(TM)",
	'ß': "ss", 'æ': "ae", 'Æ': "AE", 'œ': "oe", 'Œ': "OE", 'ø': "o", 'Ø': "O", 'đ': "d", 'Đ': "D", 'ł': "l", 'Ł': "L",
	'ı': "i", 'þ': "th", 'Þ': "TH", 'ð': "d", 'Ð': "D", '×': "x", '÷': ":",
}

// similar returns what the target has in place of a character: a text that looks
// like it, its letter without marks, or a question mark.
func (k *converter) similar(r rune) string {
	candidates := []string{look[r], unmarked(r)}
	for _, candidate := range candidates {
		if candidate == "" {
			continue
		}
		if _, err := k.to.NewEncoder().String(candidate); err == nil {
			return candidate
		}
	}
	if unicode.Is(unicode.Mn, r) {
		return ""
	}
	return "?"
}

// unmarked takes a character apart and leaves the marks out.
func unmarked(r rune) string {
	var base []rune
	for _, part := range norm.NFKD.String(string(r)) {
		if !unicode.Is(unicode.Mn, part) {
			base = append(base, part)
		}
	}
	return string(base)
}
