package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestLint(t *testing.T) {
	folder(t, map[string]string{
		"eod.hsl":                          "Accept();",
		"src/hooks/eod/policy.hsl":         "Try();",
		"src/hooks/queue/predelivery.hsl":  "Try();",
		"src/hooks/queue/postdelivery.hsl": "Accept();",
		"module.hsl":                       "function decide($ok) { if ($ok) Accept(); Try(); }",
		"script.hsl":                       "echo $argv[0];",
	})
	for _, tt := range []struct {
		args   string
		code   int
		output string
	}{
		{args: "--phase eod eod.hsl"},
		{args: "--phase predelivery eod.hsl", code: 1, output: "eod.hsl:1:1: error: function Accept does not exist in phase predelivery, but in "},
		{args: "src/hooks/eod/policy.hsl", code: 1, output: "function Try does not exist in phase eod, but in predelivery"},
		{args: "src/hooks/queue/predelivery.hsl module.hsl script.hsl"},
		{args: "src/hooks/queue/postdelivery.hsl", code: 1, output: "in phase postdelivery"},
		{args: "--format json --phase eod src/hooks/eod/policy.hsl", code: 1, output: `"rule": "phase-function"`},
		{args: "--format sarif eod.hsl", output: `"results": []`},
		{args: "--format xml eod.hsl", code: 2},
		{args: "--phase nonsense eod.hsl", code: 2},
		{args: "missing.hsl", code: 2},
		{args: "", code: 2},
	} {
		code, stdout, message := hsh("", append([]string{"lint"}, strings.Fields(tt.args)...)...)
		if code != tt.code || !strings.Contains(stdout, tt.output) {
			t.Errorf("lint %s ends with %d, %s, and prints %s", tt.args, code, message, stdout)
		}
	}
}

func TestHSLLint(t *testing.T) {
	for _, tt := range []struct {
		document string
		code     int
		reply    string
	}{
		{document: "phase: eod\ndata: 'Accept();'"},
		{document: "phase: eod\ndata: 'import { f } from \"lib\"; f();'\nfiles: [{id: lib/main.hsl, data: 'function f() {}'}]"},
		{document: "phase: eod\ndata: 'Try();'", code: 1, reply: "{\n  \"file\": \"hook:\",\n  \"line\": 1,\n  \"column\": 1,\n  \"message\": \"unknown function Try\",\n  \"path\": []\n}\n"},
		{document: "phase: nonsense", code: 2},
		{document: "[", code: 2},
	} {
		c := newHSLLintCommand()
		c.SilenceErrors, c.SilenceUsage = true, true
		var reply bytes.Buffer
		c.SetArgs(nil)
		c.SetIn(strings.NewReader(tt.document))
		c.SetErr(&reply)
		code := 0
		if err := c.Execute(); err != nil {
			code = exitCodeOf(err)
		}
		if code != tt.code || reply.String() != tt.reply {
			t.Errorf("%s\nends with %d and is answered with %s", tt.document, code, reply.String())
		}
	}
}

// TestCompletion: the shell learns phases, formats and which files are scripts.
func TestCompletion(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"hsh lint --phase ", "eod\n"},
		{"hsh lint --format ", "sarif\n"},
		{"hsh lint ", "hsl\n:8\n"},
		{"hsh -- ", "hsl\n:8\n"},
		{"hsh ", "test\tRun the tests of scripts\n"},
		{"hsh test --cov", "--coverage-lcov"},
	} {
		c := newRootCommand()
		var out bytes.Buffer
		c.SetOut(&out)
		c.SetErr(&out)
		c.SetArgs(append([]string{"__complete"}, strings.Split(tt.args, " ")...))
		if err := c.Execute(); err != nil || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s: %v: no %q in\n%s", tt.args, err, tt.want, out.String())
		}
	}
}
