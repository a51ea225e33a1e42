package e2e

import (
	"fmt"
	"testing"
)

// entry is one recipient in the queue, as `ctl --json queue list` shows it.
type entry struct {
	ID          string  `json:"id"`
	QueueID     int     `json:"queueid"`
	State       string  `json:"state"`
	Hold        bool    `json:"hold"`
	Sender      string  `json:"sender"`
	Recipient   string  `json:"recipient"`
	Transport   string  `json:"transportid"`
	Size        int64   `json:"size"`
	RetryCount  int     `json:"retrycount"`
	RetryTS     float64 `json:"retryts"` // seconds since 1970
	RetryReason string  `json:"retryreason"`
}

const entryFields = "id,queueid,state,hold,sender,recipient,transportid,size,retrycount,retryts,retryreason"

// one returns the only entry that meets the conditions.
func (m *mta) one(conditions ...string) entry {
	m.t.Helper()
	all := m.list(conditions...)
	if len(all) != 1 {
		m.t.Fatalf("%d entries with %v, want 1: %+v", len(all), conditions, all)
	}
	return all[0]
}

// waitTried waits until every entry has been tried at least n times and waits
// again, and returns them.
func (m *mta) waitTried(n, entries int) (all []entry) {
	m.t.Helper()
	eventually(m.t, fmt.Sprintf("%d entries tried %d times", entries, n), func() bool {
		all = m.list("--state", "DEFER", "--retrycount", fmt.Sprintf(">=%d", n))
		return len(all) == entries
	})
	return all
}

func expectText(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %q, want %q", what, got, want)
	}
}
