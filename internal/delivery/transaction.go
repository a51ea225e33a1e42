package delivery

import (
	"errors"
	"strconv"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// transaction is one message on one connection, from MAIL to the reply after
// its end.
type transaction struct {
	*client
	parcel  *parcel
	content Content
	size    int64
	reused  bool       // the connection has carried a message before
	chunk   bool       // BDAT takes the place of DATA
	said    smtp.Reply // to the last command
}

// maxTogether is the largest message that goes out with MAIL and RCPT before
// they are answered. What is sent to a host that then refuses the recipient is
// sent for nothing.
const maxTogether = 64 << 10

// transact sends one message, or as much of a transaction as was asked for, and
// says how it went.
func (c *client) transact(m *parcel) *Outcome {
	if m.until != 0 {
		return c.probe(m)
	}
	content, err := m.Content()
	if err != nil {
		return verdict(StageMail, KindConfig, codeStorage, "the message cannot be read", err)
	}
	defer content.Close()
	t := transaction{client: c, parcel: m, content: content, size: content.Size()}
	if out := m.unfit(c, t.size); out != nil {
		return out
	}
	t.reused = c.info.Transactions > 0
	c.info.Transactions++
	// RFC 3030 §3: BINARYMIME goes by BDAT only, and the rest may.
	t.chunk = c.ext.Has("CHUNKING")
	out := t.run()
	c.stale = t.reused && wasGone(out)
	return out
}

// wasGone reports whether an outcome only says that the peer had closed, or was
// about to close, a connection that idled. A host that is slow is not gone:
// another connection would not mend that.
func wasGone(out *Outcome) bool {
	closed := out.Kind == KindNetwork && !errors.Is(causeOf(out.Err), ErrTimeout) || out.FromPeer && out.Reply.Code == 421
	return out.Stage == StageRSET && (closed || out.FromPeer) || out.Stage == StageMail && closed
}

// commands lists what comes before the message.
func (t *transaction) commands() []Stage {
	all := [...]Stage{StageRSET, StageMail, StageRcpt, StageData}
	first, last := 1, 4
	if t.reused {
		first = 0
	}
	if t.chunk || t.parcel.until != 0 {
		last = 3
	}
	return append(make([]Stage, 0, 4), all[first:last]...)
}

// run says the commands, and hands over the message if that is wanted. With
// several recipients each command waits for the reply to the one before, because
// with pipelining those who were accepted would get a message, or an empty one,
// before we know of the others.
func (t *transaction) run() *Outcome {
	if t.ext.Has("PIPELINING") && len(t.parcel.more) == 0 {
		return t.pipelined()
	}
	for _, s := range t.commands() {
		if out := t.say(s); out != nil {
			return out
		}
		for i := 0; s == StageRcpt && i < len(t.parcel.more); i++ {
			if out := t.sayRcpt(t.parcel.more[i], &t.parcel.More[i]); out != nil {
				return out
			}
		}
	}
	if t.parcel.until != 0 {
		return t.arrived()
	}
	return t.body()
}

// say sends one command and returns nil when the reply is the one wanted.
func (t *transaction) say(s Stage) *Outcome {
	if out := t.write(s); out != nil {
		return out
	}
	if out := t.flush(s); out != nil {
		return out
	}
	return t.expect(s)
}

// sayRcpt does that for a further recipient, whose address goes as to.
func (t *transaction) sayRcpt(to address.Address, r *Recipient) *Outcome {
	if out := t.put(StageRcpt, t.appendRecipient(nil, to, r)); out != nil {
		return out
	}
	if out := t.flush(StageRcpt); out != nil {
		return out
	}
	return t.expect(StageRcpt)
}

// pipelined sends the commands in one write (RFC 2920), and a small message with
// them if it goes by BDAT: RFC 3030 §4.2 has the host read the chunk whatever it
// says to RCPT. The first refusal is the outcome; the replies after it are read
// to keep in step.
func (t *transaction) pipelined() *Outcome {
	commands := t.commands()
	for _, s := range commands {
		if out := t.write(s); out != nil {
			t.out = t.out[:0]
			return out
		}
	}
	if t.parcel.until != 0 {
		return t.pipelinedProbe(commands)
	}
	together := t.chunk && t.size <= maxTogether
	send := t.flush
	if together {
		send = t.writeChunk
	}
	if out := send(commands[0]); out != nil {
		return out
	}
	first, data := t.expectAll(commands)
	if t.broken {
		return first
	}
	switch {
	case together:
		if out := t.end(); first == nil {
			first = out
		}
	case first == nil:
		first = t.body()
	case data:
		t.abandon()
	}
	return first
}

// expectAll reads the replies to commands that were sent together. It returns
// the first refusal, and whether the host waits for message text. A host that
// merely does not like RSET is forgiven as long as it takes the rest.
func (t *transaction) expectAll(commands []Stage) (first *Outcome, data bool) {
	var reset *Outcome
	for _, s := range commands {
		out := t.expect(s)
		switch {
		case t.broken:
			if first == nil {
				first = out
			}
			return first, false
		case s == StageRSET:
			reset = out
			continue
		case s == StageMail && out != nil && reset != nil:
			out = reset
		}
		if first == nil {
			first = out
		}
		data = s == StageData && out == nil
	}
	return first, data
}

// write puts one command where the next flush finds it.
func (t *transaction) write(s Stage) *Outcome {
	var buf [512]byte
	b := buf[:0]
	switch s {
	case StageMail:
		b = t.appendMail(b)
	case StageRcpt:
		b = t.appendRcpt(b)
	default:
		b = append(b, s.String()...)
	}
	return t.put(s, b)
}

func (t *transaction) appendMail(b []byte) []byte {
	m := t.parcel
	b = m.from.AppendPath(append(b, "MAIL FROM:"...))
	if t.ext.Has("SIZE") && m.until == 0 {
		b = strconv.AppendInt(append(b, " SIZE="...), t.size, 10)
	}
	switch {
	case m.binary:
		b = append(b, " BODY=BINARYMIME"...)
	case (m.eightBit || m.utf8) && t.ext.Has("8BITMIME"):
		// To a host without 8BITMIME the message goes as it is. RFC 6152 §3
		// would have it converted or returned; practically every host passes
		// eight bits on, and a signature does not survive conversion.
		b = append(b, " BODY=8BITMIME"...)
	}
	if m.utf8 {
		b = append(b, " SMTPUTF8"...)
	}
	if t.ext.Has("DSN") {
		if m.Ret != envelope.RetUnset {
			b = append(append(b, " RET="...), m.Ret.String()...)
		}
		if m.EnvID != "" {
			b = smtp.AppendXtext(append(b, " ENVID="...), m.EnvID)
		}
	}
	if m.RequireTLS {
		b = append(b, " REQUIRETLS"...)
	}
	return m.MailParams.Append(b)
}

func (t *transaction) appendRcpt(b []byte) []byte {
	m := t.parcel
	return t.appendRecipient(b, m.to, &Recipient{Params: m.RcptParams, Notify: m.Notify, ORcpt: m.ORcpt})
}

func (t *transaction) appendRecipient(b []byte, to address.Address, r *Recipient) []byte {
	b = r.Params.Append(to.AppendPath(append(b, "RCPT TO:"...)))
	if !t.ext.Has("DSN") {
		return b
	}
	if r.Notify != 0 {
		b = append(append(b, " NOTIFY="...), r.Notify.String()...)
	}
	if orcpt := originalRecipient(r.ORcpt); orcpt != "" {
		b = smtp.AppendXtext(append(b, " ORCPT="...), orcpt)
	}
	return b
}

// expect reads the reply to one command and returns nil when it is the one
// wanted.
func (t *transaction) expect(s Stage) *Outcome {
	r, out := t.reply(s)
	t.said = r
	switch {
	case out != nil:
		return out
	case s == StageData && r.Code == 354, s != StageData && r.Positive():
		return nil
	}
	if !r.Transient() && !r.Permanent() {
		t.broken = true // we no longer know what the host takes the next line for
	}
	return refusal(s, r)
}

// end reads the reply to the whole message. LMTP has one for each recipient (RFC
// 2033 §4.2), of which a refusal counts.
func (t *transaction) end() *Outcome {
	r, out := t.reply(StageEOD)
	for range t.parcel.more {
		if t.Protocol != LMTP || t.broken {
			break
		}
		if next, failed := t.reply(StageEOD); failed != nil {
			return failed
		} else if r.Positive() {
			r = next
		}
	}
	switch {
	case out != nil:
		return out
	case !r.Positive():
		return refusal(StageEOD, r)
	}
	return &Outcome{
		Status: Delivered, Stage: StageEOD, Reply: r, FromPeer: true,
		// RFC 3461 §5.2.2: a host that cannot report success leaves it to us.
		Relayed: t.parcel.wantsSuccess() && !t.ext.Has("DSN"),
	}
}
