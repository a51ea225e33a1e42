package extra

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/mtasts"
)

func mtaSTSLibrary(o Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("mta_sts(string domain) array or boolean",
			"Returns what a domain asks of those who send to it (MTA-STS, RFC 8461): false if nothing; otherwise an array of policy (an array of version, "+
				"mode, max_age and mx, a list) and policy-string (its text), or of error and tlsrpt (how reports call it) when the policy that it "+
				"announces cannot be had. Policies are kept as long as they say, until the process ends.",
			`import { mta_sts as find } from "extras://mta-sts"; echo is_function(find); // true`,
			func(c *value.Call) (value.Value, error) { return findPolicy(c, o.Plugins.sts) }),
	})
}

func findPolicy(c *value.Call, cache *mtasts.Cache) (value.Value, error) {
	domain := strings.ToLower(strings.TrimSuffix(c.Str(0), "."))
	if !isDomain(domain) {
		return value.False, nil // nobody can announce one for it
	}
	n, err := newNames(c, value.None)
	if err != nil {
		return value.None, err
	}
	records, _, err := n.text("_mta-sts." + domain)
	if n.thrown != nil {
		return value.None, err
	}
	id := "" // what cannot be asked announces nothing; a policy that is kept holds
	if err == nil {
		id, _ = mtasts.ParseRecord(records)
	}
	result, ok, err := cache.Find(c.Context(), domain, id)
	switch {
	case err != nil:
		return value.None, c.Interrupted(err)
	case !ok || result.Policy == nil && result.Err == nil:
		return value.False, nil
	}
	return declare.Array(c, policyValue(result))
}

// isDomain reports whether a text can be part of the name of a host.
func isDomain(text string) bool {
	return strings.Contains(text, ".") && strings.IndexFunc(text, func(r rune) bool {
		return r != '.' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	}) < 0
}

func policyValue(r mtasts.Result) *value.Array {
	a := value.NewArray(0)
	if r.Err != nil {
		a.SetString("error", value.String(r.Err.Error()))
		a.SetString("tlsrpt", value.String(r.Type))
		if r.Text != "" {
			a.SetString("policy-string", value.String(strings.TrimSpace(r.Text)))
		}
		return a
	}
	a.SetString("policy", value.FromArray(value.Map(
		"version", value.String(r.Policy.Version), "mode", value.String(string(r.Policy.Mode)),
		"max_age", value.Number(r.Policy.MaxAge.Seconds()), "mx", value.FromArray(value.Strings(r.Policy.MX)))))
	a.SetString("policy-string", value.String(strings.TrimSpace(r.Text)))
	return a
}

func tlsRPTLibrary(Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("tls_rpt(array connection, array message, [array or boolean sts]) array or none",
			"Returns what a report by RFC 8460 says of an attempt, or none if its failure has nothing to do with TLS. Connection is that of the attempt, "+
				"empty if there was none, message the variable of the phase, and sts what mta_sts returned. The keys are policy-domain, policy-type "+
				"(tlsa, sts or no-policy-found), policy-string (a list), mx-host, result-type (success, or the type of the failure), "+
				"failure-reason-code, sending-mta-ip, receiving-mx-hostname and receiving-ip, as far as they are known.",
			`echo tls_rpt(["tls" => ["started" => true], "remotemx" => "mx.example.com"], ["recipientaddress" => ["domain" => "example.com"]])["result-type"]; // success`,
			reportTLS),
		declare.Function("tls_rpt_fetch_dnstxt(string domain) string or boolean",
			"Returns the record by which a domain asks for reports about TLS (RFC 8460 §3), or false if it does not.",
			`import { tls_rpt_fetch_dnstxt as find } from "extras://tls-rpt"; echo is_function(find); // true`, reportRecord),
	})
}

const reportVersion = "v=TLSRPTv1"

func reportRecord(c *value.Call) (value.Value, error) {
	if !isDomain(strings.ToLower(c.Str(0))) {
		return value.False, nil
	}
	n, err := newNames(c, value.None)
	if err != nil {
		return value.None, err
	}
	records, _, err := n.text("_smtp._tls." + c.Str(0))
	if n.thrown != nil {
		return value.None, err
	}
	var found []string
	for _, r := range records {
		if strings.HasPrefix(r, reportVersion+";") {
			found = append(found, r)
		}
	}
	if len(found) != 1 { // several are as good as none (§3)
		return value.False, nil
	}
	return declare.Text(c, found[0])
}

// at returns what stands under keys within keys.
func at(a *value.Array, keys ...string) value.Value {
	v := value.FromArray(a)
	for _, key := range keys {
		v, _ = v.Array().GetString(key)
	}
	return v
}

func reportTLS(c *value.Call) (value.Value, error) {
	connection, sts := c.Array(0), c.Array(2)
	report := value.Map("policy-domain", at(c.Array(1), "recipientaddress", "domain"))
	reportPolicy(report, at(connection, "tls", "tlsa").Array(), sts)
	switch {
	case at(sts, "tlsrpt").Truth():
		report.SetString("result-type", at(sts, "tlsrpt"))
	case at(connection, "tls", "started").Truth():
		report.SetString("result-type", value.String("success"))
	case !at(connection, "tls", "tlsrpt").Truth():
		return value.None, nil // no failure of TLS
	default:
		report.SetString("result-type", at(connection, "tls", "tlsrpt"))
		if why := at(connection, "tls", "peercert", "error"); why.Truth() {
			report.SetString("failure-reason-code", why)
		}
	}
	for _, pair := range [][2]string{{"sending-mta-ip", "localip"}, {"receiving-mx-hostname", "remotemx"}, {"receiving-ip", "remoteip"}} {
		if v := at(connection, pair[1]); v.Truth() {
			report.SetString(pair[0], v)
		}
	}
	return declare.Array(c, report)
}

// reportPolicy says which policy was applied.
func reportPolicy(report, tlsa, sts *value.Array) {
	records := at(tlsa, "records").Array()
	switch {
	case records.Len() > 0 || at(tlsa, "error").Truth():
		report.SetString("policy-type", value.String("tlsa"))
		var lines []string
		for r := range records.Values() {
			var words []string
			for v := range r.Array().Values() {
				words = append(words, v.Text())
			}
			lines = append(lines, strings.Join(words, " "))
		}
		if lines != nil {
			report.SetString("policy-string", value.FromArray(value.Strings(lines)))
		}
	case sts.Len() > 0:
		report.SetString("policy-type", value.String("sts"))
		var lines []string
		for line := range strings.Lines(at(sts, "policy-string").Str()) {
			lines = append(lines, strings.TrimSpace(line))
		}
		report.SetString("policy-string", value.FromArray(value.Strings(lines)))
		mx := at(sts, "policy", "mx")
		if mx.Array() == nil {
			mx = value.FromArray(value.NewArray(0))
		}
		report.SetString("mx-host", mx)
	default:
		report.SetString("policy-type", value.String("no-policy-found"))
	}
}
