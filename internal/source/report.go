package source

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Report is a snapshot of what a source has done; see Metrics for what the
// counts mean.
type Report struct {
	Run                string    `json:"run"`
	Seconds            float64   `json:"seconds"`
	Started            int64     `json:"started"` // messages that a session has taken up
	Messages           int64     `json:"messages"`
	MessagesPerSecond  float64   `json:"messages_per_second"`
	Recipients         int64     `json:"recipients"`
	Bytes              int64     `json:"bytes"`
	RefusedTemporarily int64     `json:"refused_temporarily"`
	RefusedForGood     int64     `json:"refused_for_good"`
	Unacknowledged     int64     `json:"unacknowledged"`
	Unsent             int64     `json:"unsent"`
	Retries            int64     `json:"retries"`
	Connections        int64     `json:"connections"`
	ConnectionsFailed  int64     `json:"connections_failed"`
	ConnectionsLost    int64     `json:"connections_lost"`
	Connect            Latency   `json:"connect"` // dialling to being ready for mail
	Reply              Latency   `json:"reply"`   // end of a body to its reply
	Failures           []Failure `json:"failures,omitempty"`
}

// Failure is a reply or error and how often it came.
type Failure struct {
	Text  string `json:"text"`
	Count int64  `json:"count"`
}

// Complete reports whether every message that was started was acknowledged for
// every recipient.
func (r Report) Complete() bool {
	return r.RefusedTemporarily+r.RefusedForGood+r.Unacknowledged+r.Unsent == 0
}

// Report returns the counters of now. It may be called at any time.
func (s *Source) Report() Report {
	m := &s.Metrics
	r := Report{
		Run: s.options.Run, Started: m.Started.Load(),
		Messages: m.Messages.Load(), Recipients: m.Recipients.Load(), Bytes: m.Bytes.Load(),
		RefusedTemporarily: m.RefusedTemporarily.Load(), RefusedForGood: m.RefusedForGood.Load(),
		Unacknowledged: m.Unacknowledged.Load(), Unsent: m.Unsent.Load(), Retries: m.Retries.Load(),
		Connections: m.Connections.Load(), ConnectionsFailed: m.ConnectionsFailed.Load(), ConnectionsLost: m.ConnectionsLost.Load(),
		Connect: s.connect.Latency(), Reply: s.reply.Latency(),
		Failures: s.failures.list(),
	}
	if seconds := s.elapsed().Seconds(); seconds > 0 {
		r.Seconds, r.MessagesPerSecond = seconds, float64(r.Messages)/seconds
	}
	return r
}

// elapsed is the time since Run began, until it ended.
func (s *Source) elapsed() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.begun.IsZero():
		return 0
	case s.ended.IsZero():
		return time.Since(s.begun)
	}
	return s.ended.Sub(s.begun)
}

// maxFailures bounds how many different texts are kept: peers put ids and times
// into their replies.
const maxFailures = 20

// otherFailures counts those that came after maxFailures different ones.
const otherFailures = "(others)"

// failures counts what went wrong by its text. It is safe for concurrent use.
type failures struct {
	mu     sync.Mutex
	counts map[string]int64
}

func (f *failures) add(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts == nil {
		f.counts = make(map[string]int64)
	}
	if _, known := f.counts[text]; !known && len(f.counts) >= maxFailures {
		text = otherFailures
	}
	f.counts[text]++
}

// list returns the failures, the most frequent first.
func (f *failures) list() []Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []Failure
	for text, n := range f.counts {
		all = append(all, Failure{text, n})
	}
	slices.SortFunc(all, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Text, b.Text))
	})
	return all
}
