package script

import (
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message/dsn"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// preArguments is $arguments in predelivery.
func preArguments(v *queue.View) value.Value { return record("retry", number(v.Retry)) }

// postArguments is $arguments in postdelivery (spec hsl-phases.md 12.1).
func postArguments(v *queue.View, r *queue.Result) value.Value {
	action := value.Undefined
	switch r.Action {
	case queue.Requeue:
		action = value.String("QUEUE")
	case queue.Bounce:
		action = value.String("BOUNCE")
	case queue.Delete:
		action = value.String("DELETE")
	}
	return record(
		"retry", number(v.Retry), "expired", value.Boolean(r.Expired), "action", action,
		"attempt", attemptValue(r.Outcome), "dsn", reportValue(r),
	)
}

func attemptValue(out *delivery.Outcome) value.Value {
	if out == nil {
		return value.Undefined
	}
	result, failure := value.Undefined, value.Undefined
	if out.FromPeer {
		result = record("code", number(out.Reply.Code), "enhanced", enhanced(out.Reply.Enhanced),
			"reason", value.FromArray(value.Strings(out.Reply.Lines)), "state", value.String(out.Stage.String()))
	} else {
		failure = failureValue(out)
	}
	return record("result", result, "error", failure, "connection", wayValue(&out.Connection),
		"duration", value.Number(out.Duration.Seconds()))
}

func failureValue(out *delivery.Outcome) value.Value {
	text := out.Reply.Text()
	if text == "" && out.Err != nil {
		text = out.Err.Error()
	}
	dns := value.Undefined
	if out.Kind == delivery.KindDNS {
		dns = value.String(out.DNS.String())
	}
	return record("temporary", value.Boolean(out.Status == delivery.Deferred),
		"message", value.String(text), "type", value.String(out.Kind.String()), "dns", dns)
}

// wayValue is attempt.connection; absent when none was made.
func wayValue(c *delivery.Connection) value.Value {
	if c.ID == 0 {
		return value.Undefined
	}
	return record(
		"id", number(int64(c.ID)), "transactions", number(c.Transactions),
		"localip", ip(c.LocalIP), "localipid", optional(c.LocalID), "helo", value.String(c.Helo),
		"remoteip", ip(c.RemoteIP), "remotemx", value.String(c.RemoteMX),
		"remotegreet", value.FromArray(value.Strings(c.Greeting)), "tls", peerTLS(&c.TLS),
	)
}

func peerTLS(t *delivery.TLSInfo) value.Value {
	if !t.Started {
		return record("started", value.False, "tlsrpt", optional(t.Error))
	}
	return record("started", value.True, "protocol", value.String(t.Protocol),
		"cipher", value.String(t.Cipher), "keysize", number(t.KeySize))
}

// reportValue is the report that Default will send, absent when there is none.
func reportValue(r *queue.Result) value.Value {
	if r.Outcome == nil || r.Action != queue.Bounce {
		return value.Undefined
	}
	to := dsn.Recipient{Reply: r.Outcome.Reply, FromPeer: r.Outcome.FromPeer, Command: r.Outcome.Stage.String()}
	status := dsn.Failed.Status(&to)
	kind, text := to.Diagnostic()
	return record("action", value.String(dsn.Failed.String()), "status", enhanced(status),
		"diagnostictype", value.String(kind), "diagnosticcode", value.String(text))
}

// reportOptions reads the dsn option of Bounce and Queue (spec hsl-phases.md
// 13); nil where it is not given.
func reportOptions(a *value.Array) (*queue.ReportOptions, error) {
	if a == nil {
		return nil, nil
	}
	get := func(key string) (value.Value, bool) { v, ok := a.GetString(key); return v, ok && !v.IsNone() }
	o := &queue.ReportOptions{}
	for key, into := range map[string]*string{
		"transportid": &o.Transport, "jobid": &o.Job, "from_name": &o.Text.FromName, "subject_prepend": &o.Text.SubjectPrepend,
	} {
		if v, ok := get(key); ok {
			*into = v.Text()
		}
	}
	if v, ok := get("recipient"); ok {
		to, err := parseAddress(v)
		if err != nil {
			return nil, err
		}
		o.Recipient, o.Text.To = &to, to
	}
	if v, ok := get("from"); ok {
		from, err := parseAddress(v)
		if err != nil {
			return nil, err
		}
		o.Text.From = from
	}
	if v, ok := get("metadata"); ok && v.IsArray() {
		o.Metadata = stringMap(v.Array())
	}
	if v, ok := get("headers"); ok && v.IsArray() {
		o.Text.Headers = texts(v.Array())
	}
	if v, ok := get("readable_mimepart"); ok {
		o.Text.Readable = []byte(v.Text())
	}
	if v, ok := get("original_headers"); ok {
		o.Text.OmitOriginal = !v.Bool()
	}
	if v, ok := get("delay"); ok {
		o.Delay = seconds(v.ToNumber())
	}
	if _, ok := get("dkim"); ok {
		return nil, value.Errorf("dsn: dkim is not supported by this version")
	}
	return o, nil
}
