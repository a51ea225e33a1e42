package value

import "math"

// Index is the subscript a[i] on arrays and strings; none for what is not
// there and for all other kinds. Objects are the machine's concern.
func Index(v, i Value) Value {
	switch v.Kind() {
	case KindArray:
		e, _ := v.Array().Get(i)
		return e
	case KindString:
		if n, ok := byteIndex(v.StrLen(), i); ok {
			return Byte(v.Str()[n])
		}
	}
	return None
}

// HasIndex reports whether the subscript exists.
func HasIndex(v, i Value) bool {
	switch v.Kind() {
	case KindArray:
		return v.Array().Has(i)
	case KindString:
		_, ok := byteIndex(v.StrLen(), i)
		return ok
	}
	return false
}

// byteIndex converts a subscript of a string of n bytes.
func byteIndex(n int, i Value) (int, bool) {
	var f float64
	switch i.Kind() {
	case KindNumber, KindBoolean:
		f = i.ToNumber()
	case KindString:
		var ok bool
		if f, ok = ParseNumber(i.Str()); !ok {
			return 0, false
		}
	default:
		return 0, false
	}
	f = math.Trunc(f)
	if f >= 0 && f < float64(n) {
		return int(f), true
	}
	return 0, false
}

// Range is what first:last:step of a slice means for a length: step through the
// places from First on, Count times.
type Range struct{ First, Step, Count int }

// ErrStep is the exception for a slice that would never advance.
var ErrStep = Errorf("slice step is zero")

// Slicing resolves the parts of a slice, of which each may be none, for a
// string or array of n elements. Bounds are clamped to it.
func Slicing(n int, first, last, step Value) (Range, error) {
	r := Range{Step: 1}
	if step.IsSet() {
		r.Step = clampInt(step.ToNumber())
	}
	if r.Step == 0 {
		return r, ErrStep
	}
	low, high := 0, n
	if r.Step < 0 {
		low, high = -1, n-1
	}
	bound := func(v Value, absent int) int {
		if !v.IsSet() {
			return absent
		}
		i := clampInt(v.ToNumber())
		if i < 0 {
			i += n
		}
		return min(max(i, low), high)
	}
	if r.Step > 0 {
		r.First = bound(first, 0)
		r.Count = (bound(last, n) - r.First + r.Step - 1) / r.Step
	} else {
		r.First = bound(first, n-1)
		r.Count = (r.First - bound(last, -1) - r.Step - 1) / -r.Step
	}
	r.Count = max(r.Count, 0)
	return r, nil
}

// clampInt truncates a number to what certainly exceeds every length.
func clampInt(f float64) int {
	const far = 1 << 52
	if f != f {
		return 0
	}
	return int(min(max(f, -far), far))
}

// Slice is v[first:last:step]: a string of bytes, or a list of values without
// their keys; none of all other kinds.
func Slice(t *Thread, v, first, last, step Value) (Value, error) {
	switch v.Kind() {
	case KindString:
		return sliceString(t, v.Str(), first, last, step)
	case KindArray:
		return sliceArray(t, v.Array(), first, last, step)
	}
	return None, nil
}

func sliceString(t *Thread, s string, first, last, step Value) (Value, error) {
	r, err := Slicing(len(s), first, last, step)
	if err != nil || r.Count == 0 {
		return String(""), err
	}
	if r.Step == 1 {
		return Part(s, s[r.First:r.First+r.Count]), nil
	}
	b := make([]byte, r.Count)
	for i := range b {
		b[i] = s[r.First+i*r.Step]
	}
	return String(string(b)), t.Alloc(len(b))
}

func sliceArray(t *Thread, a *Array, first, last, step Value) (Value, error) {
	r, err := Slicing(a.Len(), first, last, step)
	if err != nil {
		return None, err
	}
	if err := t.Alloc(arraySize + r.Count*valueSize); err != nil {
		return None, err
	}
	values := a.values()
	result := NewArray(r.Count)
	for i := range r.Count {
		result.Append(values[r.First+i*r.Step])
	}
	return FromArray(result), nil
}

// values returns the values in order. The slice must not be written.
func (a *Array) values() []Value {
	if a.table == nil {
		return a.list
	}
	all := make([]Value, 0, a.Len())
	for v := range a.Values() {
		all = append(all, v)
	}
	return all
}

// ReplaceSlice makes the places first:last of a those of the list, and numbers
// the result anew. With an empty list it removes them. a must be writable.
func (a *Array) ReplaceSlice(t *Thread, first, last Value, list *Array) error {
	r, err := Slicing(a.Len(), first, last, None)
	if err != nil {
		return err
	}
	if err := t.Alloc((a.Len() + list.Len()) * valueSize); err != nil {
		return err
	}
	old := a.values()
	all := make([]Value, 0, len(old)-r.Count+list.Len())
	all = append(all, old[:r.First]...)
	for v := range list.Values() {
		v.Retain()
		all = append(all, v)
	}
	all = append(all, old[r.First+r.Count:]...)
	a.list, a.table, a.next = all, nil, int64(len(all))
	return nil
}
