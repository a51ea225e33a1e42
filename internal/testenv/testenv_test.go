package testenv

import (
	"path/filepath"
	"testing"
)

// recorder is a test that only remembers how it was told to end.
type recorder struct {
	testing.TB
	skipped, failed string
}

func (r *recorder) Helper() {}

func (r *recorder) Skip(args ...any) { r.skipped = args[0].(string) }

func (r *recorder) Fatal(args ...any) {
	r.failed = args[0].(string)
	panic(r)
}

func TestProgram(t *testing.T) {
	if got := Program(t, "sh"); !filepath.IsAbs(got) {
		t.Errorf("Program(sh) = %q, want an absolute path", got)
	}
}

func TestMissingProgramSkips(t *testing.T) {
	t.Setenv("CI", "")
	r := &recorder{}
	Program(r, "no-such-program")
	if want := "needs the program no-such-program; `make deps` installs it"; r.skipped != want {
		t.Errorf("skipped with %q, want %q", r.skipped, want)
	}
}

func TestMissingProgramFailsUnderCI(t *testing.T) {
	t.Setenv("CI", "true")
	r := &recorder{}
	defer func() {
		if recover() != r || r.failed == "" || r.skipped != "" {
			t.Errorf("failed with %q, skipped with %q; want a failure only", r.failed, r.skipped)
		}
	}()
	Program(r, "no-such-program")
}
