package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// twoWays are transports to two hosts: "out", where mail goes at first and
// reports always, and "good".
func (m *mta) twoWays(out, good *farEnd) {
	m.t.Helper()
	transport := func(id string, far *farEnd) string {
		return "{ id: " + id + ", connection: { server: 127.0.0.1, port: " + strings.TrimPrefix(far.Addr().String(), "127.0.0.1:") + " } }"
	}
	m.running("transportgroups: [ { id: all, retry: { count: 30, intervals: [ { interval: 3600 } ] }, dsn: { transport: good }, transports: [ " +
		transport("out", out) + ", " + transport("good", good) + " ] } ]")
}

// newBusy is an MTA whose next hop puts everything off, with three entries of
// two messages in its queue. The second far end takes everything.
func newBusy(t testing.TB) (m *mta, good *farEnd) {
	t.Helper()
	bad := newFarEnd(t, sink.Options{Rules: []sink.Rule{rule(t, "* rcpt reply 451 4.7.1 come back later")}})
	good = newFarEnd(t, sink.Options{})
	m = newMTA(t)
	m.twoWays(bad, good)
	m.start()
	submit(t, m.smtp, "a@example.org", "b@one.example", "c@two.example")
	submit(t, m.smtp, "d@example.com", "e@one.example")
	m.waitTried(1, 3)
	return m, good
}

// TestQueueView looks at what waits: list, count, show, group, in text and JSON.
func TestQueueView(t *testing.T) {
	t.Parallel()
	m, _ := newBusy(t)
	for conditions, want := range map[string]int{
		"": 3, "--recipientdomain one.example": 2, "--recipientdomain !one.example": 1, "--recipient c@two.example": 1,
		"--sender a@example.org": 2, "--senderdomain example.com": 1, "--state DEFER": 3, "--state HOLD": 0,
		"--recipientdomain one.example --senderdomain example.com": 1, "--recipientdomain one.example --recipientdomain two.example": 3,
		"--retrycount 1": 3, "--retrycount !=1": 0, "--retrycount >1": 0, "--retrycount 1..5": 3, "--size <1MiB": 3, "--size >1MiB": 0,
		"--age <1h": 3, "--retrydelay >50m": 3, "--reason later": 3, "--transportid out": 3, "--serverid inbound": 3, "--senderip 127.0.0.0/8": 3,
		"--senderhelo client.test": 3, "--subject test": 3, "--remotemx mx.example": 0,
	} {
		if got := m.count(strings.Fields(conditions)...); got != want {
			t.Errorf("count %s is %d, want %d", conditions, got, want)
		}
		if got := m.list(strings.Fields(conditions)...); len(got) != want {
			t.Errorf("list %s has %d, want %d", conditions, len(got), want)
		}
	}
	e := m.one("--recipient", "c@two.example")
	if e.QueueID != 2 || e.State != "DEFER" || e.Hold || e.Sender != "a@example.org" || e.RetryCount != 1 || e.Transport != "out" ||
		e.RetryReason != "451 4.7.1 come back later" || e.Size == 0 || e.RetryTS == 0 {
		t.Errorf("the entry is %+v", e)
	}
	expectContains(t, m.ctl("queue", "list", "defer"), "┌─", "c@two.example", "451 4.7.1 come back later")
	expectContains(t, m.ctl("queue", "show", e.ID), "senderhelo       client.test", "b@one.example", "c@two.example", "451 4.7.1")
	expectContains(t, m.ctl("queue", "show", "--raw", e.ID), "Received: from client.test", "Subject: test\r\n\r\nText.\r\n")
	var shown struct{ Entries []entry }
	must(t, json.Unmarshal([]byte(m.ctl("--json", "queue", "show", e.ID)), &shown))
	if len(shown.Entries) != 2 || shown.Entries[1] != e {
		t.Errorf("show has %+v", shown.Entries)
	}
	expectContains(t, m.ctl("queue", "groupby", "recipientdomain"), "one.example", "two.example")
	m.tryCtl("queue", "show", "00000000-0000-4000-8000-000000000001").expectCode(1)
	m.stop()
}

// TestQueueMistakes: usage errors exit with 2 and change nothing.
func TestQueueMistakes(t *testing.T) {
	t.Parallel()
	m, _ := newBusy(t)
	for _, args := range []string{
		"queue delete", "queue bounce", "queue update --delete", "queue list --state NOWHERE", "queue count --size big", "queue list --sort nothing",
		"queue list -F nothing", "queue update --all --hold --delete", "queue nonsense", "queue list --nonsense", "queue show", "queue count --age >never",
	} {
		p := m.tryCtl(strings.Fields(args)...).expectCode(2)
		if p.err.String() == "" {
			t.Errorf("ctl %s says nothing", args)
		}
	}
	if n := m.count(); n != 3 {
		t.Errorf("%d entries are left, want 3", n)
	}
	m.stop()
	m.tryCtl("queue", "count").expectCode(3)
}

// TestQueueHold holds, releases, moves and removes entries.
func TestQueueHold(t *testing.T) {
	t.Parallel()
	m, good := newBusy(t)
	expectText(t, "hold", m.ctl("queue", "hold", "--recipientdomain", "one.example"), "2 entries held\n")
	if n := m.count("--state", "HOLD"); n != 2 {
		t.Errorf("%d entries on hold, want 2", n)
	}
	m.ctl("queue", "update", "--recipientdomain", "one.example", "--set-transportid", "good")
	m.ctl("queue", "retry", "--all") // what is on hold stays there
	m.waitTried(2, 1)
	if n := m.count("--state", "HOLD"); n != 2 || len(good.all()) != 0 {
		t.Errorf("%d entries on hold and %d messages delivered, want 2 and none", n, len(good.all()))
	}
	m.ctl("queue", "release", "--sender", "d@example.com")
	m.ctl("queue", "retry", "--sender", "d@example.com")
	if got := good.wait(t, 1)[0].to(); got != "e@one.example" {
		t.Errorf("delivered to %s", got)
	}
	m.waitCount(2)
	expectText(t, "dry run", m.ctl("queue", "delete", "--recipientdomain", "two.example", "--dry-run"), "1 entry would be deleted\n")
	expectText(t, "delete", m.ctl("queue", "delete", "--recipientdomain", "two.example"), "1 entry deleted\n")
	m.ctl("queue", "release", "--all")
	m.ctl("queue", "retry", "--all")
	good.wait(t, 2)
	m.waitCount(0)
	m.stop()
	if n := len(good.all()); n != 2 {
		t.Errorf("%d messages arrived, want 2 and no report about what was deleted", n)
	}
}

// TestQueueHoldSurvives keeps holds, transports and due times over a restart.
func TestQueueHoldSurvives(t *testing.T) {
	t.Parallel()
	m, good := newBusy(t)
	m.ctl("queue", "hold", "--recipient", "b@one.example")
	m.ctl("queue", "update", "--recipient", "c@two.example", "--set-transportid", "good")
	m.ctl("queue", "update", "--recipient", "e@one.example", "--delay", "2h")
	before := m.list("--sort", "recipient")
	for _, end := range []func(){func() { m.stop() }, func() { m.kill() }} {
		end()
		m.start()
		m.waitCount(3)
		if after := m.list("--sort", "recipient"); !slices.EqualFunc(before, after, sameEntry) {
			t.Errorf("before the restart\n%+v\nafter\n%+v", before, after)
		}
	}
	m.ctl("queue", "retry", "--recipient", "c@two.example")
	good.wait(t, 1)
	m.stop()
}

// sameEntry allows due times the precision that they are stored with.
func sameEntry(a, b entry) bool {
	near := a.RetryTS-b.RetryTS < 2 && b.RetryTS-a.RetryTS < 2
	a.RetryTS, b.RetryTS = 0, 0
	return near && a == b
}

// TestQueueBounce reports to the sender, once for each entry, and not at all to
// the null sender.
func TestQueueBounce(t *testing.T) {
	t.Parallel()
	m, good := newBusy(t)
	submit(t, m.smtp, "", "f@three.example")
	m.waitTried(1, 4)
	expectText(t, "bounce", m.ctl("queue", "bounce", "--recipientdomain", "three.example"), "1 entry bounced\n")
	expectText(t, "bounce", m.ctl("queue", "bounce", "--recipientdomain", "one.example", "--why", "closed for good"), "2 entries bounced\n")
	reports := good.wait(t, 2)
	m.waitCount(1)
	slices.SortFunc(reports, func(a, b *arrived) int { return strings.Compare(a.to(), b.to()) })
	for i, want := range []struct{ to, about string }{{"a@example.org", "b@one.example"}, {"d@example.com", "e@one.example"}} {
		r := reports[i]
		expectText(t, "recipient of the report", r.to(), want.to)
		expectText(t, "sender of the report", r.Sender.String(), "")
		expectContains(t, r.text, "Content-Type: multipart/report", "Auto-Submitted: auto-replied", "Final-Recipient: rfc822; "+want.about, "Action: failed", "closed for good", "Subject: test")
	}
	m.stop()
}

// TestExportImport moves entries to another MTA: bytes, retries and holds.
func TestExportImport(t *testing.T) {
	t.Parallel()
	m, _ := newBusy(t)
	good := newFarEnd(t, sink.Options{})
	other := newRelay(t, good.Addr()).start()
	m.ctl("queue", "hold", "--all")
	before := m.list("--sort", "recipient")
	archive, folder := filepath.Join(t.TempDir(), "all.phqueue"), t.TempDir()
	expectText(t, "export", m.ctl("queue", "export", "-o", archive), "3 entries of 2 messages exported to "+archive+"\n")
	m.ctl("queue", "export", "--sender", "d@example.com", "-o", folder)
	if files, _ := filepath.Glob(filepath.Join(folder, "*.phqueue")); len(files) != 1 {
		t.Errorf("the folder has %v", files)
	}
	raw := m.ctl("queue", "show", "--raw", before[0].ID)

	other.ctl("queue", "import", archive)
	if after := other.list("--sort", "recipient"); !slices.EqualFunc(before, after, sameEntry) {
		t.Errorf("exported\n%+v\nimported\n%+v", before, after)
	}
	expectText(t, "the message", other.ctl("queue", "show", "--raw", before[0].ID), raw)
	other.ctl("queue", "import", folder) // is there already
	if n := other.count(); n != 3 {
		t.Errorf("%d entries after the second import, want 3", n)
	}
	m.ctl("queue", "delete", "--all")
	other.ctl("queue", "release", "--all")
	other.ctl("queue", "retry", "--all")
	other.waitCount(0)
	if got := good.all(); !slices.ContainsFunc(got, func(a *arrived) bool { return a.text == raw }) {
		t.Errorf("stored as\n%s\nand none of the %d that arrived is", raw, len(got))
	}
	broken := filepath.Join(t.TempDir(), "broken.phqueue")
	must(t, os.WriteFile(broken, []byte("no archive"), 0o600))
	other.tryCtl("queue", "import", broken).expectCode(1)
	other.stop()
	m.stop()
}

// TestRetryToExpiry follows one entry to its end in real time: a notice of the
// delay when it is due, not before, and the report at last.
func TestRetryToExpiry(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newMTA(t)
	m.running(transportTo(far.Addr(), "retry: { count: 2, during: 1h, intervals: [ { interval: 1 }, { interval: 1, notify: true } ] }"))
	m.start()
	submit(t, m.smtp, "a@example.org", "451-4.7.1@example.net")
	reports := far.wait(t, 2)
	expectContains(t, reports[0].text, "Action: delayed", "Status: 4.7.1", "Final-Recipient: rfc822; 451-4.7.1@example.net", "Will-Retry-Until: ")
	expectContains(t, reports[1].text, "Action: failed", "Diagnostic-Code: smtp; 451 4.7.1", "Arrival-Date: ")
	m.waitCount(0)
	m.stop()
	log := m.program.err.String()
	if n := strings.Count(log, "] deferred <451-4.7.1@example.net>"); n != 2 {
		t.Errorf("%d deferrals in the log, want 2:\n%s", n, log)
	}
}

// TestNotify honours what the sender asked for, and passes it on where the next
// hop understands it.
func TestNotify(t *testing.T) {
	t.Parallel()
	hide, err := sink.ParseExtension("dsn")
	must(t, err)
	for _, tt := range []struct {
		name, params, to string
		options          sink.Options
		reports          []string // actions
	}{
		{"success, passed on", "NOTIFY=SUCCESS", "b@example.net", sink.Options{}, nil},
		{"success, relayed", "NOTIFY=SUCCESS,FAILURE", "b@example.net", sink.Options{Hide: hide}, []string{"relayed"}},
		{"success, in the mailbox", "NOTIFY=SUCCESS", "b@example.net", sink.Options{Hide: hide, LMTP: true}, []string{"delivered"}},
		{"failure", "NOTIFY=FAILURE", "550@example.net", sink.Options{}, []string{"failed"}},
		{"never", "NOTIFY=NEVER", "550@example.net", sink.Options{}, nil},
		{"success only", "NOTIFY=SUCCESS", "550@example.net", sink.Options{}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			far := newFarEnd(t, tt.options)
			m := newRelay(t, far.Addr())
			if tt.options.LMTP {
				m.running(transportTo(far.Addr(), "session: { protocol: lmtp }"))
			}
			m.running(serverYAML("extensions: { dsn: true }"))
			m.start()
			c := dial(t, m.smtp)
			expectOffered(t, c.ehlo(), "DSN", true)
			c.say("MAIL FROM:<a@example.org> RET=HDRS ENVID=env+2B1", "250")
			c.say("RCPT TO:<"+tt.to+"> "+tt.params+" ORCPT=rfc822;orig@example.net", "250")
			c.say("DATA", "354")
			c.say("Subject: test\r\n\r\nText.\r\n.", "250")
			m.waitFor("<" + tt.to + ">")
			m.waitCount(0)
			m.stop()
			var reports []string
			for _, a := range far.all() {
				if a.Sender.String() == "" {
					_, rest, _ := strings.Cut(a.text, "Action: ")
					action, _, _ := strings.Cut(rest, "\r\n")
					reports = append(reports, action)
					expectContains(t, a.text, "Original-Envelope-Id: env+1", "Original-Recipient: rfc822; orig@example.net")
				}
			}
			if !slices.Equal(reports, tt.reports) {
				t.Errorf("reports are %v, want %v", reports, tt.reports)
			}
		})
	}
}
