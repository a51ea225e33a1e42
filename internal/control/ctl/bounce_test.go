package ctl

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// block is a fenced block of a page: its kind, the name of a file, and the text.
var block = regexp.MustCompile("(?ms)^```(\\w+) ?(\\S*)\n(.*?)^```\n")

// TestBounces runs the commands of docs/bounces.md over the files of the page, and
// compares what they print.
func TestBounces(t *testing.T) {
	page := filepath.Join("..", "..", "..", "docs", "bounces.md")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	dir, commands := t.TempDir(), 0
	have := block.ReplaceAllStringFunc(string(text), func(b string) string {
		m := block.FindStringSubmatch(b)
		if m[1] == "hsl" {
			return b
		}
		if m[1] != "console" {
			if err := os.WriteFile(filepath.Join(dir, m[2]), []byte(m[3]), 0o600); err != nil {
				t.Error(err)
			}
			return b
		}
		line, _, _ := strings.Cut(m[3], "\n")
		commands++
		r := run(t, arguments(strings.TrimPrefix(line, "$ posthaste ctl "), dir)...)
		if r.code != 0 {
			t.Errorf("%s: %+v", line, r)
		}
		return "```console\n" + line + "\n" + strings.ReplaceAll(r.out, dir+"/", "") + "```\n"
	})
	if commands < 5 {
		t.Errorf("only %d commands", commands)
	}
	if have == string(text) {
		return
	}
	if !*update {
		t.Fatalf("%s does not print what the commands print: run this test with -update. Now:\n%s", page, have)
	}
	if err := os.WriteFile(page, []byte(have), 0o644); err != nil {
		t.Fatal(err)
	}
}

// arguments parts a command at spaces outside of quotes, and finds its files.
func arguments(line, dir string) (args []string) {
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			args = append(args, part)
			continue
		}
		args = append(args, strings.Fields(part)...)
	}
	for i, a := range args {
		if _, err := os.Stat(filepath.Join(dir, a)); err == nil && strings.Contains(a, ".") && !strings.Contains(a, " ") {
			args[i] = filepath.Join(dir, a)
		}
	}
	return args
}

func TestBounceMistakes(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("Subject: hello\n\nhi\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"bounce", "explain"}, exitUsage, "accepts 1 arg"},
		{[]string{"bounce", "report", bad}, exitFailed, "neither a bounce nor a complaint"},
		{[]string{"bounce", "report", bad + "x"}, exitFailed, "no such file"},
		{[]string{"bounce", "explain", "--rules", bad, "550 x"}, exitFailed, "bad:1: "},
		{[]string{"bounce", "explain", "--rules", bad + "x", "550 x"}, exitFailed, "no such file"},
		{[]string{"bounce", "explain", "--json-request", "550 x"}, exitUsage, "nothing is requested"},
	} {
		if r := run(t, test.args...); r.code != test.code || !strings.Contains(r.err, test.want) {
			t.Errorf("%q: %+v", test.args, r)
		}
	}
	if r := run(t, "bounce", "explain", "550 \x1b[2J\u202e /evil/ user unknown"); strings.ContainsAny(r.out, "\x1b\u202e") || !strings.Contains(r.out, "RECIPIENT_NOT_FOUND") {
		t.Errorf("%q", r.out)
	}
}
