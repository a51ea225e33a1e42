package regex

import "unicode/utf8"

// maxBehind is how many characters a lookbehind may look back.
const maxBehind = 65535

// checkWidth demands that every branch of a lookbehind has one fixed length; the
// branches may differ from each other.
func (p *parser) checkWidth(l *look) {
	m := newWidths(p.utf(), p.bodies)
	m.shared = p.sharedNames()
	for _, number := range l.around {
		m.known[number] = width{}
	}
	for _, branch := range branchesOf(l.body) {
		w, fixed := m.of(branch)
		if !fixed {
			p.failAt(l.offset, "a lookbehind has no fixed length")
		}
		if w > maxBehind {
			p.failAt(l.offset, "a lookbehind is longer than %d characters", maxBehind)
		}
	}
}

// branchesOf returns the branches of a choice, or the node itself.
func branchesOf(n node) []node {
	if c, ok := n.(choice); ok {
		return c.branches
	}
	return []node{n}
}

// sharedNames says whether several groups have the same name.
func (p *parser) sharedNames() bool {
	seen := map[string]bool{}
	for _, n := range p.names {
		if seen[n.Name] {
			return true
		}
		seen[n.Name] = true
	}
	return false
}

// widths measures nodes in characters.
type widths struct {
	utf    bool
	shared bool // several groups have the same name
	bodies map[int]*group
	known  map[int]width // of groups; one that is being measured has none
}

type width struct {
	chars int
	fixed bool
}

func newWidths(utf bool, bodies map[int]*group) widths {
	return widths{utf: utf, bodies: bodies, known: map[int]width{}}
}

// of returns how many characters a node matches, if that is fixed.
func (m widths) of(n node) (w int, fixed bool) {
	switch n := n.(type) {
	case literal:
		if m.utf {
			return utf8.RuneCountInString(n.text), true
		}
		return len(n.text), true
	case chars:
		return 1, true
	case lineBreak, cluster:
		return 0, false
	case sequence:
		return m.sum(n.parts)
	case choice:
		return m.same(n.branches)
	case *group:
		return m.of(n.body)
	case atomic:
		return m.of(n.body)
	case repeat:
		w, fixed = m.of(n.body)
		return min(w*n.min, maxBehind+1), fixed && n.min == n.max
	case *reference:
		if m.shared || len(n.numbers) != 1 {
			return 0, false
		}
		return m.group(n.numbers[0])
	case *call:
		return m.group(n.number)
	case *conditional:
		if n.test.kind == testDefine {
			return 0, true
		}
		return m.same([]node{n.yes, n.no})
	}
	return 0, true
}

func (m widths) sum(parts []node) (total int, fixed bool) {
	for _, part := range parts {
		switch part.(type) {
		case *accept, fail:
			return total, true // what follows is never reached
		}
		w, ok := m.of(part)
		if !ok {
			return 0, false
		}
		total = min(total+w, maxBehind+1)
	}
	return total, true
}

func (m widths) same(branches []node) (w int, fixed bool) {
	for i, branch := range branches {
		bw, ok := m.of(branch)
		if !ok || i > 0 && bw != w {
			return 0, false
		}
		w = bw
	}
	return w, true
}

func (m widths) group(number int) (w int, fixed bool) {
	known, ok := m.known[number]
	if g := m.bodies[number]; !ok && g != nil {
		m.known[number] = width{} // it has none if it calls itself
		known.chars, known.fixed = m.of(g.body)
		m.known[number] = known
	}
	return known.chars, known.fixed
}

// least returns the fewest bytes that a node can match. Groups that are called
// count nothing, and a pattern with (*ACCEPT) is not asked.
func least(n node) int {
	const enough = 1 << 16
	switch n := n.(type) {
	case literal:
		return len(n.text)
	case chars, lineBreak, cluster:
		return 1
	case sequence:
		total := 0
		for _, part := range n.parts {
			total = min(total+least(part), enough)
		}
		return total
	case choice:
		total := enough
		for _, branch := range n.branches {
			total = min(total, least(branch))
		}
		return total
	case *group:
		return least(n.body)
	case atomic:
		return least(n.body)
	case repeat:
		return min(least(n.body)*n.min, enough)
	case *conditional:
		if n.test.kind == testDefine {
			return 0
		}
		return min(least(n.yes), least(n.no))
	}
	return 0
}
