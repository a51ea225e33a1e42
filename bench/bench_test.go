package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	line := "4711 (a (b) c) S 42 1 1 0 -1 4194560 7 8 9 10 100 20 3 1 20 0 1 0 555 0 0"
	p, err := parseStat(line)
	if want := (process{pid: 4711, parent: 42, cpu: 1240 * time.Millisecond}); err != nil || p != want {
		t.Errorf("parseStat = %+v, %v; want %+v", p, err, want)
	}
	for _, bad := range []string{"", "1 (a", "1 (a) S 2", "x (a) S 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("parseStat(%q) found no fault", bad)
		}
	}
}

func TestTreeKnowsItself(t *testing.T) {
	own := tree{os.Getpid()}
	if _, err := own.cpu(); err != nil {
		t.Error(err)
	}
	if n, err := own.memory(); err != nil || n < 1<<20 {
		t.Errorf("memory = %d, %v; want more than a megabyte", n, err)
	}
	if _, err := (tree{-1}).cpu(); err == nil {
		t.Error("a process that is not there used CPU")
	}
}

func TestMasterCF(t *testing.T) {
	got := masterCF("smtp      inet  n       -       y       -       -       smtpd\npickup    unix  n       -       y       60      1       pickup\n", "2588")
	want := "127.0.0.1:2588 inet n - n - - smtpd\npickup    unix  n       -       n       60      1       pickup\n"
	if got != want {
		t.Errorf("masterCF = %q, want %q", got, want)
	}
}

func TestInsert(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	page := "# A\n<!-- intake -->\nold\n<!-- end of intake -->\ntail\n"
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := insert(file, "intake", "new\n"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if want := strings.Replace(page, "old", "new", 1); err != nil || string(got) != want {
		t.Errorf("page = %q, %v; want %q", got, err, want)
	}
	if err := insert(file, "relay", "new\n"); err == nil {
		t.Error("a part without a place was inserted")
	}
}

func TestRatioPairsRounds(t *testing.T) {
	ours := []figure{{messages: 100, time: time.Second}, {messages: 300, time: time.Second}, {messages: 50, time: time.Second}}
	theirs := []figure{{messages: 50, time: time.Second}, {messages: 100, time: time.Second}, {messages: 50, time: time.Second}}
	if got := ratio(ours, theirs, figure.rate); got != 2 {
		t.Errorf("ratio = %v, want the median of 2, 3 and 1", got)
	}
}

// TestScripts: every program is there in HSL and PHP, and ratios are of what was
// measured.
func TestScripts(t *testing.T) {
	dir := t.TempDir()
	if err := writeScripts(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(scriptNames, "empty") {
		for _, extension := range []string{".hsl", ".php"} {
			if _, err := os.Stat(filepath.Join(dir, name+extension)); err != nil {
				t.Error(err)
			}
		}
	}
	got := scriptTable(map[string]scriptTimes{
		"calls": {"HSL": 3e6, "PHP": 2e6, "Lua": 6e6}, "loops": {"HSL": 4e6, "PHP": 2e6},
	})
	for _, want := range []string{"| calls | 3 | 2 | 6 | **1.50** | 0.50 |\n", "| loops | 4 | 2 | – | **2.00** | – |\n", "| median | | | | **1.75** | 0.50 |\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
