package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// Causes that Outcome.Err can be told by.
var (
	ErrClosed      = errors.New("delivery: connection closed by the peer")
	ErrTimeout     = errors.New("delivery: timeout")
	ErrInterrupted = errors.New("delivery: interrupted")
	ErrNoSource    = errors.New("delivery: source address is not on this machine")
)

// Status codes of our own verdicts (RFC 3463, RFC 7505, RFC 6531, RFC 8689).
var (
	codeBadDomain  = smtp.EnhancedCode{5, 1, 2}
	codeSyntax     = smtp.EnhancedCode{5, 1, 3}
	codeNullMX     = smtp.EnhancedCode{5, 1, 10}
	codeStorage    = smtp.EnhancedCode{4, 3, 0}
	codeTooBig     = smtp.EnhancedCode{5, 3, 4}
	codeConfig     = smtp.EnhancedCode{4, 3, 5}
	codeNoAnswer   = smtp.EnhancedCode{4, 4, 1}
	codeLost       = smtp.EnhancedCode{4, 4, 2}
	codeDirectory  = smtp.EnhancedCode{4, 4, 3}
	codeLoop       = smtp.EnhancedCode{5, 4, 6}
	codeProtocol   = smtp.EnhancedCode{4, 5, 0}
	codeMedia      = smtp.EnhancedCode{5, 6, 1}
	codeNoUTF8     = smtp.EnhancedCode{5, 6, 7}
	codeAuth       = smtp.EnhancedCode{4, 7, 8}
	codeTLS        = smtp.EnhancedCode{4, 7, 5}
	codeRequireTLS = smtp.EnhancedCode{5, 7, 30}
)

// verdict is an outcome in our own words. The class of the code decides between
// deferred and failed; text is fit for a report to the sender.
func verdict(stage Stage, kind Kind, code smtp.EnhancedCode, text string, cause error) *Outcome {
	o := &Outcome{Status: Deferred, Stage: stage, Kind: kind, Err: cause, Reply: smtp.NewReply(451, code, text)}
	if code[0] == 5 {
		o.Status, o.Reply.Code = Failed, 554
	}
	if cause == nil {
		o.Err = errors.New("delivery: " + text)
	}
	return o
}

// networkFailure is an error of the connection while it waited for the reply to
// stage.
func networkFailure(stage Stage, err error) *Outcome {
	if errors.Is(err, smtp.ErrReply) || errors.Is(err, smtp.ErrLongLine) || errors.Is(err, smtp.ErrEndlessLine) {
		return verdict(stage, KindProtocol, codeProtocol, "the host sent something that is not a reply to "+stage.String(),
			fmt.Errorf("delivery: reply to %s: %w", stage, err))
	}
	cause := causeOf(err)
	text := "connection lost in reply to " + stage.String() + ": " + networkText(err)
	switch {
	case errors.Is(cause, ErrTimeout):
		text = "timed out in reply to " + stage.String()
	case errors.Is(cause, ErrClosed):
		text = "connection closed by the host in reply to " + stage.String()
	}
	return verdict(stage, KindNetwork, codeLost, text, fmt.Errorf("%w in reply to %s: %w", cause, stage, err))
}

var errLost = errors.New("delivery: connection lost")

// causeOf sorts an error of a connection.
func causeOf(err error) error {
	var n net.Error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT),
		errors.As(err, &n) && n.Timeout():
		return ErrTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ErrClosed
	}
	return errLost
}

// networkText is the last word of a chain of network errors: "connection
// refused" rather than "dial tcp 192.0.2.1:25: connect: connection refused".
func networkText(err error) string {
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(causeOf(err), ErrTimeout):
		return "timed out"
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return err.Error()
}

// interrupted is the outcome of an attempt whose context has ended.
func interrupted(stage Stage, err error) *Outcome {
	return verdict(stage, KindNetwork, codeLost, "delivery was interrupted", fmt.Errorf("%w: %w", ErrInterrupted, err))
}

// refusal is the outcome for a reply that is not the one wanted.
func refusal(stage Stage, r smtp.Reply) *Outcome {
	o := &Outcome{Status: Deferred, Stage: stage, Reply: r, FromPeer: true}
	switch {
	case r.Permanent():
		o.Status = Failed
	case !r.Transient(): // spec operations.md 9.3: what makes no sense is temporary
		o.Kind = KindProtocol
		o.Err = fmt.Errorf("delivery: unexpected reply to %s: %d", stage, r.Code)
	}
	return o
}

// better chooses what to report of two hosts that would not let us in. As long
// as one of them may do so later there is hope; what a host said is worth more
// than what we guess; else the last try counts.
func better(a, b *Outcome) *Outcome {
	switch {
	case a == nil:
		return b
	case a.Status != b.Status:
		if a.Status == Deferred {
			return a
		}
		return b
	case a.FromPeer && !b.FromPeer:
		return a
	}
	return b
}
