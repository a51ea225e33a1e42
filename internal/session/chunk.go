package session

import (
	"context"
	"fmt"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// bdat takes one chunk of a message (RFC 3030 §2). Its octets are read whether
// or not it is wanted, lest they be taken for commands; when nobody knows how
// many they are, the conversation is over.
func (s *Session) bdat(ctx context.Context, arg string) {
	chunk, err := smtp.ParseBdat(arg)
	if err != nil {
		s.shutOut(syntaxReply(err))
		return
	}
	if r := s.checkBdat(); !r.IsZero() {
		if s.skip(chunk.Size) {
			s.mistake(r)
		}
		return
	}
	if len(s.t.Recipients) == 0 {
		if s.skip(chunk.Size) {
			s.say(s.noRecipients())
		}
		return
	}
	s.takeChunk(ctx, chunk)
}

func (s *Session) takeChunk(ctx context.Context, chunk smtp.Bdat) {
	if s.t.chunks == nil {
		s.t.chunks = s.collect()
	}
	x := s.t.chunks
	s.now(Receiving)
	x.start()
	if !s.receiveChunk(x, chunk) {
		x.discard()
		return
	}
	switch {
	case chunk.Last:
		s.endOfData(ctx, x)
	case x.err != nil: // RFC 3030 §2: the chunks that follow fail as well
		s.refusedText(failure(x.err), x.err)
		s.say(failure(x.err))
		s.reset()
	default:
		s.say(smtp.NewReply(250, smtp.EnhancedCode{2, 0, 0}, fmt.Sprintf("%d octets received", chunk.Size)))
	}
}

func (s *Session) checkBdat() smtp.Reply {
	switch {
	case !s.offer.has(offerChunking):
		return replyUnavailable
	case s.t == nil:
		return replyNoMail
	}
	return smtp.Reply{}
}

// receiveChunk reads the octets of a chunk into x, and reports whether the
// conversation goes on.
func (s *Session) receiveChunk(x *text, chunk smtp.Bdat) bool {
	binary := s.t.Body == envelope.BodyBinaryMIME
	if int64(s.in.Buffered()) < chunk.Size {
		s.in.Expect()
	}
	for left := chunk.Size; ; {
		piece := s.in.Peek()
		piece = piece[:min(int64(len(piece)), left)]
		left -= int64(len(piece))
		if binary {
			_, _ = x.Write(piece) // never fails
		} else {
			_ = x.decoder.DecodeChunk(x, piece, chunk.Last && left == 0) // as x.Write
		}
		s.in.Skip(len(piece))
		if left == 0 {
			return true
		}
		if !s.more(x) {
			return false
		}
	}
}

// skip reads the octets of a chunk that is not wanted.
func (s *Session) skip(size int64) bool {
	if size > s.limits.Excess {
		s.shutOut(replyTooLarge)
		return false
	}
	s.now(Receiving)
	x := new(text)
	x.start()
	for left := size; ; {
		n := min(int64(s.in.Buffered()), left)
		left -= n
		x.size += n
		s.in.Skip(int(n))
		if left == 0 {
			return true
		}
		if !s.more(x) {
			return false
		}
	}
}
