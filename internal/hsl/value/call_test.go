package value

import (
	"strings"
	"testing"
)

// sample has a parameter of each sort.
var sample = &Builtin{
	Name: "sample",
	Params: []Param{
		{Name: "text", Type: StringType},
		{Name: "count", Type: NumberType, Optional: true, Default: Int(7)},
		{Name: "flag", Type: BooleanType, Optional: true},
		{Name: "options", Type: ArrayType, Optional: true, Options: []Option{
			{Name: "depth", Type: NumberType, Default: Int(3)},
			{Name: "strict", Type: BooleanType, Default: True},
			{Name: "label", Type: StringType},
		}},
	},
	Returns: NumberType,
}

func TestBind(t *testing.T) {
	list := FromArray(List())
	for _, c := range []struct {
		args []Value
		want string // arguments as they arrive, or a part of the error
	}{
		{[]Value{String("a")}, "a|7||"},
		{[]Value{Int(5), String("12"), Int(1), list}, "5|12|true|[]"},
		{[]Value{True, True}, "true|1||"},
		{[]Value{None, None, None, None}, "|7||"},
		{[]Value{}, "sample: 1 too few: want 1 to 4, got 0"},
		{[]Value{None, None, None, None, None}, "sample: too many arguments: want 1 to 4, got 5"},
		{[]Value{list}, "sample: argument 1 (text): want string, got array"},
		{[]Value{String("a"), String("x")}, "sample: argument 2 (count): want number, got string"},
		{[]Value{String("a"), Int(1), NewException("", Place{})}, "want boolean, got Exception"},
	} {
		call := Call{Builtin: sample}
		_, err := call.Bind(append(make([]Value, 0, 8), c.args...))
		var got []string
		for _, v := range call.Args {
			got = append(got, v.Text())
		}
		text := strings.Join(got, "|")
		if err != nil {
			text = err.Error()
		}
		if !strings.Contains(text, c.want) {
			t.Errorf("Bind(%s) = %q, want %q", FromArray(List(c.args...)).Text(), text, c.want)
		}
	}
}

// TestBindNone: none goes to where it can: through the function, or as "".
func TestBindNone(t *testing.T) {
	number := []Param{{Name: "n", Type: NumberType}}
	for _, c := range []struct {
		returns Type
		done    bool
		err     string
	}{
		{NumberType, false, "want number, got none"},
		{NumberType | NoneType, true, ""},
		{NoneType, false, "want number, got none"},
	} {
		call := Call{Builtin: &Builtin{Name: "f", Params: number, Returns: c.returns}}
		done, err := call.Bind([]Value{None})
		if done != c.done || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("returning %s: %v, %v", c.returns, done, err)
		}
	}
}

func TestClassParameters(t *testing.T) {
	b := &Builtin{Name: "f", Params: []Param{{Name: "o", Type: ObjectType | ResourceType | StringType, Class: "File,Exception"}}}
	for v, want := range map[*Value]bool{ptr(NewException("", Place{})): true, ptr(String("s")): true, ptr(FromObject((&Class{Name: "Other"}).New(nil))): false} {
		call := Call{Builtin: b}
		if _, err := call.Bind([]Value{*v}); (err == nil) != want {
			t.Errorf("%s: %v", v.Text(), err)
		}
	}
	if got := b.String(); got != "f(File or Exception or string o)" {
		t.Error(got)
	}
}

func ptr(v Value) *Value { return &v }

func TestVariadic(t *testing.T) {
	b := &Builtin{Name: "f", Params: []Param{{Name: "a", Type: AnyType}, {Name: "rest", Type: NumberType, Variadic: true}}}
	call := Call{Builtin: b}
	if _, err := call.Bind([]Value{None, Int(1), String("2"), True}); err != nil || len(call.Args) != 4 || call.Args[2].Float() != 2 {
		t.Errorf("%v, %v", call.Args, err)
	}
	if _, err := call.Bind([]Value{None, Int(1), String("x")}); err == nil {
		t.Error("a text passes for a number")
	}
	if least, most := b.Arity(); least != 1 || most != -1 || b.String() != "f(any a, ...number rest)" {
		t.Error(least, most, b)
	}
	if _, err := call.Bind(nil); err == nil || !strings.Contains(err.Error(), "want at least 1") {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	call := Call{Builtin: sample}
	given := Map("depth", String("9"), "unknown", Int(1), "strict", None, "label", Int(5))
	if _, err := call.Bind(append(make([]Value, 0, 8), String(""), None, None, FromArray(given))); err != nil {
		t.Fatal(err)
	}
	o := call.Options(3)
	if o.Int("depth") != 9 || o.Num("depth") != 9 || !o.Bool("strict") || o.Str("label") != "5" || o.Has("strict") || !o.Has("depth") || o.Array("label") != nil {
		t.Error("options come out wrong")
	}
	if call.Has(1) || !call.Has(3) || call.Int(1) != 7 || call.Str(0) != "" || call.Bool(2) || call.Array(3) != given {
		t.Error("arguments come out wrong")
	}
	if _, err := call.Bind(append(make([]Value, 0, 8), String(""), None, None, FromArray(Map("depth", String("deep"))))); err == nil ||
		err.Error() != "sample: option depth: want number, got string" {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("an option that is not declared can be read")
		}
	}()
	o.Get("nothing")
}

func TestSignature(t *testing.T) {
	if got := sample.String(); got != "sample(string text, [number count = 7], [boolean flag], [array options])" {
		t.Error(got)
	}
	for want, typ := range map[string]Type{
		"any": AnyType, "string or none": StringType | NoneType, "string, number or array": StringType | NumberType | ArrayType, "": 0,
	} {
		if got := typ.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestLibrary(t *testing.T) {
	f, g := &Builtin{Name: "f"}, &Builtin{Name: "f"}
	below := NewLibrary(nil, Declarations{Builtins: []*Builtin{f, {Name: "h"}}, Classes: []*Class{ExceptionClass}, Variables: []*Variable{{Name: "v"}}})
	l := NewLibrary(below, Declarations{Builtins: []*Builtin{g}})
	if l.Builtin("f") != g || l.Builtin("h") == nil || l.Builtin("x") != nil || l.Class("Exception") != ExceptionClass || l.Variable("v") == nil {
		t.Error("names are not found where they are")
	}
	if first := l.Function("f"); first != l.Function("f") || l.Function("Exception").Class != ExceptionClass || l.Function("f").Name() != "f" {
		t.Error("functions are not always the same")
	}
	var names []string
	for b := range l.Builtins() {
		names = append(names, b.Name)
	}
	for c := range l.Classes() {
		names = append(names, c.Name)
	}
	for v := range l.Variables() {
		names = append(names, v.Name)
	}
	if got := strings.Join(names, " "); got != "f h Exception v" {
		t.Error(got)
	}
	if _, err := l.Pattern("a", ""); err == nil {
		t.Error("patterns without an engine")
	}
}

func TestSplitPattern(t *testing.T) {
	for text, want := range map[string][2]string{
		"a": {"a", ""}, "/a/i": {"a", "i"}, "/a/b/ix": {"a/b", "ix"}, "/a/q": {"/a/q", ""}, "/": {"/", ""}, "//": {"", ""}, "/i": {"/i", ""}, "": {"", ""}, "a/i": {"a/i", ""},
	} {
		if p, m := SplitPattern(text); p != want[0] || m != want[1] {
			t.Errorf("SplitPattern(%q) = %q, %q", text, p, m)
		}
	}
}
