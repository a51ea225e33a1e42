package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// activateEnv makes the test binary become the program given as its arguments,
// as a service manager that passes sockets does: LISTEN_PID is the process id,
// which is known only now.
const activateEnv = "POSTHASTE_E2E_ACTIVATE"

func activate() {
	os.Unsetenv(activateEnv)
	os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	err := syscall.Exec(os.Args[1], os.Args[1:], os.Environ())
	fmt.Fprintln(os.Stderr, "e2e:", err)
	os.Exit(1)
}

// activated is a command that runs the MTA with sockets that are open already,
// by name.
func (m *mta) activated(names []string, sockets []net.Listener) *exec.Cmd {
	m.t.Helper()
	self, err := os.Executable()
	must(m.t, err)
	cmd := exec.Command(self, append([]string{binary}, m.arguments()...)...)
	cmd.Env = append(os.Environ(), activateEnv+"=1", fmt.Sprintf("LISTEN_FDS=%d", len(sockets)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	for _, s := range sockets {
		f, err := s.(*net.TCPListener).File()
		must(m.t, err)
		m.t.Cleanup(func() { f.Close() })
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	return cmd
}

// TestActivation serves on sockets that the service manager holds: one found by
// the listener's id, one by its address, one for the monitor. The test keeps
// them open, so the MTA could not bind them itself.
func TestActivation(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	var sockets []net.Listener
	for _, address := range []string{freeAddress(t), m.smtp, m.monitor} {
		l, err := net.Listen("tcp", address)
		must(t, err)
		defer l.Close()
		sockets = append(sockets, l)
	}
	m.startup(fmt.Sprintf(`servers: [ { id: inbound, listeners: [ { id: submission, address: 192.0.2.1, port: 587 }, { address: 127.0.0.1, port: %d } ] } ]`, portOf(m.smtp)))
	m.startCommand(m.activated([]string{"submission", "posthaste.socket", "monitor"}, sockets))
	for _, s := range sockets[:2] {
		submit(t, s.Addr().String(), "a@example.org", "b@example.net")
	}
	m.stop()
}

// TestActivationLeftover names a socket that no listener takes: clients would
// wait on it for ever.
func TestActivationLeftover(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	l, err := net.Listen("tcp", freeAddress(t))
	must(t, err)
	m.startCommand(m.activated([]string{"typo"}, []net.Listener{l}))
	expectContains(t, m.program.err.String(), `"typo"`, l.Addr().String())
	m.stop()
}

// serviceManager is the socket on which a process tells how it is.
type serviceManager struct {
	t    testing.TB
	path string
	conn *net.UnixConn
}

func newServiceManager(t testing.TB) *serviceManager {
	t.Helper()
	s := &serviceManager{t: t, path: filepath.Join(t.TempDir(), "notify")}
	var err error
	s.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.path, Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { s.conn.Close() })
	return s
}

func (s *serviceManager) expect(want string) {
	s.t.Helper()
	must(s.t, s.conn.SetReadDeadline(time.Now().Add(patience)))
	b := make([]byte, 512)
	n, err := s.conn.Read(b)
	if err != nil || !strings.HasPrefix(string(b[:n]), want) {
		s.t.Fatalf("the service manager was told %q, %v; want %s", b[:n], err, want)
	}
}

// TestServiceManager follows a process through start, reload, a reload that
// fails, and stop, as systemd does with Type=notify-reload. No -f is needed.
func TestServiceManager(t *testing.T) {
	t.Parallel()
	manager := newServiceManager(t)
	m := newMTA(t)
	cmd := exec.Command(binary, "smtpd", "-c", m.path("smtpd.yaml"))
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+manager.path)
	m.program = startCommand(t, cmd)
	manager.expect("READY=1")
	if status(m.monitor, "/ready") != 200 {
		t.Error("READY=1 came too early")
	}
	if m.servingPID() != m.pid() {
		t.Error("another process than the one that was started serves")
	}
	m.signal(syscall.SIGHUP)
	manager.expect("RELOADING=1\nMONOTONIC_USEC=")
	manager.expect("READY=1")
	m.write("smtpd-app.yaml", "nonsense: true\n")
	m.signal(syscall.SIGHUP)
	manager.expect("RELOADING=1")
	manager.expect("READY=1")
	dial(t, m.smtp).say("QUIT", "221")
	m.signal(syscall.SIGTERM)
	manager.expect("STOPPING=1")
	m.expectCode(0)
}

// TestServiceManagerFailedStart never says READY=1.
func TestServiceManagerFailedStart(t *testing.T) {
	t.Parallel()
	manager := newServiceManager(t)
	m := newMTA(t)
	m.startup("environment: { privdrop: { user: nosuchuser } }")
	cmd := exec.Command(binary, m.arguments()...)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+manager.path)
	runCommand(t, cmd).expectCode(1)
	must(t, manager.conn.SetReadDeadline(time.Now()))
	b := make([]byte, 512)
	if n, err := manager.conn.Read(b); err == nil {
		t.Errorf("the service manager was told %q", b[:n])
	}
}
