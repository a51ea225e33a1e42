// Package value holds the values of HSL, the operators on them, and what
// builtins are made of.
//
// A Value is sixteen bytes and no interface: numbers, booleans, none and the
// headers of strings live in it without allocation. Strings are byte strings
// and never change. Arrays are ordered maps with a fast form for lists; scripts
// see them as values, so an array that has several owners is copied by the one
// who writes first (see Array). Functions, objects and resources are shared
// references.
//
// A builtin is a Builtin: a name, parameters with types and defaults, a text
// for the reference page, and a Go function that takes a *Call. One checker,
// Call.Bind, serves all of them, so that arguments arrive counted, converted
// and defaulted. Classes implemented in Go are a Class whose methods are
// Builtins. A Library is the set of names that a script can see.
//
// A Thread is one execution of one script: its limits, its context, its way
// back into the virtual machine (Call). What outlives an execution, the shared
// memory and the cached calls, is the Process.
//
// Nothing here is safe for concurrent use, except where it says so: a value
// belongs to one Thread. Publish prepares a value for being read by others.
package value

import (
	"math"
	"unsafe"
)

// Kind is the type of a value as a script sees it.
type Kind uint8

// The kinds. KindUndefined never reaches a builtin: it marks variables that
// are not set.
const (
	KindNone Kind = iota
	KindUndefined
	KindBoolean
	KindString
	KindArray
	KindFunction
	KindObject
	KindResource
	KindNumber
)

var kindNames = [...]string{"none", "undefined", "boolean", "string", "array", "function", "object", "resource", "number"}

// String returns the name that messages use.
func (k Kind) String() string { return kindNames[k] }

// Value is any HSL value. The zero Value is none. Values must not be compared
// with ==; use Identical or Equal.
//
// The upper 16 bits of bits are a tag. Tag 0 has none, undefined and the
// booleans, told apart by the rest. For the tags of the other kinds p points to
// what the kind needs, and the rest of bits is the length of a string. All
// greater tags are numbers: then bits is the complement of the IEEE 754 form,
// which moves the negative NaNs to where the tags are, out of the way. The one
// that processors produce by themselves is the greatest of them and just above
// the tags; all others are replaced by Number. For numbers p means nothing.
type Value struct {
	_    [0]func()
	p    unsafe.Pointer
	bits uint64
}

const (
	bitsUndefined = 1
	bitsFalse     = 2
	bitsTrue      = 3

	tagShift   = 48
	lengthMask = 1<<tagShift - 1
	// tagKind is the kind of tag 0, so that the kinds from KindString on are
	// their tag and this.
	tagKind = KindBoolean

	stringTag   = uint64(KindString-tagKind) << tagShift
	arrayTag    = uint64(KindArray-tagKind) << tagShift
	functionTag = uint64(KindFunction-tagKind) << tagShift
	objectTag   = uint64(KindObject-tagKind) << tagShift
	resourceTag = uint64(KindResource-tagKind) << tagShift
	numberBase  = uint64(7) << tagShift // ^0xfff8000000000000 >= this
)

// None is the value none.
var None Value

// Undefined is what a variable holds that is not set.
var Undefined = Value{bits: bitsUndefined}

// True and False are the booleans.
var (
	True  = Boolean(true)
	False = Boolean(false)
)

var canonicalNaN = math.Float64frombits(0x7ff8000000000000)

// Number returns f as a value.
func Number(f float64) Value {
	if f != f {
		f = canonicalNaN
	}
	return Value{bits: ^math.Float64bits(f)}
}

// Int returns n as a value, rounded when it is beyond 2^53.
func Int(n int) Value { return Value{bits: ^math.Float64bits(float64(n))} }

// Boolean returns b as a value.
func Boolean(b bool) Value {
	if b {
		return Value{bits: bitsTrue}
	}
	return Value{bits: bitsFalse}
}

// String returns s as a value, without copying.
func String(s string) Value {
	return Value{p: unsafe.Pointer(unsafe.StringData(s)), bits: stringTag | uint64(len(s))}
}

// Bytes returns a copy of b as a string.
func Bytes(b []byte) Value { return String(string(b)) }

// FromArray returns a as a value; none if a is nil.
func FromArray(a *Array) Value {
	if a == nil {
		return None
	}
	return Value{p: unsafe.Pointer(a), bits: arrayTag}
}

// FromFunction returns f as a value; none if f is nil.
func FromFunction(f *Function) Value {
	if f == nil {
		return None
	}
	return Value{p: unsafe.Pointer(f), bits: functionTag}
}

// FromObject returns o as a value; none if o is nil.
func FromObject(o *Object) Value {
	if o == nil {
		return None
	}
	return Value{p: unsafe.Pointer(o), bits: objectTag}
}

// Resource is an opaque handle that only builtins can open, such as a private
// key or a compiled pattern. Two values made of the same Resource are
// identical when the Resource is comparable and equal.
type Resource interface {
	// ResourceKind returns what string() shows after "resource ".
	ResourceKind() string
}

// FromResource returns r as a value; none if r is nil.
func FromResource(r Resource) Value {
	if r == nil {
		return None
	}
	return Value{p: unsafe.Pointer(&r), bits: resourceTag}
}

// Kind returns the kind of v.
func (v Value) Kind() Kind {
	switch {
	case v.bits >= numberBase:
		return KindNumber
	case v.bits > lengthMask:
		return tagKind + Kind(v.bits>>tagShift)
	}
	return Kind(min(v.bits, bitsFalse))
}

// IsNone reports whether v is none.
func (v Value) IsNone() bool { return v.bits == 0 }

// IsUndefined reports whether v stands for a variable that is not set.
func (v Value) IsUndefined() bool { return v.bits == bitsUndefined }

// IsSet reports whether v is neither none nor undefined.
func (v Value) IsSet() bool { return v.bits > bitsUndefined }

// IsNumber reports whether v is a number.
func (v Value) IsNumber() bool { return v.bits >= numberBase }

// IsString reports whether v is a string.
func (v Value) IsString() bool { return v.bits>>tagShift == stringTag>>tagShift }

// IsArray reports whether v is an array.
func (v Value) IsArray() bool { return v.bits == arrayTag }

// IsBoolean reports whether v is a boolean.
func (v Value) IsBoolean() bool { return v.bits|1 == bitsTrue }

// IsFunction reports whether v is a function.
func (v Value) IsFunction() bool { return v.bits == functionTag }

// IsObject reports whether v is an object.
func (v Value) IsObject() bool { return v.bits == objectTag }

// BothNumbers reports whether a and b are numbers; the machine asks it before
// most of what it does.
func BothNumbers(a, b Value) bool { return a.bits >= numberBase && b.bits >= numberBase }

// BothInts reports whether a and b are whole numbers that int64 holds.
func BothInts(a, b Value) bool {
	return BothNumbers(a, b) && float64(int64(a.Float())) == a.Float() && float64(int64(b.Float())) == b.Float()
}

// IsPlain reports whether v is set and no array: whether copying it takes
// nothing but that.
func (v Value) IsPlain() bool { return v.bits != arrayTag && v.bits != bitsUndefined }

// Float returns the number v. It is meaningless for other kinds; see
// Value.ToNumber for the conversion.
func (v Value) Float() float64 { return math.Float64frombits(^v.bits) }

// SetFloat makes *v the number f, which must be the result of arithmetic on
// numbers of values: Number takes any. It leaves the pointer behind, which costs
// nothing but what that keeps alive, and so spares a write barrier.
func (v *Value) SetFloat(f float64) { v.bits = ^math.Float64bits(f) }

// SetNumber makes *v the number *n, as SetFloat does.
func (v *Value) SetNumber(n *Value) { v.bits = n.bits }

// SetBool makes *v the boolean b.
func (v *Value) SetBool(b bool) {
	v.bits = bitsFalse
	if b {
		v.bits = bitsTrue
	}
}

// SetUndefined marks *v as not set. It leaves the pointer behind, as SetFloat
// does.
func (v *Value) SetUndefined() { v.bits = bitsUndefined }

// Bool returns the boolean v, and false for all other kinds; see Value.Truth
// for the conversion.
func (v Value) Bool() bool { return v.bits == bitsTrue }

// Str returns the string v, and "" for all other kinds; see Value.Text for the
// conversion.
func (v Value) Str() string {
	if v.bits>>tagShift != stringTag>>tagShift {
		return ""
	}
	return unsafe.String((*byte)(v.p), int(v.bits&lengthMask))
}

// StrLen returns the length of the string v.
func (v Value) StrLen() int { return int(v.bits & lengthMask) }

// Array returns the array v, and nil for all other kinds.
func (v Value) Array() *Array {
	if v.bits != arrayTag {
		return nil
	}
	return (*Array)(v.p)
}

// Function returns the function v, and nil for all other kinds.
func (v Value) Function() *Function {
	if v.bits != functionTag {
		return nil
	}
	return (*Function)(v.p)
}

// Object returns the object v, and nil for all other kinds.
func (v Value) Object() *Object {
	if v.bits != objectTag {
		return nil
	}
	return (*Object)(v.p)
}

// Resource returns the resource v, and nil for all other kinds.
func (v Value) Resource() Resource {
	if v.bits != resourceTag {
		return nil
	}
	return *(*Resource)(v.p)
}

// Retain counts one more owner when v is an array. Whoever keeps a value that
// somebody else keeps as well must call it; Array.Set and its siblings do.
func (v Value) Retain() {
	if a := v.Array(); a != nil {
		a.Retain()
	}
}

// Release takes back one Retain when v is an array. Not to call it is safe: the
// next writer then copies once more than needed.
func (v Value) Release() {
	if a := v.Array(); a != nil {
		a.Release()
	}
}

// byteStrings holds the strings of one byte, so that taking a string apart
// allocates nothing.
var byteStrings = func() (all [256]Value) {
	for i := range all {
		all[i] = String(string([]byte{byte(i)}))
	}
	return all
}()

// Byte returns the string of the single byte b, without allocation.
func Byte(b byte) Value { return byteStrings[b] }
