package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// TestEnvSubstitution fills in the environment where that is allowed, and
// refuses the tag where it is not.
func TestEnvSubstitution(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	m.write("smtpd-app.yaml", strings.ReplaceAll(runningYAML, "hostname: mta.test", `hostname: !Env "${E2E_HOSTNAME}"`))
	p := run(t, m.arguments()...).expectCode(1)
	expectContains(t, p.err.String(), "--config-env-substitution")
	cmd := exec.Command(binary, append(m.arguments(), "--config-env-substitution")...)
	cmd.Env = append(os.Environ(), "E2E_HOSTNAME=fromenv.test")
	m.startCommand(cmd)
	c := dial(t, m.smtp)
	expectContains(t, c.say("HELO client.test", "250"), "fromenv.test")
	c.say("QUIT", "221")
	m.stop()
}

// TestUUIDVersion gives ids of the flavour that is configured.
func TestUUIDVersion(t *testing.T) {
	t.Parallel()
	for setting, version := range map[string]string{"version: 1": "1", "version: 4": "4"} {
		m := newRelay(t, refusing(t))
		m.startup("environment: { uuid: { " + setting + " } }")
		m.start()
		c := dial(t, m.smtp)
		c.ehlo()
		pattern := regexp.MustCompile("^[0-9a-f]{8}-[0-9a-f]{4}-" + version + "[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
		first, second := c.send("a@example.org", "b@example.net"), c.send("a@example.org", "b@example.net")
		for _, id := range []string{first, second} {
			if !pattern.MatchString(id) {
				t.Errorf("with %s a message was queued as %q", setting, id)
			}
		}
		if first == second {
			t.Error("two messages have one id")
		}
		c.say("QUIT", "221")
		m.waitCount(1, "--id", first)
		m.stop()
	}
}

// TestSyslogMask drops the lines of the priorities that are masked.
func TestSyslogMask(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	m.startup("environment: { syslog: { mask: 191 } }") // all but LOG_INFO
	m.start()
	submit(t, m.smtp, "a@example.org", "b@example.net")
	m.stop()
	expectContains(t, m.program.err.String(), "smtpd: serverid: inbound\n", "smtpd: Stopped\n")
	if strings.Contains(m.program.err.String(), "accepted from") {
		t.Errorf("lines of the priority info are there:\n%s", m.program.err.String())
	}
}

// TestCorruptSpool starts after a crash over a damaged segment: the damage is
// named, what can be read is kept, and mail is taken.
func TestCorruptSpool(t *testing.T) {
	t.Parallel()
	m := newRelay(t, refusing(t)).start()
	for range 5 {
		submit(t, m.smtp, "a@example.org", "b@example.net")
	}
	m.waitTried(1, 5)
	m.kill()
	damage(t, m.path("queue"), "Subject: test")
	m.write("queue/stranger.txt", "not ours")
	m.startup("spool: { corrupt: rename }")
	m.start()
	m.waitFor("Damage in the spool file ")
	m.waitFor("stranger.txt")
	m.waitCount(4)
	submit(t, m.smtp, "a@example.org", "c@example.net")
	m.waitCount(1, "--recipient", "c@example.net")
	m.stop()
}

// TestCorruptBody finds out that a message is damaged while it is being sent:
// the far end must not take it for whole.
func TestCorruptBody(t *testing.T) {
	t.Parallel()
	m := newRelay(t, refusing(t)).start()
	for range 3 {
		submit(t, m.smtp, "a@example.org", "b@example.net")
	}
	m.waitTried(1, 3)
	m.stop()
	damage(t, m.path("queue"), "Subject: test")
	far := newFarEnd(t, sink.Options{})
	m.running(transportTo(far.Addr(), "retry: { count: 30, intervals: [ { interval: 3600 } ] }"))
	m.start()
	m.waitCount(3)
	m.ctl("queue", "retry", "--all")
	far.wait(t, 2)
	m.waitTried(2, 1)
	e := m.one()
	expectContains(t, e.RetryReason, "cannot be read")
	m.waitFor("cannot be read (spool: body in 00000000.seg at ")
	m.tryCtl("queue", "show", "--raw", e.ID).expectCode(1)
	m.stop()
	if n := len(far.all()); n != 2 {
		t.Errorf("%d messages arrived, want 2", n)
	}
}

// damage overwrites the first place in the segments of a spool that has text.
func damage(t testing.TB, dir, text string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	must(t, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(t, err)
		if i := strings.Index(string(data), text); i >= 0 {
			f, err := os.OpenFile(file, os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteAt([]byte(strings.Repeat("?", len(text))), int64(i))
			must(t, err)
			must(t, f.Close())
			return
		}
	}
	t.Fatalf("no segment has %q", text)
}

// TestProject packs a project folder and runs what came of it.
func TestProject(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	project := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(project, "src", "config"), 0o755))
	for _, name := range []string{"smtpd.yaml", "smtpd-app.yaml"} {
		must(t, os.Rename(m.path(name), filepath.Join(project, "src", "config", name)))
	}
	run(t, "config", "build", "-C", project).expectCode(0)
	m.startCommand(exec.Command(binary, "smtpd", "-f", "-c", filepath.Join(project, "dist", "smtpd.yaml")))
	submit(t, m.smtp, "a@example.org", "b@example.net")
	m.stop()

	must(t, os.WriteFile(filepath.Join(project, "src", "config", "smtpd-app.yaml"), []byte("nonsense: true\n"), 0o644))
	before, err := os.ReadFile(filepath.Join(project, "dist", "smtpd-app.yaml"))
	must(t, err)
	expectContains(t, run(t, "config", "build", "-C", project).expectCode(1).err.String(), "nonsense", ":1:1")
	after, err := os.ReadFile(filepath.Join(project, "dist", "smtpd-app.yaml"))
	must(t, err)
	if string(before) != string(after) {
		t.Error("dist was changed by a build that failed")
	}
}

// asNobody is a command that runs without rights.
func asNobody(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return cmd
}
