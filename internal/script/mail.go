package script

import (
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/session"
)

// queueOptions are those of queue() (spec hsl-stdlib.md 14.2).
var queueOptions = []value.Option{
	{Name: "metadata", Type: value.ArrayType, Doc: "names and strings to store with the entry"},
	{Name: "hold", Type: value.BooleanType, Default: value.False, Doc: "keep until released"},
	{Name: "jobid", Type: value.StringType, Doc: "job of the entry"},
	{Name: "tenantid", Type: value.StringType, Doc: "tenant of the entry"},
	{Name: "quotas", Type: value.ArrayType, Doc: "names of quotas that it counts towards"},
	{Name: "delay", Type: value.NumberType, Doc: "seconds before the first attempt"},
	{Name: "dsn", Type: value.ArrayType, Doc: "envid, ret, notify and orcpt"},
	{Name: "priority", Type: value.NumberType, Doc: "0 normal, 1 high"},
}

// queueRecipient makes the entry that queue(sender, recipient, transportid,
// options) asks for.
func queueRecipient(c *value.Call) (envelope.Recipient, error) {
	r := envelope.Recipient{}
	var err error
	if r.Sender, err = parseAddress(c.Args[0]); err != nil {
		return r, err
	}
	if r.Address, err = parseAddress(c.Args[1]); err != nil {
		return r, err
	}
	if r.Address.IsNull() {
		return r, value.Errorf("%s: the recipient is empty", c.Builtin.Name)
	}
	r.Transport = c.Str(2)
	o := c.Options(3)
	r.Hold = o.Bool("hold")
	if o.Has("jobid") {
		r.Job = o.Str("jobid")
	}
	if o.Has("tenantid") {
		r.Tenant = o.Str("tenantid")
	}
	if m := o.Array("metadata"); m != nil {
		r.Metadata = stringMap(m)
	}
	r.Quotas = texts(o.Array("quotas"))
	if o.Has("delay") {
		r.NotBefore = time.Now().Add(seconds(o.Num("delay")))
	}
	return r, nil
}

// eodMail is the Native of an EODMailMessage.
type eodMail struct{ mail *session.Mail }

// eodMailClass is the message of the eod phase. What it queues counts once the
// script accepts.
var eodMailClass = &value.Class{
	Name: "EODMailMessage",
	Doc:  "The message that has just been received.",
	Methods: []*value.Builtin{{
		Name: "queue", Returns: value.ArrayType,
		Doc: "Queues the message for one recipient, once the script accepts.",
		Params: []value.Param{
			{Name: "sender", Type: addressType}, {Name: "recipient", Type: addressType}, {Name: "transportid", Type: value.StringType},
			{Name: "options", Type: value.ArrayType, Optional: true, Options: queueOptions},
		},
		Func: func(c *value.Call) (value.Value, error) {
			r, err := queueRecipient(c)
			if err != nil {
				return value.None, err
			}
			m := c.This.Native.(*eodMail).mail
			n := m.Queue(r)
			return record("transaction", value.String(c.Host.(*sessionHost).transaction.ID.String()), "queue", number(n)), nil
		},
	}},
}

// mailValue is $arguments["mail"].
func (e *Engine) mailValue(m *session.Mail) value.Value {
	return value.FromObject(eodMailClass.New(&eodMail{m}))
}
