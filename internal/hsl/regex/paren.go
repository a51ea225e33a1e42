package regex

import (
	"slices"
	"strings"
)

// parenthesis reads what begins with an opening parenthesis.
func (p *parser) parenthesis() (n node, repeatable bool) {
	offset := p.pos
	p.pos++
	switch {
	case p.peek() == '*' && p.verbAhead():
		return p.verb()
	case p.skip("?"):
		return p.special(offset)
	case p.has(noCapture):
		return p.plain(), true
	}
	return p.capture(""), true
}

// close demands a closing parenthesis.
func (p *parser) close() {
	if !p.skip(")") {
		p.fail("a closing parenthesis is missing")
	}
}

// plain reads the rest of a group that captures nothing. Options that are set
// inside end with it.
func (p *parser) plain() node {
	before := p.flags
	n := p.alternatives()
	p.flags = before
	p.close()
	return n
}

// capture reads the rest of a group that captures.
func (p *parser) capture(name string) node {
	if p.groups++; p.groups > maxGroups {
		p.fail("there are more than %d groups", maxGroups)
	}
	g := &group{number: p.groups}
	if name != "" {
		p.addName(name, g.number)
	}
	if p.bodies[g.number] == nil {
		p.bodies[g.number] = g
	}
	p.around = append(p.around, g.number)
	g.body = p.plain()
	p.around = p.around[:len(p.around)-1]
	return g
}

// addName gives a group its name. Two groups share one only with (?J), or when
// they share their number too.
func (p *parser) addName(name string, number int) {
	for _, n := range p.names {
		switch {
		case n.Name == name && n.Number == number:
			return
		case n.Name == name && !p.has(dupNames):
			p.fail("two groups have the name %s", name)
		case n.Number == number && n.Name != name:
			p.fail("group %d has two names", number)
		}
	}
	p.names = append(p.names, Name{name, number})
}

// special reads what begins with "(?".
func (p *parser) special(offset int) (n node, repeatable bool) {
	for opening, l := range looks {
		if p.skip(opening) {
			l.offset = offset
			return p.look(l), true
		}
	}
	switch {
	case p.skip(":"):
		return p.plain(), true
	case p.skip(">"):
		return atomic{p.plain()}, true
	case p.skip("|"):
		return p.reset(), true
	case p.skip("P"):
		return p.python()
	case p.skip("<"):
		return p.named('>'), true
	case p.skip("'"):
		return p.named('\''), true
	case p.skip("("):
		return p.conditional(offset), true
	case p.skip("C"):
		return p.callout(), false
	case p.skip("R"):
		return p.call(call{offset: offset}, ")"), true
	case p.skip("&"):
		return p.call(call{name: p.name(), offset: offset}, ")"), true
	}
	if c := p.peek(); isDigit(c) || (c == '+' || c == '-') && p.pos+1 < len(p.src) && isDigit(p.src[p.pos+1]) {
		return p.call(call{number: p.relative(), offset: offset}, ")"), true
	}
	return p.options()
}

// looks are the spellings of lookarounds behind "(?".
var looks = map[string]look{
	"=":  {},
	"!":  {negative: true},
	"*":  {open: true},
	"<=": {behind: true},
	"<!": {behind: true, negative: true},
	"<*": {behind: true, open: true},
}

// look reads the rest of a lookaround.
func (p *parser) look(l look) *look {
	opened := p.opened
	p.opened = len(p.around)
	p.assertions++
	l.body = p.plain()
	p.assertions--
	p.opened = opened
	if l.behind {
		l.around = slices.Clone(p.around)
		p.lookbehinds = append(p.lookbehinds, &l)
	}
	return &l
}

// reset reads the rest of (?|, whose branches number their groups alike.
func (p *parser) reset() node {
	before, first, most := p.flags, p.groups, p.groups
	n := p.branches(func() {
		most = max(most, p.groups)
		p.groups = first
	})
	p.groups = max(most, p.groups)
	p.flags = before
	p.close()
	return n
}

// python reads what begins with "(?P".
func (p *parser) python() (node, bool) {
	offset := p.pos
	switch {
	case p.skip("<"):
		return p.named('>'), true
	case p.skip(">"):
		return p.call(call{name: p.name(), offset: offset}, ")"), true
	case p.skip("="):
		ref := reference{name: p.name(), offset: offset}
		p.close()
		return p.refer(ref), true
	case !p.more():
		p.close()
	}
	p.fail(`(?P is not followed by <, > or =`)
	return nil, false
}

// named reads a group's name up to its terminator, and the group.
func (p *parser) named(terminator byte) node {
	name := p.name()
	if !p.skip(string(terminator)) {
		p.fail("the name of a group is not ended by %c", terminator)
	}
	return p.capture(name)
}

// callout skips (?C), (?C1) and (?C"text"): nobody is called.
func (p *parser) callout() node {
	if open := p.peek(); open != 0 && strings.IndexByte("`'\"^%#${", open) >= 0 {
		p.pos++
		if open == '{' {
			open = '}'
		}
		for {
			end := strings.IndexByte(p.src[p.pos:], open)
			if end < 0 {
				p.fail("the text of a callout is not ended")
			}
			p.pos += end + 1
			if p.peek() != open {
				break
			}
			p.pos++
		}
	} else if n, _ := p.number(); n > 255 {
		p.fail("the number of a callout is above 255")
	}
	p.close()
	return nil
}

// optionFlags are the letters of (?imsx).
var optionFlags = map[byte]Flags{
	'i': Caseless, 'm': Multiline, 's': DotAll, 'x': Extended, 'n': noCapture,
	'J': dupNames, 'U': Ungreedy, 'X': Extra,
}

// options reads the rest of (?i), (?i-m), (?^i) or, with a group, (?i:. Settings
// without a group hold to the end of the group that they stand in.
func (p *parser) options() (n node, repeatable bool) {
	flags, set, reset := p.flags, true, false
	if p.skip("^") {
		flags &^= Caseless | Multiline | DotAll | Extended | extendedMore | noCapture
		reset = true
	}
	for ; ; p.pos++ {
		switch c := p.peek(); {
		case c == ')':
			p.pos++
			p.flags = flags
			return nil, false
		case c == ':':
			p.pos++
			before := p.flags
			p.flags = flags
			n := p.plain()
			p.flags = before
			return n, true
		case c == '-':
			if !set || reset {
				p.fail("a hyphen is misplaced in an option setting")
			}
			set = false
		case !p.more():
			p.fail("a closing parenthesis is missing")
		case optionFlags[c] == 0:
			p.fail("%q has no meaning behind (?", rune(c))
		default:
			flags = p.option(flags, optionFlags[c], set)
		}
	}
}

// option sets or clears one option. A second x makes blanks in brackets vanish
// too; without it they stay.
func (p *parser) option(flags, flag Flags, set bool) Flags {
	if flag == Extended {
		flags &^= Extended | extendedMore
		if strings.HasPrefix(p.src[p.pos:], "xx") {
			p.pos++
			flag |= extendedMore
		}
	}
	if set {
		return flags | flag
	}
	return flags &^ flag
}

// conditional reads the rest of (?(.
func (p *parser) conditional(offset int) node {
	c := &conditional{test: p.test(offset), yes: sequence{}, no: sequence{}}
	switch n := p.plain().(type) {
	case choice:
		if c.test.kind == testDefine {
			p.failAt(offset, "DEFINE has more than one branch")
		}
		if len(n.branches) > 2 {
			p.failAt(offset, "a conditional has more than two branches")
		}
		c.yes, c.no = n.branches[0], n.branches[1]
	default:
		c.yes = n
	}
	p.conditionals = append(p.conditionals, c)
	return c
}

// test reads the condition behind "(?(" and the parenthesis that ends it.
func (p *parser) test(offset int) test {
	t := test{offset: p.pos, number: -1}
	c := p.peek()
	switch {
	case c == '?' || c == '*':
		p.pos--
		n, _ := p.parenthesis()
		l, ok := n.(*look)
		if !ok {
			p.failAt(offset+2, "the condition is no assertion")
		}
		return test{kind: testAssert, assert: l}
	case isDigit(c) || c == '+' || c == '-':
		t.groups = []int{p.relative()}
	case p.skip("VERSION"):
		t.kind = p.version()
	case p.skip("R&"):
		t.kind, t.name = testRecursion, p.name()
	case p.skip("<"):
		t.name = p.ended('>')
	case p.skip("'"):
		t.name = p.ended('\'')
	case p.skip("DEFINE)"):
		return test{kind: testDefine}
	default:
		t.name = p.name()
	}
	if !p.skip(")") {
		p.fail("the closing parenthesis of a condition is missing")
	}
	return t
}

func (p *parser) ended(terminator byte) string {
	name := p.name()
	if !p.skip(string(terminator)) {
		p.fail("the name of a group is not ended by %c", terminator)
	}
	return name
}

// The version of PCRE2 whose behaviour this package follows, for (?(VERSION.
const versionMajor, versionMinor = 10, 42

// version reads =10.4 or >=10.4 and decides.
func (p *parser) version() testKind {
	atLeast := p.skip(">")
	if !p.skip("=") {
		p.fail("VERSION is not followed by = or >=")
	}
	major, ok := p.number()
	minor := 0
	if ok && p.skip(".") {
		start := p.pos
		if minor, ok = p.number(); p.pos == start+1 {
			minor *= 10
		}
	}
	if !ok || p.peek() != ')' {
		p.fail("VERSION is not followed by a version")
	}
	diff := slices.Compare([]int{versionMajor, versionMinor}, []int{major, minor})
	if diff == 0 || atLeast && diff > 0 {
		return testAlways
	}
	return testNever
}
