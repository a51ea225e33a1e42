package script

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// Addresses that scripts give the SMTP client: as everywhere, or with params,
// the parameters of MAIL or RCPT by name. Those that the client knows it sends
// where the host announces that it takes them; all others go as they are.

// addressParams returns the parameters that come with an address.
func addressParams(v value.Value) (smtp.Params, error) {
	if !v.IsArray() {
		return nil, nil
	}
	given, _ := v.Array().GetString("params")
	if !given.IsArray() {
		return nil, nil
	}
	var params smtp.Params
	for k, v := range given.Array().All() {
		p := smtp.Param{Key: strings.ToUpper(k.Text())}
		if v.IsString() || v.IsNumber() {
			p.Value = v.Text()
		}
		if !isKeyword(p.Key) || !isParamValue(p.Value) {
			return nil, value.Errorf("params: %q => %q is no parameter of SMTP", p.Key, p.Value)
		}
		params = append(params, p)
	}
	return params, nil
}

// isKeyword: RFC 5321 §4.1.2, esmtp-keyword.
func isKeyword(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' && i > 0) {
			return false
		}
	}
	return s != ""
}

// isParamValue: RFC 5321 §4.1.2, esmtp-value, or nothing. Beyond ASCII only what
// RFC 6531 adds.
func isParamValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '=' || r == 0x7f })
}

// setSender takes the sender over into an attempt.
func setSender(a *delivery.Attempt, v value.Value) (err error) {
	if a.Sender, err = parseAddress(v); err != nil {
		return err
	}
	params, err := addressParams(v)
	for _, p := range params {
		switch p.Key {
		case "SIZE": // ours is right
		case "BODY":
			a.Body, err = envelope.ParseBody(p.Value)
		case "RET":
			a.Ret, err = envelope.ParseRet(p.Value)
		case "ENVID":
			a.EnvID = xtext(p.Value)
		case "SMTPUTF8":
			a.SMTPUTF8 = true
		case "REQUIRETLS":
			a.RequireTLS = true
		default:
			a.MailParams = append(a.MailParams, p)
		}
		if err != nil {
			return value.Errorf("params: %v", err)
		}
	}
	return err
}

// recipientOf reads one recipient.
func recipientOf(v value.Value) (r delivery.Recipient, err error) {
	if r.Address, err = parseAddress(v); err != nil {
		return r, err
	}
	if r.Address == (address.Address{}) {
		return r, value.Errorf("the recipient is empty")
	}
	params, err := addressParams(v)
	for _, p := range params {
		switch p.Key {
		case "NOTIFY":
			if r.Notify, err = envelope.ParseNotify(p.Value); err != nil {
				return r, value.Errorf("params: %v", err)
			}
		case "ORCPT":
			r.ORcpt = xtext(p.Value)
		default:
			r.Params = append(r.Params, p)
		}
	}
	return r, err
}

// setRecipient takes a recipient over into an attempt.
func setRecipient(a *delivery.Attempt, v value.Value) error {
	r, err := recipientOf(v)
	a.Recipient, a.RcptParams, a.Notify, a.ORcpt = r.Address, r.Params, r.Notify, r.ORcpt
	return err
}

// xtext decodes a value as it stands in a command; scripts may also give it as
// it is.
func xtext(s string) string {
	if decoded, err := smtp.DecodeXtext(s); err == nil {
		return decoded
	}
	return s
}
