package regex

import "unicode/utf8"

// Matches steps through all matches of a pattern in a subject, from left to
// right, none overlapping the one before:
//
//	for m := re.Matches(budget, subject); m.Next(); {
//		… m.Caps() …
//	}
//	… m.Err() …
//
// Behind an empty match it looks for one at the same place that is not empty,
// and only then one character on, as Perl and PHP do. It belongs to one
// goroutine; other matches may be made between its steps.
type Matches struct {
	re      *Pattern
	budget  *Budget
	subject string
	from    int
	empty   bool // the last match was
	checked bool // the subject is known to be UTF-8
	over    bool
	caps    []int
	err     error
}

// Matches begins at the start of the subject.
func (re *Pattern) Matches(b *Budget, subject string) *Matches {
	return &Matches{re: re, budget: b, subject: subject, caps: make([]int, 2+2*re.Groups())}
}

// Next finds the next match. It returns false when there is none, or an error.
func (m *Matches) Next() bool {
	for !m.over {
		o := options{program: m.re.full, anchored: m.empty, notEmpty: m.empty, valid: m.checked}
		found, err := m.re.exec(m.budget, m.subject, m.from, o, m.caps)
		switch {
		case err != nil:
			m.err, m.over = err, true
		case found:
			m.checked = true
			m.empty = m.caps[0] >= m.caps[1]
			m.from = m.caps[1]
			return true
		case m.empty && m.from < len(m.subject):
			m.empty = false
			m.from += m.charLen()
		default:
			m.over = true
		}
	}
	return false
}

func (m *Matches) charLen() int {
	if !m.re.full.utf {
		return 1
	}
	_, size := utf8.DecodeRuneInString(m.subject[m.from:])
	return size
}

// Caps returns the offsets of the match and its groups, as Find gives them. They
// are good until the next call of Next.
func (m *Matches) Caps() []int { return m.caps }

// Err returns what has ended the matches before their time, or nil.
func (m *Matches) Err() error { return m.err }
