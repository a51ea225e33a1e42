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
// The upper 16 bits of bits tell the kind, as long as they are below 8: then p
// points to what the kind needs, and the lower 48 bits are the length of a
// string or the truth of a boolean. In all other cases the value is a number,
// and bits is the complement of its IEEE 754 form: the complement moves the
// negative NaNs, which never occur because number canonicalises them, to where
// the kinds are. For numbers p means nothing.
type Value struct {
	_    [0]func()
	p    unsafe.Pointer
	bits uint64
}

const (
	kindShift  = 48
	numberBase = uint64(KindNumber) << kindShift
	lengthMask = 1<<kindShift - 1
)

// None is the value none.
var None Value

// Undefined is what a variable holds that is not set.
var Undefined = Value{bits: uint64(KindUndefined) << kindShift}

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
	v := Value{bits: uint64(KindBoolean) << kindShift}
	if b {
		v.bits |= 1
	}
	return v
}

// String returns s as a value, without copying.
func String(s string) Value {
	return Value{p: unsafe.Pointer(unsafe.StringData(s)), bits: uint64(KindString)<<kindShift | uint64(len(s))}
}

// Bytes returns a copy of b as a string.
func Bytes(b []byte) Value { return String(string(b)) }

// FromArray returns a as a value; none if a is nil.
func FromArray(a *Array) Value {
	if a == nil {
		return None
	}
	return Value{p: unsafe.Pointer(a), bits: uint64(KindArray) << kindShift}
}

// FromFunction returns f as a value; none if f is nil.
func FromFunction(f *Function) Value {
	if f == nil {
		return None
	}
	return Value{p: unsafe.Pointer(f), bits: uint64(KindFunction) << kindShift}
}

// FromObject returns o as a value; none if o is nil.
func FromObject(o *Object) Value {
	if o == nil {
		return None
	}
	return Value{p: unsafe.Pointer(o), bits: uint64(KindObject) << kindShift}
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
	return Value{p: unsafe.Pointer(&r), bits: uint64(KindResource) << kindShift}
}

// Kind returns the kind of v.
func (v Value) Kind() Kind {
	if k := v.bits >> kindShift; k < uint64(KindNumber) {
		return Kind(k)
	}
	return KindNumber
}

// IsNone reports whether v is none.
func (v Value) IsNone() bool { return v.bits>>kindShift == uint64(KindNone) }

// IsUndefined reports whether v stands for a variable that is not set.
func (v Value) IsUndefined() bool { return v.bits>>kindShift == uint64(KindUndefined) }

// IsSet reports whether v is neither none nor undefined.
func (v Value) IsSet() bool { return v.bits>>kindShift > uint64(KindUndefined) }

// IsNumber reports whether v is a number.
func (v Value) IsNumber() bool { return v.bits >= numberBase }

// IsString reports whether v is a string.
func (v Value) IsString() bool { return v.bits>>kindShift == uint64(KindString) }

// IsArray reports whether v is an array.
func (v Value) IsArray() bool { return v.bits>>kindShift == uint64(KindArray) }

// IsBoolean reports whether v is a boolean.
func (v Value) IsBoolean() bool { return v.bits>>kindShift == uint64(KindBoolean) }

// IsFunction reports whether v is a function.
func (v Value) IsFunction() bool { return v.bits>>kindShift == uint64(KindFunction) }

// IsObject reports whether v is an object.
func (v Value) IsObject() bool { return v.bits>>kindShift == uint64(KindObject) }

// BothNumbers reports whether a and b are numbers; the machine asks it before
// most of what it does.
func BothNumbers(a, b Value) bool { return a.bits >= numberBase && b.bits >= numberBase }

// Float returns the number v. It is meaningless for other kinds; see
// Value.ToNumber for the conversion.
func (v Value) Float() float64 { return math.Float64frombits(^v.bits) }

// SetFloat makes *v the number f, which must not be a negative NaN, such as
// the result of a sum. It leaves the pointer behind, which costs nothing but
// what that keeps alive, and so spares a write barrier.
func (v *Value) SetFloat(f float64) {
	bits := ^math.Float64bits(f)
	if bits < numberBase {
		bits = ^math.Float64bits(canonicalNaN)
	}
	v.bits = bits
}

// SetBool makes *v the boolean b.
func (v *Value) SetBool(b bool) {
	bits := uint64(KindBoolean) << kindShift
	if b {
		bits |= 1
	}
	v.bits = bits
}

// SetUndefined marks *v as not set.
func (v *Value) SetUndefined() { *v = Value{bits: uint64(KindUndefined) << kindShift} }

// Bool returns the boolean v, and false for all other kinds; see Value.Truth
// for the conversion.
func (v Value) Bool() bool { return v.bits == uint64(KindBoolean)<<kindShift|1 }

// Str returns the string v, and "" for all other kinds; see Value.Text for the
// conversion.
func (v Value) Str() string {
	if v.bits>>kindShift != uint64(KindString) {
		return ""
	}
	return unsafe.String((*byte)(v.p), int(v.bits&lengthMask))
}

// StrLen returns the length of the string v.
func (v Value) StrLen() int { return int(v.bits & lengthMask) }

// Array returns the array v, and nil for all other kinds.
func (v Value) Array() *Array {
	if v.bits>>kindShift != uint64(KindArray) {
		return nil
	}
	return (*Array)(v.p)
}

// Function returns the function v, and nil for all other kinds.
func (v Value) Function() *Function {
	if v.bits>>kindShift != uint64(KindFunction) {
		return nil
	}
	return (*Function)(v.p)
}

// Object returns the object v, and nil for all other kinds.
func (v Value) Object() *Object {
	if v.bits>>kindShift != uint64(KindObject) {
		return nil
	}
	return (*Object)(v.p)
}

// Resource returns the resource v, and nil for all other kinds.
func (v Value) Resource() Resource {
	if v.bits>>kindShift != uint64(KindResource) {
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
