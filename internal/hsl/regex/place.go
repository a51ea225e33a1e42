package regex

import (
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// holds says whether an assertion about the place is true at pos.
func (m *machine) holds(op opcode, pos int) bool {
	switch op {
	case opLineBegin:
		return pos == 0 || pos < len(m.subject) && m.breakBefore(pos)
	case opLineEnd:
		return pos == len(m.subject) || m.breakAt(pos) > 0
	case opLastEnd:
		return pos == len(m.subject) || pos+m.breakAt(pos) == len(m.subject)
	case opWordEdge:
		return m.wordBefore(pos) != m.wordAt(pos)
	case opNotWordEdge:
		return m.wordBefore(pos) == m.wordAt(pos)
	case opUnicodeWordEdge:
		return m.unicodeWordBefore(pos) != m.unicodeWordAt(pos)
	}
	return m.unicodeWordBefore(pos) == m.unicodeWordAt(pos)
}

func (m *machine) breakBefore(pos int) bool {
	if m.newline == newlineLF {
		return m.subject[pos-1] == '\n'
	}
	return m.newline.before(m.subject, pos, m.utf) > 0
}

func (m *machine) breakAt(pos int) int {
	if m.newline == newlineLF {
		return one8(m.subject[pos] == '\n')
	}
	return m.newline.at(m.subject, pos, m.utf)
}

func (m *machine) wordBefore(pos int) bool { return pos > 0 && wordBytes[m.subject[pos-1]] }

func (m *machine) wordAt(pos int) bool {
	return pos < len(m.subject) && wordBytes[m.subject[pos]]
}

func (m *machine) unicodeWordBefore(pos int) bool {
	if pos == 0 {
		return false
	}
	if !m.utf {
		return unicodeWords().has(rune(m.subject[pos-1]))
	}
	r, _ := utf8.DecodeLastRuneInString(m.subject[:pos])
	return unicodeWords().has(r)
}

func (m *machine) unicodeWordAt(pos int) bool {
	if pos == len(m.subject) {
		return false
	}
	r, _ := m.charAt(m.subject, pos)
	return unicodeWords().has(r)
}

// clusterAt returns the length of the grapheme cluster at pos, or 0 at the end.
// Among the first 256 characters only CR and LF belong together.
func clusterAt(subject string, pos int, utf bool) int {
	switch {
	case pos == len(subject):
		return 0
	case !utf:
		return 1 + one8(breakAt(subject, pos, false) == 2)
	}
	cluster, _, _, _ := uniseg.FirstGraphemeClusterInString(subject[pos:], -1)
	return len(cluster)
}
