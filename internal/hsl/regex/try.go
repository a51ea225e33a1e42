package regex

import (
	"strings"
	"unicode/utf8"
)

// try runs the program from one start.
func (m *machine) try(start int) (verdict, error) {
	copy(m.state, m.fresh)
	m.state[0] = int32(start)
	m.sp, m.context, m.skipTo = 0, -1, 0
	subject, insts := m.subject, m.insts
	pos, pc := start, int32(0)
	fuel := m.fuel - m.weight
	for {
		if fuel--; fuel < 0 {
			m.fuel = fuel
			if err := m.refill(); err != nil {
				return failed, err
			}
			fuel = m.fuel
		}
		// An instruction that succeeds continues the loop; one that fails leaves
		// the switch, behind which the last way that was left is taken.
		switch in := &insts[pc]; in.op {
		case opByte:
			if pos < len(subject) && subject[pos] == in.b {
				pos++
				pc++
				continue
			}
		case opText:
			if strings.HasPrefix(subject[pos:], in.text) {
				pos += len(in.text)
				pc++
				continue
			}
		case opFold:
			if hasFold(subject[pos:], in.text) {
				pos += len(in.text)
				pc++
				continue
			}
		case opSet:
			if pos < len(subject) {
				if w := in.set.at(subject, pos); w > 0 {
					pos += w
					pc++
					continue
				}
			}
		case opRun:
			m.fuel = fuel
			next, err := m.run(in, pc, pos)
			if err != nil {
				return failed, err
			}
			fuel = m.fuel
			if next >= 0 {
				pos = next
				pc++
				continue
			}
		case opBreak:
			if w := breakAt(subject, pos, m.utf); w > 0 {
				pos += w
				pc++
				continue
			}
		case opCluster:
			if w := clusterAt(subject, pos, m.utf); w > 0 {
				fuel -= w >> 4
				pos += w
				pc++
				continue
			}
		case opRef:
			w, steps := m.refer(in, pos)
			if fuel -= steps; w >= 0 {
				pos += w
				pc++
				continue
			}
		case opBegin:
			if pos == 0 {
				pc++
				continue
			}
		case opFrom:
			if pos == m.from {
				pc++
				continue
			}
		case opEnd:
			if pos == len(subject) {
				pc++
				continue
			}
		case opLineBegin, opLastEnd, opLineEnd, opWordEdge, opNotWordEdge, opUnicodeWordEdge, opUnicodeNotWordEdge:
			if m.holds(in.op, pos) {
				pc++
				continue
			}
		case opSplit:
			if m.memory.stride > 0 && m.known(in, pos) {
				break
			}
			switch in.ways.at(subject, pos) {
			case 1:
				pc = in.x
				continue
			case 2:
				pc = in.y
				continue
			case 3:
				fuel -= m.weight
				if err := m.push(pc, pos, 0); err != nil {
					return failed, err
				}
				pc = in.x
				continue
			}
		case opJump:
			pc = in.x
			continue
		case opSave:
			m.state[in.n] = int32(pos)
			pc++
			continue
		case opClose:
			m.state[in.n], m.state[in.n+1] = m.state[in.x], int32(pos)
			pc++
			continue
		case opIfEmpty:
			pc++
			if int(m.state[in.n]) == pos {
				pc = in.x
			}
			continue
		case opNote:
			m.state[in.n] = int32(m.sp)
			pc++
			continue
		case opCut:
			m.sp = int(m.state[in.n])
			pc++
			continue
		case opLook:
			fuel -= m.weight
			if err := m.push(pc, pos, 0); err != nil {
				return failed, err
			}
			m.context = int32(m.sp - m.frame)
			pc++
			continue
		case opLookEnd:
			if pc, pos = m.looked(false); pc != nowhere {
				continue
			}
		case opBack:
			fuel -= int(in.n) >> 4
			if to := m.back(pos, int(in.n)); to >= 0 {
				pos = to
				pc++
				continue
			}
		case opCall:
			fuel -= m.weight
			if err := m.call(in, pc, pos); err != nil {
				return failed, err
			}
			pc = in.x
			continue
		case opReturn:
			pc++
			if m.calls(in.n) {
				pc = m.returned(false)
			}
			continue
		case opIfGroup:
			pc++
			if !m.captured(in.groups) {
				pc = in.y
			}
			continue
		case opIfCall:
			pc++
			if !m.inside(in.n) {
				pc = in.y
			}
			continue
		case opAccept:
			if m.context >= 0 {
				if insts[m.stack[m.context+framePC]].op == opCall {
					pc = m.returned(true)
					continue
				}
				if pc, pos = m.looked(true); pc != nowhere {
					continue
				}
			} else if m.ends(start, pos) {
				m.fuel = fuel
				return matched, nil
			}
		case opMatch:
			if m.calls(0) {
				pc = m.returned(true)
				continue
			}
			if m.ends(start, pos) {
				m.fuel = fuel
				return matched, nil
			}
		case opCommit, opPrune, opSkip, opSkipTo, opThen, opMark:
			fuel -= m.weight
			if err := m.push(pc, pos, 0); err != nil {
				return failed, err
			}
			pc++
			continue
		}
		m.fuel = fuel
		var v verdict
		if pc, pos, v = m.backtrack(); pc == nowhere {
			return v, m.broken()
		}
		fuel = m.fuel
	}
}

// hasFold says whether s begins with text, whose letters are in lower case and
// stand for both.
func hasFold(s, text string) bool {
	if len(s) < len(text) {
		return false
	}
	for i := range len(text) {
		if lowerASCII[s[i]] != text[i] {
			return false
		}
	}
	return true
}

var lowerASCII = func() (table [256]byte) {
	for b := range table {
		table[b] = byte(b)
		if b >= 'A' && b <= 'Z' {
			table[b] += 'a' - 'A'
		}
	}
	return table
}()

// ends says whether the match may end here; it is then noted.
func (m *machine) ends(start, pos int) bool {
	if pos == int(m.state[0]) {
		if m.bounds.notEmpty || (m.options.notEmpty || m.bounds.notEmptyAtStart) && pos == m.from {
			return false
		}
	}
	m.end = pos
	return true
}

// back returns the position count characters before pos, or -1.
func (m *machine) back(pos, count int) int {
	if !m.utf {
		return max(pos-count, -1)
	}
	for ; count > 0 && pos >= 0; count-- {
		pos--
		for pos > 0 && !utf8.RuneStart(m.subject[pos]) {
			pos--
		}
	}
	return max(pos, -1)
}
