package stdlib_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// comment is the output that an example says it has, at the end of a line.
var comment = regexp.MustCompile(`(?m)[;}] // (.*)$`)

// TestExamples runs the example of each builtin and compares what it prints with
// its comments.
func TestExamples(t *testing.T) {
	library := newLibrary(t)
	libraries := []*value.Library{library}
	for _, module := range stdlib.Modules() {
		// As if its names were imported.
		libraries = append(libraries, value.NewLibrary(library, value.Declarations{
			Builtins: slices.Collect(module.Builtins()), Classes: slices.Collect(module.Classes()),
		}))
	}
	for _, library := range libraries {
		for b := range library.Builtins() {
			if b.Deprecated == "" {
				testExample(t, library, b)
			}
		}
		for c := range library.Classes() {
			if c.Constructor != nil {
				testExample(t, library, c.Constructor)
			}
			for _, m := range slices.Concat(c.Methods, c.Statics) {
				if hasExample(c, m) {
					testExample(t, library, m)
				}
			}
		}
	}
}

// hasExample reports whether a method has one. Those of FFI are refused, and so is
// what hands a value to it; no function of today returns what Socket::Resource
// takes.
func hasExample(c *value.Class, m *value.Builtin) bool {
	return c.Name != "FFI" && m.Name != "toFFIValue" && (c.Name != "Socket" || m.Name != "Resource")
}

func testExample(t *testing.T, library *value.Library, b *value.Builtin) {
	if b.Example == "" {
		t.Errorf("%s has no example", b.Name)
		return
	}
	var want []string
	for _, m := range comment.FindAllStringSubmatch(b.Example, -1) {
		want = append(want, m[1])
	}
	got, err := run(t.Context(), library, b.Example)
	if err != nil {
		t.Errorf("%s: %s: %v", b.Name, b.Example, err)
	} else if got != strings.Join(want, "\n") {
		t.Errorf("%s: %s\n got %s", b.Name, b.Example, got)
	}
}

// run compiles and runs a script and returns what it prints, line by line.
func run(ctx context.Context, library *value.Library, text string) (string, error) {
	program, err := hsl.Compile("example", text, hsl.Options{Library: library})
	if err != nil {
		return "", err
	}
	var lines []string
	_, err = program.Run(ctx, hsl.Execution{Setup: value.Setup{Echo: func(s string) { lines = append(lines, s) }}})
	return strings.Join(lines, "\n"), err
}
