package extra_test

import (
	"context"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script"
	"github.com/posthaste-mta/posthaste/internal/script/extra"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
)

// base is the library that scripts of the tests find without importing.
var base = mail.New(mail.Options{}).Library(stdlib.New(stdlib.Options{}))

// run compiles and runs a script and returns what it prints, line by line.
func run(t testing.TB, m *extra.Modules, text string) (string, error) {
	return runWith(t, base, m, text)
}

// runWith is run with another library.
func runWith(t testing.TB, library *value.Library, m *extra.Modules, text string) (string, error) {
	program, err := hsl.Compile("test", text, hsl.Options{Library: library, Loader: resolve.AddOns{Modules: m, Files: script.Files{}}})
	if err != nil {
		return "", err
	}
	var lines []string
	_, err = program.Run(t.Context(), hsl.Execution{Setup: value.Setup{Echo: func(s string) { lines = append(lines, s) }}})
	return strings.Join(lines, "\n"), err
}

// check computes expressions with the names of a module.
func check(t *testing.T, m *extra.Modules, module string, cases []stdlibtest.Case) {
	t.Helper()
	l := m.Library(module)
	joined := value.NewLibrary(base, value.Declarations{Builtins: slices.Collect(l.Builtins()), Classes: slices.Collect(l.Classes())})
	stdlibtest.New(t, joined, value.Setup{}).Check(t, cases)
}

// comment is the output that an example says it has, at the end of a line.
var comment = regexp.MustCompile(`(?m)[;}] // (.*)$`)

// TestExamples runs the example of each function, constructor and method of each module,
// imported as scripts do, and compares what it prints with its comments.
func TestExamples(t *testing.T) {
	m := modules(t)
	for _, name := range m.Modules() {
		l := m.Library(name)
		for b := range l.Builtins() {
			testExample(t, m, name, b.Name, b)
		}
		for c := range l.Classes() {
			if c.Doc == "" {
				t.Errorf("%s: %s has no text", name, c.Name)
			}
			if c.Constructor != nil {
				testExample(t, m, name, c.Name, c.Constructor)
			}
			if c.Constructor == nil && len(c.Statics) == 0 {
				continue // scripts cannot import it
			}
			for _, method := range slices.Concat(c.Methods, c.Statics) {
				testExample(t, m, name, c.Name, method)
			}
		}
	}
}

func testExample(t *testing.T, m *extra.Modules, module, name string, b *value.Builtin) {
	if len(b.Doc) < 5 || !strings.HasSuffix(b.Doc, ".") || b.Example == "" {
		t.Errorf("%s: %s has the text %q and the example %q", module, name, b.Doc, b.Example)
		return
	}
	var want []string
	for _, m := range comment.FindAllStringSubmatch(b.Example, -1) {
		want = append(want, m[1])
	}
	library := base
	if module == "arc" {
		library = texts{}.library() // it looks for keys
	}
	got, err := runWith(t, library, m, "import { "+name+` } from "extras://`+module+"\";\n"+b.Example)
	if err != nil || got != strings.Join(want, "\n") {
		t.Errorf("%s: %s: %s\n got %s, %v", module, name, b.Example, got, err)
	}
}

// modules are all modules, over plug-ins with settings that their examples want.
func modules(t *testing.T) *extra.Modules {
	p, unknown, err := extra.NewPlugins(nil, extra.Host{})
	if err != nil || len(unknown) > 0 {
		t.Fatal(err, unknown)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(context.Background()) })
	return extra.New(extra.Options{Plugins: p, Stdout: io.Discard, Stderr: io.Discard})
}

func TestImport(t *testing.T) {
	m := extra.New(extra.Options{})
	for _, tt := range []struct{ source, want, fail string }{
		{`import { ulid } from "extras://ulid"; echo length(ulid());`, "26", ""},
		{`import { ulid as id } from "extras://ulid.hsl"; echo length(id());`, "26", ""},
		{`import * as u from "extras://ulid"; echo length(u::ulid());`, "26", ""},
		{`import { ulid } from "extras://nothing"; echo 1;`, "", `"extras://nothing": there is no such module; there are `},
		{`import { uild } from "extras://ulid"; echo 1;`, "", `"extras://ulid" has no function or class uild`},
	} {
		got, err := run(t, m, tt.source)
		if got != tt.want || tt.fail != "" && (err == nil || !strings.Contains(err.Error(), tt.fail)) || tt.fail == "" && err != nil {
			t.Errorf("%s\n got %s, %v", tt.source, got, err)
		}
	}
}
