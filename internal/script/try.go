package script

import (
	"maps"
	"slices"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
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
func (h *queueHost) try(o value.Options) (*queue.Try, error) {
	t := &queue.Try{}
	var err error
	if t.Sender, err = replacement(o, "sender"); err != nil {
		return nil, err
	}
	if t.Recipient, err = replacement(o, "recipient"); err != nil {
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
