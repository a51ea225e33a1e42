package compat

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/compatibility.md again")

var root = filepath.Join("..", "..")

func mustSections(t *testing.T) []Section {
	t.Helper()
	sections, err := Sections()
	if err != nil {
		t.Fatal(err)
	}
	return sections
}

// TestPage: what stands under docs/ is what the data says.
func TestPage(t *testing.T) {
	compare(t, "docs/compatibility.md", Page(mustSections(t)))
}

// TestCounterPage keeps the metric reference that of the code.
func TestCounterPage(t *testing.T) {
	compare(t, "docs/reference/metrics.md", CounterPage(mustCounters(t)))
}

// compare holds a generated page against what should stand there.
func compare(t *testing.T, page, want string) {
	t.Helper()
	file := filepath.Join(root, page)
	have, err := os.ReadFile(file)
	if err == nil && string(have) == want {
		return
	}
	if !*update {
		t.Fatalf("%s is not current (%v): run `make docs`", page, err)
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestEveryFileIsRead: a file that no chapter names would be silently left out.
func TestEveryFileIsRead(t *testing.T) {
	files, err := data.ReadDir("data")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, chapter := range chapters {
		read += len(chapter.files)
	}
	if read != len(files) {
		t.Errorf("the chapters name %d files, data/ holds %d", read, len(files))
	}
}

// TestEvidence: each test that a fact names exists.
func TestEvidence(t *testing.T) {
	evidence := NewEvidence(root)
	for _, s := range mustSections(t) {
		for _, f := range s.Facts {
			for _, ref := range strings.Fields(f.Test) {
				if err := evidence.Find(ref); err != nil {
					t.Errorf("%s: %s: %v", s.file, f.Name, err)
				}
			}
		}
	}
}

// TestSettings: every setting stands in the account once, and those that are obeyed
// without a test are at least named to whoever looks.
func TestSettings(t *testing.T) {
	for _, s := range mustSections(t) {
		kind, ok := strings.CutPrefix(s.Source, "config ")
		if !ok {
			continue
		}
		facts, status, err := settings(kind)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Facts) != len(facts) || len(facts) != len(status) {
			t.Errorf("%s: %d facts for %d settings", s.file, len(s.Facts), len(status))
		}
		for _, f := range s.Facts {
			if status[f.Name] == settingWorks && f.State() == NotYet {
				t.Logf("%s: %s is obeyed, and no test is named for it", s.file, f.Name)
			}
		}
	}
}

func TestOverlayRefusesMoreThanThereIs(t *testing.T) {
	for _, f := range []Fact{
		{Name: "spool.nowhere"},
		{Name: "cluster.address", Test: "internal/compat.TestSettings"},
	} {
		s := Section{file: "x", Facts: []Fact{f}}
		if err := s.overlay("smtpd"); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
}

// TestMetrics: a metric that is claimed is declared somewhere.
func TestMetrics(t *testing.T) {
	declared := map[string]bool{}
	for _, c := range mustCounters(t) {
		declared[c.Name] = true
	}
	for _, s := range mustSections(t) {
		for _, f := range s.Facts {
			if s.Source == "metrics" && f.State() == Works && !declared[f.Name] {
				t.Errorf("%s: %s is said to work, and no package declares it", s.file, f.Name)
			}
		}
	}
}

func TestFindEvidence(t *testing.T) {
	evidence := NewEvidence(root)
	for _, tt := range []struct {
		ref string
		ok  bool
	}{
		{"internal/compat.TestFindEvidence", true},
		{"internal/compat.TestFindEvidence/internal", true},
		{"internal/compat.TestNowhere", false},
		{"internal/nowhere.TestFindEvidence", false},
		{"internal/compat.TestFindEvidence/" + strings.Repeat("q", 9), false},
		{"internal/compat/testdata/nothing.smtp", false},
		{"it just works", false},
	} {
		if err := evidence.Find(tt.ref); (err == nil) != tt.ok {
			t.Errorf("Find(%s) = %v, want found = %v", tt.ref, err, tt.ok)
		}
	}
}

func mustCounters(t *testing.T) []Counter {
	t.Helper()
	counters, err := Counters(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(counters) == 0 {
		t.Fatal("no metric found in the tree")
	}
	return counters
}
