package script

import (
	"encoding/hex"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/certificate"
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
		"grouping", optional(v.Grouping), "policy", policyValue(r.Applied),
		"attempt", attemptValue(r.Outcome), "dsn", reportValue(r),
	)
}

func attemptValue(out *delivery.Outcome) value.Value {
	if out == nil {
		return value.Undefined
	}
	result, failure := value.Undefined, value.Undefined
	if out.FromPeer {
		result = resultValue(out)
	} else {
		failure = failureValue(out)
	}
	return record("result", result, "error", failure, "connection", wayValue(&out.Connection),
		"duration", value.Number(out.Duration.Seconds()))
}

// resultValue is the reply of a host that decided.
func resultValue(out *delivery.Outcome) value.Value {
	return record("code", number(out.Reply.Code), "enhanced", enhanced(out.Reply.Enhanced),
		"reason", value.FromArray(value.Strings(out.Reply.Lines)), "state", value.String(out.Stage.String()))
}

// failureText is what went wrong, in the words that reports have.
func failureText(out *delivery.Outcome) string {
	if text := out.Reply.Text(); text != "" || out.Err == nil {
		return text
	}
	return out.Err.Error()
}

func failureValue(out *delivery.Outcome) value.Value {
	dns := value.Undefined
	if out.Kind == delivery.KindDNS {
		dns = value.String(out.DNS.String())
	}
	return record("temporary", value.Boolean(out.Status == delivery.Deferred),
		"message", value.String(failureText(out)), "type", value.String(out.Kind.String()), "dns", dns)
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
	tlsa := value.Undefined
	switch {
	case t.Unvalidated:
		tlsa = record("error", record("temporary", value.True))
	case len(t.TLSA) > 0:
		tlsa = record("records", tlsaRecords(t.TLSA))
	}
	if !t.Started {
		return record("started", value.False, "tlsrpt", optional(t.Report), "tlsa", tlsa)
	}
	return record("started", value.True, "protocol", value.String(t.Protocol), "cipher", value.String(t.Cipher),
		"keysize", number(t.KeySize), "peercert", peerCertificate(t), "tlsrpt", optional(t.Report), "tlsa", tlsa)
}

func tlsaRecords(all []dns.TLSA) value.Value {
	records := value.NewArray(len(all))
	for _, r := range all {
		records.Append(record("usage", number(r.Usage), "selector", number(r.Selector), "mtype", number(r.MatchingType),
			"data", value.String(hex.EncodeToString(r.Data))))
	}
	return value.FromArray(records)
}

// peerCertificate is what a host has shown, and what is wrong with it.
func peerCertificate(t *delivery.TLSInfo) value.Value {
	if len(t.Certificates) == 0 {
		return value.Undefined
	}
	chain := value.NewArray(len(t.Certificates) - 1)
	for _, c := range t.Certificates[1:] {
		chain.Append(certificate.New(c))
	}
	failure := value.Undefined
	if err := t.Trust(); err != nil {
		failure = value.String(strings.TrimPrefix(err.Error(), "delivery: "))
	}
	return record("x509", certificate.New(t.Certificates[0]), "chain", value.FromArray(chain), "error", failure)
}

// reportValue is the report that is to come, or what one would say of the failure;
// absent where there is nothing to report.
func reportValue(r *queue.Result) value.Value {
	kind := r.Report
	switch {
	case kind != 0:
	case r.Action == queue.Bounce || r.Action == queue.Delete:
		kind = dsn.Failed
	default:
		return value.Undefined
	}
	to := dsn.Recipient{Reply: r.Cause.Reply, FromPeer: r.Cause.FromPeer}
	if r.Cause.FromPeer {
		to.Command = r.Cause.Stage.String()
	}
	if r.Cause.Err != nil {
		to.Cause = r.Cause.Err.Error()
	}
	id := value.Undefined
	if r.Report != 0 {
		id = record("transaction", value.String(r.ReportID.String()), "queue", value.Int(1))
	}
	diagnostic, text := to.Diagnostic()
	return record("action", value.String(kind.String()), "id", id, "status", enhanced(kind.Status(&to)),
		"diagnostictype", value.String(diagnostic), "diagnosticcode", value.String(text))
}
