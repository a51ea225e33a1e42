package stdlibtest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// expression reads and computes one expression from left to right: literals of
// numbers, strings and arrays, calls of builtins, classes and static methods,
// methods of what they return, and names of functions as values.
type expression struct {
	machine *Machine
	source  string
	rest    string
}

// failed unwinds out of an expression.
type failed struct{ err error }

func (e *expression) syntax(why string) {
	panic(failed{fmt.Errorf("stdlibtest: %s: %s at %q", e.source, why, e.rest)})
}

func (e *expression) accept(token string) bool {
	e.rest = strings.TrimLeft(e.rest, " \t\n")
	rest, ok := strings.CutPrefix(e.rest, token)
	if ok {
		e.rest = rest
	}
	return ok
}

func (e *expression) want(token string) {
	if !e.accept(token) {
		e.syntax("want " + token)
	}
}

// value reads a primary and the methods called on it.
func (e *expression) value() value.Value {
	v := e.primary()
	for e.accept("->") {
		name := e.name()
		e.want("(")
		v = e.check(e.machine.method(v, name, e.list(")")))
	}
	return v
}

func (e *expression) primary() value.Value {
	switch {
	case e.accept(`"`):
		return value.String(e.quoted())
	case e.accept("["):
		return e.array()
	}
	if c := e.rest[:min(1, len(e.rest))]; c == "-" || c >= "0" && c <= "9" {
		return e.number()
	}
	name := e.name()
	switch name {
	case "true", "false":
		return value.Boolean(name == "true")
	case "none":
		return value.None
	}
	return e.named(name)
}

// named is a function, or what calling it gives.
func (e *expression) named(name string) value.Value {
	fn := e.machine.function(name)
	if e.accept("::") {
		member := e.name()
		c := e.machine.Library.Class(name)
		if c == nil || c.Static(member) == nil {
			e.syntax("no static method " + name + "::" + member)
		}
		fn = value.FromFunction(c.Static(member))
	}
	if !e.accept("(") {
		return fn
	}
	args := e.list(")")
	return e.check(e.machine.Call(fn, args...))
}

func (e *expression) check(v value.Value, err error) value.Value {
	if err != nil {
		panic(failed{err})
	}
	return v
}

func (e *expression) list(end string) (values []value.Value) {
	for !e.accept(end) {
		if len(values) > 0 {
			e.want(",")
		}
		values = append(values, e.value())
	}
	return values
}

func (e *expression) array() value.Value {
	a := value.NewArray(0)
	for first := true; !e.accept("]"); first = false {
		if !first {
			e.want(",")
		}
		v := e.value()
		if e.accept("=>") {
			a.Set(v, e.value())
		} else {
			a.Append(v)
		}
	}
	return value.FromArray(a)
}

func (e *expression) number() value.Value {
	end := strings.IndexFunc(e.rest, func(r rune) bool { return !strings.ContainsRune("+-.0123456789ex", r) })
	if end < 0 {
		end = len(e.rest)
	}
	f, ok := value.ParseNumber(e.rest[:end])
	if !ok {
		e.syntax("want a number")
	}
	e.rest = e.rest[end:]
	return value.Number(f)
}

func (e *expression) name() string {
	e.accept("")
	end := strings.IndexFunc(e.rest, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	if end < 0 {
		end = len(e.rest)
	}
	if end == 0 {
		e.syntax("want a name")
	}
	name := e.rest[:end]
	e.rest = e.rest[end:]
	return name
}

// quoted reads the rest of a string in double quotes.
func (e *expression) quoted() string {
	var b strings.Builder
	for e.rest != "" {
		c := e.rest[0]
		e.rest = e.rest[1:]
		switch c {
		case '"':
			return b.String()
		case '\\':
			b.WriteByte(e.escape())
		default:
			b.WriteByte(c)
		}
	}
	e.syntax("want a closing quote")
	return ""
}

func (e *expression) escape() byte {
	for escape, c := range map[string]byte{"n": '\n', "r": '\r', "t": '\t', "\\": '\\', `"`: '"', "$": '$'} {
		if rest, ok := strings.CutPrefix(e.rest, escape); ok {
			e.rest = rest
			return c
		}
	}
	if len(e.rest) >= 3 && e.rest[0] == 'x' {
		n, err := strconv.ParseUint(e.rest[1:3], 16, 8)
		if err == nil {
			e.rest = e.rest[3:]
			return byte(n)
		}
	}
	e.syntax("want an escape")
	return 0
}
