package regex

// node is a part of a parsed pattern.
type node interface{ isNode() }

// mode says how a repeat chooses between more and enough.
type mode uint8

const (
	greedy mode = iota
	lazy
	possessive
)

// endless is the upper bound of a repeat that has none.
const endless = -1

type (
	// literal is text that must stand in the subject. With fold, ASCII letters
	// stand for both of their cases, and text has them in lower case.
	literal struct {
		text string
		fold bool
	}
	// chars is one character of a class.
	chars struct{ class class }
	// lineBreak is \R, one newline of any kind.
	lineBreak struct{}
	// cluster is \X, one grapheme cluster.
	cluster struct{}
	// position is an assertion about the place: opBegin to opNotWord.
	position struct{ op opcode }
	// sequence is its parts one after the other.
	sequence struct{ parts []node }
	// choice is the first branch that leads to a match.
	choice struct{ branches []node }
	// group captures what its body matches.
	group struct {
		number int
		body   node
	}
	// atomic matches its body and forgets how else it might have matched.
	atomic struct{ body node }
	// repeat is its body min to max times.
	repeat struct {
		body     node
		min, max int
		mode     mode
	}
	// look is a body that must, or must not, match here or end here.
	look struct {
		body             node
		behind, negative bool
		open             bool  // not atomic: it may be entered again
		around           []int // of a lookbehind: the groups that it is inside of
		offset           int
	}
	// reference is the text that a group captured: the first of numbers that
	// has captured any. The name is resolved to numbers after parsing.
	reference struct {
		numbers []int
		name    string
		fold    bool
		offset  int
	}
	// call runs a group as a subroutine; number 0 is the whole pattern.
	call struct {
		number int
		name   string
		offset int
	}
	// conditional is yes if its test holds, else no.
	conditional struct {
		test    test
		yes, no node
	}
	// back moves back by a number of characters; it begins the branches of
	// lookbehinds.
	back struct{ count int }
	// keep is \K: the match begins here.
	keep struct{}
	// accept ends the match, or the subroutine or assertion that it stands in.
	accept struct {
		open []int // the groups to close before
	}
	// fail matches nowhere.
	fail struct{}
	// verb says what happens when it is backtracked onto.
	verb struct {
		op   opcode // opCommit to opMark
		name string
	}
)

// test is what a conditional depends on.
type test struct {
	kind   testKind
	number int
	name   string
	groups []int
	assert *look
	offset int
}

type testKind uint8

const (
	testGroup     testKind = iota // one of groups has captured
	testRecursion                 // inside a call of number; -1 is any call
	testAssert
	testDefine // (?(DEFINE): never
	testNever
	testAlways
)

func (literal) isNode()      {}
func (chars) isNode()        {}
func (lineBreak) isNode()    {}
func (cluster) isNode()      {}
func (position) isNode()     {}
func (sequence) isNode()     {}
func (choice) isNode()       {}
func (*group) isNode()       {}
func (atomic) isNode()       {}
func (repeat) isNode()       {}
func (*look) isNode()        {}
func (*reference) isNode()   {}
func (*call) isNode()        {}
func (*conditional) isNode() {}
func (back) isNode()         {}
func (keep) isNode()         {}
func (*accept) isNode()      {}
func (fail) isNode()         {}
func (verb) isNode()         {}

// children returns the parts of a node.
func children(n node) []node {
	switch n := n.(type) {
	case sequence:
		return n.parts
	case choice:
		return n.branches
	case *group:
		return []node{n.body}
	case atomic:
		return []node{n.body}
	case repeat:
		return []node{n.body}
	case *look:
		return []node{n.body}
	case *conditional:
		parts := []node{n.yes, n.no}
		if n.test.assert != nil {
			parts = append(parts, n.test.assert)
		}
		return parts
	}
	return nil
}

// walk calls visit for n and all below it, parents first.
func walk(n node, visit func(node)) {
	visit(n)
	for _, child := range children(n) {
		walk(child, visit)
	}
}
