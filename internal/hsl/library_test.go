package hsl_test

import (
	"regexp"
	"strings"
	"sync"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// testLibrary is the standard library with what the tests of the language need
// besides.
var testLibrary = value.NewLibrary(stdlib.New(stdlib.Options{}), value.Declarations{
	Builtins: []*value.Builtin{
		{
			Name: "Finish", Terminates: true, Doc: "Ends the script.",
			Params: []value.Param{{Name: "outcome", Type: value.AnyType, Optional: true}},
			Func: func(c *value.Call) (value.Value, error) {
				return value.None, &value.Exit{Name: "Finish", Outcome: c.Args[0]}
			},
		},
		{
			Name: "block", Doc: "Waits until the script is cancelled.",
			Func: func(c *value.Call) (value.Value, error) {
				<-c.Context().Done()
				return value.None, c.Interrupted(c.Context().Err())
			},
		},
		{
			Name: "panics", Doc: "Is broken.",
			Func: func(c *value.Call) (value.Value, error) { panic("broken builtin") },
		},
		{
			Name: "share", Doc: "Leaves a value in shared memory.",
			Params: []value.Param{{Name: "key", Type: value.StringType}, {Name: "value", Type: value.AnyType}},
			Func: func(c *value.Call) (value.Value, error) {
				return value.None, c.Shared().Memory.Store(c.Thread, c.Str(0), c.Args[1])
			},
		},
		{
			Name: "shared", Doc: "Reads shared memory.", Returns: value.AnyType,
			Params: []value.Param{{Name: "key", Type: value.StringType}},
			Func: func(c *value.Call) (value.Value, error) {
				v, _ := c.Shared().Memory.Load(c.Str(0))
				return v, nil
			},
		},
	},
	Classes: []*value.Class{tallyClass},
	Variables: []*value.Variable{
		{Name: "arguments", ReadOnly: true, Type: value.ArrayType, Doc: "What the script is given."},
		{Name: "context", Type: value.AnyType, Doc: "What it leaves to the next."},
	},
	Loaders: map[string]value.DataLoader{
		"txt": func(name string, data []byte, options *value.Array) (value.Data, error) {
			if lines, _ := options.GetString("array"); lines.Truth() {
				list := strings.Split(strings.TrimSpace(string(data)), "\n")
				return value.Data{Value: value.FromArray(value.Strings(list))}, nil
			}
			return value.Data{Value: value.Bytes(data)}, nil
		},
		"fresh": func(name string, data []byte, options *value.Array) (value.Data, error) {
			return value.Data{Fresh: func() (value.Value, error) { return value.NewException(string(data), value.Place{}), nil }}, nil
		},
	},
	Pattern: func(pattern, modifiers string) (value.Pattern, error) {
		flags := ""
		for _, m := range modifiers {
			if strings.ContainsRune("imsU", m) {
				flags += string(m)
			}
		}
		if flags != "" {
			pattern = "(?" + flags + ")" + pattern
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, err
		}
		return goPattern{re}, nil
	},
})

// tally is a class of Go: it counts, has properties, and iterates over what it
// was given.
type tally struct {
	total float64
	at    int

	mu     sync.Mutex // whoever counts memory looks at the values at any time
	values []value.Value
}

var tallyClass = &value.Class{Name: "Tally", Doc: "Adds up."}

func init() {
	add := func(c *value.Call) (value.Value, error) {
		t := c.This.Native.(*tally)
		t.total += c.Num(0)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.values = append(t.values, c.Args[0])
		return value.FromObject(c.This), nil
	}
	tallyClass.Constructor = &value.Builtin{
		Name: "Tally", Doc: "Begins at a number.", Params: []value.Param{{Name: "start", Type: value.NumberType, Optional: true}},
		Returns: value.ObjectType | value.NoneType, ReturnsClass: "Tally",
		Func: func(c *value.Call) (value.Value, error) {
			if c.Num(0) < 0 {
				return value.None, nil
			}
			return value.FromObject(tallyClass.New(&tally{total: c.Num(0)})), nil
		},
	}
	tallyClass.Methods = []*value.Builtin{
		{Name: "add", Params: []value.Param{{Name: "n", Type: value.NumberType}}, Returns: value.ObjectType, Doc: "Adds a number.", Func: add},
		{
			Name: "total", Returns: value.NumberType, Doc: "Returns the sum.",
			Func: func(c *value.Call) (value.Value, error) { return value.Number(c.This.Native.(*tally).total), nil },
		},
		{
			Name: "apply", Params: []value.Param{{Name: "f", Type: value.FunctionType}}, Returns: value.AnyType, Doc: "Calls back.",
			Func: func(c *value.Call) (value.Value, error) {
				return c.Call(c.Args[0], value.Number(c.This.Native.(*tally).total))
			},
		},
	}
	tallyClass.Statics = []*value.Builtin{{
		Name: "of", Params: []value.Param{{Name: "numbers", Type: value.NumberType, Variadic: true}}, Returns: value.ObjectType, Doc: "Makes one of numbers.",
		Func: func(c *value.Call) (value.Value, error) {
			t := &tally{}
			for i := range c.Args {
				t.total += c.Num(i)
				t.values = append(t.values, c.Args[i])
			}
			return value.FromObject(tallyClass.New(t)), nil
		},
	}}
}

func (t *tally) GetProperty(name string) (value.Value, bool) {
	if name != "count" {
		return value.None, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return value.Int(len(t.values)), true
}

func (t *tally) SetProperty(name string, v value.Value) error {
	if name != "offset" {
		return value.Errorf("no property %s", name)
	}
	t.total += v.ToNumber()
	return nil
}

func (t *tally) Next(*value.Thread) (key, v value.Value, ok bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at == len(t.values) {
		return value.None, value.None, false, nil
	}
	t.at++
	return value.Int(t.at - 1), t.values[t.at-1], true, nil
}

func (t *tally) EachValue(f func(value.Value) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, v := range t.values {
		if err := f(v); err != nil {
			return err
		}
	}
	return nil
}

// goPattern is a pattern of Go's.
type goPattern struct{ *regexp.Regexp }

func (goPattern) ResourceKind() string { return "Regex" }

func (p goPattern) Match(t *value.Thread, subject string) (bool, error) {
	return p.MatchString(subject), t.Step(len(subject))
}

func testVariables() map[string]value.Value {
	return map[string]value.Value{
		"arguments": value.FromArray(value.Map("name", value.String("joe"), "n", value.Int(3))),
	}
}
