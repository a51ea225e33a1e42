package value

import (
	"errors"
	"fmt"
)

// Error is a failure with nothing but a message, which scripts catch as an
// Exception.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

// Errorf returns an *Error.
func Errorf(format string, args ...any) error {
	return &Error{Message: fmt.Sprintf(format, args...)}
}

// Place is a position in a script.
type Place struct {
	Function string // "" at top level
	File     string
	Line     int // from 1; 0 when unknown
	Column   int // from 1, in bytes
}

// String returns file:line:column.
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Throw is an exception under way: any value, and where it was thrown.
type Throw struct {
	Value Value
	Trace []Place // innermost first
}

func (t *Throw) Error() string { return Message(t.Value) }

// Exit ends a script from any depth; scripts cannot catch it. Functions such as
// those that decide about a message return it.
type Exit struct {
	Name string // of the function that was called
	// Outcome is what the function wants to tell the program that runs the
	// script.
	Outcome any
}

func (e *Exit) Error() string { return e.Name + " ended the script" }

// LimitError says that a script was ended because it exceeded a limit. Scripts
// cannot catch it.
type LimitError struct {
	Limit string // which: instructions, time, memory or output
	Value string // how much is allowed
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("script exceeded its %s limit of %s", e.Limit, e.Value)
}

// Stopped adds to a LimitError where the script was.
type Stopped struct {
	Err   error
	Trace []Place // innermost first
}

func (e *Stopped) Error() string { return e.Err.Error() }

func (e *Stopped) Unwrap() error { return e.Err }

// Cancelled says that a script was ended from outside. Scripts cannot catch it.
type Cancelled struct{ Cause error }

func (e *Cancelled) Error() string { return "script was cancelled: " + e.Cause.Error() }

func (e *Cancelled) Unwrap() error { return e.Cause }

// Uncatchable reports whether err ends the script whatever it would catch.
func Uncatchable(err error) bool {
	var exit *Exit
	var limit *LimitError
	var cancelled *Cancelled
	return errors.As(err, &exit) || errors.As(err, &limit) || errors.As(err, &cancelled)
}

// Fault is the Native of an Exception object.
type Fault struct {
	Message string
	Place   Place // Line is 0 unless the engine raised it
}

// ExceptionClass is the class of the exceptions that the engine throws. The
// library has it under the name Exception.
var ExceptionClass = &Class{
	Name: "Exception",
	Doc:  "An error: what the engine throws, and what scripts may throw.",
}

func init() {
	c := ExceptionClass
	c.Constructor = &Builtin{
		Name: "Exception", Params: []Param{{Name: "message", Type: StringType}}, Returns: ObjectType, ReturnsClass: "Exception",
		Doc:     "Makes an exception that throw can raise.",
		Example: `try { throw Exception("no"); } catch ($e) { echo $e->message(); } // no`,
		Func:    func(call *Call) (Value, error) { return NewException(call.Str(0), Place{}), nil },
	}
	c.Methods = []*Builtin{
		faultMethod("message", StringType, "Returns the message.", `try { throw Exception("no"); } catch ($e) { echo $e->message(); } // no`, func(f *Fault) Value { return String(f.Message) }),
		faultMethod("toString", StringType, "Returns the message with its place, when that is known.", `echo Exception("no")->toString(); // no`, func(f *Fault) Value { return String(f.String()) }),
		faultMethod("file", StringType|NoneType, "Returns the file where the engine raised it.", `try { array_range(0, 9, 0); } catch ($e) { echo $e->file(); } // example`, func(f *Fault) Value {
			if f.Place.Line == 0 {
				return None
			}
			return String(f.Place.File)
		}),
		faultMethod("line", NumberType|NoneType, "Returns the line, from 1.", `try { array_range(0, 9, 0); } catch ($e) { echo $e->line(); } // 1`, func(f *Fault) Value { return optionalInt(f.Place.Line) }),
		faultMethod("column", NumberType|NoneType, "Returns the column in bytes, from 1.", `try { array_range(0, 9, 0); } catch ($e) { echo $e->column(); } // 7`, func(f *Fault) Value { return optionalInt(f.Place.Column) }),
	}
}

func faultMethod(name string, returns Type, doc, example string, get func(*Fault) Value) *Builtin {
	return &Builtin{Name: name, Returns: returns, Doc: doc, Example: example, Func: func(c *Call) (Value, error) {
		return get(c.This.Native.(*Fault)), nil
	}}
}

func optionalInt(n int) Value {
	if n == 0 {
		return None
	}
	return Int(n)
}

// String returns the message, and the place when it is known.
func (f *Fault) String() string {
	if f.Place.Line == 0 {
		return f.Message
	}
	return f.Message + " in " + f.Place.String()
}

// NewException returns an Exception object.
func NewException(message string, at Place) Value {
	return FromObject(ExceptionClass.New(&Fault{Message: message, Place: at}))
}

// Message returns what to show of a thrown value: the message of an Exception,
// the text of all else.
func Message(v Value) string {
	if o := v.Object(); o != nil {
		if f, ok := o.Native.(*Fault); ok {
			return f.Message
		}
	}
	return v.Text()
}
