package session

import (
	"context"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

func (s *Session) checkRcpt(smtp.Rcpt) smtp.Reply {
	switch {
	case s.t == nil:
		return replyNoMail
	case s.t.chunks != nil:
		return replyInChunks
	}
	return smtp.Reply{}
}

// rcpt adds a recipient to the transaction unless the hook or a limit is
// against it.
func (s *Session) rcpt(ctx context.Context, cmd smtp.Rcpt) {
	if len(s.t.Recipients) >= s.limits.Recipients {
		s.tooMany()
		return
	}
	r := Recipient{Address: cmd.To, Params: cmd.Params, Transport: s.settings.Transport}
	if r.Address.Domain == "" { // RFC 5321 §4.5.1: ours
		r.Address.Domain = s.settings.Hostname
	}
	if reply := s.rcptParams(&r); !reply.IsZero() {
		s.mistake(reply)
		return
	}
	if r.Address.NeedsUTF8() && !s.t.SMTPUTF8 { // RFC 6531 §3.5
		s.refuseRecipient(&r, replyNeedUTF8, false)
		return
	}
	var v RcptVerdict
	if s.has(PhaseRcptTo) {
		v = s.settings.Hooks.RcptTo(s.hook(ctx), &s.c, s.t, &r)
	}
	reply := rcptDefaults.reply(v.Verdict)
	if v.Action != Accept {
		s.refuseRecipient(&r, reply, v.Disconnect)
		return
	}
	if v.Transport != "" {
		r.Transport = v.Transport
	}
	if r.Transport == "" {
		s.refuseRecipient(&r, replyRelay, v.Disconnect)
		return
	}
	s.takeRecipient(r, v, reply)
}

func (s *Session) takeRecipient(r Recipient, v RcptVerdict, reply smtp.Reply) {
	if len(s.t.Recipients) == 0 {
		s.t.given = r.Address
	}
	if v.Recipient != nil {
		r.Address = *v.Recipient
	}
	s.t.Recipients = append(s.t.Recipients, r)
	s.metrics.Recipients.Inc()
	s.answer(PhaseRcptTo, v.Verdict, reply)
}

func (s *Session) refuseRecipient(r *Recipient, reply smtp.Reply, disconnect bool) {
	s.metrics.RecipientsRejected.Inc()
	s.refuse(Rejection{Phase: PhaseRcptTo, Transaction: s.t, Recipient: r, Reply: reply}, disconnect)
}

// maxOvershoot is how many recipients beyond the limit a transaction may try.
const maxOvershoot = 20_000

// tooMany answers a recipient beyond the limit. The client sends the rest in
// another transaction (RFC 5321 §4.5.3.1.10), so that only the first of them is
// worth an event.
func (s *Session) tooMany() {
	s.metrics.RecipientsRejected.Inc()
	if s.t.over++; s.t.over == 1 {
		s.rejected(Rejection{Phase: PhaseRcptTo, Transaction: s.t, Reply: replyTooMany})
	}
	if s.t.over > maxOvershoot {
		s.shutOut(replyRefusals)
		return
	}
	s.say(replyTooMany)
}

// rcptParams reads the parameters of RCPT into r.
func (s *Session) rcptParams(r *Recipient) smtp.Reply {
	for _, p := range r.Params {
		var err error
		needs := offerDSN
		switch p.Key {
		case "NOTIFY":
			r.Notify, err = envelope.ParseNotify(p.Value)
		case "ORCPT":
			r.ORcpt, err = parseORcpt(p.Value)
		default:
			needs = offerUnknown
		}
		if !s.offer.has(needs) {
			return replyParameter
		}
		if err != nil {
			return replyParamValue
		}
	}
	return smtp.Reply{}
}

// parseORcpt parses "type;address" (RFC 3461 §4.2).
func parseORcpt(v string) (string, error) {
	if len(v) > maxParam {
		return "", errParam
	}
	kind, encoded, ok := strings.Cut(v, ";")
	if !ok || kind == "" {
		return "", errParam
	}
	decoded, err := xtext(encoded, maxParam)
	return kind + ";" + decoded, err
}
