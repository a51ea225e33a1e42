package regex

import (
	"math"
	"strings"
	"unicode/utf8"
)

// set is a class made ready for matching: a table by the first byte of a
// character, and spans for those characters that their first byte leaves open.
type set struct {
	// width is 0 where no member begins with the byte, the length of the
	// character where all that begin with it are members, else ask.
	width [256]uint8
	spans class
	utf   bool
	kind  setKind
}

const ask = 0xFF

// noLimit as the length of a run is as many as there are.
const noLimit = math.MaxInt

// setKind picks out sets that runs can skip without looking at each byte.
type setKind uint8

const (
	setTable setKind = iota
	setAll           // every character
	setLine          // every character but \n
)

// newSet compiles a class whose characters end at last.
func newSet(c class, utf bool) *set {
	s := &set{utf: utf}
	switch last := lastOf(utf); {
	case len(c.negated(last)) == 0:
		s.kind = setAll
	default:
		if r, ok := c.negated(last).single(); ok && r == '\n' {
			s.kind = setLine
		}
	}
	for _, sp := range c {
		limit := rune(maxByte)
		if utf {
			limit = utf8.RuneSelf - 1
		}
		for r := sp.lo; r <= min(sp.hi, limit); r++ {
			s.width[r] = 1
		}
	}
	if utf {
		s.addLeads(c)
	}
	return s
}

// addLeads fills in the bytes that begin characters of several bytes.
func (s *set) addLeads(c class) {
	for b := 0xC2; b <= 0xF4; b++ {
		lo, hi := leadRange(byte(b))
		members := c.both(class{{lo, hi}})
		switch {
		case len(members) == 0:
		case len(members) == 1 && members[0] == span{lo, hi}:
			s.width[b] = leadWidth(byte(b))
		default:
			s.width[b] = ask
			s.spans = append(s.spans, members...)
		}
	}
	s.spans = s.spans.normalised()
}

// leadRange returns the characters whose UTF-8 form begins with b.
func leadRange(b byte) (lo, hi rune) {
	switch {
	case b < 0xE0:
		lo = rune(b&0x1F) << 6
		hi = lo + 0x3F
	case b < 0xF0:
		lo = rune(b&0x0F) << 12
		hi = lo + 0xFFF
	default:
		lo = rune(b&0x07) << 18
		hi = lo + 0x3FFFF
	}
	switch b {
	case 0xE0:
		lo = 0x800
	case 0xED:
		hi = 0xD7FF // beyond are surrogates, which UTF-8 does not have
	case 0xF0:
		lo = 0x10000
	case 0xF4:
		hi = maxRune
	}
	return lo, hi
}

func leadWidth(b byte) uint8 {
	switch {
	case b < 0xC0:
		return 1
	case b < 0xE0:
		return 2
	case b < 0xF0:
		return 3
	}
	return 4
}

func lastOf(utf bool) rune {
	if utf {
		return maxRune
	}
	return maxByte
}

// at returns the length of the member of the set that stands at pos, or 0. The
// subject is valid UTF-8 if the set is for UTF-8.
func (s *set) at(subject string, pos int) int {
	w := s.width[subject[pos]]
	if w != ask {
		return int(w)
	}
	r, size := utf8.DecodeRuneInString(subject[pos:])
	if s.spans.has(r) {
		return size
	}
	return 0
}

// run returns the end of the longest run of members that begins at pos, has at
// most limit characters and does not go beyond end, and its number of
// characters. With no limit the count may be of bytes, so that whole lines are
// skipped at once.
func (s *set) run(subject string, pos, end, limit int) (to, count int) {
	if !s.utf {
		end = min(end, pos+min(limit, end-pos))
		to = s.runBytes(subject, pos, end)
		return to, to - pos
	}
	if limit == noLimit && s.kind != setTable {
		to = s.runBytes(subject, pos, end)
		return to, to - pos
	}
	for to = pos; to < end && count < limit; count++ {
		w := s.at(subject, to)
		if w == 0 {
			break
		}
		to += w
	}
	return to, count
}

func (s *set) runBytes(subject string, pos, end int) int {
	switch s.kind {
	case setAll:
		return end
	case setLine:
		if i := strings.IndexByte(subject[pos:end], '\n'); i >= 0 {
			return pos + i
		}
		return end
	}
	for pos < end && s.width[subject[pos]] != 0 {
		pos++
	}
	return pos
}
