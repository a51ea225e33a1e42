package dsn

import (
	"strings"
	"unicode"

	"github.com/posthaste-mta/posthaste/internal/message"
)

// subjects by kind.
var subjects = [...]string{
	Failed:    "Your message could not be delivered",
	Delayed:   "Your message is delayed",
	Delivered: "Your message has been delivered",
	Relayed:   "Your message has been passed on",
	Expanded:  "Your message has been sent on to a group",
}

// openings by kind stand before the recipients.
var openings = [...]string{
	Failed: "Your message could not be delivered to the address below, and we have stopped trying. " +
		"What went wrong is written beneath the address. If you send the message again, do so only " +
		"after the cause has been dealt with.",
	Delayed: "Your message has not reached the address below yet. There is no need to send it again: " +
		"we go on trying and will write to you once more if we have to give up.",
	Delivered: "Your message has reached the address below. You receive this note because you asked for it. " +
		"It does not say that the message has been read.",
	Relayed: "Your message for the address below has been handed to a mail system that does not confirm " +
		"delivery. It is on its way, but this is the last that you will hear of it unless delivery fails.",
	Expanded: "Your message has reached the address below, which stands for a group of people, and has been " +
		"sent on to its members. Whether it reaches each of them will not be reported.",
}

// plural makes an opening speak of several addresses.
var plural = strings.NewReplacer(
	"the address below, which stands", "the addresses below, each of which stands",
	"the address below", "the addresses below",
	"the address.", "each address.",
)

// width is where the explanation breaks its lines.
const width = 74

// explanation returns the part for people, in UTF-8 with LF line ends.
func (r *Report) explanation() string {
	var p prose
	p.paragraph("", "This is the mail system at "+r.Host+".")
	opening := openings[r.Kind]
	if len(r.Recipients) > 1 {
		opening = plural.Replace(opening)
	}
	p.paragraph("", opening)
	for i := range r.Recipients {
		r.explain(&p, &r.Recipients[i])
	}
	if !r.Arrival.IsZero() {
		p.paragraph("", "We received the message on "+message.FormatDate(r.Arrival)+".")
	}
	p.line("", "A report for mail programs is attached"+r.attached()+".")
	return p.b.String()
}

// explain writes the paragraphs about one recipient.
func (r *Report) explain(p *prose, v *Recipient) {
	p.line("  ", v.Address.String())
	if _, addr, _ := strings.Cut(v.ORcpt, ";"); addr != "" && !strings.EqualFold(addr, v.Address.String()) {
		p.line("  ", "(sent to "+addr+")")
	}
	p.line("", "")
	reply := v.Reply.String()
	switch {
	case v.FromPeer && reply != "":
		p.line("  ", r.speaker(v)+":")
		p.paragraph("    ", reply)
	case reply != "":
		p.paragraph("    ", reply)
	case v.Cause != "":
		p.paragraph("    ", v.Cause)
	case r.Kind == Failed:
		p.paragraph("    ", "The cause is not known.")
	}
	if r.Kind == Delayed && !v.RetryUntil.IsZero() {
		p.paragraph("  ", "We will go on trying until "+message.FormatDate(v.RetryUntil)+".")
	}
}

// speaker names the host that has replied and what it has replied to.
func (r *Report) speaker(v *Recipient) string {
	s := "The receiving mail system"
	if v.RemoteMTA != "" {
		s += " " + v.RemoteMTA
	}
	s += " replied"
	if v.Command != "" {
		s += " to " + v.Command
	}
	return s
}

// attached names what is attached beside the report.
func (r *Report) attached() string {
	switch {
	case r.returnsFull():
		return ", and so is your message"
	case r.returns():
		return ", and so is the header of your message"
	}
	return ""
}

// prose is text with broken lines. Control characters in it become spaces.
type prose struct{ b strings.Builder }

// paragraph writes s and an empty line behind it.
func (p *prose) paragraph(indent, s string) {
	p.line(indent, s)
	p.line("", "")
}

// line writes s, each of its lines indented.
func (p *prose) line(indent, s string) {
	column := 0
	for word := range strings.FieldsFuncSeq(s, func(c rune) bool { return c == ' ' || unicode.IsControl(c) }) {
		if column > 0 && column+1+len(word) > width {
			p.b.WriteByte('\n')
			column = 0
		}
		if column == 0 {
			p.b.WriteString(indent)
			column = len(indent)
		} else {
			p.b.WriteByte(' ')
			column++
		}
		p.b.WriteString(strings.ToValidUTF8(word, "\ufffd"))
		column += len(word)
	}
	p.b.WriteByte('\n')
}
