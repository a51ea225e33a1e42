package regex

import (
	"slices"
	"unicode/utf8"
)

// single returns the set of a node that always matches one character, or nil.
func (e *emitter) single(n node) *set {
	if c, ok := e.class(n); ok {
		return e.set(c)
	}
	return nil
}

// class returns the characters of which a node matches exactly one: a class, a
// literal of one character, or a choice among such.
func (e *emitter) class(n node) (c class, ok bool) {
	switch n := n.(type) {
	case chars:
		return n.class, true
	case literal:
		r, size := e.firstChar(n.text)
		if size == 0 || size != len(n.text) {
			return nil, false
		}
		if n.fold {
			return one(r).folded(foldASCII), true
		}
		return one(r), true
	case choice:
		for _, branch := range n.branches {
			more, ok := e.class(branch)
			if !ok {
				return nil, false
			}
			c = append(c, more...)
		}
		return c.normalised(), true
	}
	return nil, false
}

func (e *emitter) firstChar(text string) (r rune, size int) {
	switch {
	case text == "":
		return 0, 0
	case e.utf():
		return utf8.DecodeRuneInString(text)
	}
	return rune(text[0]), 1
}

// repeat writes a loop. Repeats of single characters are one instruction; other
// bodies are written out as often as they must match, and then as often as they
// may, or once more as a loop.
func (e *emitter) repeat(r repeat) {
	if r.max == 0 {
		e.unreached(r.body)
		return
	}
	if s := e.single(r.body); s != nil {
		e.run(r, s)
		return
	}
	if r.mode == possessive {
		r.mode = greedy
		e.atomic(atomic{r})
		return
	}
	copies := r.min
	if r.max == endless {
		copies--
	}
	for range copies {
		before := e.here()
		if e.node(r.body); e.here() == before {
			return // nothing, however often
		}
	}
	if r.max == endless {
		e.loop(r)
	} else {
		e.optional(r, r.max-r.min)
	}
}

// unreached writes a body that is repeated zero times, if it has groups that may
// be called.
func (e *emitter) unreached(body node) {
	needed := false
	walk(body, func(n node) {
		if g, ok := n.(*group); ok && e.called[g.number] {
			needed = true
		}
	})
	if needed {
		jump := e.add(inst{op: opJump})
		e.node(body)
		e.insts[jump].x = e.here()
	}
}

// run writes a repeat of single characters.
func (e *emitter) run(r repeat, s *set) {
	if r.min == 1 && r.max == 1 {
		e.add(inst{op: opSet, set: s})
		return
	}
	if e.once > 0 && r.max == endless {
		e.endless = true
	}
	e.choose(inst{op: opRun, mode: r.mode, min: int32(r.min), max: int32(r.max), set: s})
}

// split writes a choice between going on and a place to be filled in.
func (e *emitter) split(m mode) int32 { return e.choose(inst{op: opSplit, mode: m}) }

// aim gives a split its ways: greedy prefers the first.
func (e *emitter) aim(split, more, enough int32) {
	in := &e.insts[split]
	if in.mode == lazy {
		more, enough = enough, more
	}
	in.x, in.y, in.mode = more, enough, greedy
}

// optional writes up to count more of the body, each inside the one before.
func (e *emitter) optional(r repeat, count int) {
	var splits []int32
	for range count {
		splits = append(splits, e.split(r.mode))
		e.node(r.body)
	}
	for _, split := range splits {
		e.aim(split, split+1, e.here())
	}
}

// loop writes the last of the bodies that must match and repeats it. An
// iteration that matches nothing ends the loop.
func (e *emitter) loop(r repeat) {
	if e.once > 0 {
		e.endless = true
	}
	first := int32(nowhere)
	if r.min == 0 {
		first = e.split(r.mode)
	}
	body := e.here()
	empty := int32(nowhere)
	if mayBeEmpty(r.body) {
		slot := e.slot()
		e.add(inst{op: opSave, n: slot})
		e.loops = append(e.loops, slot)
		e.node(r.body)
		e.loops = e.loops[:len(e.loops)-1]
		empty = e.add(inst{op: opIfEmpty, n: slot})
	} else {
		e.node(r.body)
	}
	again := e.split(r.mode)
	end := e.here()
	e.aim(again, body, end)
	if first != nowhere {
		e.aim(first, body, end)
	}
	if empty != nowhere {
		e.insts[empty].x = end
	}
}

// mayBeEmpty says whether a node may match without moving on. In doubt it does.
func mayBeEmpty(n node) bool {
	switch n := n.(type) {
	case literal:
		return n.text == ""
	case chars, lineBreak, cluster:
		return false
	case sequence:
		return !slices.ContainsFunc(n.parts, func(part node) bool { return !mayBeEmpty(part) })
	case choice:
		return slices.ContainsFunc(n.branches, func(branch node) bool { return mayBeEmpty(branch) })
	case *group:
		return mayBeEmpty(n.body)
	case atomic:
		return mayBeEmpty(n.body)
	case repeat:
		return n.min == 0 || mayBeEmpty(n.body)
	}
	return true
}
