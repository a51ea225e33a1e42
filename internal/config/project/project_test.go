package project

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-mta/posthaste/internal/config"
)

const appConfig = `# relay
version: "6.9"
servers:
  - id: a
    phases:
      connect: { hook: greet }
      rcptto:
        hook:
          id: default
          recipientdomains: { example.com: sub/other, "*.example.com": default }
      eod: { hook: default }
  - id: b
    phases: { eod: { hook: default }, rcptto: { hook: inline } }
scripting:
  hooks:
    rcptto: [{ id: inline, data: "Accept();" }]
  files: [{ id: lists/a.txt, data: old }, { id: host.txt, path: /etc/hostname }]
`

var sources = map[string]string{
	"src/config/smtpd-app.yaml":        appConfig,
	"src/config/smtpd.yaml":            "version: \"6.9\"\nspool: { fsync: !Env \"${FSYNC:true}\" }\n",
	"src/hooks/connect/greet.hsl":      "Accept();\n",
	"src/hooks/rcptto/default.hsl":     "// default\nAccept();\n",
	"src/hooks/rcptto/sub/other.hsl":   "Reject();",
	"src/hooks/eod/default.hsl":        "if (true) {\n\techo \"x\";\n}\n",
	"src/hooks/eod/unused.hsl":         "unused",
	"src/hooks/queue/predelivery.hsl":  "Try();",
	"src/files/main.hsl":               "return 1;",
	"src/files/lists/a.txt":            "new\n",
	"src/files/lists/b.bin":            "\xff\x00",
	"src/files/lists/skip.tmp":         "x",
	"src/files/lists/deep/skip.tmp":    "x",
	"src/files/lists/deep/keep.txt":    "",
	"src/files/lists/.halonignore":     "# temporary\n*.tmp\ndeep/gone.txt\n",
	"src/files/lists/deep/gone.txt":    "x",
	"src/files/.git/config":            "x",
	"src/files/build/out.txt":          "x",
	"src/files/secret.key":             "x",
	"settings.yaml":                    "smtpd:\n  build:\n    exclude: [\"*.key\", build/]\n  other: 1\n",
	"dist/smtpd-app.yaml":              "before",
	"dist/notes.txt":                   "mine",
	"src/config/halfway.yaml":          "not a kind of ours",
	"src/hooks/queue/other-script.hsl": "unknown",
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func readTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// packedScripts lists what a packed file holds, as phase/id or file id, with
// the content.
func packedScripts(t *testing.T, path string) map[string]string {
	t.Helper()
	doc, _, err := config.Open(path, config.SMTPDApp, config.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, phase := range phases {
		for _, s := range scriptsOf(doc, phase) {
			got[phase+"/"+s.ID] = s.Data
		}
	}
	for _, name := range queueHooks {
		if n := doc.Root.Get("scripting").Get("hooks").Get(name); n != nil {
			got[name] = n.Text
		}
	}
	for _, f := range filesOf(doc) {
		if f.Path != "" {
			got["file:"+f.ID] = "at " + f.Path
			continue
		}
		content, err := f.content()
		if err != nil {
			t.Fatal(err)
		}
		got["file:"+f.ID] = string(content)
	}
	return got
}

func TestBuild(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, sources)
	written, err := Build(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "dist/smtpd.yaml"), filepath.Join(dir, "dist/smtpd-app.yaml")}
	if !slices.Equal(written, want) {
		t.Errorf("wrote %q, want %q", written, want)
	}
	packed := filepath.Join(dir, "dist/smtpd-app.yaml")
	diff := cmp.Diff(map[string]string{
		"connect/greet":            sources["src/hooks/connect/greet.hsl"],
		"rcptto/default":           sources["src/hooks/rcptto/default.hsl"],
		"rcptto/sub/other":         sources["src/hooks/rcptto/sub/other.hsl"],
		"rcptto/inline":            "Accept();",
		"eod/default":              sources["src/hooks/eod/default.hsl"],
		"predelivery":              "Try();",
		"file:main.hsl":            "return 1;",
		"file:lists/a.txt":         "new\n",
		"file:lists/b.bin":         "\xff\x00",
		"file:lists/deep/keep.txt": "",
		"file:host.txt":            "at /etc/hostname",
	}, packedScripts(t, packed))
	if diff != "" {
		t.Errorf("packed (-want +got):\n%s", diff)
	}
	dist := readTree(t, filepath.Join(dir, "dist"))
	if names := slices.Sorted(maps.Keys(dist)); !slices.Equal(names, []string{"notes.txt", "smtpd-app.yaml", "smtpd.yaml"}) {
		t.Errorf("dist holds %q", names)
	}
	if dist["smtpd.yaml"] != sources["src/config/smtpd.yaml"] {
		t.Errorf("smtpd.yaml has changed: %s", dist["smtpd.yaml"])
	}
	if !strings.Contains(dist["smtpd-app.yaml"], "# relay") {
		t.Error("the comment is lost")
	}
}

// TestBuildErrors wants every mistake named, and dist as it was.
func TestBuildErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		change map[string]string
		want   []string
	}{
		{
			"unknown keys in two files",
			map[string]string{"src/config/smtpd.yaml": "version: \"6.9\"\nspol: {}\n", "src/config/rated.yaml": "version: \"10.0\"\nkee: 1\n"},
			[]string{`smtpd.yaml:2:1: spol: unknown key; did you mean "spool"?`, `rated.yaml:2:1: kee: unknown key; did you mean "key"?`},
		},
		{
			"missing scripts",
			map[string]string{"src/config/smtpd-app.yaml": strings.Replace(strings.Replace(appConfig, "hook: greet", "hook: hello", 1), "sub/other", "gone", 1)},
			[]string{`smtpd-app.yaml:6:24: servers[0].phases.connect.hook: no file `, `["example.com"]: no file `},
		},
		{
			"a script elsewhere",
			map[string]string{"src/config/smtpd-app.yaml": strings.Replace(appConfig, "hook: greet", "hook: ../../../x", 1)},
			[]string{`the id leads out of the folder`},
		},
		{"a script in another encoding", map[string]string{"src/hooks/eod/default.hsl": "\xff"}, []string{"default.hsl: not valid UTF-8"}},
		{"a bad pattern", map[string]string{"src/files/lists/.halonignore": "ok\n[z-\n"}, []string{".halonignore:2:"}},
		{"bad settings", map[string]string{"settings.yaml": "smtpd: ["}, []string{"settings.yaml"}},
		{"no version", map[string]string{"src/config/smtpd.yaml": "{}"}, []string{"smtpd.yaml: Missing version"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, sources)
			write(t, dir, c.change)
			before := readTree(t, filepath.Join(dir, "dist"))
			_, err := Build(Options{Dir: dir})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v\nwant %s", err, want)
				}
			}
			if diff := cmp.Diff(before, readTree(t, filepath.Join(dir, "dist"))); diff != "" {
				t.Errorf("dist has changed:\n%s", diff)
			}
		})
	}
	if _, err := Build(Options{Dir: t.TempDir()}); err == nil {
		t.Error("built an empty folder")
	}
}

// TestBuildWriteError makes the last of several files impossible to replace.
func TestBuildWriteError(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, sources)
	write(t, dir, map[string]string{"dist/smtpd.yaml/inside": "a folder in the way"})
	before := readTree(t, filepath.Join(dir, "dist"))
	for range 8 { // files are written in no order
		if _, err := Build(Options{Dir: dir}); err == nil {
			t.Fatal("no error")
		}
		if diff := cmp.Diff(before, readTree(t, filepath.Join(dir, "dist"))); diff != "" {
			t.Fatalf("dist has changed:\n%s", diff)
		}
	}
}

func TestBuildAsks(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, sources)
	refusal := errors.New("no")
	var asked []string
	options := Options{Dir: dir, CheckScript: func(phase, path, source string) error {
		data, err := os.ReadFile(path)
		if err != nil || string(data) != source {
			t.Errorf("%s: %v", path, err)
		}
		asked = append(asked, phase+":"+filepath.Base(path))
		return nil
	}}
	if _, err := Build(options); err != nil {
		t.Fatal(err)
	}
	want := []string{"connect:greet.hsl", "rcptto:default.hsl", "rcptto:other.hsl", "eod:default.hsl", "queue:predelivery.hsl", "files:main.hsl"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
	options.CheckScript = func(string, string, string) error { return refusal }
	if _, err := Build(options); !errors.Is(err, refusal) {
		t.Errorf("got %v", err)
	}
	options.CheckScript = nil
	options.Check = func(string, map[config.Kind][]byte) error { return refusal }
	if _, err := Build(options); err != nil {
		t.Errorf("asked about files with variables: %v", err)
	}
	write(t, dir, map[string]string{"src/config/smtpd.yaml": "version: \"6.9\"\n"})
	if _, err := Build(options); !errors.Is(err, refusal) {
		t.Errorf("got %v", err)
	}
	options.Check = func(dist string, files map[config.Kind][]byte) error {
		doc, _, err := config.Parse(filepath.Join(dist, "smtpd-app.yaml"), files[config.SMTPDApp], config.SMTPDApp, config.LoadOptions{})
		if err != nil {
			return err
		}
		return fmt.Errorf("check: %w", config.Errors{doc.Errorf("servers[1].id", "no")}.Err())
	}
	_, err := Build(options)
	if want := "src/config/smtpd-app.yaml:12:9: servers[1].id: no"; err == nil || !strings.HasSuffix(errors.Unwrap(err).Error(), want) {
		t.Errorf("got %v, want the source: %s", err, want)
	}
}

// TestUnpack packs what it has taken apart to the same bytes.
func TestUnpack(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, sources)
	if _, err := Build(Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	packed, err := os.ReadFile(filepath.Join(dir, "dist/smtpd-app.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Unpack(Options{Dir: dir}, false); !errors.Is(err, ErrExists) {
		t.Errorf("replaced sources: %v", err)
	}
	again := Options{Dir: dir, Source: "src2"}
	written, err := Unpack(again, false)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(written, filepath.Join(dir, "src2/hooks/rcptto/sub/other.hsl")) {
		t.Errorf("wrote %q", written)
	}
	if _, err := Unpack(again, false); err != nil {
		t.Errorf("a second time: %v", err)
	}
	again.Dist = "dist2"
	if _, err := Build(again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(packedScripts(t, filepath.Join(dir, "dist/smtpd-app.yaml")), packedScripts(t, filepath.Join(dir, "dist2/smtpd-app.yaml"))); diff != "" {
		t.Error(diff)
	}
	third := Options{Dir: dir, Source: "src3", Dist: "dist2"}
	if _, err := Unpack(third, false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(readTree(t, filepath.Join(dir, "src2")), readTree(t, filepath.Join(dir, "src3"))); diff != "" {
		t.Error(diff)
	}
	if bytes.Contains(packed, []byte("unused")) {
		t.Error("packed a script that nothing refers to")
	}
}

func TestUnpackHostile(t *testing.T) {
	for _, files := range []string{
		"files: [{ id: ../x, data: y }]", "files: [{ id: /etc/x, data: y }]", "hooks: { eod: [{ id: ../../../x, data: y }] }",
		"files: [{ id: x, data: \"*\", binary: true }]",
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{"dist/smtpd-app.yaml": fmt.Sprintf("version: \"6.9\"\nscripting: { %s }\n", files)})
		if _, err := Unpack(Options{Dir: dir}, true); err == nil {
			t.Errorf("%s: no error", files)
		}
		if got := readTree(t, dir); len(got) != 1 {
			t.Errorf("%s: wrote %v", files, got)
		}
	}
	if _, err := Unpack(Options{Dir: t.TempDir()}, false); err == nil {
		t.Error("unpacked an empty folder")
	}
}

func TestRules(t *testing.T) {
	for _, c := range []struct {
		folder, line, id string
		isFolder, want   bool
	}{
		{"", "*.tmp", "a.tmp", false, true},
		{"", "*.tmp", "x/y/a.tmp", false, true},
		{"", "/a.tmp", "x/a.tmp", false, false},
		{"", "/a.tmp", "a.tmp", false, true},
		{"", "x/*.txt", "x/a.txt", false, true},
		{"", "x/*.txt", "y/x/a.txt", false, false},
		{"x", "*.tmp", "a.tmp", false, false},
		{"x", "*.tmp", "x/a.tmp", false, true},
		{"x", "a/b", "x/a/b", false, true},
		{"x", "*", "xy", false, false},
		{"", "build/", "build", true, true},
		{"", "build/", "build", false, false},
		{"", "build", "build", true, true},
	} {
		r, err := newRule(c.folder, c.line)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.excludes(c.id, c.isFolder); got != c.want {
			t.Errorf("%q in %q excludes %q: %v", c.line, c.folder, c.id, got)
		}
	}
}
