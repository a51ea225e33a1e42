// Package declare writes builtins down the way the reference shows them.
//
// A theme of the standard library is a table whose rows are made by Function:
// the signature, a text, an example and the Go function. The signature is read
// once, when the library is built, so that the table, the checker of arguments
// and the reference page cannot drift apart:
//
//	declare.Function("str_chunk(string string, number length, [number firstlength]) array",
//		"Cuts a text into pieces of length bytes.",
//		`echo str_chunk("abcde", 2); // [0=>"ab",1=>"cd",2=>"e"]`,
//		chunk)
//
// A mistake in a signature is a mistake in this program and panics; every test
// that builds the library finds it.
package declare

import (
	"strings"
	"unsafe"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Func computes a builtin.
type Func = func(*value.Call) (value.Value, error)

// Function returns the builtin of a signature:
//
//	name([types] name, …) types
//
// Types are joined by "or": any, none, string, number, boolean, array, function,
// object, resource, and names of classes and kinds of resources. A parameter in
// brackets is optional and may have a default, "[number step = 1]"; one that
// begins with "..." takes all further arguments. Without types at the end the
// function returns none. The options are those of the last parameter.
func Function(signature, doc, example string, f Func, options ...value.Option) *value.Builtin {
	p := parser{signature: signature, rest: signature}
	b := p.builtin()
	b.Doc, b.Example, b.Func = doc, example, f
	if len(options) > 0 {
		// Where data comes behind the options, they are the array called that.
		p.optionsOf(b).Options = options
	}
	return b
}

// Method is Function for tables of methods, whose examples Examples gives.
func Method(signature, doc string, f Func, options ...value.Option) *value.Builtin {
	return Function(signature, doc, "", f, options...)
}

// Examples gives the methods of a class their examples, by "->name", and its
// static ones by "::name". A name that is none panics.
func Examples(c *value.Class, examples map[string]string) {
	all := map[string]*value.Builtin{}
	for _, m := range c.Methods {
		all["->"+m.Name] = m
	}
	for _, m := range c.Statics {
		all["::"+m.Name] = m
	}
	for name, text := range examples {
		if all[name] == nil {
			panic("declare: class " + c.Name + " has no " + name)
		}
		all[name].Example = text
	}
}

// Option returns one key of an options array, declared like a parameter:
// "boolean binary = false".
func Option(declaration, doc string) value.Option {
	p := parser{signature: declaration, rest: "[" + declaration + "]"}
	param := p.param()
	return value.Option{Name: param.Name, Type: param.Type, Default: param.Default, Doc: doc}
}

// Alias returns b under an old name.
func Alias(old string, b *value.Builtin) *value.Builtin {
	alias := *b
	alias.Name = old
	alias.Deprecated = "Use " + b.Name + "."
	alias.Example = ""
	return &alias
}

// Unwanted is the exception for an argument of the right type that the function
// cannot take: "array_range: argument 3 (step): want a number other than 0, got 0".
func Unwanted(c *value.Call, i int, want string) error {
	return value.Errorf("%s: argument %d (%s): want %s, got %s",
		c.Builtin.Name, i+1, c.Builtin.Params[min(i, len(c.Builtin.Params)-1)].Name, want, shown(c.Args[i]))
}

// UnwantedOption is Unwanted for an option.
func UnwantedOption(c *value.Call, name, want string, got value.Value) error {
	return value.Errorf("%s: option %s: want %s, got %s", c.Builtin.Name, name, want, shown(got))
}

// shown is a value in a message: as a script would write it, and short.
func shown(v value.Value) string {
	const most = 60
	switch v.Kind() {
	case value.KindString:
		text := v.Str()
		if strings.Contains(text, "PRIVATE KEY") {
			return "a private key" // which no message may show
		}
		if len(text) > most {
			text = text[:most] + "…"
		}
		return string(value.AppendQuoted(nil, text))
	case value.KindArray:
		return "an array"
	case value.KindNone:
		return "none"
	}
	return v.Text()
}

// Text returns s as the result of a builtin, charged to the script.
func Text(c *value.Call, s string) (value.Value, error) {
	return value.String(s), c.Alloc(len(s))
}

// Bytes is Text for a buffer that the builtin has made and must not touch any
// more: it becomes the string, unless much of it is empty.
func Bytes(c *value.Call, b []byte) (value.Value, error) {
	if spare := cap(b) - len(b); spare > len(b)/4+16 {
		return Text(c, string(b))
	}
	return Text(c, unsafe.String(unsafe.SliceData(b), len(b)))
}

// View returns the bytes of a string, which must not be written, without copying
// them.
func View(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// Array returns a new array as the result of a builtin, charged to the script.
func Array(c *value.Call, a *value.Array) (value.Value, error) {
	return value.FromArray(a), c.Alloc(a.Size())
}
