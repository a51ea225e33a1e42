package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/sink"
	"github.com/posthaste-mta/posthaste/internal/sink/sequence"
)

// load is a running `posthaste source` that notes each acknowledged message.
type load struct {
	*program
	acked string
}

// startLoad starts a source that goes on until it is stopped, over restarts of
// the server.
func startLoad(t testing.TB, address, acked string, more ...string) *load {
	t.Helper()
	return &load{acked: acked, program: start(t, append([]string{
		"source", "--to", address, "-m", "0", "--acked", acked, "--reconnect=2m", "--rcpt", "user-%d@d%d.example", "--domains", "7",
	}, more...)...)}
}

// acknowledged is the number of messages that the server has answered for.
func (l *load) acknowledged() int {
	l.t.Helper()
	text, err := os.ReadFile(l.acked)
	if os.IsNotExist(err) {
		return 0
	}
	must(l.t, err)
	return strings.Count(string(text), "\n")
}

// waitMore waits until n more have been acknowledged.
func (l *load) waitMore(n int) {
	l.t.Helper()
	want := l.acknowledged() + n
	eventually(l.t, fmt.Sprintf("%d acknowledged messages", want), func() bool { return l.acknowledged() >= want })
}

// finish ends the load. What it had in flight when a server died makes it end
// with 1.
func (l *load) finish() {
	l.t.Helper()
	l.signal(syscall.SIGINT)
	if code := l.wait(); code != 0 && code != 1 {
		l.t.Fatalf("the source ended with %d", code)
	}
}

// expectNoLoss compares what was acknowledged with what has arrived and prints
// what came more than once.
func (l *load) expectNoLoss(t testing.TB, ledger *sequence.Ledger) {
	t.Helper()
	f, err := os.Open(l.acked)
	must(t, err)
	defer f.Close()
	found, err := ledger.Compare(f)
	must(t, err)
	for _, c := range ledger.Counts() {
		t.Logf("%d acknowledged, %d lost, %d different arrived, %d duplicates", found.Acknowledged, found.Lost, c.Distinct, c.Duplicates)
	}
	if found.Lost > 0 || found.Acknowledged == 0 {
		t.Errorf("%d of %d acknowledged messages are lost: %v", found.Lost, found.Acknowledged, found.First)
	}
}

// TestKilled kills a loaded MTA twenty times in a row. Nothing that it has
// acknowledged may be lost; what comes twice is counted.
func TestKilled(t *testing.T) {
	t.Parallel()
	var ledger sequence.Ledger
	far := newFarEnd(t, sink.Options{Ledger: &ledger, Rules: []sink.Rule{rule(t, "* rcpt reply 451 4.7.1 come back later @5%")}})
	m := newMTA(t)
	m.running(transportTo(far.Addr(), "retry: { count: 1000, intervals: [ { interval: 1 } ] }"))
	m.pool()
	m.start()
	source := startLoad(t, m.smtp, m.path("acked"), "-s", "8", "--rate", "600", "--size", "6000")
	for range 20 {
		source.waitMore(100)
		m.kill()
		m.start()
	}
	source.waitMore(100)
	source.finish()
	m.waitCount(0)
	m.stop()
	source.expectNoLoss(t, &ledger)
	if damage := strings.Count(m.program.err.String(), "Damage in the spool"); damage > 0 {
		t.Errorf("%d damages after the last restart:\n%s", damage, m.program.err.String())
	}
}
