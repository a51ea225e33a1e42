package value

import "strings"

// Identical is the operator ===: same type and same value. Arrays are
// identical when they have the same keys and values in the same order.
func Identical(a, b Value) bool {
	if BothNumbers(a, b) {
		return a.Float() == b.Float()
	}
	c := comparison{}
	return c.identical(a, b, 0)
}

// Equal is the operator ==, which converts.
func Equal(a, b Value) bool {
	c := comparison{}
	return c.equal(a, b)
}

// comparison is one comparison of two values, charged to a thread if there is
// one: two arrays that hold parts of themselves many times over are small and
// take forever to compare.
type comparison struct {
	thread *Thread
	steps  int
	err    error
}

const unlimitedSteps = 1 << 28

func (c *comparison) step() bool {
	c.steps++
	if c.steps&1023 == 0 && c.err == nil {
		switch {
		case c.thread != nil:
			c.err = c.thread.Step(1024)
		case c.steps > unlimitedSteps:
			c.err = Errorf("arrays are too large to compare")
		}
	}
	return c.err == nil
}

func (c *comparison) identical(a, b Value, depth int) bool {
	k := a.Kind()
	if k != b.Kind() {
		return false
	}
	switch k {
	case KindNone, KindUndefined:
		return true
	case KindNumber:
		return a.Float() == b.Float()
	case KindBoolean:
		return a.bits == b.bits
	case KindString:
		return a.bits == b.bits && (a.p == b.p || a.Str() == b.Str())
	case KindArray:
		return c.arrays(a.Array(), b.Array(), depth)
	case KindFunction:
		return a.Function().same(b.Function())
	case KindResource:
		return a.p == b.p || sameResource(a.Resource(), b.Resource())
	}
	return a.p == b.p
}

func (c *comparison) arrays(a, b *Array, depth int) bool {
	if a == b {
		return true
	}
	if a.Len() != b.Len() || depth == maxNesting {
		return false
	}
	for i, j := 0, 0; ; i, j = i+1, j+1 {
		var ka, va, kb, vb Value
		ka, va, i = a.Next(i)
		kb, vb, j = b.Next(j)
		if i < 0 {
			return true
		}
		if !c.step() || !c.identical(ka, kb, depth+1) || !c.identical(va, vb, depth+1) {
			return false
		}
	}
}

func sameResource(a, b Resource) (same bool) {
	defer func() {
		if recover() != nil { // of a type that cannot be compared
			same = false
		}
	}()
	return a == b
}

// equal follows the table of the language: none equals none only, numbers and
// booleans pull the other side to themselves, all else must be of one type.
func (c *comparison) equal(a, b Value) bool {
	ka, kb := a.Kind(), b.Kind()
	switch {
	case ka == kb:
		return c.identical(a, b, 0)
	case ka <= KindUndefined || kb <= KindUndefined:
		return ka <= KindUndefined && kb <= KindUndefined
	case ka == KindNumber:
		return numberEquals(a.Float(), b)
	case kb == KindNumber:
		return numberEquals(b.Float(), a)
	case ka == KindBoolean:
		return a.Bool() == b.Truth()
	case kb == KindBoolean:
		return b.Bool() == a.Truth()
	}
	return false
}

func numberEquals(f float64, v Value) bool {
	switch v.Kind() {
	case KindBoolean, KindString:
		return f == v.ToNumber()
	}
	return f == Boolean(v.Truth()).ToNumber()
}

// Less is the operator <: strings among themselves compare by bytes, all else
// as numbers.
func Less(a, b Value) bool {
	if a.IsString() && b.IsString() {
		return a.Str() < b.Str()
	}
	return a.ToNumber() < b.ToNumber()
}

// LessOrEqual is the operator <=.
func LessOrEqual(a, b Value) bool {
	if a.IsString() && b.IsString() {
		return strings.Compare(a.Str(), b.Str()) <= 0
	}
	return a.ToNumber() <= b.ToNumber()
}
