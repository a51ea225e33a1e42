package dsn

import (
	"fmt"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/message"
)

// status returns the body of the message/delivery-status part (RFC 3464 §2).
func (r *Report) status() []byte {
	var w message.Builder
	w.Field("Reporting-MTA", "dns; "+r.fit(r.Host))
	if r.EnvID != "" {
		w.Field("Original-Envelope-Id", r.fit(r.EnvID))
	}
	date(&w, "Arrival-Date", r.Arrival)
	for i := range r.Recipients {
		w.Line()
		r.recipient(&w, &r.Recipients[i])
	}
	return w.Bytes()
}

// recipient writes the fields of one recipient (RFC 3464 §2.3).
func (r *Report) recipient(w *message.Builder, v *Recipient) {
	// RFC 3464 §2.3.1: only there when the sender gave an original recipient.
	if v.ORcpt != "" {
		w.Field("Original-Recipient", r.original(v.ORcpt))
	}
	w.Field("Final-Recipient", r.final(v.Address))
	w.Field("Action", r.Kind.String())
	w.Field("Status", r.Kind.Status(v).String())
	if v.RemoteMTA != "" {
		w.Field("Remote-MTA", "dns; "+r.fit(v.RemoteMTA))
	}
	if kind, text := v.Diagnostic(); text != "" {
		w.Field("Diagnostic-Code", kind+"; "+r.fit(text))
	}
	date(w, "Last-Attempt-Date", v.LastAttempt)
	if r.Kind == Delayed {
		date(w, "Will-Retry-Until", v.RetryUntil)
	}
}

func date(w *message.Builder, name string, t time.Time) {
	if !t.IsZero() {
		w.Date(name, t)
	}
}

// fit replaces what is outside ASCII by question marks unless the sender's
// system knows SMTPUTF8.
func (r *Report) fit(s string) string {
	if r.SMTPUTF8 {
		return s
	}
	return strings.Map(func(c rune) rune {
		if c >= 0x80 {
			return '?'
		}
		return c
	}, s)
}

// final returns the value of Final-Recipient for a.
func (r *Report) final(a address.Address) string {
	if b, ok := a.ASCII(); ok {
		return "rfc822; " + b.String()
	}
	return "utf-8; " + r.fitAddress(a.String())
}

// original returns the value of Original-Recipient. The address type is the
// sender's.
func (r *Report) original(orcpt string) string {
	kind, addr, ok := strings.Cut(orcpt, ";")
	if !ok {
		kind, addr = "rfc822", orcpt
	}
	return r.fit(kind) + "; " + r.fitAddress(addr)
}

// fitAddress encodes an address in the way of utf-8-addr-xtext (RFC 6533 §3)
// when it is not ASCII and the sender's system does not know SMTPUTF8.
func (r *Report) fitAddress(s string) string {
	if r.SMTPUTF8 || message.IsASCII([]byte(s)) {
		return s
	}
	var b strings.Builder
	for _, c := range s {
		if c > ' ' && c < 0x7f && c != '+' && c != '=' && c != '\\' {
			b.WriteRune(c)
		} else {
			fmt.Fprintf(&b, `\x{%02X}`, c)
		}
	}
	return b.String()
}
