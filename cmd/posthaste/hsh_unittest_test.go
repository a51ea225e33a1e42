package main

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestUnitTests(t *testing.T) {
	folder(t, map[string]string{
		"src/hooks/eod/policy.hsl":  `import { allowed } from "lib/allow.hsl"; if (!allowed($transaction["senderaddress"]["domain"])) Reject("no"); Accept();`,
		"src/files/lib/allow.hsl":   `function allowed($domain) { return $domain == "example.com"; }`,
		"tests/policy_test.hsl":     `test("strangers", function () { assert_equal(run_hook("eod", "../src/hooks/eod/policy.hsl", ["transaction" => ["senderaddress" => ["domain" => "x"]]])["action"], "Reject"); });`,
		"tests/deep/allow_test.hsl": `import { allowed } from "lib/allow.hsl"; test("yes", function () { assert_true(allowed("example.com")); }); test("no", function () { assert_true(allowed("x")); });`,
		"tests/.hidden/x_test.hsl":  `nonsense`,
		"empty/readme":              ``,
	})
	for _, tt := range []struct {
		args    string
		code    int
		output  string
		message string
	}{
		{args: "--files src/files tests", code: 1, output: "2 files, 3 tests: 2 passed, 1 failed, 0 skipped", message: "1 of 3 failed"},
		{args: "--files src/files tests/policy_test.hsl", output: "1 files, 1 tests: 1 passed"},
		{args: "--files src/files --run yes|stran --verbose tests", output: "ok    tests/policy_test.hsl: strangers"},
		{args: "tests", code: 1, output: `"lib/allow.hsl": no such file`},
		{args: "empty", code: 2, message: "no files *_test.hsl in empty"},
		{args: "missing", code: 2, message: "missing"},
		{args: "--run ( tests", code: 2},
		{args: "--files src/files --junit report.xml --run yes", output: "1 passed"},
	} {
		code, stdout, message := hsh("", append([]string{"test"}, strings.Fields(tt.args)...)...)
		if code != tt.code || !strings.Contains(stdout, tt.output) || !strings.Contains(message, tt.message) {
			t.Errorf("test %s ends with %d, %s, and prints\n%s", tt.args, code, message, stdout)
		}
	}
	report, err := os.ReadFile("report.xml")
	if err != nil || !strings.Contains(string(report), `classname="tests/deep/allow_test.hsl"`) {
		t.Errorf("the report is %s, %v", report, err)
	}
}

func TestWatch(t *testing.T) {
	folder(t, map[string]string{"src/a.hsl": "", "tests/a_test.hsl": ""})
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan struct{}, 100)
	done := make(chan error)
	c := &cobra.Command{}
	c.SetOut(io.Discard)
	go func() {
		done <- watchTests(ctx, c, []string{"tests"}, "src", func() { ran <- struct{}{} })
	}()
	<-ran // at once
	for _, change := range []func() error{
		func() error { return os.WriteFile("src/a.hsl", []byte("1;"), 0o644) },
		func() error { return os.Mkdir("tests/new", 0o755) },
		func() error { return os.WriteFile("tests/new/b_test.hsl", nil, 0o644) },
		func() error { return os.Remove("tests/a_test.hsl") },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		<-ran
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestCoverage: the reports name the lines that no test ran, by paths on disk.
func TestCoverage(t *testing.T) {
	folder(t, map[string]string{
		"files/lib.hsl":    "function f($x) {\n\tif ($x) return 1;\n\treturn 2;\n}\n",
		"hooks/helo.hsl":   "import { f } from \"lib.hsl\";\nif (f(true) == 2)\n\tReject();\n",
		"tests/a_test.hsl": "test(\"x\", function () { run_hook(\"helo\", \"../hooks/helo.hsl\"); });",
	})
	code, out, message := hsh("", strings.Fields("test --files files --coverage --coverage-html c.html --coverage-lcov c.info tests")...)
	for _, want := range []string{"files/lib.hsl   not run: 3\n", "hooks/helo.hsl  not run: 3\n", "50.0%"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("ends with %d, %s, and without %q prints\n%s", code, message, want, out)
		}
	}
	for file, want := range map[string]string{"c.html": "<h2 id=\"f0\">files/lib.hsl", "c.info": "SF:files/lib.hsl\n"} {
		if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v: no %s in\n%s", file, err, want, text)
		}
	}
	if code, _, message := hsh("", strings.Fields("test --files files --coverage-min 90 tests")...); code != 1 || !strings.Contains(message, "50.0% of the lines were run, and 90.0% are wanted") {
		t.Errorf("ends with %d, %s", code, message)
	}
}
