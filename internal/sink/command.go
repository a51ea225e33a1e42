package sink

import (
	"crypto/tls"
	"errors"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// maxViolations is how many bad commands one connection may send.
const maxViolations = 100

// commands are the verbs. Each gets what follows the verb.
var commands = map[string]func(c *conn, arg string) error{
	"EHLO":     (*conn).ehlo,
	"HELO":     (*conn).heloCommand,
	"LHLO":     (*conn).lhlo,
	"STARTTLS": (*conn).startTLS,
	"AUTH":     (*conn).auth,
	"MAIL":     (*conn).mail,
	"RCPT":     (*conn).rcpt,
	"DATA":     (*conn).data,
	"BDAT":     (*conn).bdat,
	"RSET":     (*conn).rset,
	"NOOP":     (*conn).noop,
	"VRFY":     (*conn).vrfy,
	"QUIT":     (*conn).quit,
}

// command reads one command and answers it.
func (c *conn) command() error {
	pending := len(c.out) > 0
	line, err := c.in.ReadLine(smtp.MaxAuth)
	switch {
	case errors.Is(err, smtp.ErrLongLine):
		return c.violation("500 5.5.2 line too long\r\n")
	case errors.Is(err, smtp.ErrBareLF):
		c.sink.Metrics.Violations.Inc() // noted, and taken nevertheless
	case err != nil:
		return err
	}
	if pending && len(c.out) > 0 && !c.sink.offers(Pipelining) {
		c.sink.Metrics.Violations.Inc() // did not wait for the reply before
	}
	verb, arg, err := smtp.SplitCommand(string(line))
	if err != nil {
		return c.syntaxError(err)
	}
	act, ok := commands[verb]
	switch {
	case c.silenced && verb != "QUIT": // RFC 5321 §3.1
		return c.send("503 5.5.1 no service here\r\n")
	case !ok:
		return c.violation("500 5.5.2 unknown command\r\n")
	}
	return act(c, arg)
}

// syntaxError answers what a parser refused.
func (c *conn) syntaxError(err error) error {
	var bad *smtp.SyntaxError
	if !errors.As(err, &bad) {
		return err
	}
	return c.violation(string(bad.Reply().Append(nil)))
}

// violation answers a command that broke the protocol.
func (c *conn) violation(reply string) error {
	c.sink.Metrics.Violations.Inc()
	if c.violations++; c.violations > maxViolations {
		return c.dismiss("421 4.7.0 too many errors\r\n")
	}
	return c.send(reply)
}

// dismiss sends a last reply.
func (c *conn) dismiss(reply string) error {
	if err := c.send(reply); err != nil {
		return err
	}
	return errClose
}

func (c *conn) greet() error {
	v := c.judge(PhaseConnect)
	c.silenced = !v.accepts(2)
	protocol := " ESMTP"
	if c.sink.options.LMTP {
		protocol = " LMTP"
	}
	return c.respond(v, "220 "+c.sink.options.Hostname+protocol+" posthaste sink\r\n")
}

func (c *conn) ehlo(arg string) error        { return c.hello(arg, true, false) }
func (c *conn) heloCommand(arg string) error { return c.hello(arg, false, false) }
func (c *conn) lhlo(arg string) error        { return c.hello(arg, true, true) }

func (c *conn) hello(arg string, esmtp, lmtp bool) error {
	if lmtp != c.sink.options.LMTP { // RFC 2033 §4.1: LMTP has LHLO and nothing else
		return c.violation("500 5.5.1 wrong greeting for this protocol\r\n")
	}
	hello, err := smtp.ParseHello(arg)
	if err != nil {
		return c.syntaxError(err)
	}
	v := c.judge(PhaseHelo)
	if err := c.enact(v); err != nil {
		return err
	}
	if v.accepts(2) {
		c.helo, c.esmtp = hello.Host, esmtp
		c.resetTransaction()
	}
	if !esmtp {
		return c.answer(v, "250 "+c.sink.options.Hostname+"\r\n")
	}
	return c.answer(v, c.sink.ehloReply(c.secure, c.authenticated))
}

func (c *conn) startTLS(arg string) error {
	if c.sink.options.TLS == nil || c.secure {
		return c.violation("502 5.5.1 STARTTLS is not offered\r\n")
	}
	if _, err := smtp.ParseNone(arg); err != nil {
		return c.syntaxError(err)
	}
	v := c.judge(PhaseStartTLS)
	if err := c.respond(v, "220 2.0.0 go ahead\r\n"); err != nil || !v.accepts(2) {
		return err
	}
	if err := c.flush(); err != nil {
		return err
	}
	if c.in.Buffered() > 0 {
		// RFC 3207 §4.2: what came in the clear must not be taken for TLS.
		c.sink.Metrics.Violations.Inc()
	}
	secure := tls.Server(c.nc, c.sink.options.TLS)
	if err := secure.HandshakeContext(c.ctx); err != nil {
		return err
	}
	c.tx.body.discard()
	c.nc, c.session = secure, session{secure: true, messages: c.messages}
	c.in.Reset(input{c})
	return nil
}

func (c *conn) rset(arg string) error {
	if _, err := smtp.ParseNone(arg); err != nil {
		return c.syntaxError(err)
	}
	v := c.judge(PhaseRset)
	if err := c.enact(v); err != nil {
		return err
	}
	c.resetTransaction()
	return c.answer(v, "250 2.0.0 forgotten\r\n")
}

func (c *conn) noop(string) error { return c.respond(c.judge(PhaseNoop), "250 2.0.0 fine\r\n") }

func (c *conn) vrfy(string) error {
	return c.respond(c.judge(PhaseVrfy), "252 2.5.0 try and see\r\n")
}

func (c *conn) quit(arg string) error {
	if _, err := smtp.ParseNone(arg); err != nil {
		return c.syntaxError(err)
	}
	if err := c.respond(c.judge(PhaseQuit), "221 2.0.0 bye\r\n"); err != nil {
		return err
	}
	return errClose
}
