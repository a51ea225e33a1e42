package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// TestSpoolOfDeadHost looks into the spool of an MTA that was killed, and hands
// it to another one, which delivers.
func TestSpoolOfDeadHost(t *testing.T) {
	t.Parallel()
	dead := newRelay(t, refusing(t)).start()
	submit(t, dead.smtp, "a@example.org", "b@example.net", "c@example.net")
	submit(t, dead.smtp, "a@example.org", "d@example.net")
	dead.waitTried(1, 3)
	dead.ctl("queue", "hold", "--recipient", "d@example.net")
	queue := dead.path("queue")
	expectContains(t, run(t, "spool", "list", queue).expectCode(1).err.String(), "is in use by process", "posthaste ctl queue")
	id := dead.list()[0].ID
	want := dead.ctl("queue", "show", "--raw", id)
	dead.ctl("queue", "update", "--recipient", "c@example.net", "--set-transportid", "out") // the newest state counts
	dead.kill()

	list := run(t, "spool", "list", queue).expectCode(0).out.String()
	expectContains(t, list, "b@example.net", "c@example.net", "d@example.net", "HOLD", "DEFER", "connection refused")
	if n := strings.Count(run(t, "spool", "list", queue, "--json").expectCode(0).out.String(), `"retrycount":1,`); n != 3 {
		t.Errorf("%d rows of JSON", n)
	}
	expectContains(t, run(t, "spool", "check", queue).expectCode(0).out.String(), "3 entries of 2 messages read, ")
	expectText(t, "the message", run(t, "spool", "show", queue, id).expectCode(0).out.String(), want)
	expectContains(t, run(t, "spool", "show", queue, strings.Repeat("0", 8)+id[8:]).expectCode(1).err.String(), "no such message waits there")
	run(t, "spool", "show", queue, "nonsense").expectCode(2)

	run(t, "spool", "export", queue).expectCode(2)
	saved := dead.path("saved.phqueue")
	expectContains(t, run(t, "spool", "export", queue, "-o", saved).expectCode(0).out.String(), "3 entries of 2 messages exported to "+saved)
	run(t, "spool", "export", queue, "-o", saved).expectCode(1) // nothing is written over

	far := newFarEnd(t, sink.Options{})
	heir := newRelay(t, far.Addr()).start()
	p := run(t, "spool", "adopt", queue, "--socket", heir.socket()).expectCode(0)
	expectContains(t, p.out.String(), "3 entries of 2 messages imported")
	expectContains(t, p.err.String(), queue+" is now "+queue+".adopted")
	if _, err := os.Stat(queue); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	heir.waitCount(1, "--state", "HOLD")
	heir.ctl("queue", "retry", "--state", "DEFER")
	far.wait(t, 2)
	heir.waitCount(1)
	// Those that have gone come again: at least once, and never lost.
	expectText(t, "import", heir.ctl("queue", "import", saved), "2 entries of 1 message imported, 1 entry skipped as already queued\n")
	heir.stop()
}

// TestSpoolDamaged names the damage and goes on with the rest.
func TestSpoolDamaged(t *testing.T) {
	t.Parallel()
	m := newRelay(t, refusing(t)).start()
	for range 3 {
		submit(t, m.smtp, "a@example.org", "b@example.net")
	}
	m.waitTried(1, 3)
	m.stop()
	queue := m.path("queue")
	damage(t, queue, "Subject: test")
	p := run(t, "spool", "check", queue).expectCode(1)
	expectContains(t, p.out.String(), "3 entries of 3 messages read")
	expectContains(t, p.err.String(), "damaged: message ", "00000000.seg", "1 damaged place")
	heir := newRelay(t, refusing(t)).start()
	p = run(t, "spool", "adopt", queue, "--socket", heir.socket()).expectCode(1)
	expectContains(t, p.out.String(), "2 entries of 2 messages imported")
	expectContains(t, p.err.String(), queue+" stays as it is")
	heir.waitCount(2)
	heir.stop()
	expectContains(t, run(t, "spool", "adopt", queue, "--socket", heir.socket()).expectCode(3).err.String(), heir.socket())
}
