package regex

import "strings"

// start says where in a subject a match can begin, so that a search need not try
// everywhere.
type start struct {
	where    where
	prefix   string // every match begins with it
	required string // every match has it somewhere
	least    int    // every match has at least as many bytes
	one      byte   // the only byte that a match begins with
	first    *table // the bytes that a match begins with
	filter   *filter
	overlap  int // bytes that are looked at beyond the first
	utf      bool
}

// where is how the next place to try is found.
type where uint8

const (
	whereAny    where = iota
	whereFrom         // only where the search begins
	whereLine         // there and behind newlines
	wherePrefix       // where prefix stands
	whereByte         // where one stands
	whereFirst        // where first has the byte
	whereFilter       // where filter lets through
)

// newStart works out a tree. The first bytes come from its program.
func newStart(t *tree, first *table) start {
	s := start{utf: t.flags&UTF8 != 0, first: first}
	f := factsOf(t)
	if !f.accept {
		s.least = least(t.root)
		if !f.verb {
			s.prefix = prefixOf(t.root)
		}
	}
	switch {
	case t.flags&Anchored != 0 || begins(t.root, atBegin):
		s.where = whereFrom
	case begins(t.root, atLine) && t.newline == newlineLF:
		s.where = whereLine
	case !f.verb && !f.refers && dotStarAll(opening(t.root)):
		s.where = whereFrom
	case !f.verb && !f.refers && dotStarLine(opening(t.root)):
		s.where = whereLine
	case len(s.prefix) > 1:
		s.where, s.overlap = wherePrefix, len(s.prefix)-1
	default:
		s.byFirst()
		if !f.accept && !f.verb && s.where != whereByte {
			s.byFilter(t.root)
		}
	}
	if !f.accept && s.where != whereFrom && s.prefix == "" {
		s.required = requiredOf(t.root)
	}
	return s
}

// facts are what a pattern has anywhere.
type facts struct{ verb, accept, refers bool }

func factsOf(t *tree) (f facts) {
	walk(t.root, func(n node) {
		switch n.(type) {
		case verb:
			f.verb = true
		case *accept:
			f.accept = true
		case *reference, *call, *conditional:
			f.refers = true
		}
	})
	return f
}

// byFirst looks at how many bytes a match can begin with.
func (s *start) byFirst() {
	if s.first == nil || s.first[tableEnd] != 0 {
		s.first = nil
		return
	}
	var bytes []byte
	for b := range 256 {
		if s.first[b] != 0 {
			bytes = append(bytes, byte(b))
		}
	}
	s.where = whereFirst
	if len(bytes) == 1 {
		s.where, s.one = whereByte, bytes[0]
	}
}

func (s *start) byFilter(root node) {
	if f := newFilter(root, s.utf); f != nil {
		s.where, s.filter, s.overlap = whereFilter, f, f.width-1
	}
}

// begins says whether every way through n begins with something of a kind,
// before anything that could match characters.
func begins(n node, kind func(node) bool) bool {
	if kind(n) {
		return true
	}
	switch n := n.(type) {
	case sequence:
		for _, part := range n.parts {
			if begins(part, kind) {
				return true
			}
			if !isPlace(part) {
				return false
			}
		}
	case choice:
		for _, branch := range n.branches {
			if !begins(branch, kind) {
				return false
			}
		}
		return true
	case *group:
		return begins(n.body, kind)
	}
	return false
}

// opening returns the very first part of a node.
func opening(n node) node {
	switch n := n.(type) {
	case sequence:
		if len(n.parts) > 0 {
			return opening(n.parts[0])
		}
	case *group:
		return opening(n.body)
	}
	return n
}

// isPlace says that a node matches no characters.
func isPlace(n node) bool {
	switch n.(type) {
	case position, *look, keep, verb:
		return true
	}
	return false
}

func atBegin(n node) bool {
	p, ok := n.(position)
	return ok && (p.op == opBegin || p.op == opFrom)
}

func atLine(n node) bool {
	p, ok := n.(position)
	return ok && (p.op == opLineBegin || p.op == opBegin)
}

// dotStarAll is (?s).* or .*?: if it leads to no match from one place, then to
// none from a later one.
func dotStarAll(n node) bool {
	c, ok := starred(n)
	return ok && len(c) == 1 && c[0].lo == 0 && c[0].hi >= maxByte
}

// dotStarLine is the same up to the end of the line.
func dotStarLine(n node) bool {
	c, ok := starred(n)
	if !ok {
		return false
	}
	r, ok := c.negated(max(maxByte, c[len(c)-1].hi)).single()
	return ok && r == '\n' || dotStarAll(n)
}

func starred(n node) (class, bool) {
	r, ok := n.(repeat)
	if !ok || r.min != 0 || r.max != endless || r.mode == possessive {
		return nil, false
	}
	c, ok := r.body.(chars)
	return c.class, ok && len(c.class) > 0
}

// prefixOf returns a text that every match begins with, or "".
func prefixOf(n node) string {
	text, _ := leading(n)
	return text
}

// leading returns the text that a node begins with, and whether it is all of it.
func leading(n node) (text string, all bool) {
	switch n := n.(type) {
	case literal:
		if n.fold && hasLetter(n.text) {
			return "", false
		}
		return n.text, true
	case sequence:
		for _, part := range n.parts {
			more, all := leading(part)
			if text += more; !all {
				return text, false
			}
		}
		return text, true
	case *group:
		return leading(n.body)
	case atomic:
		return leading(n.body)
	case repeat:
		if n.min > 0 {
			text, _ = leading(n.body)
		}
		return text, false
	case position, keep, *look:
		return "", true
	}
	return "", false
}

// requiredOf returns the longest text that every match must have, or "".
func requiredOf(n node) (longest string) {
	switch n := n.(type) {
	case literal:
		if !n.fold || !hasLetter(n.text) {
			return n.text
		}
	case sequence:
		for _, part := range n.parts {
			if text := requiredOf(part); len(text) > len(longest) {
				longest = text
			}
		}
	case *group:
		return requiredOf(n.body)
	case atomic:
		return requiredOf(n.body)
	case repeat:
		if n.min > 0 {
			return requiredOf(n.body)
		}
	}
	return longest
}

// seek returns the first place from pos on where a match can begin, as far as
// that can be told from what stands before end, or -1.
func (s *start) seek(subject string, pos, end int) int {
	window := subject[:end]
	switch s.where {
	case whereByte:
		return found(strings.IndexByte(window[pos:], s.one), pos)
	case wherePrefix:
		return found(strings.Index(window[pos:], s.prefix), pos)
	case whereFilter:
		return s.filter.seek(window, pos, end)
	case whereFirst:
		for ; pos < end; pos++ {
			if s.first[window[pos]] != 0 {
				return pos
			}
		}
		return -1
	case whereLine:
		if pos == 0 {
			return 0
		}
		return found(strings.IndexByte(window[pos-1:], '\n'), pos)
	}
	return pos
}

func found(i, pos int) int {
	if i < 0 {
		return -1
	}
	return pos + i
}
