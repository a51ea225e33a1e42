package bounce

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/message/mime"
	"github.com/posthaste-mta/posthaste/internal/message/report"
)

// Kind says what a message reports.
type Kind string

// The kinds of reports.
const (
	Bounce    Kind = "bounce"     // a recipient did not get the message
	Delay     Kind = "delay"      // not yet
	Delivery  Kind = "delivery"   // he did
	Complaint Kind = "complaint"  // he, or a check, did not like it
	AutoReply Kind = "auto-reply" // nobody is there; nothing is wrong
)

// Report is what a message says about another one that was sent before.
type Report struct {
	Kind       Kind
	Recipients []Recipient
	MessageID  string // of the message before, without brackets; empty if it is not told
	Sender     string // of the message before, if it is told
	Feedback   string // type of a complaint, such as abuse
}

// Recipient is what a report says of one recipient.
type Recipient struct {
	Address  string // as the message was sent to, as far as that is told
	Final    string // as it was at the last server, if that is another
	Action   string // failed, delayed, delivered, relayed or expanded; empty if not told
	Reply    Reply
	Reporter string // the server that gave the reply, if it is told
}

// Bounds of what is looked at.
const (
	maxBody       = 64 << 10  // bytes of text for people
	maxHeader     = 256 << 10 // bytes of the original's header
	maxRecipients = 1000
)

// Read reads a message that reports on another one: a delivery status
// notification (RFC 3464), a feedback report (RFC 5965), or a text in one of the
// many forms that mail systems have for people. ok is false if it is none.
//
// What a text for people says is guessed from its words, so that its recipients
// are those it names before it quotes the message. All of it is said by strangers:
// whoever knows a recipient can write such a message.
func Read(m *mime.Message) (r *Report, ok bool) {
	if f, isFeedback := report.ParseFeedback(m); isFeedback {
		return readFeedback(m, f), true
	}
	if s, isStatus := report.ParseStatus(m); isStatus && len(s.Recipients) > 0 {
		return readStatus(m, s), true
	}
	if r, isComplaint := readHotmail(m); isComplaint {
		return r, true
	}
	return readText(m)
}

// readHotmail reads a complaint of Microsoft's programme for senders, which is the
// message itself with a field that names the recipient.
func readHotmail(m *mime.Message) (*Report, bool) {
	block, _ := report.OriginalOf(m).Header(maxHeader)
	h := headerOf(block)
	to := h.values("x-hmxmroriginalrecipient")
	if len(to) == 0 {
		return nil, false
	}
	r := &Report{Kind: Complaint, Feedback: "abuse", Recipients: []Recipient{{Address: bare(to[0])}}}
	r.fill(h)
	return r, true
}

func readFeedback(m *mime.Message, f *report.Feedback) *Report {
	r := &Report{Kind: Complaint, Feedback: f.Type()}
	block, _ := f.Original.Header(maxHeader)
	header := headerOf(block)
	r.MessageID, r.Sender = header.id(), bare(f.Report.Get("original-mail-from"))
	addresses := f.Report.All("original-rcpt-to")
	if len(addresses) == 0 {
		addresses = header.values("x-hmxmroriginalrecipient", "x-original-to", "delivered-to", "to")
	}
	for _, a := range addresses {
		if a = bare(a); strings.Contains(a, "@") && len(r.Recipients) < maxRecipients {
			r.Recipients = append(r.Recipients, Recipient{Address: a})
		}
	}
	if r.Sender == "" {
		r.Sender = bare(first(header.values("return-path", "from")))
	}
	return r
}

func readStatus(m *mime.Message, s *report.Status) *Report {
	r := &Report{Kind: Delivery}
	block, _ := s.Original.Header(maxHeader)
	r.fill(headerOf(block))
	text := bodyOf(m)
	if r.MessageID == "" {
		_, quoted := cut(text)
		r.fill(headerOf([]byte(quoted)))
	}
	_, reporter := report.Typed(s.Message.Get("reporting-mta"))
	for _, fields := range s.Recipients {
		if len(r.Recipients) == maxRecipients {
			break
		}
		rcpt := recipientOf(fields)
		if rcpt.Reply.Text == "" || rcpt.Reply.Text == rcpt.Reply.Status.String() {
			said, _ := cut(text)
			rcpt.Reply.Text = limited(said)
		}
		if rcpt.Reporter == "" {
			rcpt.Reporter = reporter
		}
		r.Recipients = append(r.Recipients, rcpt)
		switch {
		case rcpt.Action == "failed" || rcpt.Action == "" && rcpt.Reply.Status.Class == 5:
			r.Kind = Bounce
		case rcpt.Action == "delayed" && r.Kind != Bounce:
			r.Kind = Delay
		}
	}
	return r
}

func recipientOf(fields report.Fields) Recipient {
	_, original := report.Typed(fields.Get("original-recipient"))
	_, final := report.Typed(fields.Get("final-recipient"))
	_, reporter := report.Typed(fields.Get("remote-mta"))
	_, text := report.Typed(fields.Get("diagnostic-code"))
	status, _, _ := strings.Cut(fields.Get("status"), " ")
	parsed, _ := ParseStatus(status)
	if parsed.Subject == 0 && parsed.Detail == 0 {
		parsed = Status{Class: parsed.Class} // says nothing: the text may say more
	}
	r := Recipient{Address: bare(original), Final: bare(final), Action: strings.ToLower(fields.Get("action")), Reporter: reporter}
	if r.Address == "" {
		r.Address, r.Final = r.Final, ""
	}
	if r.Final == r.Address {
		r.Final = ""
	}
	r.Reply.Text = limited(strings.TrimSpace(text))
	if code, said := find(r.Reply.Text); said == (Status{}) {
		r.Reply.Status = parsed
	} else if r.Reply.Code = code; parsed.Subject != 0 && said.Subject == 0 {
		r.Reply.Status = parsed
	}
	return r
}

func (r *Report) fill(h header) {
	r.MessageID = h.id()
	r.Sender = bare(first(h.values("return-path", "from")))
}

// bare is the address in a text such as "<joe@example.com>" or "Joe <joe@…>".
func bare(text string) string {
	if i := strings.LastIndexByte(text, '<'); i >= 0 {
		if end := strings.IndexByte(text[i:], '>'); end > 0 {
			text = text[i+1 : i+end]
		}
	}
	text, _, _ = strings.Cut(strings.TrimSpace(text), " ")
	return strings.Trim(text, "<>;,\"'")
}

// limited is as much of a text as is classified.
func limited(text string) string { return text[:min(len(text), maxText)] }

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
