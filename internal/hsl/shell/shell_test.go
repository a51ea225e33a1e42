package shell_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/shell"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
)

var library = stdlib.New(stdlib.Options{})

func TestScript(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		arguments  []string
		raw        bool
		want       string
	}{
		{name: "line breaks", text: `echo "a"; echo [1];`, want: "a\n[0=>1]\n"},
		{name: "no UTF-8", text: `echo "\xff";`, want: "\uFFFD\n"},
		{name: "raw", text: `echo "\xff"; echo "b";`, raw: true, want: "\xffb"},
		{name: "arguments", text: `echo $argv;`, arguments: []string{"x", "-y"}, want: "[0=>\"main\",1=>\"x\",2=>\"-y\"]\n"},
		{name: "first line", text: "#!/usr/bin/env hsh\necho 1;", want: "1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			o := shell.Options{Library: library, Output: &out, Raw: tt.raw}
			if err := shell.Script(t.Context(), "main", tt.text, tt.arguments, o); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want {
				t.Errorf("prints %q, want %q", out.String(), tt.want)
			}
		})
	}
}

func TestScriptErrors(t *testing.T) {
	o := shell.Options{Library: library, Output: new(strings.Builder)}
	var mistakes hsl.Errors
	if err := shell.Script(t.Context(), "main", "echo nothing();", nil, o); !errors.As(err, &mistakes) {
		t.Errorf("a mistake in the source is %v", err)
	}
	err := shell.Script(t.Context(), "main", "function f() { throw \"x\"; }\nf();", nil, o)
	want := "main:1:16: x\n    function f() { throw \"x\"; }\n                   ^\n    in f at main:1:16\n    in top level at main:2:1"
	if got := shell.Detail(err); got != want {
		t.Errorf("an exception is shown as\n%s\nwant\n%s", got, want)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a/script.hsl": "", "a/near.hsl": "near", "b/far.hsl": "far", "a/folder/main.hsl": "folder", "root/r/x.hsl": "x", "root/y.hsl": "y", "secret.hsl": "s",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files := &shell.Files{Configuration: func() (shell.Configuration, error) {
		return shell.Configuration{Root: filepath.Join(dir, "root"), Files: map[string][]byte{
			"lib/one.hsl": []byte("one"), "lib/two.hsl": []byte("two"), "near.hsl": []byte("configured"),
		}}, nil
	}}
	script := filepath.Join(dir, "a", "script.hsl")
	for _, tt := range []struct{ name, from, want string }{
		{"./near.hsl", script, "near"},
		{"./near", script, "near"},
		{"./folder", script, "folder"},
		{"../b/far.hsl", script, "far"},
		{"near.hsl", script, "configured"},
		{"folder", script, "folder"},
		{"lib/one.hsl", script, "one"},
		{"file:lib/one", script, "one"},
		{"./two.hsl", "file:lib/one.hsl", "two"},
		{"../near.hsl", "file:lib/one.hsl", "configured"},
		{"file://r/x.hsl", script, "x"},
		{"../y.hsl", "file://r/x.hsl", "y"},
		{"./missing.hsl", script, ""},
		{"folder", "file:lib/one.hsl", ""},
		{"file://../secret.hsl", script, ""},
		{"../../secret.hsl", "file://r/x.hsl", ""},
		{"../../etc/passwd", "file:lib/one.hsl", ""},
		{"extras://x", script, ""},
	} {
		f, err := files.Load(tt.name, tt.from)
		switch {
		case tt.want == "" && err == nil:
			t.Errorf("Load(%q, %q) found %s", tt.name, tt.from, f.ID)
		case tt.want != "" && err != nil:
			t.Errorf("Load(%q, %q): %v", tt.name, tt.from, err)
		case tt.want != "" && f.Text != tt.want:
			t.Errorf("Load(%q, %q) found %q, want %q", tt.name, tt.from, f.Text, tt.want)
		}
	}
}
