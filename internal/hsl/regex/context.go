package regex

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// looked ends the assertion that we are in, which has matched: it is forgotten
// how, unless it may be entered again and did not end by (*ACCEPT). It returns
// where to go on, or nowhere.
func (m *machine) looked(forGood bool) (pc int32, pos int) {
	f := m.stack[m.context : int(m.context)+m.frame]
	in := &m.insts[f[framePC]]
	if forGood || in.mode != lazy {
		m.sp = int(m.context)
	}
	if in.y != nowhere {
		m.state[0] = f[frameState] // a condition does not move the start of the match
	}
	m.context = f[frameContext]
	return in.x, int(f[framePos])
}

// call enters a group as a subroutine. To do so twice at one position, with
// nothing matched between, would never end.
func (m *machine) call(in *inst, pc int32, pos int) error {
	for at := m.context; at >= 0; at = m.stack[at+frameContext] {
		outer := &m.insts[m.stack[at+framePC]]
		if outer.op == opCall && outer.n == in.n {
			if int(m.stack[at+framePos]) == pos {
				return ErrRecursion
			}
			break
		}
	}
	if err := m.push(pc, pos, 0); err != nil {
		return err
	}
	m.context = int32(m.sp - m.frame)
	return nil
}

// calls says whether we are in a call of group n, and nothing else inside it.
func (m *machine) calls(n int32) bool {
	if m.context < 0 {
		return false
	}
	in := &m.insts[m.stack[m.context+framePC]]
	return in.op == opCall && in.n == n
}

// returned leaves the call that we are in. Captures are as they were before, the
// start of the match is not. It returns where to go on. A call of a group may be
// entered again by backtracking; one that ends with the pattern or by (*ACCEPT)
// is over for good, as in PCRE2.
func (m *machine) returned(forGood bool) (pc int32) {
	f := m.stack[m.context : int(m.context)+m.frame]
	if forGood {
		m.sp = int(m.context)
	}
	copy(m.state[1:], f[frameState+1:])
	m.context = f[frameContext]
	return f[framePC] + 1
}

// inside says whether the innermost call around is one of group n, or of any if
// n is -1.
func (m *machine) inside(n int32) bool {
	for at := m.context; at >= 0; at = m.stack[at+frameContext] {
		if in := &m.insts[m.stack[at+framePC]]; in.op == opCall {
			return n < 0 || in.n == n
		}
	}
	return false
}

// captured says whether one of the groups has captured.
func (m *machine) captured(slots []int32) bool {
	for _, slot := range slots {
		if m.state[slot+1] >= 0 {
			return true
		}
	}
	return false
}

// refer returns the length of what stands at pos, if it is what the first of the
// groups has captured that has captured any, or -1; and the steps it took.
func (m *machine) refer(in *inst, pos int) (size, steps int) {
	for _, slot := range in.groups {
		start, end := m.state[slot], m.state[slot+1]
		if end < 0 {
			continue
		}
		text, rest := m.subject[start:end], m.subject[pos:]
		if in.fold {
			return m.referFold(text, rest)
		}
		return referExact(text, rest)
	}
	return -1, 0
}

// referExact compares 64 bytes a step. Mostly the first few differ.
func referExact(text, rest string) (size, steps int) {
	const few = 64
	if len(text) > few && !strings.HasPrefix(rest, text[:few]) {
		return -1, 0
	}
	if !strings.HasPrefix(rest, text) {
		return -1, len(text) / few
	}
	return len(text), len(text) / few
}

// referFold compares without regard to case. In UTF-8 mode what matches may be
// longer or shorter than text.
func (m *machine) referFold(text, rest string) (size, steps int) {
	for len(text) > 0 {
		if size == len(rest) {
			return -1, size
		}
		a, wa := m.charAt(text, 0)
		b, wb := m.charAt(rest, size)
		if a != b && !m.sameLetter(a, b) {
			return -1, size
		}
		text = text[wa:]
		size += wb
	}
	return size, size
}

func (m *machine) charAt(s string, pos int) (rune, int) {
	if m.utf {
		return utf8.DecodeRuneInString(s[pos:])
	}
	return rune(s[pos]), 1
}

// sameLetter says whether a and b differ by case only.
func (m *machine) sameLetter(a, b rune) bool {
	if m.folding == foldASCII {
		return a < utf8.RuneSelf && b < utf8.RuneSelf && lowerASCII[a] == lowerASCII[b]
	}
	for r := unicode.SimpleFold(a); r != a; r = unicode.SimpleFold(r) {
		if r == b {
			return true
		}
	}
	return false
}
