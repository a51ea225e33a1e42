// Package stdlibtest calls builtins without a compiler and a machine, for the
// tests of the standard library.
//
// A Machine computes expressions such as str_find("abc", "c"), which is enough
// to write tests as tables of calls and results, and calls builtins the way the
// real machine does: arguments are bound, limits hold, callbacks come back. What
// takes statements of the language is tested with the language.
package stdlibtest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Machine runs one script that consists of calls. It is the value.Caller of its
// own thread.
type Machine struct {
	Library *value.Library
	Thread  *value.Thread
	// Functions are what expressions can name besides the library.
	Functions map[string]func(args []value.Value) (value.Value, error)

	known map[string]value.Value
	live  []value.Value // arguments of the calls under way
}

// New returns a machine for the library, whose thread ends with the test.
func New(t testing.TB, l *value.Library, setup value.Setup) *Machine {
	return NewContext(t, t.Context(), l, setup)
}

// NewContext is New under a context of the test's own.
func NewContext(t testing.TB, ctx context.Context, l *value.Library, setup value.Setup) *Machine {
	m := &Machine{Library: l, Thread: &value.Thread{}, known: map[string]value.Value{}}
	m.Thread.Begin(ctx, m, setup)
	t.Cleanup(m.Thread.End)
	return m
}

// Eval computes an expression.
func (m *Machine) Eval(source string) (v value.Value, err error) {
	defer func() {
		switch f := recover().(type) {
		case nil:
		case failed:
			err = f.err
		default:
			panic(f)
		}
	}()
	e := &expression{machine: m, source: source, rest: source}
	v = e.value()
	if e.accept(""); e.rest != "" {
		e.syntax("want the end")
	}
	return v, nil
}

// Call implements value.Caller for functions of Go.
func (m *Machine) Call(fn value.Value, args ...value.Value) (value.Value, error) {
	f := fn.Function()
	switch {
	case f == nil:
		return value.None, value.Errorf("%s is no function", fn.Text())
	case f.Class != nil && f.Class.Constructor == nil:
		return value.None, value.Errorf("%s cannot be constructed", f.Class.Name)
	case f.Class != nil:
		return m.invoke(f.Class.Constructor, nil, args)
	}
	return m.invoke(f.Builtin, f.This, args)
}

func (m *Machine) invoke(b *value.Builtin, this *value.Object, args []value.Value) (value.Value, error) {
	c := value.Call{Thread: m.Thread, Builtin: b, This: this}
	if done, err := c.Bind(append([]value.Value(nil), args...)); done || err != nil {
		return value.None, err
	}
	live := len(m.live)
	m.live = append(m.live, c.Args...)
	v, err := m.run(&c)
	m.live = m.live[:live]
	if err == nil && !b.Returns.Includes(v.Kind()) {
		return v, fmt.Errorf("stdlibtest: %s returns %s, which is not declared: %s", b.Name, v.Kind(), b.Returns)
	}
	return v, err
}

// run calls the Go function. As in the real machine, methods of an object that
// several threads see are run by one at a time.
func (m *Machine) run(c *value.Call) (value.Value, error) {
	if c.This == nil || !c.This.Published() {
		return c.Builtin.Func(c)
	}
	p := m.Thread.Shared()
	if err := p.Lock(m.Thread, c.This); err != nil {
		return value.None, err
	}
	defer p.Unlock(m.Thread, c.This)
	return c.Builtin.Func(c)
}

// Where implements value.Caller.
func (m *Machine) Where() []value.Place { return nil }

// Roots implements value.Caller: what is reachable are the arguments of calls.
func (m *Machine) Roots(f func(value.Value)) {
	for _, v := range m.live {
		f(v)
	}
}

func (m *Machine) method(v value.Value, name string, args []value.Value) (value.Value, error) {
	o := v.Object()
	if o == nil || o.Class.Method(name) == nil {
		return value.None, value.Errorf("no method %s on %s", name, v.Text())
	}
	return m.invoke(o.Class.Method(name).Builtin, o, args)
}

// function returns a function by its name; the same one each time.
func (m *Machine) function(name string) value.Value {
	if f, ok := m.Functions[name]; ok {
		if m.known[name].IsNone() {
			m.known[name] = Function(name, f)
		}
		return m.known[name]
	}
	if f := m.Library.Function(name); f != nil {
		return value.FromFunction(f)
	}
	panic(failed{fmt.Errorf("stdlibtest: no function %s", name)})
}

// Function returns a function of any number of arguments.
func Function(name string, f func(args []value.Value) (value.Value, error)) value.Value {
	return value.FromFunction(&value.Function{Builtin: &value.Builtin{
		Name: name, Returns: value.AnyType,
		Params: []value.Param{{Name: "args", Type: value.AnyType, Variadic: true}},
		Func:   func(c *value.Call) (value.Value, error) { return f(c.Args) },
	}})
}

// Case is a row of a table: an expression and what it gives, as a script would
// write it, or "!" and a part of the message of the exception.
type Case [2]string

// Check computes each row.
func (m *Machine) Check(t *testing.T, cases []Case) {
	t.Helper()
	for _, c := range cases {
		source, want := c[0], c[1]
		if got := m.Show(source); !matches(got, want) {
			t.Errorf("%s\n got %s\nwant %s", source, got, want)
		}
	}
}

// Show computes an expression and returns what it gives as a script would write
// it, or "!" and the message of the exception.
func (m *Machine) Show(source string) string {
	v, err := m.Eval(source)
	if err != nil {
		return "!" + err.Error()
	}
	return Literal(v)
}

// Literal returns v as a script would write it.
func Literal(v value.Value) string {
	text := value.FromArray(value.List(v)).Text() // [0=>…]
	return text[len("[0=>") : len(text)-1]
}

// matches compares a result with what is wanted: equal, or for exceptions, a
// part of the message.
func matches(got, want string) bool {
	if part, ok := strings.CutPrefix(want, "!"); ok {
		message, thrown := strings.CutPrefix(got, "!")
		return thrown && part != "" && strings.Contains(message, part)
	}
	return got == want
}
