package session

import (
	"context"
	"errors"
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

var replyRequireTLS = canned(530, 5, 7, 10, "REQUIRETLS needs TLS") // RFC 8689 §2
var replyParamValue = canned(501, 5, 5, 4, "Bad parameter value")

func (s *Session) checkMail(m smtp.Mail) smtp.Reply {
	switch {
	case s.c.Helo.Verb == "":
		return replyNoHelo
	case s.t != nil:
		return replyInMail
	case s.settings.RequireTLS && s.c.TLS == nil:
		return replyNeedTLS
	}
	return smtp.Reply{}
}

// mail begins a transaction unless the hook or a limit is against it.
func (s *Session) mail(ctx context.Context, m smtp.Mail) {
	if s.limits.Messages > 0 && s.transactions >= s.limits.Messages {
		s.rejected(Rejection{Phase: PhaseMailFrom, Reply: replyMessages})
		s.shutOut(replyMessages)
		return
	}
	t := &Transaction{ID: s.c.Transaction, Begun: time.Now(), Sender: m.From, Params: m.Params}
	if r := s.mailParams(t); !r.IsZero() {
		s.mistake(r)
		return
	}
	if t.Sender.NeedsUTF8() && !t.SMTPUTF8 { // RFC 6531 §3.5
		s.refuse(Rejection{Phase: PhaseMailFrom, Transaction: t, Reply: replyNeedUTF8}, false)
		return
	}
	if s.limits.Size > 0 && t.Declared > s.limits.Size { // RFC 1870 §6.1
		s.refuse(Rejection{Phase: PhaseMailFrom, Transaction: t, Reply: replyTooLarge}, false)
		return
	}
	var v MailVerdict
	if s.has(PhaseMailFrom) {
		v = s.settings.Hooks.MailFrom(s.hook(ctx), &s.c, t)
	}
	r := mailDefaults.reply(v.Verdict)
	if v.Action != Accept {
		s.refuse(Rejection{Phase: PhaseMailFrom, Transaction: t, Reply: r}, v.Disconnect)
		return
	}
	if v.Sender != nil {
		t.Sender = *v.Sender
	}
	s.t = t
	s.transactions++
	s.answer(PhaseMailFrom, v.Verdict, r)
}

// mailParams reads the parameters of MAIL into t.
func (s *Session) mailParams(t *Transaction) smtp.Reply {
	for _, p := range t.Params {
		if p.Key == "REQUIRETLS" && s.c.TLS == nil {
			return replyRequireTLS
		}
		known, ok := mailParams[p.Key]
		if !ok {
			known = mailParam{offerUnknown, func(*Transaction, string) error { return nil }}
		}
		if !s.offer.has(known.needs) {
			return replyParameter
		}
		if known.set(t, p.Value) != nil {
			return replyParamValue
		}
	}
	if t.Body == envelope.BodyBinaryMIME && !s.offer.has(offerBinaryMIME) {
		return replyParameter
	}
	return smtp.Reply{}
}

// mailParam is a parameter of MAIL, which may be used when one of the
// extensions in needs has been announced.
type mailParam struct {
	needs offer
	set   func(*Transaction, string) error
}

var mailParams = map[string]mailParam{
	"SIZE": {offerSize, func(t *Transaction, v string) (err error) {
		t.Declared, err = smtp.ParseSize(v)
		return err
	}},
	"BODY": {offer8BitMIME | offerBinaryMIME, func(t *Transaction, v string) (err error) {
		t.Body, err = envelope.ParseBody(v)
		return err
	}},
	"SMTPUTF8": {offerSMTPUTF8, func(t *Transaction, v string) error {
		t.SMTPUTF8 = true
		return noValue(v)
	}},
	"REQUIRETLS": {offerRequireTLS, func(t *Transaction, v string) error {
		t.RequireTLS = true
		return noValue(v)
	}},
	"RET": {offerDSN, func(t *Transaction, v string) (err error) {
		t.Ret, err = envelope.ParseRet(v)
		return err
	}},
	"ENVID": {offerDSN, func(t *Transaction, v string) (err error) {
		t.EnvID, err = xtext(v, maxEnvID)
		return err
	}},
	"AUTH": {offerAuth, func(_ *Transaction, v string) error { // RFC 4954 §5: read, not trusted
		_, err := xtext(v, maxParam)
		return err
	}},
}

// Lengths of values.
const (
	maxEnvID = 100 // RFC 3461 §4.4
	maxParam = 500 // RFC 3461 §4.2, RFC 4954 §5
)

var errParam = errors.New("session: bad parameter value")

func noValue(v string) error {
	if v != "" {
		return errParam
	}
	return nil
}

// xtext decodes a value that must not be empty.
func xtext(v string, limit int) (string, error) {
	if v == "" || len(v) > limit {
		return "", errParam
	}
	return smtp.DecodeXtext(v)
}
