package unittest

import (
	"slices"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// library returns what test files find: the standard library and the functions of
// all phases, all of which can be faked, and the functions for tests.
func (f *file) library() *value.Library {
	phase, _ := f.phase("")
	return f.faked(phase, Builtins())
}

func (f *file) phase(name string) (*value.Library, bool) {
	if f.options.Phase == nil {
		return nil, name == ""
	}
	return f.options.Phase(name)
}

// faked returns the standard library with what phase adds, which may be nil. All
// functions look for their fakes; those of the phase note that they were called.
func (f *file) faked(phase *value.Library, more []*value.Builtin) *value.Library {
	var d value.Declarations
	for b := range f.options.Library.Builtins() {
		d.Builtins = append(d.Builtins, fakeable(b))
	}
	for _, b := range resolving {
		if f.options.Library.Builtin(b.Name) == nil {
			d.Builtins = append(d.Builtins, fakeable(b))
		}
	}
	if phase != nil {
		for b := range phase.Builtins() {
			d.Builtins = append(d.Builtins, fakeable(noted(b)))
		}
		d.Classes = slices.Collect(phase.Classes())
		d.Variables = slices.Collect(phase.Variables())
	}
	d.Builtins = append(d.Builtins, more...)
	return value.NewLibrary(f.options.Library, d)
}

// networked are the functions that tests must not call unless they fake them:
// what they return is not the same tomorrow.
var networked = []string{"dns_query", "spf_query", "http", "smtp_lookup_rcpt", "smtp_lookup_auth"}

// resolving are functions that the library may lack, for they are only ever
// faked.
var resolving = []*value.Builtin{
	declare.Function("dns_query(string host, [array options]) array", "Asks the DNS.", "", unanswered),
	declare.Function("spf_query(string ip, string helo, string sender, [array options]) array", "Asks the DNS who may send.", "", unanswered),
}

func unanswered(*value.Call) (value.Value, error) { return value.None, nil }

// fakeable returns the builtin with a look for its fake before it is called.
func fakeable(b *value.Builtin) *value.Builtin {
	original := b.Func
	with := *b
	with.Func = func(c *value.Call) (value.Value, error) {
		fake, ok := hostOf(c).fakes[b.Name]
		switch {
		case ok && fake.IsFunction():
			return c.Call(fake, slices.Clone(c.Args[:c.Given])...)
		case ok:
			fake.Retain()
			return fake, nil
		case slices.Contains(networked, b.Name):
			return value.None, value.Errorf("%s is not faked, and tests do not use the network: call fake(%q, …) first", b.Name, b.Name)
		}
		return original(c)
	}
	return &with
}

// noted returns a function of a phase that notes its call and ends the script if
// the function does.
func noted(b *value.Builtin) *value.Builtin {
	with := *b
	with.Func = func(c *value.Call) (value.Value, error) {
		if b.Terminates {
			arguments := value.List(slices.Clone(c.Args[:c.Given])...)
			return value.None, &value.Exit{Name: b.Name, Outcome: value.FromArray(arguments)}
		}
		hostOf(c).note(b.Name, c)
		return value.None, nil
	}
	return &with
}

func hostOf(c *value.Call) *run { return c.Host.(*run) }

// Builtins returns the functions that only test files have.
func Builtins() []*value.Builtin {
	f := declare.Function
	return []*value.Builtin{
		f("test(string name, function body)", "Declares a test, which fails if an assertion in it fails or nobody catches an exception.",
			`test("one and one", function () { assert_equal(1 + 1, 2); });`, declareTest),
		f("assert_true(any condition, [string message])", "Fails unless the condition is true.", `assert_true(length("ab") == 2);`, assertTrue),
		f("assert_equal(any got, any want, [string message])", "Fails unless both are identical, as === tells, and shows the difference.",
			`assert_equal([1, 2], [1, 2]);`, assertEqual),
		f("assert_contains(string or array got, any part, [string message])", "Fails unless a string has the part in it, or an array the value.",
			`assert_contains("hello world", "world");`, assertContains),
		f("assert_throws(function body, [string part]) any", "Calls a function and fails unless it throws something whose message has the part in it. Returns what was thrown.",
			`assert_throws(function () { throw "no such user"; }, "such");`, assertThrows),
		f("fail(string message)", "Fails.", `if (1 > 2) fail("numbers are broken");`, func(c *value.Call) (value.Value, error) {
			return fail(c, c.Str(0))
		}),
		f("skip(string reason)", "Ends the test, which neither passes nor fails.", `skip("needs a license");`, func(c *value.Call) (value.Value, error) {
			return value.None, &value.Exit{Name: "skip", Outcome: &verdict{skip: true, message: c.Str(0)}}
		}),
		f("fake(string function, any replacement)", "Replaces a builtin until the test ends, in all scripts that the test calls: a function is called in its place, every other value is what it returns. "+
			"A method is named \"MIME->send\", or \"send\" in all classes.",
			`fake("time", 86400); assert_equal(time(), 86400);`, fake),
		f("outcome(function body) array", "Calls a function that may end the script, as Accept and Reject do, and returns what came of it, as run_hook does.",
			`assert_equal(outcome(function () { return 1; })["action"], none);`, outcome),
		f("run_hook(string phase, string path, [array variables]) array",
			"Runs a script as the hook of a phase, with predeclared variables by their names without dollar sign. "+
				"Returns an array: action (the function that ended the script, none if it reached its end), arguments (of that function), "+
				"calls (of other functions of the phase: a list of arrays with function and arguments), echo (a list), context (the value of $context in the end), "+
				"error (message of an exception that was not caught, otherwise none).",
			"", runHook),
	}
}

func declareTest(c *value.Call) (value.Value, error) {
	r := hostOf(c)
	r.names = append(r.names, c.Str(0))
	if len(r.names)-1 != r.want {
		return value.None, nil
	}
	_, err := c.Call(c.Args[1])
	return value.None, err
}

func fake(c *value.Call) (value.Value, error) {
	name := c.Str(0)
	if c.Library.Builtin(name) == nil && !hasMethod(c.Library, name) {
		return value.None, value.Errorf("fake: there is no builtin %s", name)
	}
	replacement := c.Args[1]
	replacement.Retain()
	hostOf(c).fakes[name] = replacement
	return value.None, nil
}
