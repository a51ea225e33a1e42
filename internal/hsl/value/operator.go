package value

import (
	"math"
	"strings"
)

// Operator is a binary operator that computes a value from two. The logical
// operators and ?? are no Operators: they decide whether to compute at all.
type Operator uint8

// The operators.
const (
	Add Operator = iota
	Sub
	Mul
	Div
	Mod
	Pow
	Concat
	BitAnd
	BitOr
	BitXor
	ShiftLeft
	ShiftRight
	ShiftRightZero
	OpEqual
	OpNotEqual
	OpIdentical
	OpNotIdentical
	OpLess
	OpLessOrEqual
	OpGreater
	OpGreaterOrEqual
)

var operatorNames = [...]string{"+", "-", "*", "/", "%", "**", ".", "&", "|", "^", "<<", ">>", ">>>",
	"==", "!=", "===", "!==", "<", "<=", ">", ">="}

// String returns the operator as it is written.
func (o Operator) String() string { return operatorNames[o] }

// Operate computes a o b for the thread, whose limits it keeps to. t may be
// nil.
func Operate(t *Thread, o Operator, a, b Value) (Value, error) {
	switch o {
	case Add:
		return add(t, a, b)
	case Sub:
		return subtract(t, a, b)
	case Mul:
		return multiply(t, a, b)
	case Div:
		return Number(a.ToNumber() / b.ToNumber()), nil
	case Mod:
		if a.IsString() && b.IsArray() {
			return format(t, a.Str(), b.Array())
		}
		return Number(Remainder(a.ToNumber(), b.ToNumber())), nil
	case Pow:
		return Number(math.Pow(a.ToNumber(), b.ToNumber())), nil
	case Concat:
		return concat(t, a, b)
	case BitAnd, BitOr, BitXor, ShiftLeft, ShiftRight, ShiftRightZero:
		return bitwise(o, a.ToNumber(), b.ToNumber()), nil
	}
	return compare(t, o, a, b)
}

// Remainder is % on numbers: the remainder of the truncated quotient, with the
// sign of a.
func Remainder(a, b float64) float64 {
	if r, ok := SmallRemainder(a, b); ok {
		return r
	}
	return math.Mod(a, b)
}

// SmallRemainder is Remainder for whole numbers of 32 bits without sign, other
// than 0; ok is false for all others.
func SmallRemainder(a, b float64) (r float64, ok bool) {
	m, n := uint32(int64(a)), uint32(int64(b))
	if float64(m) == a && float64(n) == b && n != 0 && m != 0 {
		return float64(m % n), true
	}
	return 0, false
}

func compare(t *Thread, o Operator, a, b Value) (Value, error) {
	c := comparison{thread: t}
	var r bool
	switch o {
	case OpEqual:
		r = c.equal(a, b)
	case OpNotEqual:
		r = !c.equal(a, b)
	case OpIdentical:
		r = c.identical(a, b, 0)
	case OpNotIdentical:
		r = !c.identical(a, b, 0)
	case OpLess:
		r = Less(a, b)
	case OpLessOrEqual:
		r = LessOrEqual(a, b)
	case OpGreater:
		r = Less(b, a)
	case OpGreaterOrEqual:
		r = LessOrEqual(b, a)
	}
	return Boolean(r), c.err
}

// add is +: none is neutral, arrays merge and take in, strings pull the other
// side to a string, all else are numbers.
func add(t *Thread, a, b Value) (Value, error) {
	ka, kb := a.Kind(), b.Kind()
	switch {
	case ka == KindNumber && kb == KindNumber:
		return Number(a.Float() + b.Float()), nil
	case ka == KindNone:
		return b, nil
	case kb == KindNone:
		return a, nil
	case ka == KindArray || kb == KindArray:
		return merge(t, a, b)
	case ka == KindString || kb == KindString:
		return concat(t, a, b)
	}
	return Number(a.ToNumber() + b.ToNumber()), nil
}

// merge is + where one side at least is an array: the right side's string keys
// are set, the rest is appended.
func merge(t *Thread, a, b Value) (Value, error) {
	result := NewArray(0)
	if left := a.Array(); left != nil {
		if err := t.Alloc(left.Size()); err != nil {
			return None, err
		}
		result = left.Clone()
	} else {
		result.Append(a)
	}
	right := b.Array()
	if right == nil {
		result.Append(b)
		return FromArray(result), nil
	}
	if err := t.Alloc(right.Size()); err != nil {
		return None, err
	}
	return FromArray(result), result.Splice(t, right)
}

// Splice adds the elements of b the way that spreading and + do: those with
// integer keys are appended, the others set. a must be writable.
func (a *Array) Splice(t *Thread, b *Array) error {
	for k, v := range b.All() {
		if k.IsNumber() {
			a.Append(v)
		} else {
			a.Set(k, v)
		}
		if err := t.Step(1); err != nil {
			return err
		}
	}
	return nil
}

// subtract is -: on numbers a difference, on arrays the removal of equal
// elements.
func subtract(t *Thread, a, b Value) (Value, error) {
	left := a.Array()
	if left == nil {
		return Number(a.ToNumber() - b.ToNumber()), nil
	}
	if err := t.Alloc(left.Size()); err != nil {
		return None, err
	}
	result := NewArray(0)
	result.next = left.next
	c := comparison{thread: t}
	renumbered := false
	for k, v := range left.All() {
		if c.among(v, b) {
			renumbered = true
			continue
		}
		if renumbered && result.table == nil {
			result.toTable()
		}
		result.Set(k, v)
	}
	return FromArray(result), c.err
}

// among reports whether v is identical to b or, if b is an array, to one of its
// values.
func (c *comparison) among(v, b Value) bool {
	right := b.Array()
	if right == nil {
		return c.identical(v, b, 0)
	}
	for w := range right.Values() {
		if !c.step() || c.identical(v, w, 0) {
			return true
		}
	}
	return false
}

// multiply is *: numbers multiply, a string or an array is repeated by a
// number.
func multiply(t *Thread, a, b Value) (Value, error) {
	if BothNumbers(a, b) {
		return Number(a.Float() * b.Float()), nil
	}
	if b.IsNumber() || b.IsBoolean() {
		a, b = b, a
	}
	count := a
	if count.IsNumber() || count.IsBoolean() {
		switch b.Kind() {
		case KindString:
			return Repeat(t, b.Str(), count.ToNumber())
		case KindArray:
			return repeatArray(t, b.Array(), count.ToNumber())
		}
	}
	return Number(a.ToNumber() * b.ToNumber()), nil
}

// Repeat returns s n times; n is truncated.
func Repeat(t *Thread, s string, n float64) (Value, error) {
	total := math.Trunc(n) * float64(len(s))
	if !(total >= 1) {
		return String(""), nil
	}
	if err := t.AllocFloat(total); err != nil {
		return None, err
	}
	return String(strings.Repeat(s, int(n))), nil
}

func repeatArray(t *Thread, a *Array, n float64) (Value, error) {
	result := NewArray(0)
	total := math.Trunc(n) * float64(a.Len())
	if !(total >= 1) {
		return FromArray(result), nil
	}
	if err := t.AllocFloat(total * valueSize); err != nil {
		return None, err
	}
	result.list = make([]Value, 0, int(total))
	for range int(n) {
		if err := result.Splice(t, a); err != nil {
			return None, err
		}
	}
	return FromArray(result), nil
}

// concat is the dot.
func concat(t *Thread, a, b Value) (Value, error) {
	if t != nil {
		return t.Join([]Value{a, b})
	}
	text, err := appendText(nil, a, nil)
	if err == nil {
		text, err = appendText(text, b, nil)
	}
	if err == nil {
		err = t.Alloc(len(text))
	}
	return String(string(text)), err
}

// Int32 converts a number to the 32 bits that the bitwise operators work on:
// truncated, modulo 2^32.
func Int32(f float64) uint32 {
	if n := int64(f); float64(n) == f {
		return uint32(n)
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return uint32(int64(math.Mod(math.Trunc(f), 1<<32)))
}

func bitwise(o Operator, x, y float64) Value {
	a, b := Int32(x), Int32(y)
	switch o {
	case BitAnd:
		a &= b
	case BitOr:
		a |= b
	case BitXor:
		a ^= b
	case ShiftLeft:
		a <<= b & 31
	case ShiftRight:
		return Number(float64(int32(a) >> (b & 31)))
	case ShiftRightZero:
		return Number(float64(a >> (b & 31)))
	}
	return Number(float64(int32(a)))
}

// BitNot is ~.
func BitNot(v Value) Value { return Number(float64(^int32(Int32(v.ToNumber())))) }
