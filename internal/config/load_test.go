package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMistakes checks the text and the place of every kind of complaint. The
// file holds cases: a line "== KIND", the file, a line "~~", the complaints.
func TestMistakes(t *testing.T) {
	data, err := os.ReadFile("testdata/mistakes.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range strings.Split("\n"+string(data), "\n== ")[1:] {
		kind, rest, _ := strings.Cut(one, "\n")
		text, want, found := strings.Cut(rest, "~~\n")
		if !found {
			t.Fatalf("no complaint in %q", one)
		}
		_, warnings, err := Parse("f.yaml", []byte(text), Kind(kind), LoadOptions{})
		got := strings.Join(warnings.Lines(), "\n")
		if err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(strings.TrimSpace(want), got); diff != "" {
			t.Errorf("%s\n%s (-want +got):\n%s", kind, text, diff)
		}
	}
}

func TestVersionErrors(t *testing.T) {
	_, _, err := Parse("f", []byte("servers: []\n"), SMTPD, LoadOptions{})
	if !errors.Is(err, ErrMissingVersion) {
		t.Errorf("without version: %v", err)
	}
	_, _, err = Parse("f", []byte(`version: "7.0"`), SMTPD, LoadOptions{})
	if !errors.Is(err, ErrUnknownVersion) {
		t.Errorf("version 7.0: %v", err)
	}
	var one *Error
	if !errors.As(err, &one) || one.Line != 1 || one.Path != "version" {
		t.Errorf("version 7.0: %#v", one)
	}
}

// TestVersions accepts every version from the oldest known one on.
func TestVersions(t *testing.T) {
	for _, kind := range Kinds() {
		oldest, newest := kind.Versions()
		for _, v := range []Version{oldest, newest} {
			doc, warnings, err := Parse("f", []byte(`version: "`+v.String()+`"`), kind, LoadOptions{})
			if err != nil || len(warnings) != 0 || doc.Version != v {
				t.Errorf("%s %s: %v, %v", kind, v, warnings, err)
			}
		}
		if _, _, err := Parse("f", []byte(`version: "0.9"`), kind, LoadOptions{}); !errors.Is(err, ErrUnknownVersion) {
			t.Errorf("%s 0.9: %v", kind, err)
		}
	}
}

func TestEnv(t *testing.T) {
	text := `
version: !Env "${VERSION:6.9}"
environment:
  syslog: { mask: !Env "${MASK}", facility: !Env "${FACILITY:local${N:1}}" }
spool: { fsync: !Env "${FSYNC:false}", path: !Env "/var/${NAME}/q" }
`
	env := map[string]string{"MASK": "191", "NAME": "x", "VERSION": "6.9"}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	text = strings.Replace(text, `local${N:1}`, `local1`, 1)
	doc, _, err := Parse("f", []byte(text), SMTPD, LoadOptions{EnvSubstitution: true, Getenv: lookup})
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Environment struct {
			Syslog struct {
				Mask     int    `yaml:"mask"`
				Facility string `yaml:"facility"`
			} `yaml:"syslog"`
		} `yaml:"environment"`
		Spool struct {
			Fsync bool   `yaml:"fsync"`
			Path  string `yaml:"path"`
		} `yaml:"spool"`
	}
	if err := doc.Decode(&s); err != nil {
		t.Fatal(err)
	}
	if doc.Version != (Version{6, 9}) || s.Environment.Syslog.Mask != 191 || s.Environment.Syslog.Facility != "local1" || s.Spool.Fsync || s.Spool.Path != "/var/x/q" {
		t.Errorf("got %+v", s)
	}
}

// TestEnvString takes digits for a string where only a string can stand.
func TestEnvString(t *testing.T) {
	text := "version: \"6.9\"\nservers: [{ id: !Env \"${ID:25}\", priority: !Env \"${P:x}\", apikeys: [!Env \"${KEY:1234}\"] }]\n"
	_, _, err := Parse("f", []byte(text), SMTPDApp, LoadOptions{EnvSubstitution: true})
	if want := `f:2:44: servers[0].priority: want one of 0, 1, got the string "x"`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestSecrets keeps what must not be logged out of messages.
func TestSecrets(t *testing.T) {
	for kind, text := range map[Kind]string{
		SMTPDApp: "servers: [{ id: a, apikeys: [314159, s3cret: x] }]\ntransportgroups: [{ id: a, session: { auth: { password: 314159 } } }]\n" +
			"pki: { private: [{ id: a, privatekey: s3cret }, { id: b, privatekey: { data: 314159 } }] }\nmonitor: { apikeys: 314159 }",
		RateD: "key: s3cret",
		API:   "authentication: { secret: 314159 }",
	} {
		_, _, err := Parse("f", []byte("version: \"6.9\"\n"+text+"\n"), kind, LoadOptions{})
		if err == nil || strings.Contains(err.Error(), "314159") || strings.Contains(err.Error(), "\"s3cret\"") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestEnvDeferred accepts variables that only the running program knows.
func TestEnvDeferred(t *testing.T) {
	text := []byte("version: \"6.9\"\nspool: { fsync: !Env \"${X}\" }\nmonitor: { port: !Env \"${PORT}\" }\n")
	doc, _, err := Parse("f", text, SMTPD, LoadOptions{DeferEnv: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Decode(&struct{}{}); err == nil {
		t.Error("decoded although variables are not known")
	}
}

// TestAliasBomb stops a small file that stands for billions of values.
func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: \"6.9\"\nplugins:\n  - id: a\n    config:\n      a0: &a0 [1,2,3,4,5,6,7,8,9,0]\n")
	for i := range 9 {
		n := string(rune('0' + i))
		m := string(rune('1' + i))
		b.WriteString("      a" + m + ": &a" + m + " [" + strings.Repeat("*a"+n+",", 9) + "*a" + n + "]\n")
	}
	start := time.Now()
	_, _, err := Parse("f", []byte(b.String()), SMTPD, LoadOptions{})
	if err == nil || !strings.Contains(err.Error(), "aliases repeat more than") {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
}

func TestAliases(t *testing.T) {
	text := "version: \"6.9\"\nlists:\n  remotemx:\n    a: &a [x.example]\n    b: *a\n"
	doc, _, err := Parse("f", []byte(text), SMTPDApp, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := doc.Root.Get("lists").Get("remotemx").Get("b").Items[0].Text; got != "x.example" {
		t.Errorf("got %q", got)
	}
}

// TestMoved takes older spellings to their present place.
func TestMoved(t *testing.T) {
	text := `
version: "5.12"
monitor: { port: 9090 }
servers:
  - id: a
    protoprotocol: [10.0.0.1]
    listeners: [{ port: 25 }, { port: 26, proxyprotocol: true }]
`
	_, _, err := Parse("f", []byte(text), SMTPD, LoadOptions{})
	want := "f:6:5: servers[0].protoprotocol: older spelling of listeners[].proxyprotocol, which is given as well"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	doc, _, err := Parse("f", []byte(strings.Replace(text, ", proxyprotocol: true", "", 1)), SMTPD, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range doc.Root.Get("servers").Items[0].Get("listeners").Items {
		if p := l.Get("proxyprotocol"); p == nil || p.Items[0].Text != "10.0.0.1" {
			t.Errorf("listener %v", l)
		}
	}
	if port := doc.Root.Get("monitor").Get("listener").Get("port"); port == nil || port.Text != "9090" {
		t.Errorf("monitor %v", doc.Root.Get("monitor"))
	}
}

func TestPaths(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "smtpd.yaml")
	text := "version: \"6.9\"\nspool: { path: queue }\nenvironment: { controlsocket: { path: /x/y } }\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var s struct {
		Spool struct {
			Path string `yaml:"path"`
		} `yaml:"spool"`
		Environment struct {
			TmpDir        string `yaml:"tmpdir"`
			ControlSocket struct {
				Path string `yaml:"path"`
			} `yaml:"controlsocket"`
		} `yaml:"environment"`
	}
	if _, err := Load(file, SMTPD, &s, LoadOptions{Layout: HalonLayout}); err != nil {
		t.Fatal(err)
	}
	if s.Spool.Path != filepath.Join(dir, "queue") || s.Environment.ControlSocket.Path != "/x/y" ||
		s.Environment.TmpDir != "/var/spool/halon/tmp" {
		t.Errorf("got %+v", s)
	}
}

// TestScalarText gives a field of type string the text of any scalar.
func TestScalarText(t *testing.T) {
	doc, _, err := Parse("f", []byte("version: \"6.9\"\nenvironment: { controlsocket: { port: 1, address: \"::1\" }, rlimit: { core: 5MiB } }\n"), SMTPD, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Environment struct {
			ControlSocket struct {
				Address string `yaml:"address"`
				Chmod   string `yaml:"chmod"`
			} `yaml:"controlsocket"`
			Rlimit struct {
				Core Optional[string] `yaml:"core"`
			} `yaml:"rlimit"`
		} `yaml:"environment"`
	}
	if err := doc.Decode(&s); err != nil {
		t.Fatal(err)
	}
	e := s.Environment
	if e.ControlSocket.Address != "::1" || e.ControlSocket.Chmod != "0600" || e.Rlimit.Core != Some("5MiB") {
		t.Errorf("got %+v", e)
	}
}

func TestLoadMissing(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"), SMTPD, &struct{}{}, LoadOptions{})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestWarningLines(t *testing.T) {
	at := Position{"a.yaml", 1, 2}
	w := Warnings{
		{at, NotObeyed, "x.y", ""}, {at, NewerVersion, "version", "newer"}, {at, Meaningless, "z", ""}, {at, NotObeyed, "q[]", ""},
		{Position{"b.yaml", 3, 4}, Dangling, "p", "no grouping"},
	}
	want := []string{
		"a.yaml:1:2: version: newer", "b.yaml:3:4: p: no grouping",
		"a.yaml: settings without effect yet: x.y, q[]", "a.yaml: settings without meaning here: z",
	}
	if diff := cmp.Diff(want, w.Lines()); diff != "" {
		t.Error(diff)
	}
}

// FuzzParse wants no panic, and errors that have a text and a place.
func FuzzParse(f *testing.F) {
	f.Add("version: \"6.9\"\nservers: [{id: a, listeners: [{port: 25}]}]\n")
	f.Add("version: 6\n\xff")
	f.Add("a: &a [*a]\n")
	f.Add("a: !Env \"${X:1}\"\nb: {<<: *c}\n? [x]\n: y")
	f.Add("{version: \"6.9\", lists: {remotemx: {a: [\"*.b\"]}}, \"\": 1}")
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []Kind{SMTPD, SMTPDApp, SMTPDPolicy} {
			doc, _, err := Parse("f", []byte(text), kind, LoadOptions{EnvSubstitution: true})
			if err == nil {
				_ = doc.Errorf("servers[0].x[\"y\"]", "z").Error()
				continue
			}
			var all Errors
			if !errors.As(err, &all) || len(all) == 0 || all.Error() == "" {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}
