package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// inNamespace returns a command that runs the binary in a mount namespace of
// its own, after a shell line that mounts something there.
func inNamespace(t testing.TB, mounts string, args ...string) *exec.Cmd {
	t.Helper()
	testenv.Root(t)
	line := append([]string{"--mount", "--propagation", "private", "sh", "-c", mounts + ` && exec "$@"`, "sh", binary}, args...)
	return exec.Command(testenv.Program(t, "unshare"), line...)
}

// syslogd is a socket that takes the place of /dev/log in a namespace.
type syslogd struct {
	mounts string // makes it so
	lines  output
}

func newSyslogd(t testing.TB) *syslogd {
	t.Helper()
	dev := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dev, "null"), nil, 0o666))
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dev, "log"), Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { l.Close() })
	s := &syslogd{mounts: "mount --bind " + dev + " /dev"}
	go func() {
		b := make([]byte, 8192)
		for {
			n, err := l.Read(b)
			if err != nil {
				return // closed by the end of the test
			}
			fmt.Fprintf(&s.lines, "%s\n", b[:n])
		}
	}()
	return s
}

var pidMetric = regexp.MustCompile(`(?m)^halon_process_pid (\S+)$`)

// servingPID asks the monitor which process it is.
func (m *mta) servingPID() int {
	m.t.Helper()
	_, body := get(m.monitor, "/metrics", nil)
	found := pidMetric.FindStringSubmatch(body)
	if found == nil {
		m.t.Fatalf("no process id in\n%s", tail(body))
	}
	pid, err := strconv.ParseFloat(found[1], 64)
	must(m.t, err)
	return int(pid)
}

// TestBackground starts without -f: the first process returns when the second
// serves, and the log goes to syslog with its facility and without the prefix
// of the foreground.
func TestBackground(t *testing.T) {
	t.Parallel()
	log := newSyslogd(t)
	m := newMTA(t)
	m.startup("environment: { syslog: { facility: local3 } }")
	parent := runCommand(t, inNamespace(t, log.mounts, "smtpd", "-c", m.path("smtpd.yaml"))).expectCode(0)
	if status(m.monitor, "/ready") != 200 {
		t.Fatal("the parent returned before the child served")
	}
	pid := m.servingPID()
	child, err := os.FindProcess(pid)
	must(t, err)
	t.Cleanup(func() { _ = child.Kill() }) // fails when it has ended
	if pid == parent.pid() {
		t.Error("the parent itself serves")
	}
	if session, err := syscall.Getpgid(pid); err != nil || session != pid {
		t.Errorf("the child belongs to the group %d, %v; want one of its own", session, err)
	}
	if text := parent.out.String() + parent.err.String(); text != "" {
		t.Errorf("the terminal shows %q", text)
	}
	submit(t, m.smtp, "a@example.org", "b@example.net")
	want := []string{
		fmt.Sprintf(" smtpd[%d]: serverid: inbound\n", pid), fmt.Sprintf(" smtpd[%d]: - listen on %s\n", pid, m.smtp), "<157>", // local3.notice
		"] accepted from <a@example.org>", "<158>", // local3.info
	}
	eventually(t, "lines in syslog", func() bool { return strings.Contains(log.lines.String(), want[3]) })
	expectContains(t, log.lines.String(), want...)
	must(t, child.Signal(syscall.SIGTERM))
	eventually(t, "the last line", func() bool { return strings.Contains(log.lines.String(), "]: Stopped\n") })
}

// TestBackgroundFails shows on the terminal why the child could not start.
func TestBackgroundFails(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	m.startup("servers: [ { id: inbound, listeners: [ { address: 192.0.2.1, port: 2525 } ] } ]")
	p := run(t, "smtpd", "-c", m.path("smtpd.yaml")).expectCode(1)
	if want := "smtpd: Could not load configuration: bind: Cannot assign requested address\n"; p.err.String() != want {
		t.Errorf("the terminal shows\n%s\nwant\n%s", p.err.String(), want)
	}
	m.write("smtpd.yaml", "version: [\n")
	p = run(t, "smtpd", "-c", m.path("smtpd.yaml")).expectCode(1)
	expectContains(t, p.err.String(), "smtpd: Could not load configuration: ", m.path("smtpd.yaml")+":")
}
