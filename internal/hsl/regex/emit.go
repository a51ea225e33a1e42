package regex

import (
	"encoding/binary"
	"slices"
)

// maxInsts is how many instructions a program may have. Counted repeats of
// groups are written out, so a short pattern can be a long program.
const maxInsts = 1 << 16

// emitter writes a program.
type emitter struct {
	tree     *tree
	captures bool
	insts    []inst
	slots    int32
	sets     map[string]*set

	needed  map[int]int32 // the slot of each group whose capture anybody asks for
	private map[int]int32 // a slot for the start while a group is open, where needed
	called  map[int]bool  // groups that are called, 0 being the pattern
	entry   map[int]int32 // where they begin
	calls   []int32       // the calls, to be told where

	then    int32   // the slot of the alternation that (*THEN) refers to, or 0
	loops   []int32 // slots of the loops around that may be empty
	once    int     // how many atomic groups and assertions are around
	keys    int32
	forget  bool // the program cannot remember failures
	endless bool // it has loops that the memory does not bound
}

// tooLarge is thrown when the program outgrows maxInsts.
type tooLarge struct{}

// emit compiles a tree. It returns false if the program were too large.
func emit(t *tree, captures bool) (p *program, ok bool) {
	defer func() {
		if thrown := recover(); thrown != nil {
			if _, ours := thrown.(tooLarge); !ours {
				panic(thrown)
			}
		}
	}()
	e := &emitter{
		tree: t, captures: captures, slots: 1,
		sets: map[string]*set{}, needed: map[int]int32{}, private: map[int]int32{},
		called: map[int]bool{}, entry: map[int]int32{0: 0},
	}
	e.survey()
	e.node(t.root)
	e.add(inst{op: opMatch})
	for _, pc := range e.calls {
		e.insts[pc].x = e.entry[int(e.insts[pc].n)]
	}
	return e.program(), true
}

func (e *emitter) program() *program {
	p := &program{
		insts: e.insts, slots: int(e.slots), fresh: make([]int32, e.slots),
		newline: e.tree.newline, utf: e.utf(), folding: foldingOf(e.tree.flags), hopCRLF: e.hopCRLF(),
		verbs: factsOf(e.tree).verb,
	}
	for i := range p.fresh {
		p.fresh[i] = -1
	}
	if e.captures {
		p.captures = e.tree.groups
	}
	if !e.forget {
		p.keys = int(e.keys)
		p.linear = !e.endless
	}
	p.analyse(e.called[0])
	return p
}

// hopCRLF says whether newlines may be CRLF and the pattern has neither of the
// two as a character, so that nothing should match between them.
func (e *emitter) hopCRLF() bool {
	switch e.tree.newline {
	case newlineCRLF, newlineAnyCRLF, newlineAny:
		return !e.tree.breaks
	}
	return false
}

// survey finds out which groups need slots and what rules out remembering.
func (e *emitter) survey() {
	if e.captures {
		for g := 1; g <= e.tree.groups; g++ {
			e.need(g)
		}
	}
	e.surveyNode(e.tree.root, nil)
	if len(e.called) > 0 {
		for g := range e.needed {
			e.private[g] = -1
		}
	}
	for _, g := range sorted(e.private) {
		e.private[g] = e.slot()
	}
}

func sorted(m map[int]int32) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (e *emitter) need(g int) {
	if _, ok := e.needed[g]; !ok {
		e.needed[g] = e.slots
		e.slots += 2
	}
}

func (e *emitter) slot() int32 {
	e.slots++
	return e.slots - 1
}

func (e *emitter) surveyNode(n node, inside []int) {
	switch n := n.(type) {
	case *group:
		inside = append(inside, n.number)
	case *reference:
		e.ask(n.numbers, inside)
	case *call:
		e.called[n.number] = true
		e.forget = true
	case *conditional:
		e.forget = e.forget || n.test.kind == testRecursion
		e.ask(n.test.groups, inside)
	case verb:
		e.forget = true
	case cluster:
		e.endless = true
	}
	for _, child := range children(n) {
		e.surveyNode(child, inside)
	}
}

// ask notes that the captures of groups decide about the match. A group that
// asks for itself must not see the capture that it has just begun.
func (e *emitter) ask(numbers, inside []int) {
	for _, g := range numbers {
		e.need(g)
		e.forget = true
		if slices.Contains(inside, g) {
			e.private[g] = -1
		}
	}
}

// add appends an instruction and returns its place.
func (e *emitter) add(in inst) int32 {
	if len(e.insts) >= maxInsts {
		panic(tooLarge{})
	}
	if in.op != opSplit && in.op != opRun {
		in.key = noKey
	}
	e.insts = append(e.insts, in)
	return int32(len(e.insts) - 1)
}

func (e *emitter) here() int32 { return int32(len(e.insts)) }

// choose appends an instruction that leaves a choice, with keys to remember what
// has failed: one for each combination of loops around that are still empty.
func (e *emitter) choose(in inst) int32 {
	const deepest = 4
	in.key = noKey
	switch {
	case e.once > 0:
	case len(e.loops) > deepest:
		e.endless = true
	default:
		in.key, in.loops = e.keys, slices.Clone(e.loops)
		e.keys += 1 << len(e.loops)
	}
	return e.add(in)
}

func (e *emitter) node(n node) {
	switch n := n.(type) {
	case literal:
		e.literal(n)
	case chars:
		e.add(inst{op: opSet, set: e.set(n.class)})
	case lineBreak:
		e.add(inst{op: opBreak})
	case cluster:
		e.add(inst{op: opCluster})
	case position:
		e.add(inst{op: n.op})
	case sequence:
		for _, part := range n.parts {
			e.node(part)
		}
	case choice:
		if s := e.single(n); s != nil {
			e.add(inst{op: opSet, set: s})
			return
		}
		e.choice(n)
	case *group:
		e.group(n)
	case atomic:
		e.atomic(n)
	case repeat:
		e.repeat(n)
	case *look:
		e.look(n)
	case *reference:
		e.add(inst{op: opRef, fold: n.fold, groups: e.slotsOf(n.numbers)})
	case *call:
		e.calls = append(e.calls, e.add(inst{op: opCall, n: int32(n.number)}))
	case *conditional:
		e.conditional(n)
	case back:
		e.add(inst{op: opBack, n: int32(n.count)})
	case keep:
		e.add(inst{op: opSave, n: 0})
	case *accept:
		e.accept(n)
	case fail:
		e.add(inst{op: opFail})
	case verb:
		e.add(inst{op: n.op, text: n.name, n: e.then})
	}
}

func (e *emitter) slotsOf(groups []int) []int32 {
	slots := make([]int32, len(groups))
	for i, g := range groups {
		slots[i] = e.needed[g]
	}
	return slots
}

func (e *emitter) literal(l literal) {
	switch {
	case l.fold && hasLetter(l.text):
		e.add(inst{op: opFold, text: l.text})
	case len(l.text) == 1:
		e.add(inst{op: opByte, b: l.text[0]})
	case l.text != "":
		e.add(inst{op: opText, text: l.text})
	}
}

func hasLetter(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; c >= 'a' && c <= 'z' {
			return true
		}
	}
	return false
}

// set compiles a class, once.
func (e *emitter) set(c class) *set {
	key := make([]byte, 0, 8*len(c))
	for _, s := range c {
		key = binary.AppendUvarint(binary.AppendUvarint(key, uint64(s.lo)), uint64(s.hi))
	}
	if e.sets[string(key)] == nil {
		e.sets[string(key)] = newSet(c, e.utf())
	}
	return e.sets[string(key)]
}

func (e *emitter) utf() bool { return e.tree.flags&UTF8 != 0 }

func (e *emitter) group(g *group) {
	if _, known := e.entry[g.number]; !known {
		e.entry[g.number] = e.here()
	}
	start, needed := e.needed[g.number]
	private, shadowed := e.private[g.number]
	switch {
	case shadowed:
		e.add(inst{op: opSave, n: private})
	case needed:
		e.add(inst{op: opSave, n: start})
	}
	e.node(g.body)
	e.close(g.number)
	if e.called[g.number] {
		e.add(inst{op: opReturn, n: int32(g.number)})
	}
}

// close ends the capture of a group.
func (e *emitter) close(g int) {
	start, needed := e.needed[g]
	private, shadowed := e.private[g]
	switch {
	case shadowed:
		e.add(inst{op: opClose, n: start, x: private})
	case needed:
		e.add(inst{op: opSave, n: start + 1})
	}
}

func (e *emitter) accept(a *accept) {
	for _, g := range a.open {
		e.close(g)
	}
	e.add(inst{op: opAccept})
}

// choice writes the branches one after the other, each but the last behind a
// split that leads to the next.
func (e *emitter) choice(c choice) {
	outer := e.then
	thens := slices.ContainsFunc(c.branches, hasThen)
	if thens {
		e.then = e.slot()
	}
	var jumps []int32
	for i, branch := range c.branches {
		split := int32(nowhere)
		if i < len(c.branches)-1 {
			split = e.choose(inst{op: opSplit, x: e.here() + 1})
		}
		if thens {
			e.add(inst{op: opNote, n: e.then})
		}
		e.node(branch)
		if split != nowhere {
			jumps = append(jumps, e.add(inst{op: opJump}))
			e.insts[split].y = e.here()
		}
	}
	for _, jump := range jumps {
		e.insts[jump].x = e.here()
	}
	e.then = outer
}

func hasThen(n node) (found bool) {
	walk(n, func(n node) {
		if v, ok := n.(verb); ok && v.op == opThen {
			found = true
		}
	})
	return found
}

// atomic notes the height of the stack and cuts it back behind the body.
func (e *emitter) atomic(a atomic) {
	if r, ok := a.body.(repeat); ok && r.max != 0 {
		if s := e.single(r.body); s != nil {
			if r.mode == lazy {
				r.max = r.min
			}
			r.mode = possessive
			e.run(r, s)
			return
		}
	}
	slot := e.slot()
	e.add(inst{op: opNote, n: slot})
	e.once++
	e.node(a.body)
	e.once--
	e.add(inst{op: opCut, n: slot})
}

// look writes an assertion that goes on behind itself, or fails.
func (e *emitter) look(l *look) {
	pc := e.assertion(l)
	e.insts[pc].x, e.insts[pc].y = e.here(), nowhere
	if l.negative {
		e.insts[pc].x, e.insts[pc].y = nowhere, e.here()
	}
}

// assertion writes opLook and its body; the caller says where to go on.
func (e *emitter) assertion(l *look) int32 {
	in := inst{op: opLook}
	if l.open {
		in.mode = lazy
	}
	pc := e.add(in)
	outer := e.then
	e.then = 0
	e.once++
	body := l.body
	if l.behind {
		body = e.lookbehind(body)
	}
	e.node(body)
	e.once--
	e.then = outer
	e.add(inst{op: opLookEnd})
	return pc
}

// lookbehind puts before each branch how far it looks back.
func (e *emitter) lookbehind(body node) node {
	m := newWidths(e.utf(), e.tree.bodies)
	var branches []node
	for _, branch := range branchesOf(body) {
		w, _ := m.of(branch)
		branches = append(branches, sequence{[]node{back{w}, branch}})
	}
	if len(branches) == 1 {
		return branches[0]
	}
	return choice{branches}
}

func (e *emitter) conditional(c *conditional) {
	var test int32
	switch t := c.test; t.kind {
	case testGroup:
		test = e.add(inst{op: opIfGroup, groups: e.slotsOf(t.groups)})
	case testRecursion:
		test = e.add(inst{op: opIfCall, n: int32(t.number)})
	case testAssert:
		test = e.assertion(t.assert)
		e.insts[test].x = e.here()
	case testAlways:
		e.node(c.yes)
		e.unreached(c.no)
		return
	case testNever:
		e.node(c.no)
		e.unreached(c.yes)
		return
	default:
		test = e.add(inst{op: opJump})
	}
	e.node(c.yes)
	end := e.add(inst{op: opJump})
	otherwise := e.here()
	e.node(c.no)
	e.insts[end].x = e.here()
	in := &e.insts[test]
	switch {
	case in.op == opJump:
		in.x = otherwise
	case in.op == opLook && c.test.assert.negative:
		in.x, in.y = otherwise, in.x
	default:
		in.y = otherwise
	}
}
