package session

import (
	"context"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

func (s *Session) checkStartTLS(smtp.None) smtp.Reply {
	switch {
	case s.c.TLS != nil:
		return replyInTLS
	case s.settings.TLS == nil:
		return replyUnavailable
	case s.c.Helo.Verb == "" || s.c.Helo.Verb == "HELO":
		return replyNoHelo
	case s.t != nil:
		return replyInMail
	case s.tlsConfig() == nil:
		return replyNoTLS
	}
	return smtp.Reply{}
}

// startTLS begins the conversation anew under TLS (RFC 3207 §4.2): what was
// said before counts for nothing.
func (s *Session) startTLS(context.Context, smtp.None) {
	s.say(replyStartTLS)
	if err := s.wire.flush(); err != nil {
		s.finish(false, err)
		return
	}
	if !s.shake(false) {
		return
	}
	s.c.Helo, s.c.Auth = Helo{}, Login{}
	s.offer, s.mechanisms = 0, nil
}
