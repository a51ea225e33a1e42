package regex

import "strings"

// newline is what ends a line. Only (*CR) and the like at the start of a pattern
// choose another than LF.
type newline uint8

const (
	newlineLF newline = iota
	newlineCR
	newlineCRLF
	newlineAnyCRLF
	newlineAny
	newlineNUL
)

var newlineNames = map[string]newline{
	"LF": newlineLF, "CR": newlineCR, "CRLF": newlineCRLF,
	"ANYCRLF": newlineAnyCRLF, "ANY": newlineAny, "NUL": newlineNUL,
}

// members are the characters that are or begin a newline.
func (k newline) members() class {
	switch k {
	case newlineCR, newlineCRLF:
		return one('\r')
	case newlineAnyCRLF:
		return class{{'\n', '\n'}, {'\r', '\r'}}
	case newlineAny:
		return vertical
	case newlineNUL:
		return one(0)
	}
	return one('\n')
}

// at returns the length of the newline that begins at pos, or 0.
func (k newline) at(s string, pos int, utf bool) int {
	if pos >= len(s) {
		return 0
	}
	b := s[pos]
	switch k {
	case newlineLF:
		return one8(b == '\n')
	case newlineCR:
		return one8(b == '\r')
	case newlineNUL:
		return one8(b == 0)
	}
	if strings.HasPrefix(s[pos:], "\r\n") {
		return 2
	}
	switch k {
	case newlineAnyCRLF:
		return one8(b == '\n' || b == '\r')
	case newlineAny:
		return breakAt(s, pos, utf)
	}
	return 0
}

// before returns the length of the newline that ends at pos, or 0.
func (k newline) before(s string, pos int, utf bool) int {
	for size := min(3, pos); size > 0; size-- {
		if k.at(s[:pos], pos-size, utf) == size {
			return size
		}
	}
	return 0
}

// lineEnd returns where the first line that begins at pos or later ends, behind
// its newline.
func (k newline) lineEnd(s string, pos int) int {
	for ; pos < len(s); pos++ {
		if n := k.at(s, pos, false); n > 0 {
			return pos + n
		}
	}
	return len(s)
}

func one8(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// breakAt returns the length of the Unicode newline at pos, or 0: what \R
// matches, of which CRLF is one.
func breakAt(s string, pos int, utf bool) int {
	if pos >= len(s) {
		return 0
	}
	switch b := s[pos]; {
	case strings.HasPrefix(s[pos:], "\r\n"):
		return 2
	case b >= '\n' && b <= '\r':
		return 1
	case !utf:
		return one8(b == 0x85)
	case strings.HasPrefix(s[pos:], "\u0085"):
		return 2
	case strings.HasPrefix(s[pos:], "\u2028"), strings.HasPrefix(s[pos:], "\u2029"):
		return 3
	}
	return 0
}
