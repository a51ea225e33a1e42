// Package array holds the builtins for arrays.
//
// Arrays of HSL are ordered maps. Functions that pick or change values keep
// keys with their values; those that make new orders renumber integer keys.
// Callbacks are given values, never keys, and what they throw passes through.
package array

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Builtins returns the functions of the theme.
func Builtins() []*value.Builtin {
	return append(iterating(),
		declare.Function("array_combine(array keys, array values, [any default_value]) array",
			"Returns an array of keys and values that are paired by their position. A key without a value gets the default, "+
				"values without a key are left out, and of a repeated key the last value stays.",
			`echo array_combine(["a", "b"], [1, 2]); // ["a"=>1,"b"=>2]`, combine),
		declare.Function("array_includes(any needle, array array) boolean",
			"Returns whether any value is identical to needle or, if needle is a function, whether it is true for any value.",
			`echo array_includes("mx2", ["mx1", "mx2"]); // true`, includes),
		declare.Function(`array_join(array array, [string separator = ""]) string`,
			"Returns the values as strings, joined by the separator.",
			`echo array_join(["a", "b", 3], "-"); // a-b-3`, join),
		declare.Function("array_keys(array array) array",
			"Returns a list of the keys.",
			`echo array_keys(["x" => 1, "y" => 2]); // [0=>"x",1=>"y"]`, keys),
		declare.Function("array_random(array array) array or none",
			"Returns key and value of a random element as a list, or none if the array is empty.",
			`echo array_random(["only" => 7]); // [0=>"only",1=>7]`, random),
		declare.Function("array_range(number start, number stop, [number step = 1]) array",
			"Returns the numbers from start to before stop, step by step; an empty array if the steps lead away. "+
				"A step of 0 throws.",
			`echo array_range(2, 8, 3); // [0=>2,1=>5]`, numbers),
		declare.Function("array_reverse(array array) array",
			"Returns the elements in reverse order. Integer keys are renumbered, others stay with their values.",
			`echo array_reverse([1, 2, 3]); // [0=>3,1=>2,2=>1]`, reverse),
		declare.Function("array_shuffle(array array) array",
			"Returns the elements in random order. Integer keys are renumbered, others stay with their values.",
			`echo length(array_shuffle([1, 2, 3])); // 3`, shuffle),
		declare.Function("array_unique(array array) array",
			"Returns the elements without those whose value is identical to an earlier one.",
			`echo array_unique([1, 2, 1]); // [0=>1,1=>2]`, unique),
	)
}

func combine(c *value.Call) (value.Value, error) {
	keys, values := c.Array(0), c.Array(1)
	if err := c.Alloc(keys.Len() * elementSize); err != nil {
		return value.None, err
	}
	combined, at := value.NewArray(0), 0
	for key := range keys.Values() {
		_, v, found := values.Next(at)
		if found < 0 {
			v = c.Args[2]
		} else {
			at = found + 1
		}
		combined.Set(key, v)
	}
	return value.FromArray(combined), c.Step(keys.Len())
}

// elementSize is about what one element of an array costs.
const elementSize = 32

func includes(c *value.Call) (value.Value, error) {
	needle := c.Args[0]
	if needle.IsFunction() {
		_, _, found, err := first(c, needle, c.Array(1), true)
		return value.Boolean(found), err
	}
	for v := range c.Array(1).Values() {
		same, err := c.Identical(needle, v)
		if err == nil {
			err = c.Step(1)
		}
		if same || err != nil {
			return value.Boolean(same), err
		}
	}
	return value.False, nil
}

func join(c *value.Call) (value.Value, error) {
	separator := c.Str(1)
	b := make([]byte, 0, min(joinedLength(c.Array(0), separator), mostAtOnce))
	started := false
	var growth value.Growth
	for v := range c.Array(0).Values() {
		if started {
			b = append(b, separator...)
		}
		started = true
		var err error
		if b, err = c.AppendText(b, v); err != nil {
			return value.None, err
		}
		if err := growth.To(c.Thread, len(b)); err != nil {
			return value.None, err
		}
	}
	if err := c.Step(c.Array(0).Len()); err != nil {
		return value.None, err
	}
	return declare.Bytes(c, b)
}

// mostAtOnce is how much room is made before anything is charged.
const mostAtOnce = 1 << 14

// joinedLength estimates the length of the values joined.
func joinedLength(a *value.Array, separator string) (n int) {
	for v := range a.Values() {
		if n += len(separator); v.IsString() {
			n += v.StrLen()
		} else {
			n += 8
		}
	}
	return n
}

func keys(c *value.Call) (value.Value, error) {
	a := c.Array(0)
	list := value.NewArray(a.Len())
	for key := range a.All() {
		list.Append(key)
	}
	return result(c, list)
}

func reverse(c *value.Call) (value.Value, error) {
	elements := elementsOf(c.Array(0))
	list := value.NewArray(len(elements))
	for i := len(elements) - 1; i >= 0; i-- {
		elements[i].renumber(list)
	}
	return result(c, list)
}

// result returns a new array whose making took a step per element.
func result(c *value.Call, a *value.Array) (value.Value, error) {
	if err := c.Step(a.Len()); err != nil {
		return value.None, err
	}
	return declare.Array(c, a)
}

// element is one key with its value.
type element struct{ key, value value.Value }

func elementsOf(a *value.Array) []element {
	elements := make([]element, 0, a.Len())
	for k, v := range a.All() {
		elements = append(elements, element{k, v})
	}
	return elements
}

// renumber appends the element: integer keys get the next one, others stay.
func (e element) renumber(a *value.Array) {
	if e.key.IsNumber() {
		a.Append(e.value)
	} else {
		a.Set(e.key, e.value)
	}
}

func numbers(c *value.Call) (value.Value, error) {
	start, stop, step := c.Num(0), c.Num(1), c.Num(2)
	if step == 0 || step != step {
		return value.None, declare.Unwanted(c, 2, "a number other than 0")
	}
	count := (stop - start) / step
	if count != count || count <= 0 {
		return value.FromArray(value.NewArray(0)), nil
	}
	if err := c.AllocFloat(16 * count); err != nil {
		return value.None, err
	}
	n := int(count)
	if start+float64(n)*step != stop { // the last step leads beyond stop
		n++
	}
	list := value.NewArray(n)
	for i := range n {
		if err := c.Step(1); err != nil {
			return value.None, err
		}
		list.Push(value.Number(start + float64(i)*step))
	}
	return value.FromArray(list), nil
}
