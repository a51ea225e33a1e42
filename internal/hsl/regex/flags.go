package regex

import "strings"

// Flags change what a pattern means. The zero value is byte mode with nothing
// else set.
type Flags uint16

// The flags that have a letter as modifier, and those that have none.
const (
	Caseless     Flags = 1 << iota // i: letters match both of their cases
	Multiline                      // m: ^ and $ match at every line
	DotAll                         // s: a dot matches newlines too
	Extended                       // x: white space and # comments are not part of the pattern
	UTF8                           // u: pattern and subject are UTF-8, a character is a code point
	Ungreedy                       // U: quantifiers are lazy unless followed by ?
	Extra                          // X: accepted, and without effect: what it asked for is always so
	Properties                     // \d, \w, \s, \b and POSIX classes go by Unicode's properties
	Anchored                       // a match must begin where the search begins
	noCapture                      // (?n)
	dupNames                       // (?J)
	extendedMore                   // (?xx)
)

const letters = "imsxuUX"

var letterFlags = [...]Flags{Caseless, Multiline, DotAll, Extended, UTF8, Ungreedy, Extra}

// ParseFlags reads modifiers such as "im". It returns false if one of the
// letters is none.
func ParseFlags(text string) (Flags, bool) {
	var flags Flags
	for i := range len(text) {
		n := strings.IndexByte(letters, text[i])
		if n < 0 {
			return 0, false
		}
		flags |= letterFlags[n]
	}
	return flags, true
}

// String returns the modifiers that f has letters for.
func (f Flags) String() string {
	var b strings.Builder
	for i, flag := range letterFlags {
		if f&flag != 0 {
			b.WriteByte(letters[i])
		}
	}
	return b.String()
}

// Delimited takes a pattern string apart as scripts write it. If text begins
// with a slash and its last slash is followed only by modifiers, the pattern
// stands between the two; slashes inside need no backslash. Otherwise all of
// text is the pattern.
func Delimited(text string) (pattern string, flags Flags) {
	last := strings.LastIndexByte(text, '/')
	if last > 0 && text[0] == '/' {
		if flags, ok := ParseFlags(text[last+1:]); ok {
			return text[1:last], flags
		}
	}
	return text, 0
}
