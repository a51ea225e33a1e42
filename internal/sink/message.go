package sink

import (
	"strconv"

	"github.com/posthaste-mta/posthaste/internal/sink/sequence"
)

// keepMessage counts, stores and reports the message. It returns the reply if it
// cannot be accepted, or "".
func (c *conn) keepMessage() string {
	t, o := &c.tx, &c.sink.options
	if o.MaxSize > 0 && t.body.size > o.MaxSize {
		return tooLargeReply
	}
	if t.body.commit() != nil {
		return storeReply
	}
	m := &c.sink.Metrics
	m.Messages.Inc()
	m.Recipients.Add(int64(len(t.recipients)))
	m.Bytes.Add(t.body.size)
	for _, r := range t.recipients {
		c.sink.domains.add(r.folded.domain, 1, 0)
	}
	if o.Ledger != nil {
		c.note(o.Ledger)
	}
	if o.OnMessage != nil {
		o.OnMessage(c.message())
	}
	return ""
}

// note writes the entries of a marked message into the ledger. A message with
// several recipients may come in parts; the number at the end of each local part
// then tells which entries these are.
func (c *conn) note(ledger *sequence.Ledger) {
	mark := c.tx.body.mark.finish()
	switch mark.Recipients {
	case 0:
	case 1:
		ledger.Record(mark.Run, mark.Number)
	default:
		for _, r := range c.tx.recipients {
			if entry, ok := trailingNumber(r.folded.local); ok && mark.Owns(entry) {
				ledger.Record(mark.Run, entry)
			}
		}
	}
}

func trailingNumber(s string) (n uint64, ok bool) {
	i := len(s)
	for i > 0 && '0' <= s[i-1] && s[i-1] <= '9' {
		i--
	}
	n, err := strconv.ParseUint(s[i:], 10, 64)
	return n, err == nil
}

// message describes the transaction for OnMessage.
func (c *conn) message() *Message {
	t := &c.tx
	m := &Message{
		Connection: c.serial, Transaction: c.messages,
		Local: c.nc.LocalAddr(), Remote: c.nc.RemoteAddr(),
		Protocol: c.protocol(), Helo: c.helo, Username: c.username,
		Sender: t.mail.From, Params: t.mail.Params,
		Size: t.body.size, Body: t.body.text,
	}
	for _, r := range t.recipients {
		m.Recipients = append(m.Recipients, Recipient{r.To, r.Params})
	}
	return m
}

// protocol is the "with" word of RFC 3848.
func (c *conn) protocol() string {
	var name string
	switch {
	case c.sink.options.LMTP:
		name = "LMTP"
	case c.esmtp:
		name = "ESMTP"
	default:
		return "SMTP"
	}
	if c.secure {
		name += "S"
	}
	if c.authenticated {
		name += "A"
	}
	return name
}
