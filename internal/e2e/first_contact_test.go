package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/dns/dnstest"
	"github.com/posthaste-mta/posthaste/internal/sink"
	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// try is a running `posthaste up`.
type try struct {
	*program
	dir, smtp, monitor string
}

func upArguments(t testing.TB, dir string, more ...string) (args []string, smtp, monitor string) {
	t.Helper()
	smtp, monitor = freeAddress(t), freeAddress(t)
	args = append([]string{"up", "--dir", dir, "--smtp", smtp, "--monitor", monitor, "--sink", freeAddress(t)}, more...)
	return args, smtp, monitor
}

// newTry starts `posthaste up` on free ports and waits until it has said so.
func newTry(t testing.TB, more ...string) *try {
	t.Helper()
	u := &try{dir: filepath.Join(t.TempDir(), "data")}
	args, smtp, monitor := upArguments(t, u.dir, more...)
	u.smtp, u.monitor = smtp, monitor
	u.program = start(t, args...)
	u.waitFor("Ctrl-C drains and ends.")
	return u
}

// pasteLine is the command that `up` offers to the newcomer.
var pasteLine = regexp.MustCompile(`(?m)^ +(\S.* source .*)$`)

// TestFirstContact does what a newcomer does, with the tool that we offer and
// with two that he may have.
func TestFirstContact(t *testing.T) {
	t.Parallel()
	u := newTry(t)
	line := pasteLine.FindStringSubmatch(u.out.String())
	if line == nil {
		t.Fatalf("no line to paste in\n%s", u.out.String())
	}
	runCommand(t, exec.Command("bash", "-c", line[1])).expectCode(0)
	runCommand(t, swaks(t, u.smtp)).expectCode(0)
	runCommand(t, exec.Command(testenv.Program(t, "smtp-source"), "-f", "c@example.org", "-t", "d@example.net", "-m", "3", "-s", "2", "inet:"+u.smtp)).expectCode(0)
	eventually(t, "five deliveries in the log", func() bool { return strings.Count(u.program.err.String(), "] delivered <") == 5 })
	u.signal(syscall.SIGINT)
	u.expectCode(0)
	expectContains(t, u.out.String(), "The sink took 5 messages.")
	expectContains(t, u.program.err.String(), "] accepted from <a@example.org> ", " for <b@example.net>, ", "] delivered <b@example.net> by ")
}

// TestQuiet checks that --quiet leaves out the lines per message.
func TestQuiet(t *testing.T) {
	t.Parallel()
	u := newTry(t, "--quiet")
	submit(t, u.smtp, "a@example.org", "b@example.net")
	u.stop()
	expectContains(t, u.out.String(), "The sink took 1 messages.")
	if u.program.err.String() != "" {
		t.Errorf("stderr is not silent:\n%s", u.program.err.String())
	}
}

// TestSecondUp wants to know who holds the folder.
func TestSecondUp(t *testing.T) {
	t.Parallel()
	u := newTry(t)
	same := run(t, "up", "--dir", u.dir, "--smtp", u.smtp, "--monitor", u.monitor)
	other, _, _ := upArguments(t, u.dir)
	for _, second := range []*program{same, run(t, other...)} {
		second.expectCode(1)
		expectContains(t, second.err.String(), fmt.Sprintf("in use by process %d", u.pid()), "--dir")
	}
	if status(u.monitor, "/ready") != 200 {
		t.Error("the first one no longer answers")
	}
	u.stop()
	args, _, monitor := upArguments(t, u.dir)
	third := start(t, args...)
	third.waitFor("Ctrl-C")
	if status(monitor, "/ready") != 200 {
		t.Error("the folder cannot be used again")
	}
	third.stop()
}

// TestSecondSignal ends the draining at once while an attempt hangs.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{Rules: []sink.Rule{rule(t, "* eod stall")}})
	u := newTry(t, "--deliver", far.Addr().String())
	submit(t, u.smtp, "a@example.org", "b@example.net")
	eventually(t, "an attempt", func() bool { return far.Stats().Faults.Stalls == 1 })
	u.signal(syscall.SIGINT)
	u.waitFor("Stopping")
	u.signal(syscall.SIGINT)
	u.expectCode(1)
	expectContains(t, u.program.err.String(), "second signal")
}

// TestDeliverElsewhere sends to a host of the user's choice.
func TestDeliverElsewhere(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	u := newTry(t, "--deliver", far.Addr().String())
	submit(t, u.smtp, "a@example.org", "b@example.net")
	if got := far.wait(t, 1)[0]; got.to() != "b@example.net" || !strings.Contains(got.text, "Text.") {
		t.Errorf("the far end got %+v", got)
	}
	u.stop()
	if strings.Contains(u.out.String(), "The sink took") {
		t.Error("a sink ran although mail went elsewhere")
	}
}

// TestWriteConfig leaves files that smtpd runs as they are.
func TestWriteConfig(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	dir := t.TempDir()
	config, data := filepath.Join(dir, "config"), filepath.Join(dir, "data")
	args, smtp, monitor := upArguments(t, data, "--deliver", far.Addr().String(), "--write-config", config)
	wrote := run(t, args...).expectCode(0)
	file := filepath.Join(config, "smtpd.yaml")
	expectContains(t, wrote.out.String(), file, filepath.Join(config, "smtpd-app.yaml"), "smtpd -f -c "+file)
	again := run(t, args...).expectCode(1)
	expectContains(t, again.err.String(), config, " is there already")

	checked := run(t, "smtpd", "--check", "-c", file).expectCode(0)
	if checked.out.String() != "OK\n" || checked.err.String() != "" {
		t.Errorf("--check says %q and %q", checked.out.String(), checked.err.String())
	}
	m := &mta{t: t, smtp: smtp, monitor: monitor}
	m.startCommand(exec.Command(binary, "smtpd", "-f", "-c", file))
	submit(t, smtp, "a@example.org", "b@example.net")
	far.wait(t, 1)
	m.stop()
}

// TestDeliverByMX takes the configuration of --deliver mx and points its
// resolver at a zone of the test.
func TestDeliverByMX(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	zone := dnstest.New(t, "example.net. IN MX 10 mx.example.net.\nmx.example.net. IN A 127.0.0.1")
	dir := t.TempDir()
	args, smtp, monitor := upArguments(t, filepath.Join(dir, "data"), "--deliver", "mx", "--write-config", dir)
	run(t, args...).expectCode(0)
	m := &mta{t: t, dir: dir, smtp: smtp, monitor: monitor}
	_, port, err := net.SplitHostPort(far.Addr().String())
	must(t, err)
	m.running(fmt.Sprintf("resolver: { servers: [ %q ] }", zone.Addr()))
	m.running(`transportgroups: [ { id: default, transports: [ { id: outbound, connection: { port: ` + port + ` } } ] } ]`)
	m.start()
	submit(t, smtp, "a@example.org", "b@example.net")
	far.wait(t, 1)
	m.stop()
	expectContains(t, m.program.err.String(), "delivered <b@example.net> by mx.example.net [127.0.0.1]:"+port)
}

// TestUpByMX checks only what `up --deliver mx` says: mail of a test must not
// leave the host.
func TestUpByMX(t *testing.T) {
	t.Parallel()
	u := newTry(t, "--deliver", "mx")
	expectContains(t, u.out.String(), "delivers by MX")
	u.stop()
}

// TestUpUsage refuses what makes no sense.
func TestUpUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--smtp", "localhost"}, {"--smtp", "mail.example:25"}, {"--monitor", "127.0.0.1:http"}, {"--deliver", "nowhere"}, {"--deliver", "host:0"},
	} {
		p := run(t, append([]string{"up", "--dir", filepath.Join(t.TempDir(), "data")}, args...)...).expectCode(1)
		if !strings.HasPrefix(p.err.String(), "up: ") || !strings.Contains(p.err.String(), args[1]) {
			t.Errorf("%v: %s", args, p.err.String())
		}
	}
	run(t, "up", "--deliver", "sink", "extra").expectCode(2)
}
