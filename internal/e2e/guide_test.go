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
)

// TestOperatorGuide runs the examples of docs/operating.md as one session in an
// empty folder, and compares what is printed with what the page says. "…"
// stands for any text, a line of it for any lines.
func TestOperatorGuide(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	g := newReader(t)
	steps := consoleSteps(string(page))
	if len(steps) < 10 {
		t.Fatalf("only %d commands found: the page has another form", len(steps))
	}
	for _, s := range steps {
		g.follow(s)
	}
}

// step is one command of the page and what it is said to print.
type step struct {
	command string
	want    string
}

var consoleBlock = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")

// consoleSteps takes the commands out of a page: lines that begin with "$ ".
func consoleSteps(page string) (steps []step) {
	for _, block := range consoleBlock.FindAllStringSubmatch(page, -1) {
		for _, line := range strings.SplitAfter(block[1], "\n") {
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
	t   *testing.T
	dir string
	env []string
}

func newReader(t *testing.T) *reader {
	r := &reader{t: t, dir: t.TempDir()}
	bin := filepath.Join(r.dir, ".bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(bin, "posthaste")); err != nil {
		t.Fatal(err)
	}
	r.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	for _, name := range []string{"SMTP", "MONITOR", "SINK", "SMTP2", "MONITOR2"} {
		_, port, err := net.SplitHostPort(freeAddress(t))
		if err != nil {
			t.Fatal(err)
		}
		r.env = append(r.env, name+"="+port)
	}
	return r
}

// follow runs one command. One that ends in & goes on in the background, and
// has what it prints compared as soon as it is there.
func (r *reader) follow(s step) {
	r.t.Helper()
	command, background := strings.CutSuffix(s.command, " &")
	if background {
		command = "exec " + command
	}
	cmd := exec.Command("bash", "-c", command)
	cmd.Dir, cmd.Env = r.dir, r.env
	want := wanted(s.want)
	p := startCommand(r.t, cmd)
	if !background {
		<-p.done
	}
	eventually(r.t, fmt.Sprintf("what the guide says of\n  %s\n%s", s.command, s.want), func() bool {
		printed := p.out.String() + p.err.String()
		if background {
			printed = p.out.String()
		}
		if !background && !want.MatchString(printed) {
			r.t.Fatalf("%s\nprinted\n%s\nthe guide says\n%s", s.command, printed, s.want)
		}
		return want.MatchString(printed)
	})
}

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
