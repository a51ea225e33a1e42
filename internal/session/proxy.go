package session

import (
	"context"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// proxy asks the hook about a line before it is interpreted, and returns the
// line to interpret unless the hook has answered it.
func (s *Session) proxy(ctx context.Context, line string) (string, bool) {
	v := s.settings.Hooks.Proxy(s.hook(ctx), &s.c, s.t, line)
	s.askProxy = v.Next
	if v.Action != Reply {
		if v.Command != "" {
			line = v.Command
		}
		return line, true
	}
	s.verb = ""
	if !s.skipAnswered(line) {
		return "", false
	}
	r := proxyReply(v.Verdict)
	if v.Disconnect {
		s.shutOut(r)
	} else {
		s.say(r)
	}
	return "", false
}

// skipAnswered drops the chunk behind a BDAT that the hook answered: it is no
// command, whatever was made of the line before it.
func (s *Session) skipAnswered(line string) bool {
	name, arg, err := smtp.SplitCommand(line)
	if err != nil || name != "BDAT" {
		return true
	}
	chunk, err := smtp.ParseBdat(arg)
	if err != nil {
		s.shutOut(syntaxReply(err))
		return false
	}
	return s.skip(chunk.Size)
}

// proxyReply may have any code, as it stands for any reply.
func proxyReply(v Verdict) smtp.Reply {
	r := replyProxied
	if c := v.Reply.Code; c >= 200 && c <= 599 {
		r.Code, r.Enhanced = c, smtp.EnhancedCode{}
	}
	if int(v.Reply.Enhanced[0]) == r.Code/100 {
		r.Enhanced = v.Reply.Enhanced
	}
	if len(v.Reply.Lines) > 0 {
		r.Lines = v.Reply.Lines
	}
	return r
}
