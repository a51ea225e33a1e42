package sink

import (
	"time"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// transaction is one message on its way in, from MAIL to the end of its body.
type transaction struct {
	active     bool
	chunked    bool // a BDAT chunk has come
	mail       smtp.Mail
	recipients []recipient
	held       int // bytes of text that the recipients hold
	body       body
}

// recipient is one that was accepted at RCPT.
type recipient struct {
	smtp.Rcpt
	folded mailbox
	asked  *liveRule // fault of a later phase that its local part asks for, or nil
}

// maxHeld bounds what the recipients of one transaction may hold when their
// number is not limited.
const maxHeld = 64 << 20

func (c *conn) resetTransaction() {
	t := &c.tx
	t.body.discard()
	clear(t.recipients)
	t.active, t.chunked, t.mail, t.held, t.recipients = false, false, smtp.Mail{}, 0, t.recipients[:0]
}

func (c *conn) mail(arg string) error {
	switch limit := c.sink.options.MaxMessages; {
	case c.helo == "" || c.tx.active:
		return c.violation("503 5.5.1 not now\r\n")
	case limit > 0 && c.messages >= limit:
		return c.dismiss("421 4.7.0 enough messages for one connection\r\n")
	}
	mail, err := smtp.ParseMail(arg)
	if err != nil {
		return c.syntaxError(err)
	}
	if !c.offeredAll(false, mail.Params) {
		return c.violation("555 5.5.4 parameter not offered\r\n") // RFC 5321 §4.1.1.11
	}
	if c.announcesTooMuch(mail.Params) {
		c.sink.Metrics.MessagesRejected.Inc()
		return c.send(tooLargeReply)
	}
	v := c.judgeAddress(PhaseMail, foldMailbox(mail.From))
	if err := c.enact(v); err != nil {
		return err
	}
	if v.accepts(2) {
		c.tx.active, c.tx.mail = true, mail
	}
	return c.answer(v, "250 2.1.0 sender ok\r\n")
}

// announcesTooMuch looks at SIZE (RFC 1870 §6.1).
func (c *conn) announcesTooMuch(params smtp.Params) bool {
	value, ok := params.Get("SIZE")
	if !ok || c.sink.options.MaxSize == 0 {
		return false
	}
	size, err := smtp.ParseSize(value)
	return err == nil && size > c.sink.options.MaxSize
}

func (c *conn) rcpt(arg string) error {
	t := &c.tx
	if !t.active || t.chunked {
		return c.violation("503 5.5.1 not now\r\n")
	}
	rcpt, err := smtp.ParseRcpt(arg)
	if err != nil {
		return c.syntaxError(err)
	}
	if !c.offeredAll(true, rcpt.Params) {
		return c.violation("555 5.5.4 parameter not offered\r\n")
	}
	limit := c.sink.options.MaxRecipients
	if limit > 0 && len(t.recipients) >= limit || t.held > maxHeld {
		c.sink.Metrics.RecipientsRejected.Inc()
		return c.send("452 4.5.3 too many recipients\r\n")
	}
	t.held += len(arg)
	return c.decideRecipient(recipient{Rcpt: rcpt, folded: foldMailbox(rcpt.To)})
}

// decideRecipient asks the rules and takes or refuses r.
func (c *conn) decideRecipient(r recipient) error {
	v := c.judgeAddress(PhaseRcpt, r.folded)
	if !c.sink.options.PlainAddresses {
		r.asked = addressRule(r.folded.local)
	}
	if r.asked != nil && r.asked.Phase == PhaseRcpt {
		v.add(r.asked)
	}
	if len(c.sink.patience.limits) > 0 {
		c.sink.patience.judge(&v, c.visit(r.folded), time.Now())
	}
	if err := c.enact(v); err != nil {
		return err
	}
	if v.accepts(2) {
		c.tx.recipients = append(c.tx.recipients, r)
	} else {
		c.rejectRecipient(r)
	}
	return c.answer(v, "250 2.1.5 recipient ok\r\n")
}

func (c *conn) rejectRecipient(r recipient) {
	c.sink.Metrics.RecipientsRejected.Inc()
	c.sink.domains.add(r.folded.domain, 0, 1)
}

func (c *conn) offeredAll(rcpt bool, params smtp.Params) bool {
	for _, p := range params {
		if !c.offered(rcpt, p) {
			return false
		}
	}
	return true
}

// offered reports whether the parameter belongs to an extension that EHLO has
// announced in the present state.
func (c *conn) offered(rcpt bool, p smtp.Param) bool {
	switch {
	case !c.esmtp:
		return false
	case !rcpt && p.Key == "AUTH": // RFC 4954 §5
		return c.sink.options.Auth
	case !rcpt && p.Key == "REQUIRETLS": // RFC 8689 §2
		return c.secure
	}
	e := parameterOf(rcpt, p)
	return e != 0 && c.sink.offers(e)
}
