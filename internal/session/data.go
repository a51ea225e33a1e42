package session

import (
	"context"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

func (s *Session) checkData(smtp.None) smtp.Reply {
	switch {
	case s.t == nil:
		return replyNoMail
	case s.t.chunks != nil:
		return replyInChunks
	case s.t.Body == envelope.BodyBinaryMIME: // RFC 3030 §3
		return replyBinary
	}
	return smtp.Reply{}
}

// noRecipients is the answer to a pipelined group of which every RCPT was
// refused. It is no mistake of the client's, for it could not know.
func (s *Session) noRecipients() smtp.Reply {
	if s.settings.LMTP {
		return replyNoRcptLMTP
	}
	return replyNoRecipients
}

// data receives the text of a message.
func (s *Session) data(ctx context.Context, _ smtp.None) {
	if len(s.t.Recipients) == 0 {
		s.say(s.noRecipients())
		return
	}
	s.say(replyText)
	x := s.collect()
	defer x.discard()
	s.now(Receiving)
	s.in.Expect()
	for {
		n, done, _ := x.decoder.Decode(x, s.in.Peek()) // text.Write does not fail
		s.in.Skip(n)
		if done {
			break
		}
		if !s.more(x) {
			return
		}
	}
	s.endOfData(ctx, x)
}
