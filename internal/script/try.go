package script

import (
	"maps"
	"slices"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message/dsn"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// tryOptions are those of Try (spec hsl-phases.md 11.1).
var tryOptions = append([]value.Option{
	{Name: "host", Type: value.StringType, Doc: "host or address to deliver to, lookup-mx, or lookup-mx:DOMAIN"},
	{Name: "sender", Type: addressType, Doc: "sender in the envelope; an array may have params for MAIL"},
	{Name: "recipient", Type: addressType, Doc: "recipient in the envelope; an array may have params for RCPT"},
	{Name: "sourceip", Type: value.ArrayType | value.StringType, Doc: "addresses to leave from: ids, or arrays with id or address, and helo"},
	{Name: "sourceip_random", Type: value.BooleanType, Default: value.True, Doc: "false takes them in the order given"},
	{Name: "jobid", Type: value.StringType, Doc: "job id from now on"},
	{Name: "pooling", Type: value.ArrayType, Doc: "enabled, timeout, transactions, evictable"},
	{Name: "dsn", Type: value.ArrayType, Doc: "success: how a report on success is made, relayed or delivered; and the options of reports"},
	{Name: "plugin", Type: value.ArrayType, Doc: "a delivery plugin in place of SMTP; there are none, so that this throws"},
}, wayOptions...)

// try turns the options into a Try. The error says which one is wrong.
func (h *queueHost) try(c *value.Call, o value.Options) (*queue.Try, error) {
	if o.Has("plugin") {
		return nil, value.Errorf("Try: plugin: there are no delivery plugins; deliver by SMTP or LMTP")
	}
	t := &queue.Try{}
	if err := tryEnvelope(t, o); err != nil {
		return nil, value.Errorf("Try: %v", err)
	}
	if err := h.tryReport(c, t, o.Array("dsn")); err != nil {
		return nil, err
	}
	if o.Has("jobid") {
		job := o.Str("jobid")
		t.Job = &job
	}
	if h.view.Way == nil {
		return t, nil
	}
	way := *h.view.Way
	changed, err := ways{h.hooks.resources}.apply(&way, tryOptions, o)
	if err != nil {
		return nil, value.Errorf("Try: %v", err)
	}
	if changed {
		t.Transport = &way
	}
	return t, nil
}

// tryEnvelope reads sender and recipient.
func tryEnvelope(t *queue.Try, o value.Options) error {
	var from, to delivery.Attempt
	if o.Has("sender") {
		if err := setSender(&from, o.Get("sender")); err != nil {
			return value.Errorf("sender: %v", err)
		}
		t.Sender = &from.Sender
	}
	if o.Has("recipient") {
		if err := setRecipient(&to, o.Get("recipient")); err != nil {
			return value.Errorf("recipient: %v", err)
		}
		t.Recipient = &to.Recipient
	}
	if hasParams(o, "sender") || hasParams(o, "recipient") {
		t.Params = func(a *delivery.Attempt) {
			if hasParams(o, "sender") {
				a.Body, a.Ret, a.EnvID, a.MailParams = max(a.Body, from.Body), from.Ret, from.EnvID, from.MailParams
				a.SMTPUTF8, a.RequireTLS = a.SMTPUTF8 || from.SMTPUTF8, a.RequireTLS || from.RequireTLS
			}
			if hasParams(o, "recipient") {
				a.Notify, a.ORcpt, a.RcptParams = to.Notify, to.ORcpt, to.RcptParams
			}
		}
	}
	return nil
}

// hasParams reports whether an address comes with parameters, which then stand
// for those of the message.
func hasParams(o value.Options, name string) bool {
	v := o.Get(name)
	if !v.IsArray() {
		return false
	}
	params, _ := v.Array().GetString("params")
	return params.IsArray()
}

// tryReport reads what is said of reports about the attempt.
func (h *queueHost) tryReport(c *value.Call, t *queue.Try, a *value.Array) (err error) {
	if a == nil {
		return nil
	}
	if v, _ := a.GetString("success"); v.IsSet() {
		switch v.Text() {
		case "delivered":
			t.Success = dsn.Delivered
		case "relayed":
			t.Success = dsn.Relayed
		default:
			return value.Errorf("Try: dsn: success is delivered or relayed, not %q", v.Text())
		}
	}
	t.Report, err = h.reportOptions(c, a)
	return err
}

func texts(a *value.Array) (out []string) {
	if a == nil {
		return nil
	}
	for v := range a.Values() {
		out = append(out, v.Text())
	}
	return out
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
