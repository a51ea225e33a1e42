package regex

import (
	"slices"
	"sync"
)

// Pattern is a compiled pattern. It never changes and may be used by any number
// of goroutines at once.
type Pattern struct {
	source string
	flags  Flags
	tree   *tree

	full  *program // captures all groups
	brief *program // only answers; the same as full when there are no groups
	start start
}

// Compile reads a pattern. The error is a *SyntaxError.
func Compile(source string, flags Flags) (*Pattern, error) {
	t, err := parse(source, flags)
	if err != nil {
		return nil, err
	}
	re := &Pattern{source: source, flags: flags, tree: t}
	var ok bool
	if re.full, ok = emit(t, true); !ok {
		return nil, &SyntaxError{Pattern: source, Offset: len(source), Reason: "the pattern is too large"}
	}
	re.brief = re.full
	if t.groups > 0 {
		re.brief, _ = emit(t, false)
	}
	re.start = newStart(t, re.full.first)
	re.tree.root, re.tree.bodies = nil, nil
	return re, nil
}

// String returns the pattern as it was given to Compile.
func (re *Pattern) String() string { return re.source }

// Flags returns the flags that were given to Compile.
func (re *Pattern) Flags() Flags { return re.flags }

// Groups returns how many groups capture. A match has one pair of offsets more,
// the first, for the whole match.
func (re *Pattern) Groups() int { return re.tree.groups }

// Names returns the named groups in the order of their opening. Several groups
// may have the same name, or names the same number.
func (re *Pattern) Names() []Name { return slices.Clone(re.tree.names) }

// Linear says whether the time to match is bounded by the length of the subject
// times a constant of the pattern, as long as the memory of the budget suffices.
func (re *Pattern) Linear() bool { return re.full.linear }

// Match says whether the pattern matches anywhere in the subject. It does not
// allocate.
func (re *Pattern) Match(b *Budget, subject string) (bool, error) {
	return re.exec(b, subject, 0, options{program: re.brief}, nil)
}

// Find looks for the first match that begins at from or later. The text before
// from is seen by lookbehinds and anchors; in UTF-8 mode from must not be inside
// of a character. It fills caps with the offsets of the
// match and its groups, two each, -1 for a group that did not take part; caps
// may be shorter than 2+2*Groups or nil.
func (re *Pattern) Find(b *Budget, subject string, from int, caps []int) (bool, error) {
	return re.exec(b, subject, from, options{program: re.full}, caps)
}

// options are what differs between calls.
type options struct {
	program  *program
	anchored bool // only from the start
	notEmpty bool // not an empty match at the start
	valid    bool // the subject is known to be UTF-8
}

var machines = sync.Pool{New: func() any { return new(machine) }}

func (re *Pattern) exec(b *Budget, subject string, from int, o options, caps []int) (bool, error) {
	if from < 0 || from > len(subject) {
		return false, nil
	}
	m := machines.Get().(*machine)
	matched, err := m.search(re, b, subject, from, o)
	if matched {
		m.report(caps)
	}
	m.release()
	machines.Put(m)
	return matched, err
}
