package shell_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/shell"
)

// step is one input of a session and what is shown for it: what it echoes, then
// its value or error.
type step struct{ input, want string }

func TestSession(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"lib.hsl":    "function twice($n) { return 2 * $n; }\n$loaded = 1;\nimport { one } from \"./module.hsl\";",
		"module.hsl": "$state = 5; function one() { return 1; }",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for name, steps := range map[string][]step{
		"variables": {
			{"$x = 2;", ""},
			{"$x + 1;", "3"},
			{"$y = $x; $y++; $y;", "3"},
			{"unset($x);", ""},
			{"$x;", "input 5:1:1: undefined variable $x\n    $x;\n    ^"},
			{"$list[] = 1; $list[] = \"b\"; $list;", `[0=>1,1=>"b"]`},
			{`"a" . "$y";`, `"a3"`},
			{"none;", ""},
		},
		"functions": {
			{"function f($n) { return g($n) + 1; }", "input 1:1:25: unknown function g\n    function f($n) { return g($n) + 1; }\n                            ^"},
			{"function g($n) { return $n; } function f($n) { return g($n) + 1; }", ""},
			{"f(1);", "2"},
			{"function g($n) { return $n * 10; }", ""},
			{"f(1);", "11"},
			{"function count() { global $n; $n = ($n ?? 0) + 1; return $n; }", ""},
			{"count(); count();", "2"},
			{"$n;", "2"},
		},
		"classes": {
			{"class Box { private $x = 0; function put($x) { $this->x = $x; return $this; } function get() { return $this->x; } }", ""},
			{"$b = Box()->put(7);", ""},
			{"$b->get();", "7"},
		},
		"errors": {
			{"$a = 1; $b = $a->x->y(); 5;", "input 1:1:21: call of method y on none\n"},
			{"throw \"oops\";", "input 2:1:1: oops\n    throw \"oops\";\n    ^"},
			{"$a;", "1"},
			{"1 + nothing();", "input 4:1:5: unknown function nothing\n    1 + nothing();\n        ^"},
		},
		"files": {
			{`include "lib.hsl";`, ""},
			{"twice($loaded) + one();", "3"},
			{`import { $state } from "./module.hsl";`, ""},
			{"$state;", "5"},
			{`import * as m from "module.hsl";`, ""},
			{"m::one();", "1"},
		},
		"echo": {{`echo "x"; 1;`, "x\n1"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			s := shell.NewSession(shell.Options{Library: library, Loader: &shell.Files{}, Output: &out})
			for _, step := range steps {
				out.Reset()
				v, err := s.Eval(t.Context(), step.input)
				if err != nil {
					out.WriteString(shell.Detail(err))
				} else if v.IsSet() {
					out.WriteString(shell.Show(v))
				}
				if got := out.String(); got != step.want && (err == nil || !strings.HasPrefix(got, step.want) || step.want == "") {
					t.Errorf("%s\nshows %s\nwant  %s", step.input, got, step.want)
				}
			}
		})
	}
}

func TestJudge(t *testing.T) {
	for input, want := range map[string]shell.State{
		"1;": shell.Complete, "1": shell.Unended, "$x = 2": shell.Unended, "1 // one": shell.Unended,
		"function f() {": shell.Incomplete, "f(1,": shell.Incomplete, "[1, 2": shell.Incomplete, "\"abc": shell.Incomplete,
		"''abc": shell.Incomplete, "/* x": shell.Incomplete, "if ($x) {\n  echo 1;": shell.Incomplete, "1 +": shell.Incomplete,
		"1 + ;": shell.Complete, "}": shell.Complete, "": shell.Complete, "if (1)": shell.Incomplete, "if (1) { }": shell.Complete,
	} {
		if got := shell.Judge(input); got != want {
			t.Errorf("Judge(%q) is %d, want %d", input, got, want)
		}
	}
}

func TestComplete(t *testing.T) {
	s := shell.NewSession(shell.Options{Library: library, Output: io.Discard})
	for _, input := range []string{"$subject = 1; $sub = 2;", "function str_mine() {}", "class Box { function put() {} private function hide() {} }"} {
		if _, err := s.Eval(t.Context(), input); err != nil {
			t.Fatal(err)
		}
	}
	for line, want := range map[string]string{
		"echo $su": "sub subject", "str_min": "str_mine", "fore": "foreach forever", "$x->put": "put", "$x->hid": "", "echo ": "",
	} {
		got, start := s.Complete(line)
		if strings.Join(got, " ") != want || !strings.HasPrefix(strings.Join(got, " "), line[start:]) && len(got) > 0 {
			t.Errorf("Complete(%q) is %q from %d, want %q", line, got, start, want)
		}
	}
	if got, _ := s.Complete("str_"); !slices.Contains(got, "str_chunk") {
		t.Errorf("functions of the library are not completed: %q", got)
	}
}

// terminal is what a user types and sees.
type terminal struct {
	io.Reader
	io.Writer
}

func TestConsole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "history")
	typed := []string{
		"$x = 20\r",
		"$x + 1\r",
		"functio", "\x03", // thought better of it
		"function f() {\r", "return 7;\r", "}\r",
		"f()\r",
		"if (\r", "\r", // an empty line ends what is not complete
		"str_chu\t(\"abc\", 2)\r",
		"?str_chunk\r",
		"forever {}\r",
		"exit\r",
	}
	var shown strings.Builder
	for session := range 2 {
		history, err := shell.OpenHistory(path)
		if err != nil {
			t.Fatal(err)
		}
		shown.Reset()
		c := shell.Console{
			Session:  shell.NewSession(shell.Options{Library: library, Output: &shown}),
			History:  history,
			Terminal: terminal{&keystrokes{typed}, &shown},
			Running: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 20_000_000) // the interrupt of an impatient user
			},
		}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		history.Close()
		if session == 0 {
			for _, want := range []string{"21\n", "\n7\n", "want", "[0=>\"ab\",1=>\"c\"]\n", "str_chunk(string", "cancelled"} {
				if !strings.Contains(shown.String(), want) {
					t.Errorf("%q is not shown:\n%s", want, shown.String())
				}
			}
			typed = []string{"\x1b[A", "\x1b[A", "\x1b[A", "\r", "\x04"}
		} else if !strings.Contains(shown.String(), "[0=>\"ab\",1=>\"c\"]\n") && !strings.Contains(shown.String(), "str_chunk") {
			t.Errorf("lines of the first session are not in the history:\n%s", shown.String())
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the history: %v %v", info.Mode(), err)
	}
}

// keystrokes are read one string at a time.
type keystrokes struct{ rest []string }

func (k *keystrokes) Read(b []byte) (int, error) {
	if len(k.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, k.rest[0])
	k.rest = k.rest[1:]
	return n, nil
}
