package value

import (
	"hash/maphash"
	"math"
	"math/bits"
)

// table is the form of arrays that are no lists: entries in order of insertion,
// and over more than a few of them an open-addressing index with linear probing.
// Hashes are seeded per process, so that nobody can choose keys that collide.
type table struct {
	entries []entry // an undefined key marks a removed entry
	slots   []slot  // a power of two of them, at most three quarters used; nil while few
	dead    int     // removed entries
}

type entry struct{ key, value Value }

// slot points to an entry. at is its index plus one; 0 is a free slot, and a
// removed entry leaves its slot in place.
type slot struct{ hash, at uint32 }

const (
	unindexed = 8 // so many entries are searched faster one by one
	entrySize = 2 * valueSize
	slotSize  = 8
)

var seed = maphash.MakeSeed()

func newTable(n int) *table {
	t := &table{entries: make([]entry, 0, max(n, 4))}
	if n > unindexed {
		t.reindex(n)
	}
	return t
}

func (t *table) len() int { return len(t.entries) - t.dead }

func (t *table) size() int { return 48 + cap(t.entries)*entrySize + len(t.slots)*slotSize }

// find returns the index of the entry of a normalised key, or -1.
func (t *table) find(key Value) int {
	if t.slots == nil {
		for i := range t.entries {
			if k := t.entries[i].key; k.bits == key.bits && sameKey(k, key) {
				return i
			}
		}
		return -1
	}
	h := hashKey(key)
	for i := int(h) & (len(t.slots) - 1); ; i = (i + 1) & (len(t.slots) - 1) {
		s := t.slots[i]
		if s.at == 0 {
			return -1
		}
		if s.hash == h && sameKey(t.entries[s.at-1].key, key) {
			return int(s.at - 1)
		}
	}
}

// slot returns where the value of key stands, adding it if it is new.
func (t *table) slot(key Value) *Value {
	if i := t.find(key); i >= 0 {
		return &t.entries[i].value
	}
	return t.add(key)
}

// add appends an entry for a key that is not there.
func (t *table) add(key Value) *Value {
	if a := key.Array(); a != nil {
		key = FromArray(a.Clone()) // it may be the array that it becomes a key of
	}
	if t.dead > unindexed && t.dead > len(t.entries)/2 {
		t.compact()
	}
	if n := len(t.entries); n == cap(t.entries) { // room doubles
		entries := make([]entry, n, 2*n)
		copy(entries, t.entries)
		t.entries = entries
	}
	t.entries = append(t.entries, entry{key: key})
	switch n := len(t.entries); {
	case n > unindexed && 4*n > 3*len(t.slots):
		t.reindex(n)
	case t.slots != nil:
		t.index(hashKey(key), n)
	}
	return &t.entries[len(t.entries)-1].value
}

func (t *table) index(h uint32, at int) {
	i := int(h) & (len(t.slots) - 1)
	for t.slots[i].at != 0 {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = slot{h, uint32(at)}
}

// reindex builds the index anew, with room for n entries. Of those there may be
// one more than the old index holds.
func (t *table) reindex(n int) {
	old := t.slots
	t.slots = make([]slot, 1<<bits.Len(uint(2*n-1)))
	rest := t.entries
	for _, s := range old { // spares hashing again
		if s.at != 0 {
			t.index(s.hash, int(s.at))
		}
	}
	if old != nil {
		rest = t.entries[len(t.entries)-1:]
	}
	for i := range rest {
		t.index(hashKey(rest[i].key), len(t.entries)-len(rest)+i+1)
	}
}

// compact drops removed entries.
func (t *table) compact() {
	live := t.entries[:0]
	for _, e := range t.entries {
		if !e.key.IsUndefined() {
			live = append(live, e)
		}
	}
	clear(t.entries[len(live):])
	t.entries, t.dead, t.slots = live, 0, nil
	if len(live) > unindexed {
		t.reindex(len(live))
	}
}

// delete removes a key. The last entry goes at once when nothing points to it.
func (t *table) delete(key Value) bool {
	i := t.find(key)
	if i < 0 {
		return false
	}
	t.entries[i] = entry{key: Undefined}
	if t.slots == nil && i == len(t.entries)-1 {
		t.entries = t.entries[:i]
		return true
	}
	t.dead++
	return true
}

func (t *table) clone() *table {
	c := &table{entries: make([]entry, len(t.entries), len(t.entries)+len(t.entries)/4+2), dead: t.dead}
	copy(c.entries, t.entries)
	for i := range c.entries {
		c.entries[i].key.Retain()
		c.entries[i].value.Retain()
	}
	if t.slots != nil {
		c.slots = append([]slot(nil), t.slots...)
	}
	return c
}

// Key normalises a key: booleans, fractions and canonical integers in strings
// become whole numbers; everything else is a key as it is.
func Key(k Value) Value {
	switch k.Kind() {
	case KindNumber:
		f := k.Float()
		if n := int64(f); float64(n) == f && n != 0 {
			return k
		}
		return Number(wholeKey(f))
	case KindString:
		s := k.Str()
		if s == "" || s[0] > '9' { // nearly always
			return k
		}
		if n, ok := integerKey(s); ok {
			return Number(float64(n))
		}
	case KindBoolean:
		if k.Bool() {
			return Int(1)
		}
		return Int(0)
	}
	return k
}

// wholeKey truncates toward zero, makes one zero of the two, and zero of what
// is no number.
func wholeKey(f float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return math.Trunc(f) + 0
}

// maxInteger is the greatest number up to which all integers are exact.
const maxInteger = 1<<53 - 1

// integerKey parses a string that is the canonical decimal form of an integer:
// no leading zeros, signs or spaces but one minus, and not "-0".
func integerKey(s string) (int64, bool) {
	digits := s
	if len(s) > 0 && s[0] == '-' {
		digits = s[1:]
	}
	if len(digits) == 0 || len(digits) > 16 || digits[0] == '0' && len(s) > 1 {
		return 0, false
	}
	var n int64
	for i := range len(digits) {
		d := digits[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	if n > maxInteger {
		return 0, false
	}
	if len(digits) < len(s) {
		n = -n
	}
	return n, true
}

// hashKey returns the hash of a normalised key.
func hashKey(k Value) uint32 {
	switch k.Kind() {
	case KindNumber:
		return mix(k.bits)
	case KindString:
		return uint32(maphash.String(seed, k.Str()))
	case KindArray:
		// Arrays as keys are rare: their length tells them apart well enough.
		return mix(uint64(k.Array().Len()))
	case KindFunction:
		return mix(uint64(KindFunction))
	case KindResource:
		return mix(uint64(KindResource))
	}
	return mix(k.bits ^ uint64(uintptr(k.p)))
}

var mixKey = maphash.String(seed, "number")

// mix spreads the bits of a number over its hash.
func mix(x uint64) uint32 {
	hi, lo := bits.Mul64(x^mixKey, 0x9e3779b97f4a7c15)
	return uint32(hi ^ lo)
}

// sameKey compares normalised keys.
func sameKey(a, b Value) bool {
	if a.bits != b.bits {
		return false
	}
	switch a.Kind() {
	case KindNumber, KindNone, KindBoolean:
		return true
	case KindUndefined:
		return false
	case KindString:
		return a.p == b.p || a.Str() == b.Str()
	}
	return a.p == b.p || Identical(a, b)
}
