package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder makes a folder of files and goes there.
func folder(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// hsh runs the program, and returns its exit code, what it prints, and the error
// that it ends with.
func hsh(stdin string, args ...string) (code int, stdout, message string) {
	c := newHSHCommand()
	c.SilenceErrors, c.SilenceUsage = true, true
	var out, errs bytes.Buffer
	c.SetIn(strings.NewReader(stdin))
	c.SetOut(&out)
	c.SetErr(&errs)
	c.SetArgs(args)
	err := c.Execute()
	if err != nil {
		code, message = exitCodeOf(err), err.Error()
	}
	return code, out.String(), errs.String() + message
}

const appWithFile = `version: "6.0"
scripting:
  files:
    - id: lib/z.hsl
      data: "function z() { return 1; }"
`

func TestHSH(t *testing.T) {
	folder(t, map[string]string{
		"ok.hsl":     "#!/usr/bin/env hsh\necho \"hello\"; echo $argv[1:];",
		"throws.hsl": "throw \"x\";",
		"broken.hsl": "echo 1 + ;\necho 2 + ;",
		"phase.hsl":  "Accept();",
		"uses.hsl":   "import { z } from \"lib/z.hsl\"; echo z();",
		"app.yaml":   appWithFile,
		"root/r.hsl": "function r() { return 2; }",
		"root.hsl":   "import { r } from \"file://r.hsl\"; echo r();",
	})
	for _, tt := range []struct {
		args    string
		stdin   string
		code    int
		stdout  string
		message string
	}{
		{args: "ok.hsl -B x", stdout: "hello\n[0=>\"-B\",1=>\"x\"]\n"},
		{args: "-B ok.hsl", stdout: "hello[]"},
		{args: "throws.hsl", code: 1, message: "throws.hsl:1:1: x\n    throw \"x\";\n    ^"},
		{args: "broken.hsl", code: 2, message: "broken.hsl:2:10: want operand"},
		{args: "missing.hsl", code: 2, message: "no such file"},
		{stdin: "echo 5;", stdout: "5\n"},
		{args: "- a", stdin: "echo $argv;", stdout: "[0=>\"-\",1=>\"a\"]\n"},
		{args: "phase.hsl", code: 2, message: "unknown function Accept"},
		{args: "--syntax phase.hsl ok.hsl"},
		{args: "-s ok.hsl broken.hsl", code: 2, message: "broken.hsl:1:10"},
		{args: "-c /dev/null -A app.yaml uses.hsl", stdout: "1\n"},
		{args: "-A - uses.hsl", stdin: appWithFile, stdout: "1\n"},
		{args: "-A -", code: 2, message: "standard input"},
		{args: "-A missing.yaml uses.hsl", code: 1, message: "missing.yaml"},
		{args: "-R root root.hsl", stdout: "2\n"},
		{args: "-F ok.hsl", code: 2, message: "foreign functions"},
		{args: "-C none.sock ok.hsl", code: 1, message: "debugger (-C): dial unix none.sock"},
		{args: "--memory 1MiB -", stdin: `$s = "x" * 2000000;`, code: 1, message: "script exceeded its memory limit of 1 MiB"},
		{args: "-", stdin: `$s = "x" * 100000000000;`, code: 1, message: "script exceeded its memory limit of 1024 MiB"},
		{args: "--time 20ms -", stdin: `forever {}`, code: 1, message: "script exceeded its time limit of 20ms"},
		{args: "--memory much ok.hsl", code: 2, message: "--memory"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			code, stdout, message := hsh(tt.stdin, strings.Fields(tt.args)...)
			if code != tt.code || stdout != tt.stdout || !strings.Contains(message, tt.message) || tt.message == "" && message != "" {
				t.Errorf("ends with %d, prints %q and says %q", code, stdout, message)
			}
		})
	}
}
