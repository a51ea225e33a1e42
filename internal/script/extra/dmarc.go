package extra

import (
	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/dmarc"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
)

func dmarcLibrary(Options) *value.Library {
	options := []value.Option{
		declare.Option("number maxdkimheaders = 8", "How many signatures are looked at, from the top."),
		declare.Option("boolean rfc9989 = false", "Find organizations by walking up the tree of the DNS (RFC 9989) instead of by the list of public suffixes (RFC 7489)."),
	}
	const returns = "Returns an array of result: pass, none (it failed, and the owner of the domain asks for nothing), quarantine or reject (it failed, and he asks for that), " +
		"policy_absent, permerror or temperror; and, as far as they are known, reason, from (the domain of the author), pdomain (where the policy stands), policy (the one that applies), " +
		"dmarc (the tags of the record), spf (what spf_query said), dkim (a list of what verifyDKIM said), spf_align and dkim_align (pass, fail or unaligned), " +
		"and pct-selected (whether the message is among the percentage that the policy is for)."
	return library([]*value.Builtin{
		declare.Function("dmarc(MailMessage or EODMailMessage mail, string ip, string helo, string domain, [array options]) array",
			"Checks whether a message may use the domain of its author (DMARC). The domain is that of the envelope sender, or empty. "+returns,
			`try { echo dmarc(MailMessage::String("From: a@example.com\r\n\r\n"), "192.0.2.1", "mx.example.com", "example.com")["result"]; } catch ($e) { echo "no DNS"; } // no DNS`,
			func(c *value.Call) (value.Value, error) { return checkOrigin(c, value.None, value.None, value.None) }, options...),
		declare.Function("dmarc_implementation(MailMessage or EODMailMessage mail, string ip, string helo, string domain, function spf, function dns, function or none dkim_dns, [array options]) array",
			"Is dmarc with functions in place of spf_query, of dns_query, and of the dns_function of verifyDKIM, which if none is made of the second.",
			`$m = MailMessage::String("From: joe@example.com\r\n\r\nx\r\n"); `+
				`echo dmarc_implementation($m, "192.0.2.1", "x", "example.com", function ($ip, $helo, $domain) { return ["result" => "pass"]; }, `+
				`function ($name, $options) { return ["result" => ["v=DMARC1; p=reject"]]; }, none)["result"]; // pass`,
			func(c *value.Call) (value.Value, error) { return checkOrigin(c, c.Args[4], c.Args[5], c.Args[6]) }, options...),
		declare.Function("organizationalDomain(string domain) string or none",
			"Returns the domain that an organization has registered of which the domain is a part, by the list of public suffixes; or none for no domain.",
			`echo organizationalDomain("mail.example.co.uk"); // example.co.uk`, organizational),
		declare.Function("dnsWalk(string domain, [function dns_query]) array",
			"Returns the policy records on the way up the tree of the DNS (RFC 9989), the longest name first: a list of arrays of domain and dmarc, the tags of its record.",
			`echo dnsWalk("mail.example.com", function ($name, $options) { return $name == "_dmarc.example.com" ? ["result" => ["v=DMARC1; p=none"]] : ["error" => "NXDOMAIN"]; })[0]["domain"]; // example.com`,
			walk),
	})
}

// checkOrigin is dmarc with its sources of answers; none stands for the builtins.
func checkOrigin(c *value.Call, spf, dns, keys value.Value) (value.Value, error) {
	m := mail.Of(c.Args[0])
	index, err := messageOf(c, 0)
	if err != nil {
		return value.None, err
	}
	n, err := newNames(c, dns)
	if err != nil {
		return value.None, err
	}
	o := originOf(c)
	if o.spf, err = o.querySPF(c, spf); err != nil {
		return value.None, err
	}
	if !keys.IsFunction() {
		keys = n.keys()
	}
	for _, raw := range index.Root().Headers("dkim-signature", mime.Whole) {
		if o.dkim.Len() >= o.most {
			break
		}
		result, err := method(c, m.Value().Object(), "verifyDKIM", value.String(raw), value.FromArray(value.Map("dns_function", keys)))
		if err != nil {
			return value.None, err
		}
		o.dkim.Push(result)
	}
	from, err := dmarc.AuthorDomain(index.Root().RawHeader())
	if err != nil {
		return declare.Array(c, value.Map("result", value.String("permerror"), "reason", value.String(err.Error()), "spf", o.spf, "dkim", value.FromArray(o.dkim)))
	}
	e := dmarc.NewEvaluator(n, dmarc.Options{Walk: o.walk, MaxIdentifiers: max(o.most, 1)})
	result := e.Evaluate(c.Context(), from, o.identifiers())
	if n.thrown != nil {
		return value.None, n.thrown
	}
	return declare.Array(c, o.value(&result))
}

// origin is what a check knows besides the record.
type origin struct {
	ip, helo, domain string
	most             int // signatures
	walk             bool
	spf              value.Value // what spf_query said
	dkim             *value.Array
}

func originOf(c *value.Call) *origin {
	options := c.Options(len(c.Builtin.Params) - 1)
	return &origin{
		ip: c.Str(1), helo: c.Str(2), domain: c.Str(3), dkim: value.NewArray(0),
		most: min(max(options.Int("maxdkimheaders"), 0), 100), walk: options.Bool("rfc9989"),
	}
}

func (o *origin) querySPF(c *value.Call, spf value.Value) (value.Value, error) {
	if !spf.IsFunction() {
		spf = value.FromFunction(c.Library.Function("spf_query"))
	}
	if spf.IsNone() {
		return value.None, value.Errorf("%s: there is no DNS here", c.Builtin.Name)
	}
	return c.Call(spf, value.String(o.ip), value.String(o.helo), value.String(o.domain))
}

// identifiers are the domains that SPF and DKIM have something to say about.
func (o *origin) identifiers() (ids dmarc.Identifiers) {
	ids.SPF = dmarc.Identifier{Domain: o.helo, Result: textAt(o.spf, "result")}
	if o.domain != "" {
		ids.SPF.Domain = o.domain
		if a, err := address.Parse(o.domain); err == nil && a.Domain != "" { // an address will do
			ids.SPF.Domain = a.Domain
		}
	}
	for v := range o.dkim.Values() {
		tags, _ := v.Array().GetString("tags")
		ids.DKIM = append(ids.DKIM, dmarc.Identifier{Domain: textAt(tags, "d"), Result: textAt(v, "result")})
	}
	return ids
}

// textAt returns the text under a key of an array, "" if it has none.
func textAt(v value.Value, key string) string {
	if field, ok := v.Array().GetString(key); ok && field.IsSet() {
		return field.Text()
	}
	return ""
}

// value is the result as scripts see it.
func (o *origin) value(r *dmarc.Result) *value.Array {
	out := value.Map("result", value.String(word(r)))
	if r.Reason != "" {
		out.SetString("reason", value.String(r.Reason))
	}
	out.SetString("from", value.String(r.From))
	if r.Record != nil {
		out.SetString("pdomain", value.String(r.Domain))
		out.SetString("policy", value.String(string(r.Policy)))
		out.SetString("dmarc", value.FromArray(recordTags(r.Record)))
		out.SetString("spf_align", value.String(string(r.SPF)))
		out.SetString("dkim_align", value.String(string(r.BestDKIM())))
		out.SetString("pct-selected", value.Boolean(r.Selected))
	}
	out.SetString("spf", o.spf)
	out.SetString("dkim", value.FromArray(o.dkim))
	return out
}

// word is the result in one word.
func word(r *dmarc.Result) string {
	switch r.Status {
	case dmarc.None:
		return "policy_absent"
	case dmarc.Fail:
		return string(r.Disposition)
	}
	return string(r.Status)
}

func recordTags(r *dmarc.Record) *value.Array {
	tags := value.NewArray(len(r.Tags))
	for _, t := range r.Tags {
		tags.SetString(t.Name, value.String(t.Value))
	}
	return tags
}

func organizational(c *value.Call) (value.Value, error) {
	domain, err := address.ASCIIDomain(c.Str(0))
	if err != nil || domain == "" {
		return value.None, nil
	}
	org, err := dmarc.NewEvaluator(nil, dmarc.Options{}).Organization(c.Context(), domain)
	if err != nil {
		return value.None, nil // by the list there is none
	}
	return declare.Text(c, org)
}

func walk(c *value.Call) (value.Value, error) {
	n, err := newNames(c, c.Args[1])
	if err != nil {
		return value.None, err
	}
	found, err := dmarc.NewEvaluator(n, dmarc.Options{Walk: true}).Walk(c.Context(), c.Str(0))
	if n.thrown != nil {
		return value.None, n.thrown
	}
	if err != nil {
		return value.None, value.Errorf("%s: %v", c.Builtin.Name, err)
	}
	list := value.NewArray(len(found))
	for _, f := range found {
		list.Push(value.FromArray(value.Map("domain", value.String(f.Domain), "dmarc", value.FromArray(recordTags(f.Record)))))
	}
	return declare.Array(c, list)
}
