package shell_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/shell"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// FuzzSession types any two inputs: a session survives them, and errors point
// into what was typed.
func FuzzSession(f *testing.F) {
	f.Add("function f() { return 1; } $x = 2;", "f() + $x;")
	f.Add("import { a } from \"b\"; class C {}", "\r\n\t C();\n// end")
	f.Add("\"open", "include \"x\"; [1][0]; /* c */ nothing();")
	f.Add("#!x\n1;", "\xef\xbb\xbf1; throw 1;")
	f.Fuzz(func(t *testing.T, first, second string) {
		s := shell.NewSession(shell.Options{
			Library: library, Output: io.Discard,
			Limits: value.Limits{Instructions: 1e5, Time: time.Second, Memory: 16 << 20, Output: 1 << 20},
		})
		for _, input := range []string{first, second} {
			if strings.Contains(input, "sleep") || strings.Contains(input, "http") {
				return // waits
			}
			shell.Judge(input)
			s.Complete(input)
			if _, err := s.Eval(t.Context(), input); err != nil && strings.Contains(shell.Detail(err), "internal error") {
				t.Errorf("%q: %s", input, shell.Detail(err))
			}
		}
	})
}
