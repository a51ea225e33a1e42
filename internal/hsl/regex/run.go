package regex

import "math"

// manyMore stands in a frame for a run that has no limit.
const manyMore = math.MaxInt32

// window is how much of the subject is looked at before the budget is asked.
const window = 1 << 16

// run matches a repeat of single characters. It returns where to go on, or -1,
// and leaves a frame if there are other places.
func (m *machine) run(in *inst, pc int32, pos int) (int, error) {
	low, count := pos, 0
	if in.min > 0 {
		low, count = in.set.run(m.subject, pos, len(m.subject), int(in.min))
		m.fuel -= count >> 4
		if count < int(in.min) {
			return -1, nil
		}
	}
	if in.mode == lazy {
		limit := manyMore
		if in.max != endless {
			limit = int(in.max - in.min)
		}
		if in.max != endless && m.remembers(in) && m.known(in, pos) {
			return -1, nil
		}
		return m.extend(in, pc, low, limit)
	}
	high, err := m.farthest(in, pos, low)
	if high < 0 || err != nil {
		return -1, err
	}
	if in.mode == possessive {
		if in.next != nil && in.next.at(m.subject, high) == 0 {
			return -1, nil
		}
		return high, nil
	}
	if high, err = m.retreat(in, high, low); high > low && err == nil {
		err = m.push(pc, high, low)
	}
	return high, err
}

// remembers says whether failures of a choice are remembered now.
func (m *machine) remembers(in *inst) bool { return m.memory.stride > 0 && in.key != noKey }

// farthest returns where a run ends that began at pos and is at low, or -1 if
// all of its ends are known to fail.
func (m *machine) farthest(in *inst, pos, low int) (int, error) {
	if m.remembers(in) {
		if in.max == endless {
			return m.unknown(in, low)
		}
		if m.known(in, pos) {
			return -1, nil
		}
	}
	limit := noLimit
	if in.max != endless {
		limit = int(in.max - in.min)
	}
	high := low
	for {
		end := min(len(m.subject), high+window)
		to, count := in.set.run(m.subject, high, end, limit)
		if err := m.spend((to - high) >> 5); err != nil {
			return -1, err
		}
		if limit != noLimit {
			limit -= count
		}
		if high = to; to < end || end == len(m.subject) || limit == 0 {
			return high, nil
		}
	}
}

// unknown is farthest with the memory in use: the run ends where another has
// come by before, because from there on everything was tried.
func (m *machine) unknown(in *inst, low int) (int, error) {
	high := -1
	for pos := low; !m.known(in, pos); {
		if err := m.spend(1); err != nil {
			return -1, err
		}
		high = pos
		if pos == len(m.subject) {
			return high, nil
		}
		w := in.set.at(m.subject, pos)
		if w == 0 {
			return high, nil
		}
		pos += w
	}
	if in.mode == possessive {
		return -1, nil
	}
	return high, nil
}

// retreat returns the last place from high down to low where what follows can go
// on, or -1.
func (m *machine) retreat(in *inst, high, low int) (int, error) {
	if in.next == nil {
		return high, nil
	}
	for high >= low {
		stop := max(low, high-window)
		for pos := high; pos >= stop; pos-- {
			if in.next.at(m.subject, pos) != 0 {
				m.fuel -= (high - pos) >> 5
				return pos, nil
			}
		}
		if err := m.spend((high - stop) >> 5); err != nil {
			return -1, err
		}
		high = stop - 1
	}
	return -1, nil
}

// extend returns the first place from pos on where what follows a lazy run can
// go on, with at most limit more characters, or -1.
func (m *machine) extend(in *inst, pc int32, pos, limit int) (int, error) {
	remembers := m.remembers(in) && in.max == endless
	for {
		if remembers && m.known(in, pos) {
			return -1, nil
		}
		if in.next == nil || in.next.at(m.subject, pos) != 0 {
			if limit > 0 && pos < len(m.subject) {
				return pos, m.push(pc, pos, limit)
			}
			return pos, nil
		}
		var more bool
		if pos, limit, more = m.oneMore(in, pos, limit); !more {
			return -1, nil
		}
		if pos&31 == 0 {
			if err := m.spend(1); err != nil {
				return -1, err
			}
		}
	}
}

// oneMore lets a lazy run match one more character.
func (m *machine) oneMore(in *inst, pos, limit int) (int, int, bool) {
	if limit == 0 || pos == len(m.subject) {
		return pos, limit, false
	}
	w := in.set.at(m.subject, pos)
	if limit != manyMore {
		limit--
	}
	return pos + w, limit, w > 0
}

// backRun takes the next place of a run from its frame, which is on top.
func (m *machine) backRun(in *inst, f []int32) (int, error) {
	pos, aux := int(f[framePos]), int(f[frameAux])
	if in.mode == lazy {
		m.sp -= m.frame
		pos, limit, more := m.oneMore(in, pos, aux)
		if !more {
			return -1, nil
		}
		m.restore(f)
		return m.extend(in, f[framePC], pos, limit)
	}
	pos = m.before(pos)
	pos, err := m.retreat(in, pos, aux)
	if pos <= aux {
		m.sp -= m.frame
	}
	if pos < 0 || err != nil {
		return -1, err
	}
	f[framePos] = int32(pos)
	m.restore(f)
	return pos, nil
}

// before returns where the character before pos begins.
func (m *machine) before(pos int) int {
	pos--
	for m.utf && m.subject[pos]&0xC0 == 0x80 {
		pos--
	}
	return pos
}
