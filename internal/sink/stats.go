package sink

import (
	"time"

	"github.com/posthaste-mta/posthaste/internal/sink/sequence"
)

// Stats is a snapshot of a sink's counters; see Metrics for what they mean.
type Stats struct {
	Seconds            float64          `json:"seconds"` // since Start
	Connections        int64            `json:"connections"`
	ConnectionsRefused int64            `json:"connections_refused"`
	ConnectionsOpen    int64            `json:"connections_open"`
	ConnectionsPeak    int64            `json:"connections_peak"`
	Messages           int64            `json:"messages"`
	MessagesRejected   int64            `json:"messages_rejected"`
	Recipients         int64            `json:"recipients"`
	RecipientsRejected int64            `json:"recipients_rejected"`
	Bytes              int64            `json:"bytes"`
	Faults             FaultStats       `json:"faults"`
	Violations         int64            `json:"violations"`
	DomainsSeen        int              `json:"domains_seen"`
	Domains            []DomainCount    `json:"domains"`              // the ten busiest
	Runs               []sequence.Count `json:"runs,omitempty"`       // of Options.Ledger
	Unrecorded         uint64           `json:"unrecorded,omitempty"` // see sequence.Ledger
}

// FaultStats counts faults that rules have made.
type FaultStats struct {
	Replies int64 `json:"replies"`
	Delays  int64 `json:"delays"`
	Drops   int64 `json:"drops"`
	Stalls  int64 `json:"stalls"`
}

// topDomains is the number of domains in Stats.
const topDomains = 10

// Stats returns the counters of now. A message is counted before its 250 is
// sent, so a peer that has seen the 250 finds it here.
func (s *Sink) Stats() Stats {
	m := &s.Metrics
	st := Stats{
		Connections:        m.Connections.Load(),
		ConnectionsRefused: m.ConnectionsRefused.Load(),
		ConnectionsOpen:    m.ConnectionsOpen.Load(),
		ConnectionsPeak:    m.ConnectionsPeak.Load(),
		Messages:           m.Messages.Load(),
		MessagesRejected:   m.MessagesRejected.Load(),
		Recipients:         m.Recipients.Load(),
		RecipientsRejected: m.RecipientsRejected.Load(),
		Bytes:              m.Bytes.Load(),
		Faults:             FaultStats{m.Replies.Load(), m.Delays.Load(), m.Drops.Load(), m.Stalls.Load()},
		Violations:         m.Violations.Load(),
	}
	if started := s.started.Load(); started != nil {
		st.Seconds = time.Since(*started).Seconds()
	}
	st.Domains, st.DomainsSeen = s.domains.top(topDomains)
	if ledger := s.options.Ledger; ledger != nil {
		st.Runs, st.Unrecorded = ledger.Counts(), ledger.Unrecorded()
	}
	return st
}
