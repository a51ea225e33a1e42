package regex

import (
	"strings"
	"unicode/utf8"
)

// escape is what a backslash and what follows stand for: a character, or, if
// kind is not 0, what the letter kind means.
type escape struct {
	kind byte
	char rune
}

// escapeKinds are the letters that stand for more than one character, for a
// place, or for something that is read on.
const escapeKinds = "ABCDGHKNPRSVWXZbdghkpsvwz"

var escapeChars = map[byte]rune{'a': 7, 'e': 0x1B, 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape reads what follows a backslash. In brackets a digit never begins a
// reference.
func (p *parser) escape(inBrackets bool) escape {
	if !p.more() {
		p.fail("the pattern ends in a backslash")
	}
	c := p.peek()
	if !isAlnum(c) {
		return escape{char: p.char()}
	}
	p.pos++
	if strings.IndexByte(escapeKinds, c) >= 0 {
		if c == 'N' && p.namedCodePoint() {
			return escape{char: p.braced(16)}
		}
		return escape{kind: c}
	}
	if r, ok := escapeChars[c]; ok {
		return escape{char: r}
	}
	switch c {
	case 'c':
		return escape{char: p.control()}
	case 'o':
		if p.peek() != '{' {
			p.fail(`\o is not followed by a number in braces`)
		}
		return escape{char: p.braced(8)}
	case 'x':
		if p.peek() == '{' {
			return escape{char: p.braced(16)}
		}
		return escape{char: p.based(16, 2)}
	}
	if c >= '0' && c <= '9' {
		return p.escapedDigit(c, inBrackets)
	}
	p.pos--
	p.fail(`\%c has no meaning`, c)
	return escape{}
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func isWord(c byte) bool { return isAlnum(c) || c == '_' }

// namedCodePoint moves from behind \N to the brace of \N{U+hex}, as if it were
// \x{hex}.
func (p *parser) namedCodePoint() bool {
	rest := p.src[p.pos:]
	if len(rest) < 2 || rest[0] != '{' || isDigit(rest[1]) {
		return false
	}
	if !strings.HasPrefix(rest, "{U+") {
		p.fail(`characters cannot be given by name: \N{U+hex} is what there is`)
	}
	if !p.utf() {
		p.fail(`\N{U+hex} exists in UTF-8 mode only`)
	}
	p.pos += len("{U")
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// control reads the character of \cX.
func (p *parser) control() rune {
	if !p.more() {
		p.fail(`\c at the end of the pattern`)
	}
	c := p.src[p.pos]
	p.pos++
	if c < ' ' || c > '~' {
		p.fail(`\c is not followed by a printable ASCII character`)
	}
	if c >= 'a' && c <= 'z' {
		c -= 'a' - 'A'
	}
	return rune(c ^ 0x40)
}

// digit returns the value of c, or false if it is no digit of the base.
func digit(c byte, base rune) (rune, bool) {
	d := rune(99)
	switch {
	case isDigit(c):
		d = rune(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		d = rune(c|0x20-'a') + 10
	}
	return d, d < base
}

// based reads up to limit digits; none at all are 0.
func (p *parser) based(base rune, limit int) (r rune) {
	for ; limit > 0; limit-- {
		d, ok := digit(p.peek(), base)
		if !ok {
			break
		}
		r = r*base + d
		p.pos++
	}
	return r
}

// braced reads a code point in braces from the first brace on.
func (p *parser) braced(base rune) (r rune) {
	p.pos++
	start := p.pos
	for p.more() && p.peek() != '}' {
		d, ok := digit(p.peek(), base)
		if !ok {
			p.fail("%q is no digit of a code point (or its closing brace is missing)", p.peek())
		}
		if r = r*base + d; r > p.last() {
			p.fail("a code point is above %#x", p.last())
		}
		p.pos++
	}
	if !p.more() {
		p.fail("the closing brace of a code point is missing")
	}
	if p.pos == start {
		p.fail("a code point has no digits")
	}
	p.pos++
	if p.utf() && r >= 0xD800 && r <= 0xDFFF {
		p.fail("surrogates are no characters")
	}
	return r
}

// escapedDigit decides between a reference and a character in octal. A number
// below 10, one that begins with 8 or 9, and one of a group that was opened
// before is a reference.
func (p *parser) escapedDigit(c byte, inBrackets bool) escape {
	start := p.pos
	if !inBrackets && c != '0' {
		p.pos--
		if n, _ := p.number(); n < 10 || c >= '8' || n <= p.groups {
			return escape{kind: '1', char: rune(n)}
		}
		p.pos = start
	}
	if c >= '8' {
		return escape{char: rune(c)}
	}
	p.pos--
	r := p.based(8, 3)
	if r > p.last() {
		p.fail(`an octal number is above \377`)
	}
	return escape{char: r}
}

var escapePositions = map[byte]opcode{
	'A': opBegin, 'b': opWordEdge, 'B': opNotWordEdge, 'G': opFrom, 'Z': opLastEnd, 'z': opEnd,
}

// escapeItem reads an escape outside brackets.
func (p *parser) escapeItem() (n node, repeatable bool) {
	offset := p.pos
	e := p.escape(false)
	if op, ok := escapePositions[e.kind]; ok {
		if p.has(Properties) && (op == opWordEdge || op == opNotWordEdge) {
			op += opUnicodeWordEdge - opWordEdge
		}
		return position{op}, false
	}
	switch e.kind {
	case 0:
		return p.single(e.char), true
	case '1':
		return p.refer(reference{numbers: []int{int(e.char)}, offset: offset}), true
	case 'C':
		if p.utf() {
			p.fail(`\C would split a character in UTF-8 mode`)
		}
		return chars{class{{0, maxByte}}}, true
	case 'g':
		return p.escapeG(), true
	case 'k':
		return p.escapeK(), true
	case 'K':
		if p.assertions > 0 {
			p.fail(`\K is not allowed in lookarounds`)
		}
		return keep{}, false
	case 'N':
		return p.dot(false), true
	case 'R':
		if p.bounds.anyBreak {
			return p.breakCRLF(), true
		}
		return lineBreak{}, true
	case 'X':
		return cluster{}, true
	}
	return chars{p.escapeClass(e.kind)}, true
}

// breakCRLF is \R where only CR, LF and CRLF are newlines.
func (p *parser) breakCRLF() node {
	return atomic{choice{[]node{literal{text: "\r\n"}, chars{newlineAnyCRLF.members()}}}}
}

// escapeClass returns the class of \d and the like; for \p the name is read.
func (p *parser) escapeClass(kind byte) class {
	if kind == 'p' || kind == 'P' {
		return p.property(kind == 'P')
	}
	var c class
	switch kind | 0x20 {
	case 'd':
		c = p.either(digits, decimalNumbers)
	case 'h':
		c = horizontal
	case 's':
		c = p.either(spaces, unicodeSpaces)
	case 'v':
		c = vertical
	case 'w':
		c = p.either(words, unicodeWords)
	}
	if c = c.upTo(p.last()); kind < 'a' {
		c = c.negated(p.last())
	}
	return c
}

// either chooses between the ASCII and the Unicode meaning of a class.
func (p *parser) either(ascii class, byProperty func() class) class {
	if p.has(Properties) {
		return byProperty()
	}
	return ascii
}

// property reads what follows \p or \P.
func (p *parser) property(negated bool) class {
	if !p.more() {
		p.fail(`\p is not followed by a property`)
	}
	name := p.src[p.pos : p.pos+1]
	p.pos++
	if name == "{" {
		end := strings.IndexByte(p.src[p.pos:], '}')
		if end < 0 {
			p.fail(`the closing brace of a property is missing`)
		}
		name = p.src[p.pos : p.pos+end]
		p.pos += end + 1
		if rest, ok := strings.CutPrefix(strings.TrimLeft(name, " "), "^"); ok {
			name, negated = rest, !negated
		}
	}
	c, reason := findProperty(name)
	if reason != "" {
		p.fail("%s", reason)
	}
	if c = c.upTo(p.last()); negated {
		c = c.negated(p.last())
	}
	return c
}

// wordBytes are the bytes of word characters, for \b.
var wordBytes = func() (table [256]bool) {
	for b := range utf8.RuneSelf {
		table[b] = words.has(rune(b))
	}
	return table
}()
