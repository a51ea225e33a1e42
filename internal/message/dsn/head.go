package dsn

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/message"
)

// top returns the header of the report, followed by its parts.
func (f *form) top() []byte {
	r := f.report
	var w message.Builder
	given := f.extra(&w)
	fields := []struct {
		name  string
		write func(name string)
	}{
		{"From", func(name string) { f.mailbox(&w, name, r.fromName(), r.from()) }},
		{"To", func(name string) { f.mailbox(&w, name, "", r.to()) }},
		{"Subject", func(name string) { w.Text(name, r.Options.SubjectPrepend+" "+subjects[r.Kind]) }},
		{"Date", func(name string) { w.Date(name, r.date()) }},
		{"Message-ID", func(name string) { w.Field(name, r.messageID()) }},
		{"References", func(name string) {
			if id := f.reference(); id != "" {
				w.Field(name, id)
			}
		}},
		// RFC 3834 §5
		{"Auto-Submitted", func(name string) { w.Field(name, "auto-replied") }},
	}
	for _, field := range fields {
		if !given[strings.ToLower(field.name)] {
			field.write(field.name)
		}
	}
	w.Field("MIME-Version", "1.0")
	w.Field("Content-Type", `multipart/report; report-type=delivery-status; boundary="`+f.boundary+`"`)
	if f.eightBit {
		w.Field("Content-Transfer-Encoding", "8bit")
	}
	f.utf8 = f.utf8 || !message.IsASCII(w.Bytes())
	f.eightBit = f.eightBit || f.utf8
	return append(w.Bytes(), f.parts...)
}

// extra writes the further header lines of the options and returns the names of
// their fields.
func (f *form) extra(w *message.Builder) map[string]bool {
	given := map[string]bool{}
	for _, line := range f.report.Options.Headers {
		name, value, ok := strings.Cut(line, ":")
		name = strings.TrimSpace(name)
		key := strings.ToLower(name)
		if !ok || !message.ValidName(name) || len(name) > 76 ||
			key == "mime-version" || strings.HasPrefix(key, "content-") {
			continue
		}
		given[key] = true
		w.Text(name, value)
	}
	return given
}

// mailbox writes an address, with its domain in A-labels if the result is ASCII.
func (f *form) mailbox(w *message.Builder, name, display string, a address.Address) {
	if b, ok := a.ASCII(); ok {
		a = b
	}
	w.Mailbox(name, display, a)
}

// reference returns the id of the original if it is well-formed.
func (f *form) reference() string {
	id := message.Summarize(f.header).MessageID
	if len(id) < 3 || id[0] != '<' || strings.IndexByte(id, '>') != len(id)-1 ||
		strings.ContainsAny(id, " \t") || !message.IsASCII([]byte(id)) {
		return ""
	}
	return id
}

func (r *Report) from() address.Address {
	if r.Options.From.IsNull() {
		return address.Address{Local: "MAILER-DAEMON", Domain: r.Host}
	}
	return r.Options.From
}

func (r *Report) fromName() string {
	if r.Options.FromName == "" {
		return "Mail Delivery Subsystem"
	}
	return r.Options.FromName
}

func (r *Report) to() address.Address {
	if r.Options.To.IsNull() {
		return r.Sender
	}
	return r.Options.To
}

func (r *Report) date() time.Time {
	if r.Date.IsZero() {
		return time.Now()
	}
	return r.Date
}

func (r *Report) messageID() string {
	if r.MessageID == "" {
		return "<" + rand.Text() + "@" + r.Host + ">"
	}
	return r.MessageID
}
