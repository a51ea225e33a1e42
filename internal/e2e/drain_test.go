package e2e

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// TestDrain stops a busy MTA: idle clients are told so at once, a message that
// is coming in is taken, the attempt that runs is finished, nobody new gets in.
func TestDrain(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{Rules: []sink.Rule{rule(t, "slow@example.net eod delay 1500ms")}})
	m := newRelay(t, far.Addr()).start()
	submit(t, m.smtp, "a@example.org", "slow@example.net")
	eventually(t, "the attempt", func() bool { return far.Stats().Faults.Delays == 1 })
	idle, busy := dial(t, m.smtp), dial(t, m.smtp)
	idle.ehlo()
	busy.ehlo()
	busy.say("MAIL FROM:<a@example.org>", "250")
	busy.say("RCPT TO:<late@example.net>", "250")
	busy.say("DATA", "354")
	busy.write("Subject: test\r\n\r\n")

	m.signal(syscall.SIGTERM)
	idle.expect("421 4.3.2")
	if _, err := idle.reply(); err == nil {
		t.Error("the idle client is still connected")
	}
	if code := status(m.monitor, "/healthy"); code != 503 {
		t.Errorf("/healthy is %d while stopping", code)
	}
	if conn, err := net.Dial("tcp", m.smtp); err == nil {
		conn.Close()
		t.Error("somebody new got in")
	}
	busy.say("Text.\r\n.", "250")
	busy.expect("421 4.3.2")
	m.expectCode(0)
	expectContains(t, m.program.err.String(), "delivered <slow@example.net>")
	m.start() // in case that what was taken last has not been sent yet
	far.wait(t, 2)
	m.waitCount(0)
	m.stop()
}

// TestDrainLimit cuts off what does not end in time; the attempt that was cut
// off does not count.
func TestDrainLimit(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{Rules: []sink.Rule{rule(t, "* eod stall")}})
	m := newRelay(t, far.Addr())
	m.running("queues: { shutdown: { timeout: 1 } }")
	m.start()
	submit(t, m.smtp, "a@example.org", "b@example.net")
	eventually(t, "the attempt", func() bool { return far.Stats().Faults.Stalls == 1 })
	stuck := dial(t, m.smtp)
	stuck.ehlo()
	stuck.say("MAIL FROM:<a@example.org>", "250")
	began := time.Now()
	m.stop()
	if took := time.Since(began); took < time.Second || took > 20*time.Second {
		t.Errorf("stopping took %v", took)
	}
	log := m.program.err.String()
	expectContains(t, log, "smtpd: Stopped\n")
	if strings.Contains(log, "deferred <b@example.net>") {
		t.Errorf("the attempt counts:\n%s", log)
	}
	m.start()
	eventually(t, "another attempt", func() bool { return far.Stats().Faults.Stalls == 2 })
	if e := m.one(); e.RetryCount != 0 {
		t.Errorf("the entry is %+v", e)
	}
	m.kill()
}
