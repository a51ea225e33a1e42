package script

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/session"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// decide runs the hook of a phase and writes its verdict down.
func decide(ctx context.Context, s *Session, phase session.Phase) string {
	c, tx := client(), transaction()
	c.Helo = session.Helo{Verb: "EHLO", Host: "me.example"}
	switch phase {
	case session.PhaseConnect:
		v := s.Connect(ctx, c)
		return common(v.Verdict) + word(v.RemoteIP.IsValid(), "ip="+v.RemoteIP.String()) + word(v.RemotePTR != "", "ptr="+v.RemotePTR)
	case session.PhaseProxy:
		v := s.Proxy(ctx, c, nil, "NOOP")
		return common(v.Verdict) + word(v.Command != "", "line="+v.Command) + word(v.Next, "next")
	case session.PhaseHelo:
		v := s.Helo(ctx, c, []string{"PIPELINING", "SIZE"})
		return common(v.Verdict) + word(v.Host != "", "host="+v.Host) + word(v.Extensions != nil, "extensions="+strings.Join(v.Extensions, ","))
	case session.PhaseAuth:
		v := s.Auth(ctx, c, &session.Authentication{Mechanism: "PLAIN", Username: "joe", Password: "pw"})
		return common(v.Verdict) + word(v.Username != "", "user="+v.Username)
	case session.PhaseMailFrom:
		v := s.MailFrom(ctx, c, tx)
		if v.Sender == nil {
			return common(v.Verdict)
		}
		return common(v.Verdict) + " sender=" + v.Sender.String()
	case session.PhaseRcptTo:
		v := s.RcptTo(ctx, c, tx, &tx.Recipients[0])
		if v.Recipient == nil {
			return common(v.Verdict)
		}
		return common(v.Verdict) + " recipient=" + v.Recipient.String() + word(v.Transport != "", "transport="+v.Transport)
	case session.PhaseEndOfData:
		return common(s.EndOfData(ctx, c, tx, session.NewMail(tx, bytes.NewReader(nil), nil)))
	}
	s.Disconnect(ctx, c, session.Closing{Local: true, Reply: smtp.NewReply(221, smtp.EnhancedCode{}, "bye"), State: "QUIT"})
	return ""
}

// common is what all verdicts of a session have.
func common(v session.Verdict) string {
	text := []string{"accept", "reject", "defer", "reply"}[v.Action] + fmt.Sprintf(" %d", v.Reply.Code)
	if !v.Reply.Enhanced.IsZero() {
		text += " " + v.Reply.Enhanced.String()
	}
	return text + fmt.Sprintf(" %v", v.Reply.Lines) + word(v.Disconnect, "hangs up")
}

// word is a word more, with a space, if it applies.
func word(applies bool, text string) string {
	if !applies {
		return ""
	}
	return " " + text
}

// decideQueue runs a hook of the queue on a deferred attempt.
func decideQueue(t *testing.T, phase, text string) string {
	t.Helper()
	source := Source{PreDelivery: text}
	if phase == postdelivery {
		source = Source{PostDelivery: text}
	}
	e, err := New(Options{Source: source, Library: stdlib.New(stdlib.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	q := e.Queue(nil, func(*queue.View) error { return nil })
	v := &queue.View{Sender: transaction().Sender, Recipient: transaction().Recipients[0].Address, Retry: 2, Way: &delivery.Transport{}}
	if phase == predelivery {
		return decision(q.PreDelivery(t.Context(), v))
	}
	return decision(q.PostDelivery(t.Context(), v, &queue.Result{
		Action: queue.Requeue,
		Outcome: &delivery.Outcome{
			Status: delivery.Deferred, Stage: delivery.StageRcpt, FromPeer: true, Reply: smtp.NewReply(451, smtp.EnhancedCode{4, 2, 2}, "full"),
		},
	}))
}

// decision writes a decision down.
func decision(d queue.Decision) string {
	text := []string{"default", "requeue", "bounce", "delete"}[d.Action]
	text += word(d.Hold, "hold") + word(d.Delay > 0, d.Delay.String()) + word(d.Reason != "", d.Reason) +
		word(d.KeepRetry, "kept") + word(d.ResetRetry, "reset") + word(d.NotifyDelay, "notify") + word(d.Transport != "", "transport="+d.Transport)
	if d.Try != nil {
		text += attemptChanges(d.Try)
	}
	if d.SetMetadata {
		text += fmt.Sprintf(" metadata=%v", d.Metadata)
	}
	if r := d.Report; r != nil {
		text += fmt.Sprintf(" report=%s %s %v", r.Recipient, r.Text.SubjectPrepend, r.Text.Headers)
	}
	return text
}

func attemptChanges(t *queue.Try) string {
	text := ""
	if w := t.Transport; w != nil {
		text = fmt.Sprintf(" servers=%v port=%d helo=%s tls=%s", w.Servers, w.Port, w.Helo, w.TLS.Mode)
	}
	if t.Job != nil {
		text += " job=" + *t.Job
	}
	if t.Sender != nil {
		text += " sender=" + t.Sender.String()
	}
	if w := t.Transport; w != nil {
		text += fmt.Sprintf(" timeout=%s exclude=%v", w.Timeouts[delivery.StageMail].Round(time.Second), w.MXExclude)
	}
	return text
}
