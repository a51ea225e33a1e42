package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// domainCount counts recipients by domain as they are taken.
type domainCount struct {
	mu    sync.Mutex
	taken map[string]int
}

func (d *domainCount) note(m *sink.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range m.Recipients {
		d.taken[r.Address.Domain]++
	}
}

func (d *domainCount) of(domain string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.taken[domain]
}

// TestBackoffEngagesAndRecovers sends to three providers, one of which takes five
// messages and then none for a second, again and again. Mail for the others goes through, that
// for the angry one is slowed down until all of it has been taken, and then
// nothing is in force.
func TestBackoffEngagesAndRecovers(t *testing.T) {
	t.Parallel()
	const each = 12
	limit, err := sink.ParseLimit("angry.test block 5/1h 1s : 451 4.7.28 Our system has detected an unusual rate of unsolicited mail")
	must(t, err)
	count := &domainCount{taken: map[string]int{}}
	s, err := sink.New(sink.Options{Listen: []string{"127.0.0.1:0"}, Hostname: "sink.test", Limits: []sink.Limit{limit}, OnMessage: count.note})
	must(t, err)
	must(t, s.Start(t.Context()))
	t.Cleanup(s.Stop)
	m := newMTA(t)
	m.running(transportTo(s.Addr(), "retry: { count: 1000, intervals: [ { interval: 1 } ] }"))
	m.running("queues: { grouping: { groupings: [ { id: angry, recipientdomain: [ angry.test ] }, { id: calm, recipientdomain: [ calm.test ] } ] } }")
	m.write("smtpd-policy.yaml", `version: "6.9"
backoff:
  enabled: true
  hold: 1
  settle: 1
  steps: [ { concurrency: 2, rate: "10/1" }, { concurrency: 1, rate: "5/1" } ]
`)
	m.start()
	c := dial(t, m.smtp)
	c.ehlo()
	for i := range each {
		for _, domain := range []string{"angry.test", "calm.test", "none.test"} {
			c.send("a@example.org", fmt.Sprintf("r%d@%s", i, domain))
		}
	}
	for _, domain := range []string{"calm.test", "none.test", "angry.test"} {
		eventually(t, "all mail for "+domain, func() bool { return count.of(domain) == each })
	}
	eventually(t, "recovery", func() bool {
		return strings.Contains(m.program.err.String(), "backoff 127.0.0.1 &angry: has recovered")
	})
	log := m.program.err.String()
	if !strings.Contains(log, "backoff 127.0.0.1 &angry: step 2 (google-reputation): 451 4.7.28 Our system") {
		t.Errorf("the log does not tell of a step")
	}
	for _, innocent := range []string{"backoff 127.0.0.1 &calm", "backoff 127.0.0.1 none.test"} {
		if strings.Contains(log, innocent) {
			t.Errorf("the log has %q", innocent)
		}
	}
	m.waitCount(0)
	m.stop()
}
