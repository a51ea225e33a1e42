package hsl_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// seedScripts are the scripts of testdata.
func seedScripts(f *testing.F) (scripts []string) {
	paths, err := filepath.Glob("testdata/*.hsl")
	if err != nil || len(paths) == 0 {
		f.Fatalf("no scripts: %v", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		scripts = append(scripts, strings.Split(string(text), "\n---\n")...)
	}
	return scripts
}

// FuzzScript: whatever the source, compiling and running it ends soon, within
// the limits, and without a panic.
func FuzzScript(f *testing.F) {
	for _, script := range seedScripts(f) {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "panics") || strings.Contains(text, "block") || strings.Contains(text, "sleep") {
			return
		}
		hsl.Check("script", text)
		prog, err := hsl.Compile("script", text, hsl.Options{Library: testLibrary, Loader: parseChunk("script", text, 1)})
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a message")
			}
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		limits := value.Limits{Instructions: 1e6, Memory: 16 << 20, Output: 1 << 20}
		_, err = prog.Run(ctx, hsl.Execution{Variables: testVariables(), Setup: value.Setup{Limits: limits, Echo: func(string) {}}})
		if err == nil {
			return
		}
		if strings.Contains(err.Error(), "internal error") {
			var e *hsl.Error
			errors.As(err, &e)
			t.Fatal(e.Detail())
		}
		var cancelled *value.Cancelled
		if errors.As(err, &cancelled) {
			t.Fatal("the script did not end")
		}
	})
}

// FuzzPrint: what an array prints is source text of the same array.
func FuzzPrint(f *testing.F) {
	for _, s := range []string{"", "a", "a\nb", "''", `"$x\`, "'#'", "\x00\xff", "7", "-0"} {
		f.Add(s, 1.5, s)
	}
	f.Fuzz(func(t *testing.T, key string, number float64, text string) {
		if number != number || number-number != 0 || number < 0 || number >= 1e21 || number < 1e-6 {
			number = 0.25 // has no literal
		}
		inner := value.FromArray(value.List(value.String(text), value.Number(number), value.True, value.None))
		a := value.NewArray(0)
		a.SetString(key, inner)
		a.Append(value.String(key))
		want := value.FromArray(a)
		result, err := mustCompile(t, "return "+want.Text()+";").Run(t.Context(), hsl.Execution{})
		if err != nil || !value.Identical(result.Value, want) {
			t.Fatalf("%s is %s, %v", want.Text(), result.Value.Text(), err)
		}
	})
}
