// Package ffi holds the class FFI, which would call libraries written in C. This
// program does not do that: it is one static file, and what a library does in
// its memory no limit of a script could hold. All that scripts can call throws,
// and says so.
package ffi

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// errRefused is what everything here throws.
var errRefused = value.Errorf("FFI: calling C libraries is not possible: this program is built without it, and the setting scripting.ffi does not change that")

func refuse(*value.Call) (value.Value, error) { return value.None, errRefused }

// Class returns the class FFI.
func Class() *value.Class {
	c := &value.Class{Name: "FFI", Doc: "Calls libraries written in C, which this program refuses: the constructor and all static methods throw."}
	c.Constructor = declare.Function("FFI(string path) FFI", "Throws.",
		`try { FFI("libc.so.6"); } catch ($e) { echo $e->message()[:34]; } // FFI: calling C libraries is not po`, refuse)
	for _, signature := range []string{
		"type(string name) FFIType", "cnumber(any type, number number) FFIValue", "cstring(string value) FFIValue",
		"callback(any arguments, any returntype, function callback) FFIValue", "nullptr() FFIValue", "allocate(any size) FFIValue",
		"memcpy(any pointer, string data) FFIValue", "byref(any value) FFIValue", "deref(any value, [any type]) FFIValue or none",
		"offset(any pointer, number offset) FFIValue", "string(any pointer, [number size]) string", "number(any value) number",
		"number64(any value) array", "attach(any pointer, [any destructor]) FFIValue", "detach(any pointer) FFIValue",
	} {
		c.Statics = append(c.Statics, declare.Method(signature, "Throws.", refuse))
	}
	return c
}

// Value returns the method toFFIValue of other classes.
func Value() *value.Builtin {
	return declare.Method("toFFIValue() FFIValue or none", "Throws: see FFI.", refuse)
}
