package sequence

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseMark(t *testing.T) {
	for text, want := range map[string]Mark{
		"run/0":                        {"run", 0, 1},
		" a.B_c-1/17 ":                 {"a.B_c-1", 17, 1},
		"r/5/3":                        {"r", 5, 3},
		"":                             {},
		"run":                          {},
		"run/":                         {},
		"run/+1":                       {},
		"run/1/0":                      {},
		"run/1/2/3":                    {},
		"ru n/1":                       {},
		"run/1/99999999999":            {},
		strings.Repeat("x", 33) + "/1": {},
	} {
		got, err := ParseMark([]byte(text))
		if got != want || (err == nil) != (want != Mark{}) {
			t.Errorf("ParseMark(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func FuzzParseMark(f *testing.F) {
	f.Add("run/1")
	f.Add("run/1/2")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMark([]byte(text))
		if err != nil {
			return
		}
		again, err := ParseMark([]byte(m.String()))
		if err != nil || again != m {
			t.Fatalf("%q: %+v, then %+v, %v", text, m, again, err)
		}
	})
}

func TestMarkOwnsItsEntries(t *testing.T) {
	m := Mark{"r", 7, 3}
	if m.Entry(0) != 21 || m.Entry(2) != 23 {
		t.Errorf("entries %d and %d", m.Entry(0), m.Entry(2))
	}
	for entry, want := range map[uint64]bool{20: false, 21: true, 23: true, 24: false} {
		if m.Owns(entry) != want {
			t.Errorf("Owns(%d) = %t", entry, !want)
		}
	}
}

func TestLedgerCounts(t *testing.T) {
	var l Ledger
	for _, entry := range []uint64{0, 1, 5, 1, pageEntries + 3, 1} {
		l.Record("a", entry)
	}
	l.Record("b", 2)
	want := []Count{
		{Run: "a", Arrivals: 6, Distinct: 4, Duplicates: 2, End: pageEntries + 4, Gaps: pageEntries},
		{Run: "b", Arrivals: 1, Distinct: 1, End: 3, Gaps: 2},
	}
	got := l.Counts()
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("counts\n%+v\nwant\n%+v", got, want)
	}
	if !l.Has("a", 5) || l.Has("a", 6) || l.Has("c", 0) || l.Has("b", math.MaxUint64) {
		t.Error("Has is wrong")
	}
}

func TestLedgerIsBounded(t *testing.T) {
	var l Ledger
	for i := range uint64(maxPages + 10) {
		l.Record("a", i*pageEntries)
	}
	if l.Unrecorded() != 10 {
		t.Errorf("%d unrecorded, want 10", l.Unrecorded())
	}
	for i := range maxRuns {
		l.Record("run"+string(rune('A'+i)), 0)
	}
	if len(l.Counts()) != maxRuns {
		t.Errorf("%d runs", len(l.Counts()))
	}
}

func TestLogAgainstLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "acked")
	log, err := OpenLog(path)
	if err != nil {
		t.Fatal(err)
	}
	var l Ledger
	for i := range uint64(30) {
		if err := log.Append("r", 2*i, 2*i+1); err != nil {
			t.Fatal(err)
		}
		if i != 4 {
			l.Record("r", 2*i)
			l.Record("r", 2*i+1)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Compare(strings.NewReader(string(text) + "r/99")) // cut short: does not count
	if err != nil || c.Acknowledged != 60 || c.Lost != 2 || strings.Join(c.First, " ") != "r/8 r/9" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := l.Compare(strings.NewReader("r/x\n")); err == nil {
		t.Error("a broken log was accepted")
	}
}
