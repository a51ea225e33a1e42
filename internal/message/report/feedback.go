package report

import "github.com/posthaste-mta/posthaste/internal/message/mime"

// Feedback is a report of a recipient, or of the system that serves him, on a
// message that he did not want or that failed a check (RFC 5965, RFC 6591).
type Feedback struct {
	Report   Fields
	Original Original
}

// Type returns what the report is about, such as abuse or auth-failure.
func (f *Feedback) Type() string { return f.Report.Get("feedback-type") }

// ParseFeedback reads the feedback report that a message is; ok is false when it
// is none.
func ParseFeedback(m *mime.Message) (f *Feedback, ok bool) {
	p := find(m, "message/feedback-report")
	if p == nil {
		return nil, false
	}
	f = &Feedback{Original: OriginalOf(m)}
	for _, block := range blocks(p) { // an empty line too many does not end it
		f.Report = append(f.Report, block...)
	}
	return f, f.Report.has("feedback-type")
}
