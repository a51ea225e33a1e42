package array

import (
	"math/rand/v2"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func sort(c *value.Call) (value.Value, error) {
	s := sorter{call: c, keys: c.Options(2).Bool("keys")}
	a := c.Array(1)
	defer hold(a).Release()
	elements := elementsOf(a)
	if err := c.Alloc(2 * len(elements) * elementSize); err != nil {
		return value.None, err
	}
	if err := s.sort(elements, make([]element, len(elements))); err != nil {
		return value.None, err
	}
	sorted := value.NewArray(0)
	for _, e := range elements {
		sorted.Set(e.key, e.value)
	}
	return value.FromArray(sorted), nil
}

// sorter merges runs. The sorts of package slices want an order in three ways,
// which takes two calls where one is enough, and cannot stop at an exception.
type sorter struct {
	call *value.Call
	keys bool
}

// less asks the callback whether a comes before b.
func (s *sorter) less(a, b element) (bool, error) {
	x, y := a.value, b.value
	if s.keys {
		x, y = a.key, b.key
	}
	v, err := s.call.Call(s.call.Args[0], x, y)
	return v.Truth(), err
}

func (s *sorter) sort(a, buffer []element) error {
	if len(a) < 2 {
		return nil
	}
	half := len(a) / 2
	if err := s.sort(a[:half], buffer[:half]); err != nil {
		return err
	}
	if err := s.sort(a[half:], buffer[half:]); err != nil {
		return err
	}
	return s.merge(a, half, buffer)
}

// merge joins two sorted halves. The right one goes first only if it must, so
// that equal elements stay in their order.
func (s *sorter) merge(a []element, half int, buffer []element) error {
	left := buffer[:copy(buffer, a[:half])]
	right, out := a[half:], a[:0]
	for len(left) > 0 && len(right) > 0 {
		before, err := s.less(right[0], left[0])
		if err != nil {
			return err
		}
		if before {
			out, right = append(out, right[0]), right[1:]
		} else {
			out, left = append(out, left[0]), left[1:]
		}
	}
	copy(a[len(out):], left) // what is left on the right is in place
	return nil
}

func random(c *value.Call) (value.Value, error) {
	a := c.Array(0)
	if a.Len() == 0 {
		return value.None, nil
	}
	i := rand.IntN(a.Len())
	if a.IsList() {
		v, _ := a.At(i)
		return value.FromArray(value.List(value.Int(i), v)), nil
	}
	e := elementsOf(a)[i]
	return value.FromArray(value.List(e.key, e.value)), nil
}

func shuffle(c *value.Call) (value.Value, error) {
	elements := elementsOf(c.Array(0))
	rand.Shuffle(len(elements), func(i, j int) { elements[i], elements[j] = elements[j], elements[i] })
	shuffled := value.NewArray(len(elements))
	for _, e := range elements {
		e.renumber(shuffled)
	}
	return result(c, shuffled)
}

// unique keeps the first of identical values. Scalars are found in a set;
// arrays are compared with those seen before.
func unique(c *value.Call) (value.Value, error) {
	if err := c.Alloc(c.Array(0).Len() * elementSize); err != nil {
		return value.None, err
	}
	seen := map[scalar]bool{}
	var others []value.Value
	kept := value.NewArray(0)
	for k, v := range c.Array(0).All() {
		known, err := false, c.Step(1)
		if s, ok := scalarOf(v); ok {
			known = seen[s]
			seen[s] = true
		} else if known, err = contains(c, others, v); !known {
			others = append(others, v)
		}
		if err != nil {
			return value.None, err
		}
		if !known {
			kept.Set(k, v)
		}
	}
	return result(c, kept)
}

// scalar is a value that Go can compare: a NaN differs from itself in both
// languages.
type scalar struct {
	kind   value.Kind
	number float64
	text   string
}

func scalarOf(v value.Value) (scalar, bool) {
	switch v.Kind() {
	case value.KindNone, value.KindBoolean, value.KindNumber:
		return scalar{v.Kind(), v.ToNumber(), ""}, true
	case value.KindString:
		return scalar{v.Kind(), 0, v.Str()}, true
	}
	return scalar{}, false
}

func contains(c *value.Call, values []value.Value, v value.Value) (bool, error) {
	for _, other := range values {
		if same, err := c.Identical(other, v); same || err != nil {
			return same, err
		}
		if err := c.Step(1); err != nil {
			return false, err
		}
	}
	return false, nil
}
