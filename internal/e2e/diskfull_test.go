package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/sink"
	"github.com/posthaste-mta/posthaste/internal/sink/sequence"
)

// TestDiskFull fills the disk of the spool under load, by mail that cannot leave
// and by somebody else's file. The MTA says 452, says once in its log why, and
// goes on when there is room again. Nothing acknowledged is lost.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	m := newRelay(t, refusing(t))
	disk := m.path("disk")
	must(t, os.Mkdir(disk, 0o700))
	m.startup(fmt.Sprintf("spool: { path: %q }\nenvironment: { tmpdir: %q }", filepath.Join(disk, "queue"), filepath.Join(disk, "tmp")))
	m.startCommand(inNamespace(t, "mount -t tmpfs -o size=40m tmpfs "+disk+" && mkdir "+disk+"/queue "+disk+"/tmp", m.arguments()...))
	filler := fmt.Sprintf("/proc/%d/root%s/filler", m.pid(), disk) // a path into the namespace
	must(t, os.WriteFile(filler, make([]byte, 12<<20), 0o600))

	source := startLoad(t, m.smtp, m.path("acked"), "-s", "4", "--size", "40000", "--retry-temporary", "100000", "--retry-delay", "200ms")
	m.waitFor("The disk of the spool is full")
	c := dial(t, m.smtp)
	c.ehlo()
	eventually(t, "a refusal", func() bool { return refusesFull(t, c) })
	if !refusesFull(t, c) {
		t.Error("a message was taken after all, on the same connection")
	}
	if code := status(m.monitor, "/ready"); code != 200 {
		t.Errorf("/ready is %d with a full disk", code)
	}
	if n := m.count(); n == 0 {
		t.Error("nothing is in the queue")
	}

	must(t, os.Remove(filler))
	source.waitMore(20)
	const room = "The disk of the spool has room again"
	m.waitFor(room)
	said, _, _ := strings.Cut(m.program.err.String(), room) // the load fills it up again soon
	full := strings.Count(said, "The disk of the spool is full")

	// Mail that leaves makes room as well.
	var ledger sequence.Ledger
	far := newFarEnd(t, sink.Options{Ledger: &ledger})
	m.running(transportTo(far.Addr()))
	m.reload()
	m.ctl("queue", "retry", "--all")
	source.waitMore(500)
	source.finish()
	m.ctl("queue", "retry", "--all")
	m.waitCount(0)
	m.stop()
	source.expectNoLoss(t, &ledger)
	if full != 1 {
		t.Errorf("the log says %d times that the disk is full, before there was room", full)
	}
	for line := range strings.Lines(m.program.err.String()) {
		if strings.Contains(line, "panic") || strings.Contains(line, "Damage") {
			t.Errorf("the log has %s", line)
		}
	}
}

// refusesFull tries to send a message and reports whether there was no room for
// it. Any other refusal fails the test.
func refusesFull(t testing.TB, c *client) bool {
	t.Helper()
	for _, command := range []string{"MAIL FROM:<a@example.org>", "RCPT TO:<b@example.net>", "DATA", strings.Repeat(strings.Repeat("x", 70)+"\r\n", 600) + "."} {
		c.write(command + "\r\n")
		reply, err := c.reply()
		must(t, err)
		switch {
		case strings.HasPrefix(reply, "452 4.3.1"):
			c.say("RSET", "250")
			return true
		case reply[0] > '3':
			t.Fatalf("answered %q, want 452 4.3.1", reply)
		}
	}
	return false
}

// TestMinFree refuses mail while the disk has less room than is to be kept free.
func TestMinFree(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"bytes: 900TiB", "inodes: 900000000000"} {
		m := newMTA(t)
		m.startup("spool: { minfree: { " + setting + " } }")
		m.start()
		c := dial(t, m.smtp)
		c.ehlo()
		if !refusesFull(t, c) {
			t.Errorf("with %s a message was taken", setting)
		}
		m.stop()
	}
}
