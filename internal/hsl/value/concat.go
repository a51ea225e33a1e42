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

const (
	// growable is the length from which joined texts are given room to grow.
	growable = 128
	// smallText is the length up to which texts are put together in a buffer of
	// the thread.
	smallText = 512
	// numberText bounds the text of a number.
	numberText = 25
)

// Join returns the texts of the values joined: the dot, and what .= and
// interpolation compile to. Texts that grow from the left, as in loops of .=,
// take amortised linear time.
func (t *Thread) Join(values []Value) (Value, error) {
	size := 0
	for i := range values {
		switch {
		case values[i].IsString():
			size += values[i].StrLen()
		case values[i].IsNumber():
			size += numberText
		default:
			return t.joinOther(values)
		}
	}
	return t.join(values, size)
}

// joinOther first makes strings of all that are neither strings nor numbers.
func (t *Thread) joinOther(values []Value) (Value, error) {
	texts := make([]Value, len(values))
	for i, v := range values {
		b, err := t.AppendText(nil, v)
		if err != nil {
			return None, err
		}
		texts[i] = String(string(b))
	}
	return t.Join(texts)
}

// join joins strings and numbers whose texts have at most size bytes.
func (t *Thread) join(values []Value, size int) (Value, error) {
	first := values[0]
	if len(values) == 1 && first.IsString() {
		return first, nil
	}
	long := first.IsString() && first.StrLen() >= growable
	if long {
		if end := t.tailOf(first); end != nil {
			err := t.Alloc(size - first.StrLen())
			if err != nil {
				return None, err
			}
			end.grow(size)
			end.buffer = appendTexts(end.buffer, values[1:])
			return end.text(), nil
		}
	}
	if err := t.Alloc(size); err != nil {
		return None, err
	}
	if size <= smallText {
		t.scratch = appendTexts(t.scratch[:0], values)
		return String(string(t.scratch)), nil
	}
	long = long && first.StrLen() >= size/2
	if long {
		size *= 2
	}
	made := tail{appendTexts(make([]byte, 0, size), values)}
	if long {
		t.appended[t.turn&3] = made
		t.turn++
	}
	return made.text(), nil
}

func appendTexts(b []byte, values []Value) []byte {
	for i := range values {
		if v := values[i]; v.IsString() {
			b = append(b, v.Str()...)
		} else {
			b = AppendNumber(b, v.Float())
		}
	}
	return b
}

// tailOf returns the buffer that holds exactly this text, if it is one of the
// last that were made.
func (t *Thread) tailOf(text Value) *tail {
	for i := range t.appended {
		end := &t.appended[i]
		if unsafe.SliceData(end.buffer) == (*byte)(text.p) && len(end.buffer) == text.StrLen() {
			return end
		}
	}
	return nil
}

// grow makes room for a text of n bytes. Room doubles.
func (e *tail) grow(n int) {
	if n > cap(e.buffer) {
		e.buffer = append(make([]byte, 0, 2*n), e.buffer...)
	}
}

// text returns what the buffer holds, as a value that shares it.
func (e *tail) text() Value {
	return String(unsafe.String(unsafe.SliceData(e.buffer), len(e.buffer)))
}
