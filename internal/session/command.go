package session

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// verb is one command that a session understands.
type verb struct {
	limit int  // octets of the line with its end
	only  kind // zero: of both protocols
	idle  bool // it changes nothing
	run   func(*Session, context.Context, string)
}

// kind tells the protocols apart.
type kind uint8

const (
	smtpOnly kind = iota + 1
	lmtpOnly
)

// verbs has a row for each command: how its argument is parsed, when it is
// legal, and what it does.
var verbs = map[string]verb{
	"HELO":     {limit: smtp.MaxCommand, only: smtpOnly, idle: true, run: row(smtp.ParseHello, anytime, (*Session).helo)},
	"EHLO":     {limit: smtp.MaxCommand, only: smtpOnly, idle: true, run: row(smtp.ParseHello, anytime, (*Session).ehlo)},
	"LHLO":     {limit: smtp.MaxCommand, only: lmtpOnly, idle: true, run: row(smtp.ParseHello, anytime, (*Session).lhlo)},
	"STARTTLS": {limit: smtp.MaxCommand, run: row(smtp.ParseNone, (*Session).checkStartTLS, (*Session).startTLS)},
	"AUTH":     {limit: smtp.MaxAuth, run: row(smtp.ParseAuth, (*Session).checkAuth, (*Session).auth)},
	"XCLIENT":  {limit: smtp.MaxMail, run: row(smtp.ParseXclient, (*Session).checkXclient, (*Session).xclient)},
	"MAIL":     {limit: smtp.MaxMail, run: row(smtp.ParseMail, (*Session).checkMail, (*Session).mail)},
	"RCPT":     {limit: smtp.MaxRcpt, run: row(smtp.ParseRcpt, (*Session).checkRcpt, (*Session).rcpt)},
	"DATA":     {limit: smtp.MaxCommand, run: row(smtp.ParseNone, (*Session).checkData, (*Session).data)},
	"BDAT":     {limit: smtp.MaxCommand, run: (*Session).bdat},
	"RSET":     {limit: smtp.MaxCommand, idle: true, run: row(smtp.ParseNone, anytime, (*Session).rset)},
	"NOOP":     {limit: smtp.MaxCommand, idle: true, run: row(smtp.ParseText, anytime, (*Session).noop)},
	"HELP":     {limit: smtp.MaxCommand, idle: true, run: row(smtp.ParseText, anytime, (*Session).help)},
	"VRFY":     {limit: smtp.MaxCommand, idle: true, run: row(smtp.ParseText, anytime, (*Session).vrfy)},
	"QUIT":     {limit: smtp.MaxCommand, run: row(smtp.ParseNone, anytime, (*Session).quit)},
}

// row makes the steps of a command into one function. check returns the zero
// Reply when the command is legal now.
func row[T any](
	parse func(string) (T, error),
	check func(*Session, T) smtp.Reply,
	act func(*Session, context.Context, T),
) func(*Session, context.Context, string) {
	return func(s *Session, ctx context.Context, arg string) {
		cmd, err := parse(arg)
		if err != nil {
			s.mistake(syntaxReply(err))
			return
		}
		if r := check(s, cmd); !r.IsZero() {
			s.mistake(r)
			return
		}
		act(s, ctx, cmd)
	}
}

func anytime[T any](*Session, T) smtp.Reply { return smtp.Reply{} }

func syntaxReply(err error) smtp.Reply {
	var syntax *smtp.SyntaxError
	if errors.As(err, &syntax) {
		return syntax.Reply()
	}
	return replyParameter
}

// foreign are the first words of what does not want to speak to us at all, but
// was made to by a third party who hopes that a line of it is a command.
var foreign = map[string]bool{
	"GET": true, "POST": true, "PUT": true, "HEAD": true, "OPTIONS": true, "CONNECT": true, "USER-AGENT:": true,
}

// command reads one command and answers it.
func (s *Session) command(ctx context.Context) {
	b, err := s.line(s.lineLimit())
	if err != nil {
		s.broken(err)
		return
	}
	s.now(Commanded)
	s.known()
	line := string(b)
	s.heard(line)
	if s.askProxy && s.has(PhaseProxy) {
		var pass bool
		if line, pass = s.proxy(ctx, line); !pass {
			return
		}
	}
	s.interpret(ctx, line)
}

func (s *Session) interpret(ctx context.Context, line string) {
	name, arg, err := smtp.SplitCommand(line)
	if err != nil {
		s.verb = ""
		s.mistake(syntaxReply(err))
		return
	}
	v, known := verbs[name]
	if !known || v.only == smtpOnly && s.settings.LMTP || v.only == lmtpOnly && !s.settings.LMTP {
		s.unknown(name)
		return
	}
	s.verb = name
	if len(line)+len("\r\n") > v.limit {
		s.mistake(replyLongLine)
		return
	}
	if v.idle {
		if s.idle++; s.idle > s.limits.IdleCommands {
			s.shutOut(replyNothing)
			return
		}
	}
	v.run(s, ctx, arg)
}

func (s *Session) unknown(name string) {
	s.verb = ""
	if foreign[name] {
		s.shutOut(replyForeign)
		return
	}
	s.mistake(replyUnknown)
}

// lineLimit is how long a line may be before its verb is known.
func (s *Session) lineLimit() int {
	if s.offer.has(offerAuth) {
		return smtp.MaxAuth
	}
	return smtp.MaxMail
}

// line returns the next line, for which it waits if it must. The slice holds
// until the next call.
func (s *Session) line(limit int) ([]byte, error) {
	here := bytes.IndexByte(s.in.Peek(), '\n') >= 0
	if !here {
		if err := s.wire.flush(); err != nil {
			return nil, err
		}
	}
	if !s.await(here) {
		return nil, errDrained
	}
	b, err := s.in.ReadLine(limit)
	if errors.Is(err, smtp.ErrBareLF) && s.settings.LineEnds == smtp.Repair {
		err = nil
	}
	return b, err
}

// errDrained says that no command is waited for any more.
var errDrained = errors.New("session: draining")

// broken deals with what came instead of a line.
func (s *Session) broken(err error) {
	s.verb = ""
	switch {
	case errors.Is(err, smtp.ErrLongLine):
		s.mistake(replyLongLine)
	case errors.Is(err, smtp.ErrBareLF):
		s.mistake(replyBareLF)
	case errors.Is(err, smtp.ErrEndlessLine):
		s.shutOut(replyLongLine)
	case errors.Is(err, errDrained):
		s.hangUp(replyDrain)
	case s.wire.broken != nil:
		s.finish(false, s.wire.broken)
	case isTimeout(err):
		s.timedOut(err)
	default:
		s.finish(false, remoteError(err))
	}
}

// timedOut ends a wait that took too long, or was ended by Drain.
func (s *Session) timedOut(err error) {
	s.mu.Lock()
	drained := s.draining && s.waiting
	s.mu.Unlock()
	if drained {
		s.hangUp(replyDrain)
		return
	}
	s.metrics.Timeouts.Inc()
	s.say(replyTimeout)
	s.finish(true, err)
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// heard reports a line for the log. Credentials do not go there.
func (s *Session) heard(line string) {
	if !s.settings.Verbose || s.settings.Events.Line == nil {
		return
	}
	if verb, rest, _ := strings.Cut(line, " "); strings.EqualFold(verb, "AUTH") {
		mechanism, _, _ := strings.Cut(rest, " ")
		line = verb + " " + mechanism
	}
	s.settings.Events.Line(&s.c, true, line)
}

// reset drops the transaction and takes a new id.
func (s *Session) reset() {
	if s.t == nil {
		return
	}
	if s.t.chunks != nil {
		s.t.chunks.discard()
	}
	s.t = nil
	s.c.Transaction = s.newID()
}

func (s *Session) rset(context.Context, smtp.None) {
	s.reset()
	s.say(replyOk)
}

func (s *Session) noop(context.Context, smtp.Text) { s.say(replyOk) }

func (s *Session) help(context.Context, smtp.Text) { s.say(replyHelp) }

// vrfy never says who exists (RFC 5321 §7.3).
func (s *Session) vrfy(context.Context, smtp.Text) { s.say(replyVerify) }

func (s *Session) quit(context.Context, smtp.None) {
	s.hangUp(smtp.NewReply(221, smtp.EnhancedCode{2, 0, 0}, s.settings.Hostname+" closing connection"))
}
