package regex

// backtrack takes the last way that was left. It returns where to go on, or
// nowhere and how the try has ended; then m.err may be set.
func (m *machine) backtrack() (pc int32, pos int, v verdict) {
	for m.sp > 0 {
		base := m.sp - m.frame
		f := m.stack[base:m.sp]
		in := &m.insts[f[framePC]]
		if in.op == opRun {
			pos, err := m.backRun(in, f)
			if err != nil {
				m.err = err
				return nowhere, 0, failed
			}
			if pos >= 0 {
				return f[framePC] + 1, pos, failed
			}
			continue
		}
		m.sp = base
		switch in.op {
		case opSplit:
			m.restore(f)
			return in.y, int(f[framePos]), failed
		case opLook:
			if in.y != nowhere {
				m.restore(f)
				return in.y, int(f[framePos]), failed
			}
		case opCommit, opPrune, opSkip, opSkipTo, opThen:
			m.restore(f)
			if v, over := m.verb(in, int(f[framePos])); over {
				return nowhere, 0, v
			}
		}
		if m.fuel--; m.fuel < 0 {
			if m.err = m.refill(); m.err != nil {
				return nowhere, 0, failed
			}
		}
	}
	return nowhere, 0, failed
}

// broken returns the error that has ended backtracking, once.
func (m *machine) broken() error {
	err := m.err
	m.err = nil
	return err
}

// verb acts on a verb that was backtracked onto. It says whether this start has
// failed for good. A call or a condition has failed, a negative assertion has
// succeeded; a positive assertion lets verbs out except (*THEN), and every
// assertion lets (*SKIP:name) out, as in PCRE2.
func (m *machine) verb(in *inst, pos int) (v verdict, over bool) {
	if in.op == opSkipTo {
		if pos = m.marked(in.text); pos < 0 {
			return failed, false
		}
	}
	context := m.context
	for ; context >= 0; context = m.stack[context+frameContext] {
		if in.op == opThen && in.n > 0 && m.state[in.n] > context {
			break
		}
		around := &m.insts[m.stack[context+framePC]]
		if around.op == opCall || in.op == opThen || around.y != nowhere && in.op != opSkipTo {
			m.sp = int(context) + m.frame
			return failed, false
		}
	}
	switch in.op {
	case opThen:
		if in.n > 0 {
			m.sp = int(m.state[in.n])
			return failed, false
		}
	case opCommit:
		return abandoned, true
	case opSkip, opSkipTo:
		m.skipTo = pos
	}
	return failed, true
}

// marked returns where the last mark of a name was set, or -1.
func (m *machine) marked(name string) int {
	for base := m.sp - m.frame; base >= 0; base -= m.frame {
		in := &m.insts[m.stack[base+framePC]]
		if in.op == opMark && in.text == name {
			return int(m.stack[base+framePos])
		}
	}
	return -1
}
