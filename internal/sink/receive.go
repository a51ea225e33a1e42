package sink

import (
	"io"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

const (
	takenReply    = "250 2.0.0 taken\r\n"
	tooLargeReply = "552 5.3.4 too large\r\n"
	storeReply    = "451 4.3.0 cannot keep the message\r\n"
)

func (c *conn) data(arg string) error {
	t := &c.tx
	if _, err := smtp.ParseNone(arg); err != nil {
		return c.syntaxError(err)
	}
	switch {
	case !t.active || t.chunked: // RFC 3030 §2: DATA and BDAT do not mix
		return c.violation("503 5.5.1 not now\r\n")
	case len(t.recipients) == 0:
		return c.send("554 5.5.1 no valid recipients\r\n")
	}
	v := c.judgeRecipients(PhaseData, 0, len(t.recipients))
	if err := c.enact(v); err != nil {
		return err
	}
	if !v.accepts(3) {
		c.rejectMessage()
		return c.answer(v, "")
	}
	if err := c.answer(v, "354 go ahead\r\n"); err != nil {
		return err
	}
	c.startBody()
	if err := c.bodyFaults(); err != nil {
		return err
	}
	if err := c.readText(); err != nil {
		return err
	}
	return c.endMessage()
}

// bodyFaults does what the rules want once bytes of the body have come.
func (c *conn) bodyFaults() error {
	v := c.judgeRecipients(PhaseBody, 0, len(c.tx.recipients))
	if v.delay == 0 && v.end == nil {
		return nil
	}
	if c.in.Buffered() == 0 {
		if err := c.in.Fill(); err != nil {
			return err
		}
	}
	return c.enact(v)
}

// readText reads up to the final dot.
func (c *conn) readText() error {
	b := &c.tx.body
	for {
		n, done, err := b.decoder.Decode(b, c.in.Peek())
		c.in.Skip(n)
		if err != nil || done {
			return err
		}
		if err := c.in.Fill(); err != nil {
			return err
		}
	}
}

// bdat takes one chunk (RFC 3030 §2). The bytes of a refused chunk come
// nevertheless, and are dropped.
func (c *conn) bdat(arg string) error {
	t := &c.tx
	chunk, err := smtp.ParseBdat(arg)
	if err != nil {
		return c.syntaxError(err)
	}
	if !c.sink.offers(Chunking) || !t.active || len(t.recipients) == 0 {
		return c.refuseChunk(chunk)
	}
	if !t.chunked {
		t.chunked = true
		c.startBody()
		if err := c.bodyFaults(); err != nil {
			return err
		}
	}
	if err := c.readChunk(chunk.Size, &t.body); err != nil {
		return err
	}
	if chunk.Last {
		return c.endMessage()
	}
	return c.chunkDone()
}

func (c *conn) refuseChunk(chunk smtp.Bdat) error {
	if err := c.readChunk(chunk.Size, io.Discard); err != nil {
		return err
	}
	if c.tx.active && c.sink.offers(Chunking) {
		return c.send("554 5.5.1 no valid recipients\r\n")
	}
	return c.violation("503 5.5.1 not now\r\n")
}

// readChunk hands size bytes to dst, which does not fail.
func (c *conn) readChunk(size int64, dst io.Writer) error {
	for size > 0 {
		if c.in.Buffered() == 0 {
			if err := c.in.Fill(); err != nil {
				return err
			}
		}
		p := c.in.Peek()
		p = p[:min(size, int64(len(p)))]
		_, _ = dst.Write(p)
		c.in.Skip(len(p))
		size -= int64(len(p))
	}
	return nil
}

// chunkDone answers a chunk that is not the last.
func (c *conn) chunkDone() error {
	v := c.judgeRecipients(PhaseData, 0, len(c.tx.recipients))
	if err := c.enact(v); err != nil {
		return err
	}
	if !v.accepts(2) {
		c.rejectMessage()
	}
	return c.answer(v, "250 2.0.0 chunk taken\r\n")
}

// endMessage decides on a message whose body is complete.
func (c *conn) endMessage() error {
	c.messages++
	defer c.resetTransaction()
	if c.tx.body.decoder.Flaws != 0 {
		c.sink.Metrics.Violations.Inc() // RFC 5321 §2.3.8: CR and LF stand together
	}
	if c.sink.options.LMTP {
		return c.endLMTP()
	}
	v := c.judgeRecipients(PhaseEOD, 0, len(c.tx.recipients))
	if err := c.enact(v); err != nil {
		return err
	}
	if !v.accepts(2) {
		c.rejectMessage()
		return c.answer(v, "")
	}
	if reply := c.keepMessage(); reply != "" {
		c.rejectMessage()
		return c.send(reply)
	}
	return c.answer(v, takenReply)
}

// endLMTP answers once per recipient (RFC 2033 §4.2). The message is kept for
// those that are accepted before any reply goes out.
func (c *conn) endLMTP() error {
	verdicts := c.judgeEach()
	normal := takenReply
	if len(c.tx.recipients) == 0 {
		c.sink.Metrics.MessagesRejected.Inc()
	} else if reply := c.keepMessage(); reply != "" {
		c.rejectMessage()
		normal = reply
	}
	for _, v := range verdicts {
		if err := c.respond(v, normal); err != nil {
			return err
		}
	}
	return nil
}

// judgeEach asks the rules for each recipient and drops those that are refused
// from the transaction.
func (c *conn) judgeEach() []verdict {
	all := c.tx.recipients
	verdicts := make([]verdict, len(all))
	var kept []recipient
	for i, r := range all {
		v := c.judgeRecipients(PhaseEOD, i, i+1)
		verdicts[i] = v
		if v.end != nil && !v.end.After {
			break // neither this recipient nor those behind it get a reply
		}
		if v.accepts(2) {
			kept = append(kept, r)
		} else {
			c.rejectRecipient(r)
		}
	}
	c.tx.recipients = kept
	return verdicts
}

// rejectMessage counts a message that was refused after RCPT, and ends its
// transaction.
func (c *conn) rejectMessage() {
	c.sink.Metrics.MessagesRejected.Inc()
	for _, r := range c.tx.recipients {
		c.sink.domains.add(r.folded.domain, 0, 1)
	}
	c.resetTransaction()
}
