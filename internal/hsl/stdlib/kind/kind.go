// Package kind holds the builtins for the types of values: tests and
// conversions.
package kind

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Builtins returns the functions of the theme.
func Builtins() []*value.Builtin {
	return []*value.Builtin{
		declare.Function("boolean(any value) boolean",
			"Converts to a boolean. None, 0, the empty string and the empty array are false.",
			`echo boolean("0"); // true`, boolean),
		declare.Function("number(any value) number",
			"Converts to a number. A string counts if it spells a decimal or hexadecimal number as a whole, true is 1, all else is 0.",
			`echo number("0x1f"); // 31`, number),
		declare.Function("string(any value) string",
			"Converts to a string. Arrays become source text that reads back as the same array.",
			`echo string([1, true]); // [0=>1,1=>true]`, text),
		declare.Function("length(any value) number or none",
			"Returns the bytes of a string or the elements of an array, and none for all else.",
			`echo length("héllo"); // 6`, length),
		test("is_array", "an array", `echo is_array([]); // true`, value.KindArray),
		test("is_boolean", "a boolean", `echo is_boolean(1); // false`, value.KindBoolean),
		test("is_function", "a function", `echo is_function(length); // true`, value.KindFunction),
		test("is_number", "a number", `echo is_number("1"); // false`, value.KindNumber),
		test("is_object", "an object", `echo is_object(Exception("x")); // true`, value.KindObject),
		test("is_string", "a string", `echo is_string(""); // true`, value.KindString),
	}
}

func test(name, what, example string, k value.Kind) *value.Builtin {
	return declare.Function(name+"(any value) boolean", "Returns whether the value is "+what+".", example,
		func(c *value.Call) (value.Value, error) { return value.Boolean(c.Args[0].Kind() == k), nil })
}

func boolean(c *value.Call) (value.Value, error) { return value.Boolean(c.Args[0].Truth()), nil }

func number(c *value.Call) (value.Value, error) { return value.Number(c.Args[0].ToNumber()), nil }

func text(c *value.Call) (value.Value, error) {
	if c.Args[0].IsString() {
		return c.Args[0], nil
	}
	b, err := c.AppendText(nil, c.Args[0])
	if err != nil {
		return value.None, err
	}
	return declare.Bytes(c, b)
}

func length(c *value.Call) (value.Value, error) {
	switch v := c.Args[0]; v.Kind() {
	case value.KindString:
		return value.Int(v.StrLen()), nil
	case value.KindArray:
		return value.Int(v.Array().Len()), nil
	}
	return value.None, nil
}
