package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// block matches a fenced block of the page and what stands behind its fence.
	block = regexp.MustCompile("(?ms)^```(\\w+)(?: (\\S+))?\n(.*?)^```$")
	// took matches durations, which differ from run to run.
	took = regexp.MustCompile(`(\(|in )[0-9.]+[µm]?s`)
)

// TestPage runs the examples of docs/hsh.md and the pages beside it named below:
// blocks with a
// name are files, blocks of console are commands with what they print.
func TestPage(t *testing.T) {
	for _, name := range []string{"hsh.md", "modules.md", "authentication.md", "messages.md"} {
		t.Run(name, func(t *testing.T) { testPage(t, filepath.Join("..", "..", "docs", name)) })
	}
}

func testPage(t *testing.T, path string) {
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	folder(t, nil)
	commands := 0
	for _, m := range block.FindAllStringSubmatch(string(page), -1) {
		switch kind, name, text := m[1], m[2], m[3]; {
		case name != "":
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		case kind == "console":
			commands++
			line, want, _ := strings.Cut(text, "\n")
			args := strings.Fields(strings.TrimPrefix(line, "$ posthaste hsh "))
			_, got, message := hsh("", args...)
			if message != "" {
				got += args[0] + ": " + message + "\n"
			}
			got = strings.ReplaceAll(got, "\r\n", "\n") // of messages
			if got = took.ReplaceAllString(got, "${1}0s"); got != want {
				t.Errorf("%s\nprints\n%s\nand the page says\n%s", line, got, want)
			}
		}
	}
	if commands == 0 {
		t.Error("the page has no examples")
	}
}
