package value

import (
	"iter"
	"math"
)

// Array is an ordered map with unique keys, the array of HSL.
//
// While its keys are 0, 1, 2… in that order it is a plain slice of values;
// another key, or a hole, turns it into a table that keeps the order of
// insertion. Integers in strings, booleans and fractions are normalised to
// numbers on every store and look-up, as the language wants.
//
// For scripts arrays are values. Assigning one copies nothing: it counts one
// more owner (Retain), and an owner who writes takes Writable first, which
// copies when there are others. The count may be too high, which costs a
// needless copy, and is never too low. Go code that got an array as an argument
// must not write to it; Clone gives one that may be written.
//
// An array that was published (see Publish) is frozen: it has countless owners
// and is never written again, so that any goroutine may read it.
type Array struct {
	list  []Value
	table *table
	next  int64 // key of the next element that is appended without a key
	// owners counts references beyond the first; frozen when negative.
	owners int32
}

const frozen = math.MinInt32

// NewArray returns an empty array with room for n elements of a list.
func NewArray(n int) *Array {
	a := &Array{}
	if n > 0 {
		a.list = make([]Value, 0, n)
	}
	return a
}

// NewKeyed returns an empty array with room for n elements whose keys are not
// those of a list. It allocates twice, where a list that becomes a table on its
// first key would four times.
func NewKeyed(n int) *Array {
	both := &struct {
		Array
		table
	}{table: *newTable(n)}
	both.Array.table = &both.table
	return &both.Array
}

// List returns a new array of the values.
func List(values ...Value) *Array {
	a := NewArray(len(values))
	for _, v := range values {
		a.Append(v)
	}
	return a
}

// Strings returns a new array of the strings.
func Strings(texts []string) *Array {
	a := NewArray(len(texts))
	for _, s := range texts {
		a.Append(String(s))
	}
	return a
}

// Map returns a new array of the pairs of name and value, given in turns.
func Map(pairs ...any) *Array {
	a := NewKeyed(len(pairs) / 2)
	for i := 0; i+1 < len(pairs); i += 2 {
		a.SetString(pairs[i].(string), pairs[i+1].(Value))
	}
	return a
}

// Len returns the number of elements; 0 for a nil array.
func (a *Array) Len() int {
	switch {
	case a == nil:
		return 0
	case a.table != nil:
		return a.table.len()
	}
	return len(a.list)
}

// IsList reports whether the keys are exactly 0…n-1 in that order.
func (a *Array) IsList() bool {
	if a.table == nil {
		return true
	}
	n := 0
	for k := range a.All() {
		if !k.IsNumber() || k.Float() != float64(n) {
			return false
		}
		n++
	}
	return true
}

// Get returns the value of key.
func (a *Array) Get(key Value) (Value, bool) {
	if a == nil {
		return None, false
	}
	if key.IsNumber() && a.table == nil {
		if i := int(key.Float()); uint(i) < uint(len(a.list)) {
			return a.list[i], true
		}
		if f := key.Float(); f > -1 && f < 0 && len(a.list) > 0 { // truncates to 0
			return a.list[0], true
		}
	}
	return a.get(Key(key))
}

// get looks a normalised key up.
func (a *Array) get(key Value) (Value, bool) {
	if a.table == nil {
		if i, ok := a.position(key); ok {
			return a.list[i], true
		}
		return None, false
	}
	if i := a.table.find(key); i >= 0 {
		return a.table.entries[i].value, true
	}
	return None, false
}

// GetString returns the value of a key that is a string, after normalisation.
func (a *Array) GetString(key string) (Value, bool) {
	return a.Get(String(key))
}

// At returns the value at position i of the order, whatever its key.
func (a *Array) At(i int) (Value, bool) {
	if i < 0 || i >= a.Len() {
		return None, false
	}
	if a.table == nil {
		return a.list[i], true
	}
	if a.table.dead == 0 {
		return a.table.entries[i].value, true
	}
	for _, v := range a.All() {
		if i--; i < 0 {
			return v, true
		}
	}
	return None, false
}

// Nth returns the element of a list whose key is f; ok is false when there is
// none, and for arrays that are no lists. It is what a subscript tries first.
func (a *Array) Nth(f float64) (v Value, ok bool) {
	if i := int(f); uint(i) < uint(len(a.list)) {
		return a.list[i], true
	}
	return None, false
}

// NthSlot returns where the element of a list whose key is f stands, if it may be
// written there, or nil. It is what an assignment tries first.
func (a *Array) NthSlot(f float64) *Value {
	if i := int(f); uint(i) < uint(len(a.list)) && a.owners == 0 {
		return &a.list[i]
	}
	return nil
}

// PushFits appends v to a list that has room for it and may be written, and
// reports whether that was so. It is what an append tries first.
func (a *Array) PushFits(v Value) bool {
	n := len(a.list)
	if n == cap(a.list) || a.owners != 0 || a.next != int64(n) {
		return false
	}
	a.list = a.list[:n+1]
	a.list[n] = v
	a.next++
	return true
}

// Room returns how many bytes the array will take from the allocator when an
// element is added to it: 0 when there is room.
func (a *Array) Room() int {
	if a.table != nil {
		if n := cap(a.table.entries); len(a.table.entries) == n {
			return 2 * n * (entrySize + 2*slotSize)
		}
		return 0
	}
	if n := cap(a.list); len(a.list) == n {
		return 2 * max(n, minList) * valueSize
	}
	return 0
}

// position returns the index of a normalised key in the list form.
func (a *Array) position(key Value) (int, bool) {
	if !key.IsNumber() {
		return 0, false
	}
	f := key.Float()
	if i := int(f); float64(i) == f && uint(i) < uint(len(a.list)) {
		return i, true
	}
	return 0, false
}

// Set stores v under key and counts a new owner of v. a must be writable.
func (a *Array) Set(key, v Value) {
	v.Retain()
	a.Put(key, v)
}

// SetString is Set with a string for a key.
func (a *Array) SetString(key string, v Value) { a.Set(String(key), v) }

// Append adds v at the end under the next integer key, and counts a new owner
// of v. a must be writable.
func (a *Array) Append(v Value) {
	v.Retain()
	a.Push(v)
}

// Put is Set for a value whose only owner gives it away.
func (a *Array) Put(key, v Value) { *a.Slot(key) = v }

// Push is Append for a value whose only owner gives it away.
func (a *Array) Push(v Value) {
	if a.table == nil && a.next == int64(len(a.list)) {
		a.extend(v)
		return
	}
	*a.Slot(Number(float64(a.next))) = v
}

// minList is how much room a list has at least once it has any elements.
const minList = 4

// extend appends v to a list. Room doubles: what append does for large slices
// copies too often.
func (a *Array) extend(v Value) {
	if n := len(a.list); n == cap(a.list) {
		list := make([]Value, n, 2*max(n, minList/2))
		copy(list, a.list)
		a.list = list
	}
	a.list = append(a.list, v)
	a.next++
}

// PushSlot adds none at the end and returns where it stands, until the next
// write to a.
func (a *Array) PushSlot() *Value {
	a.Push(None)
	if a.table == nil {
		return &a.list[len(a.list)-1]
	}
	return &a.table.entries[len(a.table.entries)-1].value
}

// Slot returns where the value of key stands, adding none if it is new. The
// pointer holds until the next write to a, which must be writable.
func (a *Array) Slot(key Value) *Value {
	key = Key(key)
	if a.table == nil {
		if i, ok := a.position(key); ok {
			return &a.list[i]
		}
		if key.IsNumber() && key.Float() == float64(len(a.list)) && a.next == int64(len(a.list)) {
			a.extend(None)
			return &a.list[len(a.list)-1]
		}
		a.toTable()
	}
	if key.IsNumber() {
		if n := int64(key.Float()); n >= a.next {
			a.next = n + 1
		}
	}
	return a.table.slot(key)
}

// Has reports whether the key exists.
func (a *Array) Has(key Value) bool {
	_, ok := a.Get(key)
	return ok
}

// Delete removes the key and reports whether it was there. a must be writable.
func (a *Array) Delete(key Value) bool {
	key = Key(key)
	if a.table == nil {
		i, ok := a.position(key)
		if !ok {
			return false
		}
		if i == len(a.list)-1 {
			a.list[i] = None
			a.list = a.list[:i]
			return true
		}
		a.toTable()
	}
	return a.table.delete(key)
}

func (a *Array) toTable() {
	t := newTable(len(a.list) + 1)
	for i, v := range a.list {
		*t.add(Number(float64(i))) = v
	}
	a.table, a.list = t, nil
}

// All ranges over keys and values in order. a must not be written meanwhile.
func (a *Array) All() iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) {
		for i := 0; ; i++ {
			k, v, at := a.Next(i)
			if at < 0 || !yield(k, v) {
				return
			}
			i = at
		}
	}
}

// Values ranges over the values in order. a must not be written meanwhile.
func (a *Array) Values() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		for _, v := range a.All() {
			if !yield(v) {
				return
			}
		}
	}
}

// Next returns the first element at or behind place i, and the place where it
// stands, or -1 when there is none. Places begin with 0, grow with the order,
// and may have holes; they hold until the next write to a.
func (a *Array) Next(i int) (key, v Value, at int) {
	switch {
	case a == nil:
	case a.table != nil:
		for ; i < len(a.table.entries); i++ {
			if e := &a.table.entries[i]; !e.key.IsUndefined() {
				return e.key, e.value, i
			}
		}
	case i < len(a.list):
		return Number(float64(i)), a.list[i], i
	}
	return None, None, -1
}

// Clone returns a copy that has one owner. The elements gain an owner each.
func (a *Array) Clone() *Array {
	b := &Array{next: a.next}
	if a.table != nil {
		b.table = a.table.clone()
		return b
	}
	b.list = make([]Value, len(a.list), len(a.list)+len(a.list)/4+1)
	copy(b.list, a.list)
	for _, v := range b.list {
		v.Retain()
	}
	return b
}

// Retain counts one more owner.
func (a *Array) Retain() {
	if a.owners >= 0 {
		a.owners++
	}
}

// Release takes back one Retain.
func (a *Array) Release() {
	if a.owners > 0 {
		a.owners--
	}
}

// Shared reports whether a writer has to copy.
func (a *Array) Shared() bool { return a.owners != 0 }

// Frozen reports whether nobody will ever write a again.
func (a *Array) Frozen() bool { return a.owners < 0 }

// Writable returns the array at *v for writing: itself if it has one owner, a
// copy that replaces it otherwise, and a new array if there was none.
func Writable(v *Value) *Array {
	a := v.Array()
	switch {
	case a == nil:
		a = &Array{}
	case a.owners == 0:
		return a
	default:
		b := a.Clone()
		a.Release()
		a = b
	}
	*v = FromArray(a)
	return a
}

// Size estimates the memory of the array itself in bytes, without what its
// elements refer to.
func (a *Array) Size() int {
	if a.table != nil {
		return arraySize + a.table.size()
	}
	return arraySize + cap(a.list)*valueSize
}

const (
	valueSize = 16
	arraySize = 64
)
