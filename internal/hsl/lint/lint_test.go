package lint_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/lint"
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

var options = lint.Options{
	Library: value.NewLibrary(stdlib.New(stdlib.Options{}), value.Declarations{
		Builtins: []*value.Builtin{{Name: "Accept", Terminates: true, Func: func(*value.Call) (value.Value, error) { return value.None, nil }}},
	}),
	Loader: files{"lib.hsl": "function f($x) { return $y; }"},
	Phase:  "eod",
	Elsewhere: func(function string) []string {
		if function == "Try" {
			return []string{"predelivery"}
		}
		return nil
	},
}

// files are those that scripts include, by name.
type files map[string]string

func (f files) Load(name, _ string) (*resolve.File, error) {
	if text, ok := f[name]; ok {
		return &resolve.File{ID: name, Text: text}, nil
	}
	return nil, errors.New("no such file")
}

// TestRules meets every rule but the one for warnings that no other knows.
func TestRules(t *testing.T) {
	seen := map[string]bool{"warning": true}
	for _, tt := range []struct{ text, want string }{
		{"Accept();", ""},
		{"echo 1 +;", "syntax 1:9"},
		{"echo nothing();", "unknown-function 1:6"},
		{"import { g } from \"lib.hsl\";", "unknown-function 1:10"},
		{"Try();", "phase-function 1:1"},
		{"\nlength();", "argument-count 2:1"},
		{"length(1, 2);", "argument-count 1:1"},
		{"function f($a) {} f();", "argument-count 1:19"},
		{"include \"missing.hsl\";", "missing-file 1:1"},
		{"echo $x;", "undeclared-variable 1:6"},
		{"Accept(); echo 1;", "unreachable-code 1:11"},
		{"function length($x) { return 0; } echo length(1);", "shadowed-builtin 1:10"},
		{"class Exception {}", "shadowed-builtin 1:1"},
		{"import { f as length } from \"lib.hsl\"; echo length(1);", "undeclared-variable 1:25, shadowed-builtin 1:10"}, // lib.hsl comes first
		{"nothing();\nlength();", "unknown-function 1:1, argument-count 2:1"},
	} {
		var got []string
		for _, f := range lint.Check("t.hsl", tt.text, options) {
			_, place, _ := strings.Cut(f.Position.String(), ":")
			got = append(got, f.Rule.ID+" "+place)
			seen[f.Rule.ID] = true
		}
		if strings.Join(got, ", ") != tt.want {
			t.Errorf("%s\nfinds %s\nwant  %s", tt.text, strings.Join(got, ", "), tt.want)
		}
	}
	for _, r := range lint.Rules {
		if !seen[r.ID] {
			t.Errorf("rule %s is never met", r.ID)
		}
	}
}

func TestText(t *testing.T) {
	var b strings.Builder
	findings := append(lint.Check("a.hsl", "Try();", options), lint.Check("b.hsl", "Accept();\necho 1;", options)...)
	if err := lint.Text(&b, findings); err != nil {
		t.Fatal(err)
	}
	want := `a.hsl:1:1: error: function Try does not exist in phase eod, but in predelivery [phase-function]
    Try();
    ^
b.hsl:2:1: warning: this is never reached [unreachable-code]
    echo 1;
    ^
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestJSON(t *testing.T) {
	var b strings.Builder
	if err := lint.JSON(&b, lint.Check("a.hsl", "Try();", options)); err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0]["file"] != "a.hsl" || got[0]["line"] != 1.0 || got[0]["rule"] != "phase-function" || got[0]["severity"] != "error" {
		t.Errorf("got %s", b.String())
	}
	b.Reset()
	if err := lint.JSON(&b, []lint.Finding{}); err != nil || b.String() != "[]\n" {
		t.Errorf("nothing found is %s, %v", b.String(), err)
	}
}

func TestSARIF(t *testing.T) {
	var b strings.Builder
	if err := lint.SARIF(&b, lint.Check("a.hsl", "Try();", options), "1.0"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"version": "2.1.0"`, `"ruleId": "phase-function"`, `"level": "error"`, `"uri": "a.hsl"`, `"startLine": 1`, `"id": "unreachable-code"`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
}

func TestDocument(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"version: '6.0'\nphase: eod\ndata: 'Accept();'\nplugins: []", ""},
		{"phase: eod\ndata: |\n  echo 1;\n  include \"a.hsl\";", "\"file\": \"hook:\",\n  \"line\": 2,"},
		{"phase: predelivery\ndata: 'nothing();'", `"file": "predelivery:"`},
	} {
		d, err := lint.ReadDocument(strings.NewReader(tt.text))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		fine, err := d.Check(&b, options.Library, options.Loader)
		if err != nil || fine != (tt.want == "") || !strings.Contains(b.String(), tt.want) || fine != (b.Len() == 0) {
			t.Errorf("%s\nis %v, %v, and answered with %s", tt.text, fine, err, b.String())
		}
	}
	d, err := lint.ReadDocument(strings.NewReader("files: [{id: a, data: eA==, binary: true}, {id: b, data: y}]"))
	if err != nil {
		t.Fatal(err)
	}
	contents, err := d.Contents()
	if err != nil || string(contents["a"]) != "x" || string(contents["b"]) != "y" {
		t.Errorf("files are %q, %v", contents, err)
	}
	for _, text := range []string{"data: [", "files: [{id: a, data: '!', binary: true}]"} {
		d, err := lint.ReadDocument(strings.NewReader(text))
		if err == nil {
			_, err = d.Contents()
		}
		if err == nil {
			t.Errorf("%q is no mistake", text)
		}
	}
}
