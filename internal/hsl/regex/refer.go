package regex

import "strings"

// name reads the name of a group.
func (p *parser) name() string {
	start := p.pos
	if !p.more() || p.nameChar() == 0 {
		p.fail("the name of a group is missing")
	}
	if isDigit(p.peek()) {
		p.fail("the name of a group begins with a digit")
	}
	for size := p.nameChar(); size > 0; size = p.nameChar() {
		p.pos += size
	}
	if p.pos-start > maxName {
		p.fail("the name of a group has more than %d bytes", maxName)
	}
	return p.src[start:p.pos]
}

// nameChar returns the length of the character at pos if names may have it: a
// letter, digit or underscore, beyond ASCII in UTF-8 mode only.
func (p *parser) nameChar() int {
	switch {
	case isWord(p.peek()):
		return 1
	case !p.utf() || p.peek() < 0x80:
		return 0
	}
	before := p.pos
	r := p.char()
	size := p.pos - before
	p.pos = before
	if unicodeNames().has(r) {
		return size
	}
	return 0
}

// relative reads the number of a group; with a sign it counts from here.
func (p *parser) relative() int {
	sign := p.peek()
	if sign == '+' || sign == '-' {
		p.pos++
	}
	n, ok := p.number()
	switch {
	case !ok:
		p.fail("the number of a group is missing")
	case sign == '+' || sign == '-':
		if n == 0 {
			p.fail("a relative group number is zero")
		}
		if sign == '+' {
			return p.groups + n
		}
		if n = p.groups - n + 1; n < 1 {
			p.fail("a reference to a group that does not exist")
		}
	}
	return n
}

// refer notes a back reference.
func (p *parser) refer(ref reference) node {
	ref.fold = p.has(Caseless)
	p.references = append(p.references, &ref)
	return &ref
}

// call notes a subroutine call and reads its end.
func (p *parser) call(c call, end string) node {
	if !p.skip(end) {
		p.fail("the call of a group is not ended by %s", end)
	}
	p.calls = append(p.calls, &c)
	return &c
}

// escapeK reads the rest of \k<name>, \k'name' or \k{name}.
func (p *parser) escapeK() node {
	offset := p.pos
	open := strings.IndexByte("<'{", p.peek())
	if !p.more() || open < 0 {
		p.fail(`\k is not followed by a name in <>, '' or {}`)
	}
	p.pos++
	return p.refer(reference{name: p.ended(">'}"[open]), offset: offset})
}

// escapeG reads the rest of \g: a reference as a number or in braces, a call in
// <> or ”.
func (p *parser) escapeG() node {
	offset := p.pos
	switch c := p.peek(); {
	case c == '<' || c == '\'':
		p.pos++
		return p.escapedCall(offset, map[byte]string{'<': ">", '\'': "'"}[c])
	case c == '{':
		p.pos++
		if c := p.peek(); !isDigit(c) && c != '+' && c != '-' {
			return p.refer(reference{name: p.ended('}'), offset: offset})
		}
		n := p.relative()
		if !p.skip("}") {
			p.fail(`\g{ is not closed`)
		}
		return p.refer(reference{numbers: []int{n}, offset: offset})
	case isDigit(c) || c == '+' || c == '-':
		return p.refer(reference{numbers: []int{p.relative()}, offset: offset})
	}
	p.fail(`\g is not followed by a number, or by a name in <>, '' or {}`)
	return nil
}

func (p *parser) escapedCall(offset int, end string) node {
	if c := p.peek(); isDigit(c) || c == '+' || c == '-' {
		return p.call(call{number: p.relative(), offset: offset}, end)
	}
	return p.call(call{name: p.name(), offset: offset}, end)
}

// resolve turns names into numbers once all groups are known, and refuses what
// refers to none.
func (p *parser) resolve() {
	for _, ref := range p.references {
		if ref.name != "" {
			ref.numbers = p.numbered(ref.name)
		}
		p.known(ref.offset, ref.numbers...)
	}
	for _, c := range p.calls {
		if c.name != "" {
			c.number = append(p.numbered(c.name), 0)[0]
			p.known(c.offset, c.number)
		} else if c.number > 0 {
			p.known(c.offset, c.number)
		}
	}
	for _, c := range p.conditionals {
		p.resolveTest(&c.test)
	}
	for _, l := range p.lookbehinds {
		p.checkWidth(l)
	}
}

// known demands groups of these numbers, and one at least.
func (p *parser) known(offset int, numbers ...int) {
	for _, n := range numbers {
		if n < 1 || n > p.groups {
			numbers = nil
			break
		}
	}
	if len(numbers) == 0 {
		p.failAt(offset, "a reference to a group that does not exist")
	}
}

// numbered returns the groups of a name, in order.
func (p *parser) numbered(name string) (numbers []int) {
	for _, n := range p.names {
		if n.Name == name {
			numbers = append(numbers, n.Number)
		}
	}
	return numbers
}

// resolveTest decides what a name in a condition means: a group if there is one,
// else, for R and R with digits, a recursion.
func (p *parser) resolveTest(t *test) {
	switch {
	case t.kind == testRecursion:
		t.number = append(p.numbered(t.name), 0)[0]
		p.known(t.offset, t.number)
		return
	case t.kind != testGroup:
		return
	case t.name != "":
		t.groups = p.numbered(t.name)
	}
	if digits, ok := strings.CutPrefix(t.name, "R"); ok && len(t.groups) == 0 && allDigits(digits) {
		t.kind = testRecursion
		if digits != "" {
			for _, d := range []byte(digits) {
				t.number = min(max(t.number, 0)*10+int(d-'0'), maxGroups+1)
			}
			if t.number > 0 {
				p.known(t.offset, t.number)
			}
		}
		return
	}
	p.known(t.offset, t.groups...)
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}
