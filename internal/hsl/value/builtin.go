package value

import "strings"

// Builtin is a function written in Go, or a method or constructor of a class.
// Everything that checks, documents or lints its use is made from the
// declaration.
//
//	var strChunk = &value.Builtin{
//		Name: "str_chunk",
//		Params: []value.Param{
//			{Name: "text", Type: value.StringType},
//			{Name: "length", Type: value.NumberType},
//			{Name: "firstlength", Type: value.NumberType, Optional: true},
//		},
//		Returns: value.ArrayType,
//		Doc:     "Cuts a text into pieces of length bytes.",
//		Example: `echo str_chunk("abcde", 2); // [0=>"ab",1=>"cd",2=>"e"]`,
//		Func:    func(c *value.Call) (value.Value, error) { … c.Str(0) … c.Int(1) … c.Has(2) … },
//	}
type Builtin struct {
	Name    string
	Params  []Param
	Returns Type
	// ReturnsClass names the class or resource kind of a result of ObjectType
	// or ResourceType, for the reference page.
	ReturnsClass string
	Doc          string // sentences for the reference page
	Example      string // a script whose output stands in its comments
	Deprecated   string // what to use instead
	// Terminates says that the function ends the script (see Exit): code behind
	// it is never reached.
	Terminates bool
	// Func computes the result. Arguments are those of Params, checked,
	// converted and defaulted. Arrays among them must not be written. The error
	// may be anything: an *Exit ends the script, a *Throw throws its value, all
	// others throw an Exception with their text.
	Func func(c *Call) (Value, error)
}

// Param is one parameter.
type Param struct {
	Name string
	Type Type
	// Class names the classes or resource kinds that are taken as ObjectType or
	// ResourceType, separated by commas; "" takes all.
	Class    string
	Optional bool
	Default  Value // of an optional parameter; none by default
	// Variadic, of the last parameter only, takes any number of arguments from
	// here on.
	Variadic bool
	// Options declares the keys of an options array. Others are ignored; an
	// option that is none counts as absent, one of a wrong type throws.
	Options []Option
}

// Option is one key of an options array.
type Option struct {
	Name    string
	Type    Type
	Default Value
	Doc     string
}

// Type is a set of kinds.
type Type uint16

// The types of parameters and results.
const (
	NoneType     Type = 1 << KindNone
	BooleanType  Type = 1 << KindBoolean
	StringType   Type = 1 << KindString
	ArrayType    Type = 1 << KindArray
	FunctionType Type = 1 << KindFunction
	ObjectType   Type = 1 << KindObject
	ResourceType Type = 1 << KindResource
	NumberType   Type = 1 << KindNumber
	AnyType           = NoneType | BooleanType | StringType | ArrayType | FunctionType | ObjectType | ResourceType | NumberType
)

// Includes reports whether a value of that kind belongs to the type.
func (t Type) Includes(k Kind) bool { return t>>k&1 != 0 }

// String returns the type as the reference writes it: "string or none".
func (t Type) String() string {
	if t == AnyType {
		return "any"
	}
	var names []string
	for _, k := range []Kind{KindString, KindNumber, KindBoolean, KindArray, KindFunction, KindObject, KindResource, KindNone} {
		if t.Includes(k) {
			names = append(names, k.String())
		}
	}
	if n := len(names); n > 2 {
		names = []string{strings.Join(names[:n-1], ", "), names[n-1]}
	}
	return strings.Join(names, " or ")
}

// Arity returns how few and how many arguments the builtin takes; max is -1
// when there is no limit.
func (b *Builtin) Arity() (least, most int) {
	most = len(b.Params)
	for _, p := range b.Params {
		if !p.Optional && !p.Variadic {
			least++
		}
		if p.Variadic {
			most = -1
		}
	}
	return least, most
}

// String returns the signature: "str_chunk(string text, number length, [number firstlength])".
func (b *Builtin) String() string {
	var s strings.Builder
	s.WriteString(b.Name + "(")
	for i, p := range b.Params {
		if i > 0 {
			s.WriteString(", ")
		}
		text := p.Wants() + " " + p.Name
		if p.Variadic {
			text = "..." + text
		}
		if p.Optional && p.Default.IsSet() {
			text += " = " + string(appendLiteral(nil, p.Default))
		}
		if p.Optional {
			text = "[" + text + "]"
		}
		s.WriteString(text)
	}
	s.WriteString(")")
	return s.String()
}

// Wants returns the types and classes that are taken: "RSAPrivateKey or string".
func (p *Param) Wants() string {
	if p.Class == "" {
		return p.Type.String()
	}
	names := strings.ReplaceAll(p.Class, ",", " or ")
	if rest := p.Type &^ (ObjectType | ResourceType); rest != 0 {
		names += " or " + rest.String()
	}
	return names
}

// appendLiteral appends v as a script would write it.
func appendLiteral(b []byte, v Value) []byte {
	if v.IsString() {
		return AppendQuoted(b, v.Str())
	}
	return append(b, v.Text()...)
}
