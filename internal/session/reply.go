package session

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

func canned(code int, class, subject, detail uint16, text string) smtp.Reply {
	return smtp.NewReply(code, smtp.EnhancedCode{class, subject, detail}, text)
}

// What sessions say. Nobody changes these.
var (
	replyOk           = canned(250, 2, 0, 0, "Ok")
	replySender       = canned(250, 2, 1, 0, "Ok")
	replyRecipient    = canned(250, 2, 1, 5, "Ok")
	replyHelp         = canned(214, 2, 0, 0, "See RFC 5321")
	replyVerify       = canned(252, 2, 0, 0, "Cannot verify, but will take mail for it")
	replyAuth         = canned(235, 2, 7, 0, "Authentication succeeded")
	replyStartTLS     = canned(220, 2, 0, 0, "Ready to start TLS")
	replyProxied      = canned(250, 2, 0, 0, "Ok")
	replyText         = smtp.NewReply(354, smtp.EnhancedCode{}, "End data with <CR><LF>.<CR><LF>")
	replyDrain        = canned(421, 4, 3, 2, "Service shutting down, closing connection")
	replyTimeout      = canned(421, 4, 4, 2, "Timeout, closing connection")
	replyErrors       = canned(421, 4, 7, 0, "Too many errors, closing connection")
	replyNothing      = canned(421, 4, 7, 0, "Too many commands without mail, closing connection")
	replyRefusals     = canned(421, 4, 7, 0, "Too many refused addresses, closing connection")
	replyFailures     = canned(421, 4, 7, 0, "Too many failures to authenticate, closing connection")
	replyMessages     = canned(421, 4, 7, 0, "Too many messages on this connection, closing it")
	replySlow         = canned(421, 4, 4, 2, "Message text comes too slowly, closing connection")
	replyEarly        = canned(521, 5, 5, 0, "You spoke before it was your turn")
	replyUnknown      = canned(500, 5, 5, 1, "Command not recognized")
	replyForeign      = canned(500, 5, 5, 1, "This is a mail server")
	replyUnavailable  = canned(502, 5, 5, 1, "Command not available")
	replyLongLine     = canned(500, 5, 5, 2, "Line too long")
	replyBareLF       = canned(500, 5, 5, 2, "Line must end with <CR><LF>")
	replyNoHelo       = canned(503, 5, 5, 1, "Introduce yourself first")
	replyNoMail       = canned(503, 5, 5, 1, "MAIL comes first")
	replyInMail       = canned(503, 5, 5, 1, "Not within a transaction")
	replyInChunks     = canned(503, 5, 5, 1, "Only BDAT or RSET after BDAT")
	replyNoRecipients = canned(554, 5, 5, 1, "No valid recipients")
	replyNoRcptLMTP   = canned(503, 5, 5, 1, "No valid recipients") // RFC 2033 §4.2
	replyBinary       = canned(503, 5, 5, 1, "BINARYMIME needs BDAT")
	replyNeedTLS      = canned(530, 5, 7, 0, "Must issue STARTTLS first")
	replyInTLS        = canned(503, 5, 5, 1, "TLS is active already")
	replyNoTLS        = canned(454, 4, 7, 0, "TLS not available at the moment")
	replyParameter    = canned(555, 5, 5, 4, "Unsupported parameter")
	replyTooLarge     = canned(552, 5, 3, 4, "Message too large")
	replyTooMany      = canned(452, 4, 5, 3, "Too many recipients")
	replyRelay        = canned(550, 5, 7, 1, "Relaying denied")
	replyNeedUTF8     = canned(553, 5, 6, 7, "Address needs SMTPUTF8")
	replyNoSpace      = canned(452, 4, 3, 1, "Insufficient system storage")
	replyLocal        = canned(451, 4, 3, 0, "Local error, try again later")
	replyHops         = canned(554, 5, 4, 6, "Too many hops")
	replyFlawedLines  = canned(554, 5, 6, 0, "Message has a bare <CR> or <LF>")
	replyFlawedNUL    = canned(554, 5, 6, 0, "Message has NUL characters")
)

// defaults are the replies of a phase to what its hook may decide (spec
// hsl-phases.md 1.3).
type defaults struct{ accepted, rejected, deferred smtp.Reply }

var (
	connectDefaults = defaults{
		rejected: canned(521, 5, 7, 1, "Connection refused"),
		deferred: canned(421, 4, 3, 2, "Try again later"),
	}
	heloDefaults = defaults{
		rejected: canned(554, 5, 7, 1, "Access denied"),
		deferred: canned(450, 4, 3, 2, "Try again later"),
	}
	authDefaults = defaults{
		accepted: replyAuth,
		rejected: canned(535, 5, 7, 8, "Authentication failed"),
		deferred: canned(454, 4, 7, 0, "Temporary authentication failure"),
	}
	mailDefaults = defaults{
		accepted: replySender,
		rejected: canned(554, 5, 7, 1, "Sender refused"),
		deferred: canned(450, 4, 3, 2, "Try again later"),
	}
	rcptDefaults = defaults{
		accepted: replyRecipient,
		rejected: canned(554, 5, 7, 1, "Recipient refused"),
		deferred: canned(450, 4, 3, 2, "Try again later"),
	}
	eodDefaults = defaults{
		rejected: canned(550, 5, 7, 1, "Message refused"),
		deferred: canned(421, 4, 3, 2, "Try again later"),
	}
)

// reply returns what the client is told of a verdict.
func (d *defaults) reply(v Verdict) smtp.Reply {
	switch v.Action {
	case Reject:
		return v.fit(d.rejected)
	case Defer:
		return v.fit(d.deferred)
	}
	return v.fit(d.accepted)
}

// fit puts into the reply of the phase what the verdict has of its own.
func (v Verdict) fit(r smtp.Reply) smtp.Reply {
	class := r.Code / 100
	if v.Reply.Code/100 == class {
		r.Code = v.Reply.Code
	}
	if int(v.Reply.Enhanced[0]) == class {
		r.Enhanced = v.Reply.Enhanced
	}
	if len(v.Reply.Lines) > 0 {
		r.Lines = v.Reply.Lines
	}
	return r
}

// say answers the client.
func (s *Session) say(r smtp.Reply) {
	if !s.settings.Extensions.EnhancedStatusCodes {
		r.Enhanced = smtp.EnhancedCode{}
	}
	s.last, s.lastVerb = r, s.verb
	if s.settings.Verbose && s.settings.Events.Line != nil {
		for line := range strings.SplitSeq(strings.TrimSuffix(string(r.Append(nil)), "\r\n"), "\r\n") {
			s.settings.Events.Line(&s.c, false, line)
		}
	}
	if err := s.wire.reply(r); err != nil {
		s.finish(false, err)
	}
}

// hangUp answers for the last time.
func (s *Session) hangUp(r smtp.Reply) {
	s.say(r)
	s.finish(true, nil)
}

// shutOut is hangUp on a client that may be in the middle of sending.
func (s *Session) shutOut(r smtp.Reply) {
	s.busy = true
	s.hangUp(r)
}

// mistake answers a command that is unknown, malformed or out of place.
func (s *Session) mistake(r smtp.Reply) {
	s.metrics.BadCommands.Inc()
	s.bad++
	if s.bad > s.limits.BadCommands {
		s.shutOut(replyErrors)
		return
	}
	s.say(r)
}

// answer tells the client what a hook decided outside of a transaction and
// reports whether it accepted.
func (s *Session) answer(p Phase, v Verdict, r smtp.Reply) bool {
	if v.Action != Accept {
		s.rejected(Rejection{Phase: p, Reply: r})
	}
	if v.Disconnect {
		s.shutOut(r)
	} else {
		s.say(r)
	}
	return v.Action == Accept
}

// refuse answers MAIL or RCPT with a refusal and counts it.
func (s *Session) refuse(r Rejection, disconnect bool) {
	s.rejected(r)
	s.refusals++
	switch {
	case s.refusals > s.limits.Refusals:
		s.shutOut(replyRefusals)
	case disconnect:
		s.shutOut(r.Reply)
	default:
		s.say(r.Reply)
	}
}

func (s *Session) rejected(r Rejection) {
	if s.settings.Events.Rejected != nil {
		s.settings.Events.Rejected(&s.c, &r)
	}
}
