package regex

import "strings"

// bracket reads a class in brackets, from the first bracket on.
func (p *parser) bracket() (n node, repeatable bool) {
	switch {
	case p.skip("[[:<:]]"):
		return p.wordBoundary(false), false
	case p.skip("[[:>:]]"):
		return p.wordBoundary(true), false
	}
	if end := posixEnd(p.src[p.pos+1:]); end > 0 {
		p.fail("POSIX names stand inside of brackets only")
	}
	p.pos++
	negated := p.skip("^")
	breaks := p.breaks
	b := brackets{parser: p}
	b.read()
	if r, ok := b.chars.single(); ok && len(b.classes) == 0 {
		if !negated {
			return p.single(r), true
		}
		p.breaks = breaks // [^\n] does not count as one, in PCRE2 neither
	}
	c := b.chars.normalised()
	if p.has(Caseless) {
		c = c.folded(p.folding())
	}
	c = union(c, b.classes)
	if negated {
		c = c.negated(p.last())
	}
	return chars{c}, true
}

// wordBoundary is the start of a word, before a word character, or its end,
// behind one.
func (p *parser) wordBoundary(behind bool) node {
	edge := position{opWordEdge}
	if p.has(Properties) {
		edge.op = opUnicodeWordEdge
	}
	return sequence{[]node{edge, &look{body: chars{p.wordClass()}, behind: behind}}}
}

func (p *parser) wordClass() class { return p.either(words, unicodeWords).upTo(p.last()) }

// posixEnd returns the length of a POSIX name such as :alpha: at the start of s,
// or 0. What looks like one but is not closed is none.
func posixEnd(s string) int {
	if s == "" || strings.IndexByte(":.=", s[0]) < 0 {
		return 0
	}
	for i := 1; i+1 < len(s); i++ {
		switch {
		case s[i] == '\\' && (s[i+1] == ']' || s[i+1] == '\\'):
			i++
		case s[i] == '[' && s[i+1] == s[0], s[i] == ']':
			return 0
		case s[i] == s[0] && s[i+1] == ']':
			return i + 1
		}
	}
	return 0
}

// brackets collects what stands between brackets.
type brackets struct {
	*parser
	chars   class // characters and ranges, to which case applies
	classes class // what escapes and POSIX names add
	// first begins a range if a hyphen follows; it is -1 after what cannot.
	first rune
	// ranging is set behind that hyphen.
	ranging bool
}

// read reads to the closing bracket. One that comes first is a character.
func (b *brackets) read() {
	b.first = -1
	for start := true; ; start = false {
		b.ignored()
		if !b.more() {
			b.fail("the closing bracket of a class is missing")
		}
		switch c := b.peek(); {
		case b.quoting:
			b.add(b.char())
		case c == ']' && !start:
			b.pos++
			b.finish()
			return
		case c == '[' && posixEnd(b.src[b.pos+1:]) > 0:
			b.posix()
		case c == '-' && b.first >= 0 && !b.ranging:
			b.pos++
			b.ranging = true
		case c == '\\':
			b.pos++
			b.escaped()
		default:
			b.add(b.char())
		}
	}
}

// ignored skips \Q, \E and, when doubly extended, blanks.
func (b *brackets) ignored() {
	for {
		switch {
		case b.skip(`\E`):
			b.quoting = false
		case b.quoting:
			return
		case b.skip(`\Q`):
			b.quoting = true
		case b.has(extendedMore) && (b.skip(" ") || b.skip("\t")):
		default:
			return
		}
	}
}

// add takes one character, which may end a range.
func (b *brackets) add(r rune) {
	b.breaks = b.breaks || r == '\r' || r == '\n'
	if !b.ranging {
		b.chars = b.chars.with(r, r)
		b.first = r
		return
	}
	if r < b.first {
		b.fail("the range of a class is out of order")
	}
	b.chars = b.chars.with(b.first, r)
	b.first, b.ranging = -1, false
}

// addClass takes several characters at once. A hyphen behind them is literal.
func (b *brackets) addClass(c class) {
	if b.ranging {
		b.fail("a range of a class ends in something that is no character")
	}
	b.classes = append(b.classes, c...)
	b.first = -1
}

// finish takes a hyphen at the end as a character.
func (b *brackets) finish() {
	if b.ranging {
		b.chars = b.chars.with('-', '-')
	}
}

// escaped reads an escape behind its backslash.
func (b *brackets) escaped() {
	switch e := b.escape(true); {
	case e.kind == 0:
		b.add(e.char)
	case e.kind == 'b':
		b.add('\b')
	case strings.IndexByte("dDhHpPsSvVwW", e.kind) >= 0:
		b.addClass(b.escapeClass(e.kind))
	default:
		b.fail(`\%c has no meaning in brackets`, e.kind)
	}
}

// posix reads [:name:] or [:^name:].
func (b *brackets) posix() {
	start := b.pos + 1
	end := start + posixEnd(b.src[start:])
	if b.src[start] != ':' {
		b.fail("POSIX collating elements are not supported")
	}
	name, negated := strings.CutPrefix(b.src[start+1:end-1], "^")
	c, ok := b.posixClass(name)
	if !ok {
		b.fail("unknown POSIX class name")
	}
	if negated {
		c = c.negated(b.last())
	}
	b.pos = end + 1
	b.addClass(c.upTo(b.last()))
}

// posixClass finds a class by its POSIX name.
func (p *parser) posixClass(name string) (class, bool) {
	if p.has(Properties) {
		if find, ok := posixProperties[name]; ok {
			return find(p.has(Caseless)), true
		}
	}
	if p.has(Caseless) && (name == "lower" || name == "upper") {
		name = "alpha"
	}
	c, ok := posixClasses[name]
	return c, ok
}
