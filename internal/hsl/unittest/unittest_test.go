package unittest_test

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/unittest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// files are those that tests import, by name.
type files map[string]string

func (f files) Load(name, _ string) (*resolve.File, error) {
	if text, ok := f[strings.TrimPrefix(name, "./")]; ok {
		return &resolve.File{ID: strings.TrimPrefix(name, "./"), Text: text}, nil
	}
	return nil, errors.New("no such file")
}

// eod is a phase whose functions cannot be called outside a mail server.
var eod = value.NewLibrary(nil, value.Declarations{
	Builtins: []*value.Builtin{
		{Name: "Accept", Terminates: true, Params: []value.Param{{Name: "options", Type: value.ArrayType, Optional: true}}, Func: needsServer},
		{Name: "Queue", Params: []value.Param{{Name: "to", Type: value.StringType}}, Func: needsServer},
	},
	Variables: []*value.Variable{{Name: "arguments", ReadOnly: true, Type: value.ArrayType}, {Name: "context", Type: value.AnyType}},
})

func needsServer(*value.Call) (value.Value, error) { panic("there is no server") }

func options(loader resolve.Loader) unittest.Options {
	return unittest.Options{
		Library: stdlib.New(stdlib.Options{}), Loader: loader, Timeout: 5 * time.Second,
		Phase: func(name string) (*value.Library, bool) { return eod, name == "" || name == "eod" },
	}
}

// run returns the results of a test file.
func run(t *testing.T, text string, o unittest.Options) []unittest.Result {
	t.Helper()
	var results []unittest.Result
	unittest.File(t.Context(), "my_test.hsl", text, o, func(r unittest.Result) { results = append(results, r) })
	return results
}

var loader = files{
	"lib.hsl":  `$calls = 0; function spam($ip) { global $calls; $calls += 1; return !isset(dns_query(inet_reverse($ip)["reverse"] ?? $ip)["error"]); } function decide() { Accept(["reason" => "ok"]); }`,
	"hook.hsl": `$context = ["seen" => $arguments["helo"]]; Queue("joe"); echo "queued"; Accept();`,
	"bad.hsl":  `throw "no";`,
	"open.hsl": `echo 1 + ;`,
}

// TestPass runs bodies of tests that pass.
func TestPass(t *testing.T) {
	for name, body := range map[string]string{
		"assert":             `assert_true(1); assert_equal([1, "a" => [none]], [1, "a" => [none]]); assert_contains("abc", "b"); assert_contains([1, 2], 2);`,
		"throws":             `assert_equal(assert_throws(function () { throw "no such thing"; }, "such"), "no such thing"); assert_throws(function () { none->x(); }, "none");`,
		"fake value":         `fake("time", 5); assert_equal(time(), 5);`,
		"fake function":      `fake("dns_query", function ($host, $options = []) { return $host == "x" ? ["result" => ["1"]] : ["error" => "NXDOMAIN"]; }); assert_true(spam("x")); assert_true(!spam("y"));`,
		"module":             `assert_equal($calls, 0);`,
		"call no faked":      `assert_throws(function () { http("http://127.0.0.1/"); }, "not faked");`,
		"outcome":            `assert_equal(outcome(function () { decide(); }), ["action" => "Accept", "arguments" => [["reason" => "ok"]], "calls" => [], "echo" => [], "context" => none, "error" => none]);`,
		"outcome throws":     `assert_contains(outcome(function () { throw "x"; })["error"], "x");`,
		"outcome of nothing": `$o = outcome(function () { echo "hi"; }); assert_equal([$o["action"], $o["echo"]], [none, ["hi"]]);`,
		"hook":               `$o = run_hook("eod", "./hook.hsl", ["arguments" => ["helo" => "h"]]); assert_equal($o, ["action" => "Accept", "arguments" => [], "calls" => [["function" => "Queue", "arguments" => ["joe"]]], "echo" => ["queued"], "context" => ["seen" => "h"], "error" => none]);`,
		"hook throws":        `assert_contains(run_hook("eod", "bad.hsl")["error"], "no");`,
		"memory":             `assert_equal(memory_fetch("k"), none); memory_store("k", 1);`,
	} {
		for range 2 { // nothing is left behind
			for _, r := range run(t, `import { spam, decide, $calls } from "lib.hsl"; test("x", function () closure ($calls) {`+body+`});`, options(loader)) {
				if r.Status != unittest.Passed {
					t.Errorf("%s: %s: %s", name, r.Status, r.Detail)
				}
			}
		}
	}
}

// TestFail runs bodies of tests that fail, each with a part of what is said.
func TestFail(t *testing.T) {
	for _, tt := range []struct{ body, want string }{
		{`assert_true(false);`, "my_test.hsl:2:1: the condition is false"},
		{`assert_true(1 > 2, "order");`, "order: the condition is false"},
		{`assert_equal(1, "1");`, `got 1, want "1"`},
		{`assert_equal(["a" => 1, "b" => 2], ["a" => 1, "b" => 3]);`, "  [\n    \"a\" => 1,\n-   \"b\" => 3,\n+   \"b\" => 2,\n  ]"},
		{`assert_contains("abc", "x");`, `"x" is not in "abc"`},
		{`assert_throws(function () {});`, "nothing was thrown"},
		{`assert_throws(function () { throw "a"; }, "b");`, `has no "b"`},
		{`fail("broken");`, "my_test.hsl:2:1: broken"},
		{`none->x();`, "call of method x on none"},
		{`try { assert_true(false); } catch ($e) { }`, "the condition is false"},
		{`outcome(function () { assert_true(false); });`, "the condition is false"},
		{`Accept();`, "Accept() ended the test"},
		{`dns_query("x");`, "dns_query is not faked"},
		{`fake("nothing", 1);`, "there is no builtin nothing"},
		{`run_hook("nonsense", "hook.hsl");`, "the name of a phase"},
		{`run_hook("eod", "missing.hsl");`, "no such file"},
		{`run_hook("eod", "open.hsl");`, "want operand"},
		{`run_hook("eod", "hook.hsl", ["nonsense" => 1]);`, "no variable $nonsense"},
	} {
		results := run(t, "test(\"x\", function () {\n"+tt.body+"\n});", options(loader))
		if len(results) != 1 || results[0].Status != unittest.Failed || !strings.Contains(results[0].Detail, tt.want) {
			t.Errorf("%s: %+v", tt.body, results)
		}
	}
}

func TestFile(t *testing.T) {
	const text = `
$state = 0;
test("first", function () { global $state; $state += 1; assert_equal($state, 1); fake("time", 1); echo "hello"; });
test("second", function () { global $state; $state += 1; assert_equal($state, 1); assert_true(time() > 1); });
test("later", function () { skip("not yet"); });`
	results := run(t, text, options(nil))
	var got []string
	for _, r := range results {
		got = append(got, string(r.Status)+" "+r.Name+" "+r.Detail)
	}
	if want := "ok first |ok second |skip later not yet"; strings.Join(got, "|") != want {
		t.Errorf("got %s, want %s", strings.Join(got, "|"), want)
	}
	if len(results[0].Echo) != 1 || results[0].Echo[0] != "hello" {
		t.Errorf("echoed %q", results[0].Echo)
	}
	o := options(nil)
	o.Only = regexp.MustCompile("sec")
	if results := run(t, text, o); len(results) != 1 || results[0].Name != "second" {
		t.Errorf("one of them is %+v", results)
	}
	o.Timeout = 10 * time.Millisecond
	o.Only = nil
	if results := run(t, `test("x", function () { forever {} });`, o); len(results) != 1 || !strings.Contains(results[0].Detail, "time limit") {
		t.Errorf("a test without end is %+v", results)
	}
	for _, text := range []string{"echo 1 + ;", "throw 1;", "test();"} {
		if results := run(t, text, o); len(results) != 1 || results[0].Status != unittest.Failed || results[0].Name != "" {
			t.Errorf("%s is %+v", text, results)
		}
	}
}

// TestExamples runs the examples of the functions as tests.
func TestExamples(t *testing.T) {
	for _, b := range unittest.Builtins() {
		text := b.Example
		if b.Name != "test" {
			text = `test("x", function () {` + text + `});`
		}
		for _, r := range run(t, text, options(nil)) {
			if r.Status == unittest.Failed {
				t.Errorf("%s: %s", b.Name, r.Detail)
			}
		}
	}
}

func TestDiff(t *testing.T) {
	for _, tt := range []struct{ a, b, want string }{
		{"a", "b", "- a\n+ b"},
		{"1\n2\n3\n4\n5\n6", "1\n2\n3\n4\nx\n6", "  2\n  3\n  4\n- 5\n+ x\n  6"},
		{"a\nb\nc", "a\nc", "  a\n- b\n  c"},
		{"a\nc\ne", "a\nb\nc\nd\ne", "  a\n+ b\n  c\n+ d\n  e"},
	} {
		if got := unittest.Diff(tt.a, tt.b); got != tt.want {
			t.Errorf("Diff(%q, %q) is\n%s\nwant\n%s", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestReports(t *testing.T) {
	results := []unittest.Result{
		{File: "a_test.hsl", Name: "x", Status: unittest.Passed, Duration: time.Millisecond},
		{File: "a_test.hsl", Name: "y & z", Status: unittest.Failed, Detail: "a_test.hsl:1:2: bad\nmore", Echo: []string{"said"}},
		{File: "b_test.hsl", Name: "w", Status: unittest.Skipped, Detail: "why"},
	}
	var b strings.Builder
	for _, r := range results {
		if err := unittest.Text(&b, r, false); err != nil {
			t.Fatal(err)
		}
	}
	want := "FAIL  a_test.hsl: y & z (0s)\n      a_test.hsl:1:2: bad\n      more\n      echo: said\nskip  b_test.hsl: w (0s)\n      why\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	if err := unittest.JUnit(&b, results); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<testsuites tests="3" failures="1" skipped="1"`, `<testsuite name="a_test.hsl" tests="2" failures="1" skipped="0"`,
		`<testcase name="y &amp; z" classname="a_test.hsl"`, `<failure message="a_test.hsl:1:2: bad">`, `<skipped message="why">`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
	for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
