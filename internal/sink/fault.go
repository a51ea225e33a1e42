package sink

import "time"

// maxStall bounds a stall in the middle of a body: the sink does not read then,
// and so would never notice that the peer has left.
const maxStall = time.Hour

// judge asks the rules of a phase at which there is no address.
func (c *conn) judge(phase Phase) (v verdict) {
	c.sink.rules.judgeAll(&v, phase)
	return v
}

// judgeAddress asks the rules for one address.
func (c *conn) judgeAddress(phase Phase, a mailbox) verdict {
	v := c.judge(phase)
	c.sink.rules.judgeAddress(&v, phase, a)
	return v
}

// judgeRecipients asks the rules for the recipients of the transaction from the
// first to before the last, and what their own local parts ask for.
func (c *conn) judgeRecipients(phase Phase, first, last int) verdict {
	v := c.judge(phase)
	for _, r := range c.tx.recipients[first:last] {
		if r.asked != nil && r.asked.Phase == phase {
			v.add(r.asked)
		}
		c.sink.rules.judgeAddress(&v, phase, r.folded)
	}
	return v
}

// enact does what comes before the reply: the delay, and the end of the
// connection unless that waits for the reply.
func (c *conn) enact(v verdict) error {
	if v.delay > 0 {
		if err := c.pause(v.delay); err != nil {
			return err
		}
	}
	if v.end == nil || v.end.After {
		return nil
	}
	return c.end(v.end)
}

// answer queues the reply, normal unless a rule replaces it, and ends the
// connection where that is due.
func (c *conn) answer(v verdict, normal string) error {
	closes := false
	if v.reply != nil {
		c.sink.Metrics.Replies.Inc()
		normal = v.reply.reply
		closes = v.reply.Reply.Code == 421 // RFC 5321 §3.8
	}
	if err := c.send(normal); err != nil {
		return err
	}
	if v.end != nil && v.end.After {
		if err := c.flush(); err != nil {
			return err
		}
		return c.end(v.end)
	}
	if closes {
		return errClose
	}
	return nil
}

// respond enacts and answers.
func (c *conn) respond(v verdict, normal string) error {
	if err := c.enact(v); err != nil {
		return err
	}
	return c.answer(v, normal)
}

// end closes the connection in the way of the rule.
func (c *conn) end(rule *liveRule) error {
	if err := c.flush(); err != nil {
		return err
	}
	switch rule.Action {
	case ActionStall:
		c.sink.Metrics.Stalls.Inc()
		if rule.Phase == PhaseBody {
			c.stallUnread()
		} else {
			c.stall()
		}
		return errAbort
	case ActionReset:
		c.sink.Metrics.Drops.Inc()
		return errReset
	default:
		c.sink.Metrics.Drops.Inc()
		return errAbort
	}
}

// pause sends what is pending and waits.
func (c *conn) pause(d time.Duration) error {
	if err := c.flush(); err != nil {
		return err
	}
	c.sink.Metrics.Delays.Inc()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.ctx.Done():
		return errAbort
	}
}
