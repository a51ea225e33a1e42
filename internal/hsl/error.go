package hsl

import (
	"errors"
	"fmt"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Error is the failure of a script at run time: an exception that nobody
// caught, or a limit.
type Error struct {
	Message string
	// Stack says where it happened, innermost first; empty if unknown.
	Stack []value.Place
	// Source is the line where it happened, and Caret where in it to point.
	Source string
	Caret  int
	// Thrown is the value of the exception; none for a limit.
	Thrown value.Value
	err    error
}

// describe adds to an error of the machine what people want to see.
func (p *Program) describe(err error) error {
	var cancelled *value.Cancelled
	if errors.As(err, &cancelled) {
		return err
	}
	e := &Error{Message: err.Error(), err: err}
	var thrown *value.Throw
	var stopped *value.Stopped
	switch {
	case errors.As(err, &thrown):
		e.Stack, e.Thrown = thrown.Trace, thrown.Value
	case errors.As(err, &stopped):
		e.Stack = stopped.Trace
	}
	if len(e.Stack) > 0 {
		e.Source, e.Caret = p.compiled.Sources.Line(e.Stack[0].File, e.Stack[0].Line, e.Stack[0].Column)
	}
	return e
}

// Unwrap returns the error of the machine: a *value.Throw or *value.LimitError.
func (e *Error) Unwrap() error { return e.err }

// Error returns the message with its place, on one line.
func (e *Error) Error() string {
	message := strings.ReplaceAll(e.Message, "\n", " ")
	if len(e.Stack) == 0 {
		return message
	}
	return e.Stack[0].String() + ": " + message
}

// Detail returns the message with place, source line, caret and stack.
func (e *Error) Detail() string {
	var b strings.Builder
	b.WriteString(e.Error())
	b.WriteString(syntax.Underline(e.Source, e.Caret))
	for i, at := range e.Stack {
		name := at.Function
		if name == "" {
			name = "top level"
		}
		if i > 0 || len(e.Stack) > 1 {
			fmt.Fprintf(&b, "\n    in %s at %s", name, at)
		}
	}
	return b.String()
}
