package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/sink"
	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// nobody is the user and group that processes become in these tests, with two
// supplementary groups that exist in a namespace only.
const (
	nobody    = 65534
	groupFile = "root:x:0:\nnogroup:x:65534:\nmailread:x:4711:root,nobody\nmailadm:x:4712:nobody\n"
)

// TestPrivilegeDrop starts as root, becomes nobody, and finds everything that
// the configuration asks for in /proc: user, groups, umask, limits. What only
// root may read has been read before, and the control socket belongs to whom it
// should.
func TestPrivilegeDrop(t *testing.T) {
	t.Parallel()
	testenv.Root(t)
	far := newFarEnd(t, sink.Options{})
	m := newRelay(t, far.Addr())
	certificate := newCertificate(t, "mta.test")
	must(t, os.Chmod(filepath.Dir(m.dir), 0o755))
	must(t, os.Chmod(m.dir, 0o755))
	m.write("key.pem", certificate.key)
	m.write("cert.pem", certificate.chain)
	must(t, os.Chmod(m.path("key.pem"), 0o600))
	for _, sub := range []string{"queue", "tmp"} {
		must(t, os.Chown(m.path(sub), nobody, nobody))
	}
	m.write("group", groupFile)
	m.startup(fmt.Sprintf(`
environment:
  privdrop: { user: nobody }
  umask: "0027"
  rlimit: { nofile: 4321, core: 0 }
  controlsocket: { owner: nobody, group: mailadm, chmod: "0660" }
pki: { private: [ { id: main, privatekey: { path: %q } } ] }`, m.path("key.pem")))
	m.running(fmt.Sprintf(`
servers: [ { id: inbound, transport: out, hostname: mta.test, resolve: { ptr: false }, tls: { certs: { cert: main } } } ]
pki: { private: [ { id: main, certificate: { path: %q } } ] }`, m.path("cert.pem")))
	m.startCommand(inNamespace(t, "mount --bind "+m.path("group")+" /etc/group", m.arguments()...))

	status := procFile(t, m.pid(), "status")
	for field, want := range map[string]string{
		"Uid": "65534 65534 65534 65534", "Gid": "65534 65534 65534 65534", "Groups": "4711 4712 65534", "Umask": "0027", "CapEff": "0000000000000000",
	} {
		if got := strings.Join(strings.Fields(status[field]), " "); got != want {
			t.Errorf("%s is %s, want %s", field, got, want)
		}
	}
	expectLimit(t, m.pid(), "Max open files", "4321", "4321")
	expectLimit(t, m.pid(), "Max core file size", "0", "0")
	expectOwner(t, m.socket(), nobody, 4712, os.ModeSocket|0o660)

	c := dial(t, m.smtp)
	c.ehlo()
	c.startTLS("mta.test")
	c.ehlo()
	c.send("a@example.org", "b@example.net")
	far.wait(t, 1)
	segments, err := filepath.Glob(m.path("queue/*.seg"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("no segments, %v", err)
	}
	for _, file := range segments {
		expectOwner(t, file, nobody, nobody, 0o600)
	}
	if got := m.ctl("config", "reload"); got != "OK\n" {
		t.Errorf("reload without privileges: %q", got)
	}
	m.stop()
}

// TestPrivilegeDropGroup takes a group other than the user's.
func TestPrivilegeDropGroup(t *testing.T) {
	t.Parallel()
	testenv.Root(t)
	m := newMTA(t)
	must(t, os.Chmod(filepath.Dir(m.dir), 0o755))
	for _, sub := range []string{"queue", "tmp"} {
		must(t, os.Chown(m.path(sub), nobody, nobody))
	}
	m.write("group", groupFile)
	m.startup("environment: { privdrop: { user: nobody, group: mailread } }")
	m.startCommand(inNamespace(t, "mount --bind "+m.path("group")+" /etc/group", m.arguments()...))
	status := procFile(t, m.pid(), "status")
	if got := strings.Fields(status["Gid"]); got[0] != "4711" {
		t.Errorf("Gid is %v, want 4711", got)
	}
	m.stop()
}

// TestSpoolOfAnother names the folder that the user cannot write.
func TestSpoolOfAnother(t *testing.T) {
	t.Parallel()
	testenv.Root(t)
	m := newMTA(t)
	must(t, os.Chmod(filepath.Dir(m.dir), 0o755))
	must(t, os.Chown(m.path("tmp"), nobody, nobody))
	m.startup("environment: { privdrop: { user: nobody } }")
	p := run(t, m.arguments()...).expectCode(1)
	expectContains(t, p.err.String(), "smtpd: Could not load configuration: spool: ", m.path("queue"), "permission denied")
}

// TestLimitTooHigh: a limit that cannot be had ends the start.
func TestLimitTooHigh(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	m.startup("environment: { rlimit: { nofile: 9000000000000 } }")
	p := run(t, m.arguments()...).expectCode(1)
	expectContains(t, p.err.String(), "smtpd: Could not load configuration: daemon: limit of open files: cannot set 9000000000000: ")
}

// procFile reads a file of /proc/PID that has "Name: value" lines.
func procFile(t testing.TB, pid int, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	must(t, err)
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		values[key] = strings.TrimSpace(value)
	}
	return values
}

func expectLimit(t testing.TB, pid int, name, soft, hard string) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if f := strings.Fields(rest); f[0] != soft || f[1] != hard {
				t.Errorf("%s is %s and %s, want %s and %s", name, f[0], f[1], soft, hard)
			}
			return
		}
	}
	t.Errorf("no limit %q", name)
}

func expectOwner(t testing.TB, path string, uid, gid uint32, mode os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	st := info.Sys().(*syscall.Stat_t)
	if st.Uid != uid || st.Gid != gid || info.Mode() != mode {
		t.Errorf("%s belongs to %d:%d with mode %v, want %d:%d with %v", path, st.Uid, st.Gid, info.Mode(), uid, gid, mode)
	}
}
