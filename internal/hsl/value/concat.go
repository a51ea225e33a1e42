package value

import (
	"unsafe"
)

// tail remembers a buffer that a text was built in and that has room behind it.
// The text is the first used bytes; whoever appends to exactly that text may
// write behind it, because no string reaches there.
type tail struct {
	buffer []byte // used bytes, with capacity
}

// growable is the length from which joined texts are given room to grow.
const growable = 128

// Join returns the texts of the values joined: the dot, and what .= and
// interpolation compile to. Texts that grow from the left, as in loops of .=,
// take amortised linear time.
func (t *Thread) Join(values []Value) (Value, error) {
	total := 0
	for i := range values {
		if !values[i].IsString() {
			return t.joinMixed(values)
		}
		total += values[i].StrLen()
	}
	return t.join(values, total)
}

// joinMixed first makes strings of all values.
func (t *Thread) joinMixed(values []Value) (Value, error) {
	var few [8]Value
	texts := append(few[:0], values...)
	total := 0
	for i, v := range texts {
		switch v.Kind() {
		case KindString:
		case KindNumber:
			texts[i] = String(FormatNumber(v.Float()))
		default:
			b, err := t.AppendText(nil, v)
			if err != nil {
				return None, err
			}
			texts[i] = String(string(b))
		}
		total += texts[i].StrLen()
	}
	return t.join(texts, total)
}

func (t *Thread) join(texts []Value, total int) (Value, error) {
	first := texts[0]
	if total == first.StrLen() {
		return first, nil
	}
	if first.StrLen() >= growable {
		if v, ok := t.extend(texts, total); ok {
			return v, t.Alloc(total - first.StrLen())
		}
	}
	if err := t.Alloc(total); err != nil {
		return None, err
	}
	size := total
	if total >= growable && first.StrLen() >= total/2 {
		size = 2 * total
	}
	b := make([]byte, 0, size)
	for _, s := range texts {
		b = append(b, s.Str()...)
	}
	if size > total {
		t.appended[t.turn&3] = tail{b}
		t.turn++
	}
	return String(unsafe.String(unsafe.SliceData(b), len(b))), nil
}

// extend appends behind the first text when it fills one of the last buffers.
func (t *Thread) extend(texts []Value, total int) (Value, bool) {
	for i := range t.appended {
		b := t.appended[i].buffer
		if unsafe.SliceData(b) != (*byte)(texts[0].p) || len(b) != texts[0].StrLen() || cap(b) < total {
			continue
		}
		for _, s := range texts[1:] {
			b = append(b, s.Str()...)
		}
		t.appended[i].buffer = b
		return String(unsafe.String(unsafe.SliceData(b), len(b))), true
	}
	return None, false
}
