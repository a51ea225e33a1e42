package array

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// iterating returns the functions that call a callback for each value.
func iterating() []*value.Builtin {
	return []*value.Builtin{
		declare.Function("array_every(function callback, array array) boolean",
			"Returns whether the callback is true for all values; true for an empty array.",
			`echo array_every(is_number, [1, 2]); // true`, every),
		declare.Function("array_filter(function callback, array array) array",
			"Returns the elements for whose value the callback is true, with their keys.",
			`echo array_filter(function ($n) { return $n > 1; }, [1, 2, 3]); // [1=>2,2=>3]`, filter),
		declare.Function("array_find(function callback, array array) any",
			"Returns the first value for which the callback is true, or none.",
			`echo array_find(function ($n) { return $n > 1; }, [1, 2, 3]); // 2`, find),
		declare.Function("array_map(function callback, array array) array",
			"Returns what the callback makes of each value, under the same keys.",
			`echo array_map(str_upper, ["a" => "x"]); // ["a"=>"X"]`, apply),
		declare.Function("array_reduce(function callback, array array, [any initial]) any",
			"Returns what remains when the callback is called with the result so far and each value in turn. "+
				"Without an initial result the first value is taken; an empty array then throws.",
			`echo array_reduce(function ($sum, $n) { return $sum + $n; }, [1, 2, 3]); // 6`, reduce),
		declare.Function("array_sort(function callback, array array, [array options]) array",
			"Returns the elements in the order in which callback(a, b) says that a comes before b, with their keys. "+
				"Elements of which neither comes first stay in their order.",
			`echo array_sort(function ($a, $b) { return $a < $b; }, [3, 1, 2]); // [1=>1,2=>2,0=>3]`, sort,
			declare.Option("boolean keys = false", "Compare keys instead of values.")),
	}
}

// hold keeps an array as it is while callbacks run, which may know the variable
// that it came from.
func hold(a *value.Array) *value.Array {
	a.Retain()
	return a
}

// ask calls the callback with v and reports whether the result is true.
func ask(c *value.Call, callback, v value.Value) (bool, error) {
	answer, err := c.Call(callback, v)
	return answer.Truth(), err
}

// first returns the first element for whose value the truth of the callback is
// want.
func first(c *value.Call, callback value.Value, a *value.Array, want bool) (k, v value.Value, found bool, err error) {
	defer hold(a).Release()
	for k, v := range a.All() {
		is, err := ask(c, callback, v)
		if err != nil {
			return value.None, value.None, false, err
		}
		if is == want {
			return k, v, true, nil
		}
	}
	return value.None, value.None, false, nil
}

func every(c *value.Call) (value.Value, error) {
	_, _, failed, err := first(c, c.Args[0], c.Array(1), false)
	return value.Boolean(!failed), err
}

func find(c *value.Call) (value.Value, error) {
	_, v, _, err := first(c, c.Args[0], c.Array(1), true)
	v.Retain()
	return v, err
}

func filter(c *value.Call) (value.Value, error) {
	kept := value.NewArray(0)
	a := c.Array(1)
	defer hold(a).Release()
	for k, v := range a.All() {
		is, err := ask(c, c.Args[0], v)
		if err != nil {
			return value.None, err
		}
		if is {
			kept.Set(k, v)
		}
	}
	return declare.Array(c, kept)
}

func apply(c *value.Call) (value.Value, error) {
	a := c.Array(1)
	defer hold(a).Release()
	mapped := value.NewArray(a.Len())
	if err := c.Alloc(mapped.Size()); err != nil {
		return value.None, err
	}
	for k, v := range a.All() {
		v, err := c.Call(c.Args[0], v)
		if err != nil {
			return value.None, err
		}
		mapped.Put(k, v)
	}
	return value.FromArray(mapped), nil
}

func reduce(c *value.Call) (value.Value, error) {
	a, carry, at := c.Array(1), c.Args[2], 0
	defer hold(a).Release()
	if c.Given < 3 {
		_, v, i := a.Next(0)
		if i < 0 {
			return value.None, declare.Unwanted(c, 1, "an array with elements when there is no initial value")
		}
		carry, at = v, i+1
	}
	carry.Retain()
	for {
		_, v, i := a.Next(at)
		if i < 0 {
			return carry, nil
		}
		var err error
		if carry, err = c.Call(c.Args[0], carry, v); err != nil {
			return value.None, err
		}
		at = i + 1
	}
}
