package source

import (
	"errors"
	"strconv"
	"time"
)

// transact tries to hand over the message, and leaves what became of each
// recipient in its results. An error means that the connection is lost; the
// results hold as far as they go. closing says that the server answered 421, so
// the connection is over though the message has its results.
func (c *client) transact(m *mail, f *failures) (closing bool, err error) {
	m.begin()
	err = c.exchange(m, f)
	if errors.Is(err, errClosing) {
		c.settle(m, f, temporary)
		return true, nil
	}
	return false, err
}

// settle gives the rest of the recipients a result, and notes the reply if that
// is a refusal.
func (c *client) settle(m *mail, f *failures, r result) {
	if m.settle(r) && r != acknowledged {
		f.add(string(c.text))
	}
}

// exchange says MAIL, RCPT and DATA or BDAT, all at once if pipelining is in use
// (RFC 2920 §3.1), and sends the body if it is wanted.
func (c *client) exchange(m *mail, f *failures) error {
	if c.pipelining {
		for step := range 1 + len(m.entries) {
			c.appendCommand(m, step)
		}
		if err := c.open(m); err != nil {
			return err
		}
	}
	if err := c.envelope(m, f); err != nil {
		return err
	}
	if !c.pipelining {
		if !m.wanted() {
			return c.rset(m)
		}
		if err := c.open(m); err != nil {
			return err
		}
	}
	if c.chunking {
		return c.end(m, f)
	}
	return c.data(m, f)
}

// appendCommand writes MAIL for step 0, then a RCPT for each entry.
func (c *client) appendCommand(m *mail, step int) {
	if step > 0 {
		c.out = append(c.out, "RCPT TO:<"...)
		c.out = c.options.Rcpt.Append(c.out, m.entries[step-1])
		c.out = append(c.out, ">\r\n"...)
		return
	}
	c.out = append(c.out, "MAIL FROM:<"...)
	c.out = c.options.From.Append(c.out, m.mark.Number)
	c.out = append(c.out, '>')
	if m.content.eightBit && c.eightBit {
		c.out = append(c.out, " BODY=8BITMIME"...)
	}
	if c.options.From.needsUTF8() || c.options.Rcpt.needsUTF8() {
		c.out = append(c.out, " SMTPUTF8"...)
	}
	c.out = append(c.out, "\r\n"...)
}

// envelope reads the replies to MAIL and RCPT. Without pipelining it also sends
// them, one by one.
func (c *client) envelope(m *mail, f *failures) error {
	for step := range 1 + len(m.entries) {
		if !c.pipelining {
			c.appendCommand(m, step)
			if err := c.flush(); err != nil {
				return err
			}
		}
		code, err := c.reply()
		if err != nil {
			return err
		}
		switch {
		case step > 0 && m.results[step-1] == pending:
			m.results[step-1] = resultOf(code, taken)
			if code >= 400 {
				f.add(string(c.text))
			}
		case step == 0 && code >= 400:
			c.settle(m, f, resultOf(code, taken))
			if !c.pipelining {
				return nil
			}
		case step == 0:
			m.opened = true
		}
	}
	return nil
}

// open asks to send the body, or with BDAT sends it.
func (c *client) open(m *mail) error {
	if !c.chunking {
		c.out = append(c.out, "DATA\r\n"...)
		return c.flush()
	}
	c.out = append(c.out, "BDAT "...)
	c.out = strconv.AppendInt(c.out, int64(m.size()), 10)
	c.out = append(c.out, " LAST\r\n"...)
	m.bodySent = true
	err := c.flush(m.head, m.content.plain)
	m.sentAt = time.Now()
	return err
}

// data reads the reply to DATA and sends the body.
func (c *client) data(m *mail, f *failures) error {
	code, err := c.reply()
	switch {
	case err != nil:
		return err
	case code < 300:
		return errProtocol
	case code >= 400:
		c.settle(m, f, resultOf(code, pending))
		return c.rset(m)
	case !m.wanted():
		return c.sendNothing()
	}
	m.bodySent = true
	err = c.flush(m.head, m.content.dotted)
	m.sentAt = time.Now()
	if err != nil {
		return err
	}
	return c.end(m, f)
}

// sendNothing ends a body that the server wants although it took nobody (RFC
// 2920 §3.1). LMTP has a reply for each recipient, and so none here.
func (c *client) sendNothing() error {
	c.out = append(c.out, finalDot...)
	if err := c.flush(); err != nil || c.options.LMTP {
		return err
	}
	_, err := c.reply()
	return err
}

// end reads the reply to the body: one, or under LMTP one for each recipient
// that was taken (RFC 2033 §4.2).
func (c *client) end(m *mail, f *failures) error {
	if !m.wanted() {
		if _, err := c.reply(); err != nil {
			return err
		}
		return c.rset(m)
	}
	for i, r := range m.results {
		if r != taken {
			continue
		}
		code, err := c.reply()
		switch {
		case err != nil:
			return err
		case code/100 == 3:
			return errProtocol
		case !c.options.LMTP:
			c.settle(m, f, resultOf(code, acknowledged))
			return nil
		}
		if m.results[i] = resultOf(code, acknowledged); code >= 400 {
			f.add(string(c.text))
		}
	}
	return nil
}

// rset gives up a transaction that came to nothing.
func (c *client) rset(m *mail) error {
	if !m.opened {
		return nil
	}
	c.out = append(c.out, "RSET\r\n"...)
	if err := c.flush(); err != nil {
		return err
	}
	_, err := c.reply()
	return err
}
