package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/testenv/acmeca"
)

// TestOperatorGuide follows docs/operating.md.
func TestOperatorGuide(t *testing.T) {
	t.Parallel()
	followPage(t, "operating.md", 10)
}

// TestPolicyGuide follows docs/policies.md.
func TestPolicyGuide(t *testing.T) {
	t.Parallel()
	followPage(t, "policies.md", 15)
}

// TestBackoffGuide follows docs/backoff.md.
func TestBackoffGuide(t *testing.T) {
	t.Parallel()
	followPage(t, "backoff.md", 6)
}

// TestScriptedRelay follows docs/scripted-relay.md.
func TestScriptedRelay(t *testing.T) {
	t.Parallel()
	followPage(t, "scripted-relay.md", 5)
}

// TestLivestageGuide follows docs/live-stage.md.
func TestLivestageGuide(t *testing.T) {
	t.Parallel()
	followPage(t, "live-stage.md", 10)
}

// TestCertificateGuide follows docs/certificates.md with an authority of its own.
// It is not parallel: that is set up by variables of the environment.
func TestCertificateGuide(t *testing.T) {
	challenges := freeAddress(t)
	ca := acmeca.New(t, acmeca.Options{HTTPPort: portOf(challenges), TLSPort: 1})
	ca.DNS.Miss("typo.example.net", true)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	must(t, os.WriteFile(roots, ca.RootsPEM, 0o644))
	followPage(t, "certificates.md", 8,
		"CHALLENGES="+fmt.Sprint(portOf(challenges)), "DIRECTORY="+ca.Directory, "ROOTS="+roots, "DNS="+ca.DNS.Addr.String())
}

// followPage runs the examples of a page under docs as one session in an empty
// folder, and compares what is printed with what the page says. "…" stands for
// any text, a line of it for any lines. A block that names a file, as in
// "```hsl src/x.hsl", is written to that file.
// Further variables stand for what a page takes from outside.
func followPage(t *testing.T, name string, least int, variables ...string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("../../docs", name))
	if err != nil {
		t.Fatal(err)
	}
	g := newReader(t, variables...)
	steps := stepsOf(string(page))
	if len(steps) < least {
		t.Fatalf("only %d steps found: the page has another form", len(steps))
	}
	for _, s := range steps {
		g.follow(s)
	}
}

// step is one command of the page and what it is said to print, or one file and
// its content.
type step struct {
	command string
	file    string
	want    string
}

var block = regexp.MustCompile("(?ms)^```(\\w+)(?: (\\S+))?\n(.*?)^```$")

// stepsOf takes the files and the commands out of a page; commands are the lines
// of console blocks that begin with "$ ".
func stepsOf(page string) (steps []step) {
	for _, b := range block.FindAllStringSubmatch(page, -1) {
		kind, file, text := b[1], b[2], b[3]
		switch {
		case file != "":
			steps = append(steps, step{file: file, want: text})
			continue
		case kind != "console":
			continue
		}
		for _, line := range strings.SplitAfter(text, "\n") {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				steps = append(steps, step{command: strings.TrimSuffix(command, "\n")})
			} else if n := len(steps); n > 0 {
				steps[n-1].want += line
			}
		}
	}
	return steps
}

// reader follows the page.
type reader struct {
	t         *testing.T
	dir       string
	env       []string
	variables []string // that files may hold, NAME=VALUE
}

func newReader(t *testing.T, variables ...string) *reader {
	r := &reader{t: t, dir: t.TempDir(), variables: variables}
	bin := filepath.Join(r.dir, ".bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(bin, "posthaste")); err != nil {
		t.Fatal(err)
	}
	r.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	for _, name := range readerPorts {
		_, port, err := net.SplitHostPort(freeAddress(t))
		if err != nil {
			t.Fatal(err)
		}
		r.variables = append(r.variables, name+"="+port)
	}
	r.env = append(r.env, r.variables...)
	return r
}

// follow runs one command. One that ends in & goes on in the background, and
// has what it prints compared as soon as it is there.
func (r *reader) follow(s step) {
	r.t.Helper()
	if s.file != "" {
		path := filepath.Join(r.dir, s.file)
		must(r.t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(r.t, os.WriteFile(path, []byte(os.Expand(s.want, r.variable)), 0o644))
		return
	}
	command, background := strings.CutSuffix(s.command, " &")
	if background {
		command = "exec " + command
	}
	cmd := exec.Command("bash", "-c", command)
	cmd.Dir, cmd.Env = r.dir, r.env
	want := wanted(s.want)
	p := startCommand(r.t, cmd)
	if !background {
		eventually(r.t, "the end of "+s.command, p.ended)
	}
	eventually(r.t, fmt.Sprintf("what the guide says of\n  %s\n%s", s.command, s.want), func() bool {
		printed := p.out.String() + p.err.String()
		if background && p.out.String() != "" {
			printed = p.out.String() // without the log
		}
		if !background && !want.MatchString(printed) {
			r.t.Fatalf("%s\nprinted\n%s\nthe guide says\n%s", s.command, printed, s.want)
		}
		return want.MatchString(printed)
	})
}

// variable fills in the ports that files of the page name as they would be on a
// real host: $SMTP and the like. Everything else with a dollar stays.
func (r *reader) variable(name string) string {
	for _, v := range r.variables {
		if port, ok := strings.CutPrefix(v, name+"="); ok {
			return port
		}
	}
	return "$" + name
}

// readerPorts are variables with free ports.
var readerPorts = []string{"SMTP", "MONITOR", "SINK", "SMTP2", "MONITOR2"}

// wanted turns text with "…" into an expression.
func wanted(text string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)^\s*`)
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if strings.TrimSpace(line) == "…" {
			b.WriteString(`.*`)
			continue
		}
		parts := strings.Split(line, "…")
		for i := range parts {
			parts[i] = spaces.ReplaceAllString(regexp.QuoteMeta(parts[i]), `[ ]*`)
		}
		b.WriteString(strings.Join(parts, `[^\n]*`) + `\s*`)
	}
	return regexp.MustCompile(b.String() + `$`)
}

// spaces are those that tables are filled up with.
var spaces = regexp.MustCompile(` {2,}| +$`)
