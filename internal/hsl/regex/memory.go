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

// patience is how many steps are taken before the memory is used. Most matches
// need fewer.
func patience(length int) int64 { return 64 + 4*int64(length) }

// remember begins to use the memory, if the budget allows for it.
func (m *machine) remember() {
	stride := len(m.subject) - m.from + 1
	words := (m.keys*stride + 63) / 64
	if words*8 > m.budget.memory() {
		m.patience = 1 << 62
		return
	}
	if cap(m.memory.bits) < words {
		m.memory.bits = make([]uint64, words)
	} else {
		m.memory.bits = m.memory.bits[:words]
		clear(m.memory.bits)
	}
	m.memory.stride = stride
	m.bounded = !m.linear
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
