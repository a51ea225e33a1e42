package regex

import (
	"math"
	"strings"
	"unicode/utf8"
)

// machine is one match under way. It is kept between matches for its memory.
type machine struct {
	*program
	subject string
	from    int
	options options
	bounds  *bounds
	budget  *Budget

	// state is what a way through the pattern has found out so far: captures and
	// the notes of loops and atomic groups. Slot 0 is the start of the match.
	state []int32
	// stack has frames, the ways to try later, each with the state at its time.
	stack   []int32
	sp      int
	context int32 // the frame of the call or assertion that we are in, or -1
	frame   int   // words in a frame
	weight  int   // steps that it counts to copy a large one
	largest int   // words the stack may have
	end     int   // of the match

	fuel, filled int   // steps left until the budget is asked, and how many there were
	left         int64 // steps left for this match
	bounded      bool  // running out of them matters
	patience     int64 // steps until failures are remembered
	memory       memory
	skipTo       int   // where (*SKIP) wants the next try
	err          error // what has ended backtracking
}

// A frame is these words and the state.
const (
	framePC      = iota // the instruction that left it
	framePos            // the position
	frameAux            // for a run, the lowest position, or how many more may follow
	frameContext        // the context
	frameState          // the first of the state
)

// quantum is the number of steps after which the budget is asked. A step is
// about 5 ns, rarely above 50.
const quantum = 4096

// verdict is how trying one start ended.
type verdict uint8

const (
	failed    verdict = iota // no match from here
	matched                  // a match
	abandoned                // no match from anywhere: (*COMMIT)
)

// search tries one start after the other.
func (m *machine) search(re *Pattern, b *Budget, subject string, from int, o options) (bool, error) {
	if len(subject) > math.MaxInt32-1 {
		return false, ErrSubject
	}
	m.prepare(re, b, subject, from, o)
	if m.utf && !o.valid {
		if err := m.validate(); err != nil {
			return false, err
		}
	}
	s := &re.start
	if len(subject)-from < s.least {
		return false, nil
	}
	if s.required != "" {
		if has, err := m.contains(s.required); !has || err != nil {
			return false, err
		}
	}
	only := o.anchored || s.where == whereFrom
	for pos := from; ; {
		if pos > from || !only && s.where != whereLine {
			next, err := m.seek(s, pos)
			if next < 0 || err != nil {
				return false, err
			}
			pos = next
		}
		if m.hopCRLF && pos > from && strings.HasPrefix(subject[pos-1:], "\r\n") {
			pos++
			continue
		}
		switch v, err := m.try(pos); {
		case err != nil || v == matched:
			return v == matched, err
		case v == abandoned || only:
			return false, nil
		}
		if pos = m.following(pos); pos > len(subject) {
			return false, nil
		}
	}
}

// following returns the start to try after one that failed.
func (m *machine) following(pos int) int {
	if m.skipTo > pos {
		return m.skipTo
	}
	pos++
	for m.utf && pos < len(m.subject) && !utf8.RuneStart(m.subject[pos]) {
		pos++
	}
	return pos
}

// prepare sets the machine up for a search.
func (m *machine) prepare(re *Pattern, b *Budget, subject string, from int, o options) {
	m.program, m.options = o.program, o
	m.subject, m.from, m.budget = subject, from, b
	m.bounds = &re.tree.bounds
	m.frame = frameState + m.slots
	m.weight = m.frame >> 5
	if cap(m.state) < m.slots {
		m.state = make([]int32, m.slots)
	}
	m.state = m.state[:m.slots]
	m.largest = b.memory() / 4
	m.left = b.steps()
	if s := m.bounds.steps; s > 0 {
		m.left = min(m.left, s)
	}
	m.memory.stride = 0
	m.patience = b.patience(len(subject) - from)
	m.bounded = !m.linear || m.keys > 0 && !m.canRemember()
	m.refuel(int(min(quantum, m.patience, m.left)))
}

// validate demands that the subject is UTF-8 and from is not inside a character.
func (m *machine) validate() error {
	if m.from < len(m.subject) && !utf8.RuneStart(m.subject[m.from]) {
		return ErrUTF8
	}
	for pos := 0; pos < len(m.subject); {
		end := min(len(m.subject), pos+window)
		for end < len(m.subject) && end > pos+window-utf8.UTFMax && !utf8.RuneStart(m.subject[end]) {
			end--
		}
		if !utf8.ValidString(m.subject[pos:end]) {
			return ErrUTF8
		}
		if err := m.spend((end - pos) >> 6); err != nil {
			return err
		}
		pos = end
	}
	return nil
}

// contains says whether text stands anywhere from m.from on.
func (m *machine) contains(text string) (bool, error) {
	for pos := m.from; ; pos += window {
		end := min(len(m.subject), pos+window+len(text)-1)
		if strings.Contains(m.subject[pos:end], text) {
			return true, nil
		}
		if err := m.spend((end - pos) >> 8); err != nil || end == len(m.subject) {
			return false, err
		}
	}
}

// release drops what is not worth keeping.
func (m *machine) release() {
	const worth = 1 << 14
	m.budget.use(int64(m.filled - m.fuel))
	m.filled, m.fuel = 0, 0
	m.subject, m.program, m.budget, m.bounds = "", nil, nil, nil
	m.options = options{}
	if len(m.stack) > worth {
		m.stack = nil
	}
	m.memory.release()
}

// report fills the offsets of a match.
func (m *machine) report(caps []int) {
	for i := range caps {
		switch {
		case i == 0:
			caps[i] = int(m.state[0])
		case i == 1:
			caps[i] = m.end
		case (i-2)/2 >= m.captures:
			caps[i] = -1
		case m.state[i&^1] < 0: // slot 2g is the end of group g
			caps[i] = -1
		default:
			caps[i] = int(m.state[i-1])
		}
	}
}

// seek looks for the next start, window by window, so that it can be stopped.
func (m *machine) seek(s *start, pos int) (int, error) {
	for {
		end := min(len(m.subject), pos+window+s.overlap)
		next := s.seek(m.subject, pos, end)
		stop := next
		if next < 0 {
			stop = end
		}
		if err := m.spend((stop - pos) >> 6); err != nil {
			return -1, err
		}
		if next >= 0 || end == len(m.subject) {
			return next, nil
		}
		pos = end - s.overlap
	}
}

// spend takes steps off the fuel for work that instructions do not count.
func (m *machine) spend(steps int) error {
	if m.fuel -= steps; m.fuel < 0 {
		return m.refill()
	}
	return nil
}

func (m *machine) refuel(steps int) { m.fuel, m.filled = steps, steps }

// refill is called when the fuel is used up.
func (m *machine) refill() error {
	used := m.filled - m.fuel
	m.budget.use(int64(used))
	m.left -= int64(used)
	m.patience -= int64(used)
	m.refuel(quantum)
	if err := m.budget.stop(); err != nil {
		return err
	}
	if m.patience <= 0 && m.memory.stride == 0 && m.canRemember() {
		m.remember()
	}
	if m.bounded && m.left <= 0 {
		return ErrSteps
	}
	return nil
}

// push leaves a way to try later.
func (m *machine) push(pc int32, pos, aux int) error {
	base := m.sp
	if base+m.frame > len(m.stack) {
		if err := m.grow(); err != nil {
			return err
		}
	}
	m.fuel -= m.weight
	f := m.stack[base : base+m.frame]
	f[framePC], f[framePos], f[frameAux], f[frameContext] = pc, int32(pos), int32(aux), m.context
	copy(f[frameState:], m.state)
	m.sp = base + m.frame
	return nil
}

func (m *machine) grow() error {
	size := max(256, 2*len(m.stack), m.sp+m.frame)
	if size > m.largest {
		if size = m.largest; size < m.sp+m.frame {
			return ErrStack
		}
	}
	grown := make([]int32, size)
	copy(grown, m.stack[:m.sp])
	m.stack = grown
	return nil
}

// restore goes back to the state of a frame.
func (m *machine) restore(f []int32) {
	m.fuel -= m.weight
	copy(m.state, f[frameState:])
	m.context = f[frameContext]
}
