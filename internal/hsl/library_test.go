package hsl_test

import (
	"regexp"
	"strings"

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
				return value.None, c.Shared().Memory.Store(c.Str(0), c.Args[1])
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
