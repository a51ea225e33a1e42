package regex

// memory has a bit for every choice that was made at every position, so that a
// way that has failed once is not gone again. What comes after a choice depends
// on nothing but the position and on which of the loops around it have matched
// nothing yet: patterns for which that is not so have no keys, and nor have
// choices inside of atomic groups and assertions, which may have succeeded
// before the match failed further on.
type memory struct {
	bits   []uint64
	stride int // positions that each key has, 0 while nothing is remembered
}

// canRemember says whether the pattern has keys and the budget room for them.
func (m *machine) canRemember() bool {
	return m.keys > 0 && m.memoryWords() <= m.budget.memory()/8
}

func (m *machine) memoryWords() int {
	return (m.keys*(len(m.subject)-m.from+1) + 63) / 64
}

// remember begins to use the memory.
func (m *machine) remember() {
	words := m.memoryWords()
	if cap(m.memory.bits) < words {
		m.memory.bits = make([]uint64, words)
	} else {
		m.memory.bits = m.memory.bits[:words]
		clear(m.memory.bits)
	}
	m.memory.stride = len(m.subject) - m.from + 1
}

func (r *memory) release() {
	const worth = 1 << 13
	r.stride = 0
	if cap(r.bits) > worth {
		r.bits = nil
	}
}

// known says whether a choice was made before at this position, and notes it.
func (m *machine) known(in *inst, pos int) bool {
	if in.key == noKey {
		return false
	}
	key := int(in.key)
	for i, slot := range in.loops {
		if int(m.state[slot]) == pos {
			key += 1 << i
		}
	}
	return m.mark(key, pos)
}

// mark notes a key and says whether it was noted before.
func (m *machine) mark(key, pos int) bool {
	bit := uint(key*m.memory.stride + pos - m.from)
	word, mask := &m.memory.bits[bit/64], uint64(1)<<(bit%64)
	if *word&mask != 0 {
		return true
	}
	*word |= mask
	return false
}
