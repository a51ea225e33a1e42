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
