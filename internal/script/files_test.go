package script

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSourceLoad: where the paths of imports lead.
func TestSourceLoad(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "lib", "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"lib/a.hsl": "real a", "lib/deep/main.hsl": "real main", "lib/b.txt": "real b"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := Source{Root: root, Files: Files{"a.hsl": []byte("a"), "x/b.hsl": []byte("b"), "x/main.hsl": []byte("main")}}
	for _, c := range []struct{ name, from, id, text string }{
		{"a", "eod/h.hsl", "a.hsl", "a"},
		{"file:a.hsl", "eod/h.hsl", "a.hsl", "a"},
		{"x", "eod/h.hsl", "x/main.hsl", "main"},
		{"./b", "x/main.hsl", "x/b.hsl", "b"},
		{"../a", "x/main.hsl", "a.hsl", "a"},
		{"../../../a", "x/main.hsl", "a.hsl", "a"}, // there is nothing above the top
		{"file://lib/a", "eod/h.hsl", "file://lib/a.hsl", "real a"},
		{"file://" + root + "/lib/b.txt", "eod/h.hsl", "file://lib/b.txt", "real b"},
		{"file:///lib/deep", "eod/h.hsl", "file://lib/deep/main.hsl", "real main"},
		{"../a.hsl", "file://lib/deep/main.hsl", "file://lib/a.hsl", "real a"},
		{"a.hsl", "file://lib/deep/main.hsl", "a.hsl", "a"},
	} {
		f, err := s.Load(c.name, c.from)
		if err != nil || f.ID != c.id || f.Text != c.text {
			t.Errorf("%s from %s: %+v, %v", c.name, c.from, f, err)
		}
	}
	for _, name := range []string{"b", "nothing", "file://lib/none", "file://../" + filepath.Base(root) + "/lib/a.hsl", "file:///etc/passwd"} {
		if f, err := s.Load(name, "eod/h.hsl"); err == nil {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if _, err := (Source{}).Load("file://a", "eod/h.hsl"); err == nil || !strings.Contains(err.Error(), "scripting.rootpath") {
		t.Errorf("without a root: %v", err)
	}
}
