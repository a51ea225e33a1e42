package journal_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/plugin"
	"github.com/posthaste-mta/posthaste/internal/plugin/journal"
)

func start(t testing.TB, logs ...any) *journal.Plugin {
	t.Helper()
	p, err := journal.New(plugin.Settings{"logs": logs})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(t.Context()) })
	return p
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLog: texts stand behind each other, below a header if the file was new, and
// go on in a new file after the old one was moved away.
func TestLog(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.log"), filepath.Join(dir, "b.log")
	if err := os.WriteFile(b, []byte("old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := start(t, map[string]any{"id": "a", "path": a, "header": "# new\n", "chmod": "0604"},
		map[string]any{"id": "b", "path": b, "header": "# new\n", "fsync": false})
	write := func(id, text string) {
		t.Helper()
		if err := p.Write(id, text); err != nil {
			t.Error(err)
		}
	}
	write("a", "1\n")
	write("b", "2\n")
	if err := os.Rename(a, a+".1"); err != nil {
		t.Fatal(err)
	}
	write("a", "3\n")
	if said, err := p.Command(t.Context(), []string{"reopen", "a"}); said != "OK" || err != nil {
		t.Errorf("reopen says %q, %v", said, err)
	}
	write("a", "4\n")
	if err := p.Reopen(); err != nil {
		t.Error(err)
	}
	write("a", "5\n")
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]string{a + ".1": "# new\n1\n3\n", a: "# new\n4\n5\n", b: "old\n2\n"} {
		if got := read(t, path); got != want {
			t.Errorf("%s has %q, want %q", path, got, want)
		}
	}
	if info, err := os.Stat(a); err != nil || info.Mode().Perm() != 0o604 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	if err := p.Write("a", "6\n"); err == nil || !strings.Contains(err.Error(), "not open") {
		t.Errorf("after the end: %v", err)
	}
}

// TestReopenFails: what was open stays open.
func TestReopenFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p := start(t, map[string]any{"id": "a", "path": filepath.Join(dir, "a")})
	if err := os.Rename(dir, dir+"2"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Command(t.Context(), []string{"reopen:a"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reopen ends with %v", err)
	}
	if err := p.Write("a", "x"); err != nil || read(t, filepath.Join(dir+"2", "a")) != "x" {
		t.Errorf("write ends with %v", err)
	}
}

// TestConcurrent: texts of many writers do not mix, also while files change.
func TestConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	p := start(t, map[string]any{"id": "a", "path": path})
	line := strings.Repeat("x", 200) + "\n"
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				if err := p.Write("a", line); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 5 {
			if err := p.Reopen(); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	if got := read(t, path); got != strings.Repeat(line, 200) {
		t.Errorf("%d bytes, want %d", len(got), 200*len(line))
	}
}

func TestMistakes(t *testing.T) {
	one := map[string]any{"id": "a", "path": "x"}
	for _, s := range []plugin.Settings{
		{"logs": []any{map[string]any{"id": "a"}}}, {"logs": []any{one, one}},
		{"logs": []any{map[string]any{"id": "a", "path": "x", "chmod": "rw"}}}, {"log": 1},
	} {
		if _, err := journal.New(s); err == nil {
			t.Errorf("%v is taken", s)
		}
	}
	p, err := journal.New(plugin.Settings{"logs": []any{map[string]any{"id": "a", "path": "/nonexistent/a"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("start ends with %v", err)
	}
	if err := p.Write("b", "x"); !errors.Is(err, journal.ErrUnknown) {
		t.Errorf("another log: %v", err)
	}
	if _, err := p.Command(t.Context(), []string{"reopen", "b"}); !errors.Is(err, journal.ErrUnknown) {
		t.Errorf("another log: %v", err)
	}
	if _, err := p.Command(t.Context(), []string{"rotate", "a"}); err == nil || !strings.Contains(err.Error(), "want reopen ID") {
		t.Errorf("another command: %v", err)
	}
}

// BenchmarkWrite: 0.5 µs per line of 200 bytes without fsync.
func BenchmarkWrite(b *testing.B) {
	p := start(b, map[string]any{"id": "a", "path": filepath.Join(b.TempDir(), "a"), "fsync": false})
	line := strings.Repeat("x", 200) + "\n"
	for b.Loop() {
		if err := p.Write("a", line); err != nil {
			b.Fatal(err)
		}
	}
}
