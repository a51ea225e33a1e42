package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runConfig runs the program with arguments and returns what it prints.
func runConfig(args ...string) (stdout, stderr string, err error) {
	var out, complaints bytes.Buffer
	c := newConfigCommand()
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(&complaints)
	err = c.Execute()
	return out.String(), complaints.String(), err
}

// newProject copies a sample configuration into the sources of a project.
func newProject(t *testing.T, sample string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "src/config"), os.DirFS("../../share/examples/"+sample)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestConfigBuild(t *testing.T) {
	dir := newProject(t, "standard")
	want := ""
	for _, name := range []string{"smtpd.yaml", "smtpd-app.yaml", "smtpd-policy.yaml", "smtpd-suspend.yaml", "smtpd-delivery.yaml"} {
		want += filepath.Join(dir, "dist", name) + "\n"
	}
	for _, args := range [][]string{{"-C", dir}, {"build", "-C", dir}, {"build", "--src-dir", dir + "/src", "--dist-dir", dir + "/dist"}} {
		out, _, err := runConfig(args...)
		if err != nil || out != want {
			t.Errorf("%q: %q, %v", args, out, err)
		}
	}
	if _, _, err := runConfig("unpack", "-C", dir, "--src-dir", "again"); err != nil {
		t.Errorf("unpack: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "again/hooks/eod/default.hsl")); err != nil {
		t.Error(err)
	}
}

// TestConfigBuildChecks refuses files that do not agree with each other, names
// the source and writes nothing.
func TestConfigBuildChecks(t *testing.T) {
	dir := newProject(t, "minimal")
	app := filepath.Join(dir, "src/config/smtpd-app.yaml")
	text, err := os.ReadFile(app)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(app, bytes.Replace(text, []byte("transport: mx\n"), []byte("transport: my\n"), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err = runConfig("build", "-C", dir)
	if err == nil || err.Error() != app+`:5:16: servers[0].transport: no transport "my"` {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(app, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "src/hooks/eod"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "src/hooks/eod/default.hsl"), []byte("echo 1;\nQueue(;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err = runConfig("build", "-C", dir); err == nil || !strings.Contains(err.Error(), "eod/default.hsl:2:7: want operand") {
		t.Errorf("a script with a mistake: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "dist")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("dist: %v", err)
	}
}

func TestConfigCheck(t *testing.T) {
	out, complaints, err := runConfig("check", "../../share/examples/halon-shapes/kubernetes/smtpd.yaml")
	if err != nil || !strings.HasSuffix(out, "smtpd.yaml: OK\n") || !strings.Contains(complaints, "settings without meaning here: ") {
		t.Errorf("%q, %q, %v", out, complaints, err)
	}
	bad := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(bad, []byte("version: \"6.9\"\nspol: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, complaints, err = runConfig("check", "--kind", "smtpd", bad)
	if err == nil || complaints != bad+":2:1: spol: unknown key; did you mean \"spool\"?\n" || exitCodeOf(err) != exitFailed {
		t.Errorf("%q, %v", complaints, err)
	}
	if _, _, err = runConfig("check", bad); exitCodeOf(err) != exitUsage {
		t.Errorf("a file of no kind: %v", err)
	}
}

func TestConfigSchema(t *testing.T) {
	out, _, err := runConfig("schema", "smtpd-app")
	if err != nil || !json.Valid([]byte(out)) {
		t.Errorf("%v: %.80s", err, out)
	}
	if _, _, err := runConfig("schema", "nonsense"); exitCodeOf(err) != exitUsage {
		t.Errorf("got %v", err)
	}
}
