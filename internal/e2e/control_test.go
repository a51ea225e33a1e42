package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// TestControlOverTLS puts the control socket on TCP with certificates on both
// sides. ctl reads where it is and how to get in from smtpd.yaml; who has no
// certificate does not get in.
func TestControlOverTLS(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	own, operator, stranger := newCertificate(t, "mta.test"), newCertificate(t, "operator.test"), newCertificate(t, "stranger.test")
	for name, text := range map[string]string{
		"own.key": own.key, "own.crt": own.chain, "op.key": operator.key, "op.crt": operator.chain, "st.key": stranger.key, "st.crt": stranger.chain,
	} {
		m.write(name, text)
	}
	address := freeAddress(t)
	socket := func(client string) string {
		return fmt.Sprintf(`{ address: 127.0.0.1, port: %d, tls: {
  server: { certificate: { path: %[2]s/own.crt }, privatekey: { path: %[2]s/own.key }, clientcerts: [ { path: %[2]s/op.crt } ] },
  client: { certificate: { path: %[2]s/%[3]s.crt }, privatekey: { path: %[2]s/%[3]s.key }, verify: false } } }`, portOf(address), m.dir, client)
	}
	text, err := os.ReadFile(m.path("smtpd.yaml"))
	must(t, err)
	m.write("smtpd.yaml", strings.Replace(string(text), fmt.Sprintf("{ path: %q }", m.socket()), socket("op"), 1))
	must(t, os.Mkdir(m.path("stranger"), 0o700))
	m.start()
	use := func(file string) *program { return run(t, "ctl", "-c", file, "queue", "count") }
	expectText(t, "queue count", use(m.path("smtpd.yaml")).expectCode(0).out.String(), "0\n")

	for name, form := range map[string]string{"paths": "path: " + m.path("op"), "inline": ""} {
		certificate, key := "{ "+form+".crt }", "{ "+form+".key }"
		if form == "" {
			certificate, key = fmt.Sprintf("{ data: %q }", operator.chain), fmt.Sprintf("{ data: %q }", operator.key)
		}
		must(t, os.Mkdir(m.path(name), 0o700))
		name += "/halonctl.yaml"
		m.write(name, fmt.Sprintf("version: \"6.9\"\nenvironment: { controlsocket: { address: 127.0.0.1, port: %d, tls: { certificate: %s, privatekey: %s, verify: false } } }\n",
			portOf(address), certificate, key))
		expectText(t, name, use(m.path(name)).expectCode(0).out.String(), "0\n")
	}

	m.write("stranger/smtpd.yaml", "version: \"6.9\"\nservers: []\nenvironment: { controlsocket: "+socket("st")+" }\n")
	if p := use(m.path("stranger/smtpd.yaml")); p.wait() == 0 {
		t.Error("a stranger got in")
	}
	if p := run(t, "ctl", "--socket", address, "queue", "count"); p.wait() == 0 {
		t.Error("somebody without a certificate got in")
	}
	m.stop()
}

// TestClientFileFirst finds the socket in the file of the client before that of
// the server.
func TestClientFileFirst(t *testing.T) {
	t.Parallel()
	testenv.Root(t)
	m := newMTA(t).start()
	must(t, os.MkdirAll(m.path("etc/posthaste"), 0o700))
	m.write("etc/posthaste/smtpd.yaml", "version: \"6.9\"\nservers: []\nenvironment: { controlsocket: { path: /nowhere.ctl } }\n")
	inside := func() *program {
		return runCommand(t, inNamespace(t, "mount --bind "+m.path("etc")+" /etc", "ctl", "queue", "count"))
	}
	expectContains(t, inside().expectCode(3).err.String(), "/nowhere.ctl")
	m.write("etc/posthaste/halonctl.yaml", fmt.Sprintf("version: \"6.9\"\nenvironment: { controlsocket: { path: %q } }\n", m.socket()))
	expectText(t, "queue count", inside().expectCode(0).out.String(), "0\n")
	m.stop()
}

// TestControlSocketMode keeps others out, by default and as configured.
func TestControlSocketMode(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]os.FileMode{"": 0o600, `chmod: "0660"`: 0o660} {
		m := newMTA(t)
		m.startup("environment: { umask: \"0000\", controlsocket: { " + setting + " } }")
		m.start()
		info, err := os.Stat(m.socket())
		must(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("with %q the socket has the mode %v", setting, info.Mode())
		}
		m.stop()
		if _, err := os.Lstat(m.socket()); !os.IsNotExist(err) {
			t.Errorf("the socket is left behind: %v", err)
		}
	}
}

// TestControlForbidden tells a user who may not use the socket what to do.
func TestControlForbidden(t *testing.T) {
	t.Parallel()
	testenv.Root(t)
	m := newMTA(t).start()
	for dir := m.dir; dir != os.TempDir(); dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o755))
	}
	must(t, os.Chmod(filepath.Dir(binary), 0o755))
	p := runCommand(t, asNobody(binary, "ctl", "--socket", m.socket(), "queue", "count")).expectCode(3)
	expectContains(t, p.err.String(), "permission denied", m.socket(), "sudo")
	m.stop()
}

// TestControlFindsUp reaches `up` by its data folder.
func TestControlFindsUp(t *testing.T) {
	t.Parallel()
	u := newTry(t)
	expectText(t, "queue count", run(t, "ctl", "--dir", u.dir, "queue", "count").expectCode(0).out.String(), "0\n")
	expectText(t, "reload", run(t, "ctl", "--dir", u.dir, "config", "reload").expectCode(0).out.String(), "OK\n")
	u.stop()
	expectContains(t, run(t, "ctl", "--dir", u.dir, "queue", "count").expectCode(3).err.String(), u.dir)
}

// TestLogLevel shows more, and less, while the process runs.
func TestLogLevel(t *testing.T) {
	t.Parallel()
	m := newMTA(t).start()
	dial(t, m.smtp).say("QUIT", "221")
	m.ctl("log", "level", "debug")
	expectText(t, "level", m.ctl("log", "level"), "debug\n")
	dial(t, m.smtp).say("QUIT", "221")
	m.waitFor("] connect from [127.0.0.1]:")
	m.waitFor("] closed after ")
	m.ctl("log", "level", "warning")
	before := m.program.err.String()
	submit(t, m.smtp, "a@example.org", "b@example.net")
	m.tryCtl("log", "level", "chatty").expectCode(2)
	m.stop()
	if more := strings.TrimPrefix(m.program.err.String(), before); more != "" {
		t.Errorf("logged above warning only, and yet\n%s", more)
	}
	if n := strings.Count(before, "] connect from"); n != 1 {
		t.Errorf("%d connections logged, want 1", n)
	}
}

// TestUnixListener takes mail over a Unix socket; its clients are local.
func TestUnixListener(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	path := m.path("smtp.sock")
	m.startup(fmt.Sprintf("servers: [ { id: inbound, listeners: [ { path: %q, chmod: \"0666\" } ] } ]", path))
	m.start()
	expectContains(t, m.program.err.String(), "smtpd: - listen on "+path+"\n")
	run(t, "source", "--to", "unix:"+path).expectCode(0)
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o666 {
		t.Errorf("the socket has the mode %v", info.Mode())
	}
	m.kill()
	m.start() // over the socket that was left behind
	conn, err := net.Dial("unix", path)
	must(t, err)
	c := newClient(t, conn)
	c.expect("220")
	c.say("QUIT", "221")
	m.stop()
}
