package regex

// bytesAhead is a set of bytes and of the end of the subject: what may stand
// where an instruction begins, if it and all that follows is to match. It may
// have too much, never too little. The end of an atomic group or assertion is
// reached whatever follows it, so there anything may stand.
type bytesAhead [5]uint64

const endBit = 1 // of the last word

var anything = bytesAhead{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), endBit}

func (a *bytesAhead) add(b byte) { a[b>>6] |= 1 << (b & 63) }

func (a *bytesAhead) has(b byte) bool { return a[b>>6]&(1<<(b&63)) != 0 }

func (a *bytesAhead) end() bool { return a[4]&endBit != 0 }

func (a bytesAhead) or(b bytesAhead) bytesAhead {
	for i := range a {
		a[i] |= b[i]
	}
	return a
}

func (a bytesAhead) and(b bytesAhead) bytesAhead {
	for i := range a {
		a[i] &= b[i]
	}
	return a
}

// mark adds a mark to all that a has.
func (t *table) mark(a bytesAhead, mark uint8) {
	for b := range 256 {
		if a.has(byte(b)) {
			t[b] |= mark
		}
	}
	if a.end() {
		t[tableEnd] |= mark
	}
}

func aheadOf(text string) (a bytesAhead) {
	for i := range len(text) {
		a.add(text[i])
	}
	return a
}

func (s *set) ahead() (a bytesAhead) {
	for b, w := range s.width {
		if w != 0 {
			a.add(byte(b))
		}
	}
	return a
}

// analyse works out for every instruction what may stand ahead, and uses it: a
// way that the next byte rules out is not tried, and a run that shares no byte
// with what follows need not give any of its characters back. With recursive,
// the end of the pattern may be the end of a call of it.
func (p *program) analyse(recursive bool) {
	const largest = 4096 // beyond, tables would be more than they are worth
	ahead := make([]bytesAhead, len(p.insts)+1)
	if len(p.insts) <= largest {
		for changed := true; changed; {
			changed = false
			for pc := len(p.insts) - 1; pc >= 0; pc-- {
				if a := p.ahead(ahead, int32(pc)); a != ahead[pc] {
					ahead[pc], changed = a, true
				}
			}
		}
	} else {
		for pc := range ahead {
			ahead[pc] = anything
		}
	}
	tables := tables{}
	for pc := range p.insts {
		switch in := &p.insts[pc]; in.op {
		case opSplit:
			in.ways = tables.ways(ahead[in.x], ahead[in.y])
		case opRun:
			in.next = tables.of(ahead[pc+1])
			if p.needNotGiveBack(int32(pc), ahead[pc+1], recursive) {
				in.mode = possessive
			}
		}
	}
	p.first = tables.of(ahead[0])
}

// tables keeps equal tables once.
type tables map[table]*table

func (t tables) of(a bytesAhead) *table {
	if a == anything {
		return nil
	}
	var fresh table
	fresh.mark(a, 1)
	return t.keep(fresh)
}

func (t tables) ways(x, y bytesAhead) *table {
	var fresh table
	fresh.mark(x, 1)
	fresh.mark(y, 2)
	return t.keep(fresh)
}

func (t tables) keep(fresh table) *table {
	if t[fresh] == nil {
		t[fresh] = &fresh
	}
	return t[fresh]
}

// needNotGiveBack says whether a run is as good as possessive: when what follows
// cannot begin with what the run is made of, or when the match ends there.
func (p *program) needNotGiveBack(pc int32, next bytesAhead, recursive bool) bool {
	in := &p.insts[pc]
	if shared := in.set.ahead().and(next); shared == (bytesAhead{}) {
		return true
	}
	if in.mode == lazy || recursive {
		return false
	}
	for pc++; p.insts[pc].op == opSave || p.insts[pc].op == opClose; pc++ {
	}
	return p.insts[pc].op == opMatch
}

// ahead works out one instruction from those that it leads to.
func (p *program) ahead(known []bytesAhead, pc int32) (a bytesAhead) {
	in, next := &p.insts[pc], known[pc+1]
	switch in.op {
	case opByte:
		a.add(in.b)
		return a
	case opText:
		a.add(in.text[0])
		return a
	case opFold:
		return aheadOf(in.text[:1]).or(aheadOf(upperASCII(in.text[:1])))
	case opSet:
		return in.set.ahead()
	case opRun:
		if a = in.set.ahead(); in.min == 0 {
			a = a.or(next)
		}
		return a
	case opBreak:
		return aheadOf("\n\v\f\r\x85\xC2\xE2")
	case opBegin, opLineBegin, opFrom, opWordEdge, opNotWordEdge, opUnicodeWordEdge,
		opUnicodeNotWordEdge, opSave, opClose, opNote:
		return next
	case opEnd:
		return bytesAhead{4: endBit}.and(next)
	case opLastEnd, opLineEnd:
		return p.lineEndAhead(next)
	case opSplit:
		return known[in.x].or(known[in.y])
	case opJump:
		return known[in.x]
	case opIfEmpty:
		return known[in.x].or(next)
	case opIfGroup, opIfCall:
		return known[in.y].or(next)
	case opLook:
		return p.lookAhead(known, in)
	case opFail:
		return a
	}
	return anything
}

func (p *program) lineEndAhead(next bytesAhead) bytesAhead {
	if p.newline != newlineLF {
		return next
	}
	a := aheadOf("\n")
	a[4] = endBit
	return a.and(next)
}

func (p *program) lookAhead(known []bytesAhead, in *inst) (a bytesAhead) {
	if p.verbs {
		return anything // the assertion may have one
	}
	if in.x != nowhere {
		a = known[in.x]
	}
	if in.y != nowhere {
		a = a.or(known[in.y])
	}
	return a
}

func upperASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - ('a' - 'A')
		}
	}
	return string(b)
}
