package regex

import (
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// Bounds of patterns, as in PCRE2.
const (
	maxNesting = 250
	maxGroups  = 65535
	maxRepeat  = 65535
	maxName    = 32
)

// parser turns the text of a pattern into nodes. It unwinds with a panic that
// carries a *SyntaxError; parse catches it.
type parser struct {
	src     string
	pos     int
	flags   Flags // in force at pos
	newline newline
	bounds  bounds
	breaks  bool // CR or LF is somewhere, as a character

	depth   int
	quoting bool // between \Q and \E
	groups  int  // opened so far
	names   []Name
	around  []int // groups that pos is inside of
	opened  int   // how many of them are outside of the assertion around pos

	// What resolve looks at when the number of groups is known.
	references   []*reference
	calls        []*call
	conditionals []*conditional
	lookbehinds  []*look
	bodies       map[int]*group // the first group of each number
	assertions   int            // how many lookarounds pos is inside of
}

// Name is a named group.
type Name struct {
	Name   string
	Number int
}

// bounds are what the start of a pattern may say of its matching.
type bounds struct {
	notEmpty, notEmptyAtStart bool
	anyBreak                  bool // \R is only CR, LF or CRLF
	steps                     int64
}

// tree is a parsed pattern.
type tree struct {
	root    node
	flags   Flags
	newline newline
	bounds  bounds
	breaks  bool
	groups  int
	names   []Name
	bodies  map[int]*group
}

// parse reads a whole pattern.
func parse(src string, flags Flags) (t *tree, err error) {
	p := &parser{src: src, flags: flags, bodies: map[int]*group{}}
	defer func() {
		if thrown := recover(); thrown != nil {
			mistake, ours := thrown.(*SyntaxError)
			if !ours {
				panic(thrown)
			}
			t, err = nil, mistake
		}
	}()
	p.settings()
	if p.utf() && !utf8.ValidString(src) {
		p.pos = invalidUTF8(src)
		p.fail("the pattern is not valid UTF-8")
	}
	start := p.flags
	root := p.alternatives()
	if p.more() {
		p.fail("unmatched closing parenthesis")
	}
	p.resolve()
	return &tree{root, start, p.newline, p.bounds, p.breaks, p.groups, p.names, p.bodies}, nil
}

func invalidUTF8(s string) int {
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return i
		}
	}
	return len(s)
}

// fail ends parsing with a mistake that was seen at pos.
func (p *parser) fail(format string, args ...any) { p.failAt(p.pos, format, args...) }

func (p *parser) failAt(offset int, format string, args ...any) {
	panic(&SyntaxError{Pattern: p.src, Offset: offset, Reason: fmt.Sprintf(format, args...)})
}

func (p *parser) utf() bool           { return p.flags&UTF8 != 0 }
func (p *parser) has(flag Flags) bool { return p.flags&flag != 0 }

// last is the last character of the mode.
func (p *parser) last() rune { return lastOf(p.utf()) }

func (p *parser) more() bool { return p.pos < len(p.src) }

// peek returns the next byte, or 0 at the end.
func (p *parser) peek() byte {
	if p.more() {
		return p.src[p.pos]
	}
	return 0
}

// skip moves on over text if it comes next.
func (p *parser) skip(text string) bool {
	if !strings.HasPrefix(p.src[p.pos:], text) {
		return false
	}
	p.pos += len(text)
	return true
}

// char reads one character of the pattern.
func (p *parser) char() rune {
	if !p.utf() {
		p.pos++
		return rune(p.src[p.pos-1])
	}
	r, size := utf8.DecodeRuneInString(p.src[p.pos:])
	p.pos += size
	return r
}

// alternatives reads branches until the parenthesis that ends them, which it
// leaves. Option settings inside hold to the end of the group, which the caller
// restores.
func (p *parser) alternatives() node {
	return p.branches(func() {})
}

// branches calls between before each branch but the first.
func (p *parser) branches(between func()) node {
	if p.depth++; p.depth > maxNesting {
		p.fail("parentheses are nested too deeply")
	}
	defer func() { p.depth-- }()
	list := []node{p.branch()}
	for p.skip("|") {
		between()
		list = append(list, p.branch())
	}
	if len(list) == 1 {
		return list[0]
	}
	return choice{list}
}

// branch reads items up to a bar or a closing parenthesis.
func (p *parser) branch() node {
	var parts []node
	repeatable := false // whether the last of parts may have a quantifier
	for {
		p.blank()
		if !p.more() || !p.quoting && (p.peek() == '|' || p.peek() == ')') {
			return join(parts)
		}
		if !p.quoting {
			start := p.pos
			if q, ok := p.quantifier(); ok {
				if !repeatable {
					p.failAt(start, "a quantifier follows nothing that can be repeated")
				}
				parts[len(parts)-1] = p.repeated(parts[len(parts)-1], q)
				repeatable = false
				continue
			}
		}
		item, may := p.item()
		if item == nil {
			repeatable = may
			continue
		}
		parts, repeatable = append(parts, item), may
	}
}

// join makes a sequence, with neighbouring literals of a kind in one.
func join(parts []node) node {
	out := parts[:0]
	for _, part := range parts {
		if text, ok := part.(literal); ok && len(out) > 0 {
			if before, ok := out[len(out)-1].(literal); ok && before.fold == text.fold {
				out[len(out)-1] = literal{before.text + text.text, text.fold}
				continue
			}
		}
		out = append(out, part)
	}
	if len(out) == 1 {
		return out[0]
	}
	return sequence{out}
}

// blank skips what is no item and does not come between an item and its
// quantifier: ends of quotations, comments and, when extended, white space.
func (p *parser) blank() {
	for {
		switch {
		case p.quoting:
			if !p.skip(`\E`) {
				return
			}
			p.quoting = false
		case p.skip(`\Q`):
			p.quoting = true
		case p.skip(`\E`):
		case strings.HasPrefix(p.src[p.pos:], "(?#"):
			end := strings.IndexByte(p.src[p.pos:], ')')
			if end < 0 {
				p.pos = len(p.src)
				p.fail("a comment is not closed")
			}
			p.pos += end + 1
		case p.has(Extended|extendedMore) && p.white():
		case p.has(Extended|extendedMore) && p.skip("#"):
			p.pos = p.newline.lineEnd(p.src, p.pos)
		default:
			return
		}
	}
}

// white skips one character of white space.
func (p *parser) white() bool {
	if !p.more() {
		return false
	}
	before := p.pos
	switch r := p.char(); {
	case spaces.has(r):
		return true
	case p.utf() && (r == 0x85 || r == 0x200E || r == 0x200F || r == 0x2028 || r == 0x2029):
		return true
	}
	p.pos = before
	return false
}

// quantifier is how often, and how.
type quantifier struct {
	min, max int
	mode     mode
}

// quantifier reads one if there is one. A brace that begins none is a literal.
func (p *parser) quantifier() (q quantifier, ok bool) {
	switch p.peek() {
	case '*':
		q = quantifier{0, endless, greedy}
		p.pos++
	case '+':
		q = quantifier{1, endless, greedy}
		p.pos++
	case '?':
		q = quantifier{0, 1, greedy}
		p.pos++
	case '{':
		if q, ok = p.braces(); !ok {
			return q, false
		}
	default:
		return q, false
	}
	if p.has(Ungreedy) {
		q.mode = lazy
	}
	if p.blank(); p.quoting {
		return q, true
	}
	switch {
	case p.skip("+"):
		q.mode = possessive
	case p.skip("?"):
		q.mode = lazy
		if p.has(Ungreedy) {
			q.mode = greedy
		}
	}
	return q, true
}

// braces reads {n}, {n,} or {n,m}; anything else is not touched.
func (p *parser) braces() (q quantifier, ok bool) {
	start := p.pos
	p.pos++
	q.min, ok = p.repeatCount()
	q.max = q.min
	if ok && p.skip(",") {
		var bounded bool
		if q.max, bounded = p.repeatCount(); !bounded {
			q.max = endless
		}
	}
	if !ok || !p.skip("}") {
		p.pos = start
		return q, false
	}
	if q.min > maxRepeat || q.max > maxRepeat {
		p.fail("a repeat count is above %d", maxRepeat)
	}
	if q.max != endless && q.max < q.min {
		p.fail("the counts of a repeat are out of order")
	}
	return q, true
}

// repeatCount reads digits; a number that is too large stays too large.
func (p *parser) repeatCount() (n int, ok bool) {
	for p.more() && '0' <= p.peek() && p.peek() <= '9' {
		n = min(n*10+int(p.peek()-'0'), maxRepeat+1)
		p.pos++
		ok = true
	}
	return n, ok
}

// number reads a decimal number; it fails on one that is too large for anything.
func (p *parser) number() (n int, ok bool) {
	for p.more() && '0' <= p.peek() && p.peek() <= '9' {
		if n = n*10 + int(p.peek()-'0'); bits.Len(uint(n)) > 24 {
			p.fail("a number is too large")
		}
		p.pos++
		ok = true
	}
	return n, ok
}

// repeated applies a quantifier. Looking around without end is once more than at
// least, because still more of it would change nothing.
func (p *parser) repeated(n node, q quantifier) node {
	if _, isLook := n.(*look); isLook && q.max == endless {
		q.max = q.min + 1
	}
	if q.min == 1 && q.max == 1 && q.mode != possessive {
		return n
	}
	return repeat{n, q.min, q.max, q.mode}
}

// item reads one item and says whether it may have a quantifier. It is nil for
// what only changes how the rest is read.
func (p *parser) item() (n node, repeatable bool) {
	if p.quoting {
		return p.single(p.char()), true
	}
	switch p.peek() {
	case '\\':
		p.pos++
		return p.escapeItem()
	case '[':
		return p.bracket()
	case '(':
		return p.parenthesis()
	case '.':
		p.pos++
		return p.dot(p.has(DotAll)), true
	case '^':
		p.pos++
		if p.has(Multiline) {
			return position{opLineBegin}, false
		}
		return position{opBegin}, false
	case '$':
		p.pos++
		if p.has(Multiline) {
			return position{opLineEnd}, false
		}
		return position{opLastEnd}, false
	}
	return p.single(p.char()), true
}

// dot is any character, or any that does not begin a newline.
func (p *parser) dot(all bool) node {
	any := chars{class{{0, p.last()}}}
	if all {
		return any
	}
	if p.newline == newlineCRLF {
		return sequence{[]node{&look{body: literal{text: "\r\n"}, negative: true}, any}}
	}
	return chars{p.newline.members().negated(p.last())}
}

// foldingOf is how letters are folded.
func foldingOf(flags Flags) folding {
	switch {
	case flags&UTF8 != 0:
		return foldUnicode
	case flags&Properties != 0:
		return foldLatin
	}
	return foldASCII
}

func (p *parser) folding() folding { return foldingOf(p.flags) }

// single is one character that stands for itself.
func (p *parser) single(r rune) node {
	p.breaks = p.breaks || r == '\r' || r == '\n'
	text := string([]byte{byte(r)})
	if p.utf() {
		text = string(r)
	}
	if !p.has(Caseless) {
		return literal{text: text}
	}
	same := one(r).folded(p.folding())
	if len(same) == 1 && same[0].lo == same[0].hi {
		return literal{text: text, fold: true}
	}
	if r < utf8.RuneSelf && len(same) == 2 && same[1].hi < utf8.RuneSelf {
		return literal{text: strings.ToLower(text), fold: true}
	}
	return chars{same}
}
