package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/daemon"
)

// programs are the names that the first argument may have, and those that a
// link to the binary may have besides.
var programs = map[string][]string{
	"up": nil, "smtpd": nil, "sink": nil, "source": nil,
	"ctl": {"halonctl", "phctl"}, "config": {"halonconfig", "phconfig"},
}

// TestNames runs every program by argument and by link: help and usage errors.
func TestNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, aliases := range programs {
		run(t, name, "--nonsense").expectCode(2)
		for _, called := range append(aliases, name) {
			link := filepath.Join(dir, called)
			must(t, os.Symlink(binary, link))
			byLink := runCommand(t, exec.Command(link, "--help")).expectCode(0).out.String()
			byName := run(t, called, "--help").expectCode(0).out.String()
			if !strings.Contains(byLink, "Usage:\n  "+called) || !strings.Contains(byName, "Usage:\n  posthaste ") {
				t.Errorf("help of %s:\n%s\n%s", called, byLink, byName)
			}
			runCommand(t, exec.Command(link, "--nonsense")).expectCode(2)
		}
	}
}

// TestLinksWork does something with each link that stands in for a program of
// another system.
func TestLinksWork(t *testing.T) {
	t.Parallel()
	links := map[string]string{}
	for _, name := range []string{"smtpd", "halonctl", "halonconfig"} {
		links[name] = filepath.Join(t.TempDir(), name)
		must(t, os.Symlink(binary, links[name]))
	}
	m := newMTA(t)
	m.startCommand(exec.Command(links["smtpd"], "-f", "-c", m.path("smtpd.yaml")))
	for _, how := range [][]string{{"--socket", m.socket()}, {"-c", m.path("smtpd.yaml")}} {
		p := runCommand(t, exec.Command(links["halonctl"], append(how, "config", "reload")...)).expectCode(0)
		if p.out.String() != "OK\n" {
			t.Errorf("config reload printed %q", p.out.String())
		}
	}
	m.stop()
	runCommand(t, exec.Command(links["halonctl"], "--socket", m.socket(), "config", "reload")).expectCode(3)
	expectContains(t, runCommand(t, exec.Command(links["halonconfig"], "schema", "smtpd")).expectCode(0).out.String(), `"servers"`)
}

// TestWithoutProgram tells whoever gives no program, or one that there is not.
func TestWithoutProgram(t *testing.T) {
	t.Parallel()
	bare := run(t).expectCode(0).out.String()
	expectContains(t, bare, "Usage:\n  posthaste", "smtpd", "The MTA")
	unknown := run(t, "sendmail").expectCode(2)
	expectContains(t, unknown.err.String(), "sendmail")
	link := filepath.Join(t.TempDir(), "sendmail") // no name of ours: the argument decides
	must(t, os.Symlink(binary, link))
	runCommand(t, exec.Command(link, "smtpd", "--help")).expectCode(0)
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--version"}, {"smtpd", "--version"}, {"smtpd", "-v"}, {"ctl", "--version"}} {
		expectContains(t, run(t, args...).expectCode(0).out.String(), daemon.Version())
	}
}
