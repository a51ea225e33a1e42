package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/daemon"
	"github.com/posthaste-mta/posthaste/internal/sink"
	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// TestStartLines compares the start with the lines that operators know, to the
// letter.
func TestStartLines(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	second := freeAddress(t)
	m.startup(fmt.Sprintf("servers: [ { id: inbound, listeners: [ { address: 127.0.0.1, port: %d }, { address: 127.0.0.1, port: %d } ] } ]", portOf(m.smtp), portOf(second)))
	m.start()
	want := "smtpd: Starting Posthaste (" + daemon.Version() + ")\n" +
		"smtpd: serverid: inbound\n" +
		"smtpd: - listen on " + m.smtp + "\n" +
		"smtpd: - listen on " + second + "\n"
	if got := m.program.err.String(); got != want {
		t.Errorf("the start is logged as\n%s\nwant\n%s", got, want)
	}
	dial(t, second).say("QUIT", "221")
	m.stop()
	if got := m.program.err.String(); got != want+"smtpd: Stopping\nsmtpd: Stopped\n" {
		t.Errorf("the whole run is logged as\n%s", got)
	}
}

// TestListenOnAll takes every address of both families.
func TestListenOnAll(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	port := portOf(m.smtp)
	m.startup(fmt.Sprintf("servers: [ { id: inbound, listeners: [ { port: %d } ] } ]", port))
	m.start()
	expectContains(t, m.program.err.String(), fmt.Sprintf("smtpd: - listen on 0.0.0.0:%d\n", port))
	dial(t, m.smtp).say("QUIT", "221")
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil {
		l.Close()
		expectContains(t, m.program.err.String(), fmt.Sprintf("smtpd: - listen on [::]:%d\n", port))
		dial(t, fmt.Sprintf("[::1]:%d", port)).say("QUIT", "221")
	}
	m.stop()
}

// TestListenOnAllWithoutIPv6 does so on a host that has IPv6 switched off, as a
// network namespace of its own.
func TestListenOnAllWithoutIPv6(t *testing.T) {
	t.Parallel()
	testenv.Root(t)
	far := newFarEnd(t, sink.Options{})
	m := newRelay(t, far.Addr())
	m.startup(fmt.Sprintf("servers: [ { id: inbound, listeners: [ { port: %d } ] } ]", portOf(m.smtp)))
	setup := testenv.Program(t, "ip") + " link set lo up && echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 && exec \"$@\""
	m.program = startCommand(t, exec.Command(testenv.Program(t, "unshare"), append([]string{"--net", "sh", "-c", setup, "sh", binary}, m.arguments()...)...))
	eventually(t, "the control socket", func() bool { return m.tryCtl("queue", "count").code == 0 })
	runCommand(t, exec.Command(testenv.Program(t, "nsenter"), "--net", "--target", fmt.Sprint(m.pid()), binary, "source", "--to", m.smtp)).expectCode(0)
	m.waitCount(1, "--state", "DEFER") // the far end is not in that namespace
	m.stop()
}

// TestStartErrors checks that a start which fails says why in one line, after
// the words that people search for, and exits with 1.
func TestStartErrors(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", freeAddress(t))
	must(t, err)
	defer taken.Close()
	takenPort := portOf(taken.Addr().String())
	for _, tt := range []struct {
		name  string
		spoil func(*mta)
		want  string // of the last line, after "smtpd: Could not load configuration: "
	}{
		{"foreign address", func(m *mta) {
			m.startup("servers: [ { id: inbound, listeners: [ { address: 192.0.2.1, port: 2525 } ] } ]")
		}, "bind: Cannot assign requested address"},
		{"port in use", func(m *mta) {
			m.startup(fmt.Sprintf("servers: [ { id: inbound, listeners: [ { address: 127.0.0.1, port: %d } ] } ]", takenPort))
		}, "bind: Address already in use"},
		{"monitor port in use", func(m *mta) { m.startup(fmt.Sprintf("monitor: { listener: { port: %d } }", takenPort)) }, "monitor: "},
		{"unknown key", func(m *mta) { m.write("smtpd.yaml", "version: \"6.9\"\nservers:\n  - id: inbound\n    listners: []\n") }, "DIR/smtpd.yaml:4:5: "},
		{"unknown key in the running file", func(m *mta) { m.write("smtpd-app.yaml", "version: \"6.9\"\nresolver:\n  cach: {}\n") }, "DIR/smtpd-app.yaml:3:3: "},
		{"no startup file", func(m *mta) { must(m.t, os.Remove(m.path("smtpd.yaml"))) }, "config: open DIR/smtpd.yaml: no such file or directory"},
		{"no running file", func(m *mta) { must(m.t, os.Remove(m.path("smtpd-app.yaml"))) }, "config: open /etc/posthaste/smtpd-app.yaml: no such file or directory"},
		{"unknown user", func(m *mta) { m.startup("environment: { privdrop: { user: nosuchuser } }") }, `daemon: user "nosuchuser" does not exist`},
		{"unknown group", func(m *mta) { m.startup("environment: { privdrop: { user: nobody, group: nosuchgroup } }") }, `daemon: group "nosuchgroup" does not exist`},
		{"spool is no folder", func(m *mta) { m.startup(fmt.Sprintf("spool: { path: %q }", m.path("smtpd.yaml"))) }, "spool: "},
		{"temporary folder is none", func(m *mta) { m.startup(fmt.Sprintf("environment: { tmpdir: %q }", m.path("smtpd.yaml/tmp"))) }, "environment.tmpdir: "},
		{"no key", func(m *mta) { m.startup("pki: { private: [ { id: a, privatekey: { path: /nonexistent.key } } ] }") }, `pki: private key "a": `},
		{"unknown transport", func(m *mta) { m.running("servers: [ { id: inbound, transport: elsewhere } ]") }, "DIR/smtpd-app.yaml:"},
		{"server missing", func(m *mta) { m.running("servers: [ { id: outbound, transport: out } ]") }, "DIR/smtpd-app.yaml:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMTA(t)
			tt.spoil(m)
			p := run(t, m.arguments()...).expectCode(1)
			lines := strings.Split(strings.TrimSpace(p.err.String()), "\n")
			want := "smtpd: Could not load configuration: " + strings.ReplaceAll(tt.want, "DIR", m.dir)
			first := strings.Join(lines, "\n")
			if i := strings.Index(first, "smtpd: Could not"); i < 0 || !strings.HasPrefix(first[i:], want) {
				t.Errorf("ended with\n%s\nwant %s", first, want)
			}
			if leftover, _ := filepath.Glob(m.socket()); len(leftover) > 0 {
				t.Errorf("%s is left behind", leftover)
			}
		})
	}
}

// TestUnknownKeyNearest offers the key that was meant.
func TestUnknownKeyNearest(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	m.write("smtpd.yaml", "version: \"6.9\"\nservers:\n  - id: inbound\n    listners: []\n")
	expectContains(t, run(t, m.arguments()...).expectCode(1).err.String(), "listners", "listeners")
	expectContains(t, run(t, "smtpd", "--check", "-c", m.path("smtpd.yaml")).expectCode(1).err.String(), ":4:5: ", "listeners")
}

// TestCheckOpensNothing checks a configuration while it is in use.
func TestCheckOpensNothing(t *testing.T) {
	t.Parallel()
	m := newMTA(t).start()
	for _, flag := range []string{"--check", "-t"} {
		run(t, "smtpd", flag, "-c", m.path("smtpd.yaml")).expectCode(0)
	}
	m.stop()
}

// TestKilledLeavesNothing starts again after kill -9 over what was left behind.
func TestKilledLeavesNothing(t *testing.T) {
	t.Parallel()
	m := newRelay(t, refusing(t)).start()
	submit(t, m.smtp, "a@example.org", "b@example.net")
	m.kill()
	m.start()
	m.waitCount(1)
	m.stop()
}
