package extra

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/bimi"
	"github.com/posthaste-mta/posthaste/internal/dmarc"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/certificate"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
)

func bimiLibrary(o Options) *value.Library {
	helper := bimiHelperLibrary(o)
	return library([]*value.Builtin{
		declare.Function("bimi(MailMessage or EODMailMessage mail, array dmarc, [array options]) array",
			"Finds what the author's domain publishes about its logo, for a message that passed DMARC under a policy of quarantine or reject; dmarc is what dmarc returned. "+
				"Fields that only the receiver may add are deleted from the message. Returns an array of record (its tags), domain and selector, where it stands, and authentication-results, the result in one word; "+
				"or of error and class, dmarc, dns or bimi, with that word.",
			`echo bimi(MailMessage::String("From: joe@example.com\r\n\r\n"), ["result" => "none"])["class"]; // dmarc`,
			findLogo, declare.Option("boolean allow_unsigned_selector = false", "Believe a BIMI-Selector field that no signature covers.")),
		declare.Function("bimi_vmc(array bimi, [array calist]) array",
			"Fetches the certificate that the record names, proves it by the authorities of the list, of X509 or PEM, and returns an array of indicator, the logo (SVG), and subject, "+
				"a list of pairs of object identifier and text; or of error. No authorities are built in, and revocation is not looked at.",
			`echo bimi_vmc(["record" => ["a" => ""]], [])["error"]; // bimi: the record names no certificate`,
			fetchMark),
		helper.Builtin("bimi_svg_check"),
	})
}

func bimiHelperLibrary(Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("bimi_svg_check(string svg) array",
			"Returns an array of valid, whether a logo keeps to the profile SVG Tiny PS, and error, a list of what is wrong.",
			`echo bimi_svg_check("<svg/>")["valid"]; // false`,
			func(c *value.Call) (value.Value, error) {
				if err := c.Step(len(c.Str(0))); err != nil {
					return value.None, err
				}
				faults := bimi.CheckSVG(declare.View(c.Str(0)))
				return declare.Array(c, value.Map("valid", value.Boolean(len(faults) == 0), "error", value.FromArray(value.Strings(faults))))
			}),
	})
}

// receiverFields are those of which the receiver is the author (draft §7).
var receiverFields = []string{"BIMI-Location", "BIMI-Indicator", "BIMI-Logo-Preference"}

func findLogo(c *value.Call) (value.Value, error) {
	m := mail.Of(c.Args[0])
	index, err := messageOf(c, 0)
	if err != nil {
		return value.None, err
	}
	for _, name := range receiverFields {
		if _, err := method(c, m.Value().Object(), "delHeader", value.String(name)); err != nil {
			return value.None, err
		}
	}
	d := c.Args[1]
	if why := unenforced(d); why != "" {
		return noLogo(c, why, "dmarc", "skipped")
	}
	n, err := newNames(c, value.None)
	if err != nil {
		return value.None, err
	}
	selector := bimi.DefaultSelector
	if named, ok := bimi.ParseSelector(bimiSelector(index)); ok && (c.Options(2).Bool("allow_unsigned_selector") || signed(d, "bimi-selector")) {
		selector = named
	}
	return publishedLogo(c, n, textAt(d, "from"), selector)
}

// bimiSelector returns the only field of that name, "" if there is none or more.
func bimiSelector(m *mime.Message) string {
	if all := m.Root().Headers("bimi-selector", mime.Unfolded); len(all) == 1 {
		return all[0]
	}
	return ""
}

// unenforced says why a result of DMARC does not let a logo be shown, "" if it
// does: the policy must be one for all mail of the organization (draft §7.1).
func unenforced(d value.Value) string {
	tags, _ := d.Array().GetString("dmarc")
	percent := textAt(tags, "pct")
	enforced := func(policy string) bool {
		policy = strings.ToLower(policy)
		return policy == "reject" || policy == "quarantine" && (percent == "" || percent == "100")
	}
	switch sub := textAt(tags, "sp"); {
	case textAt(d, "result") != "pass":
		return "bimi: the message did not pass DMARC"
	case !enforced(textAt(d, "policy")), !enforced(textAt(tags, "p")), sub != "" && !enforced(sub):
		return "bimi: the policy is not quarantine or reject for all mail"
	}
	return ""
}

// signed reports whether a signature that passed covers a field.
func signed(d value.Value, field string) bool {
	list, _ := d.Array().GetString("dkim")
	for v := range list.Array().Values() {
		tags, _ := v.Array().GetString("tags")
		for name := range strings.SplitSeq(textAt(tags, "h"), ":") {
			if textAt(v, "result") == "pass" && strings.EqualFold(strings.TrimSpace(name), field) {
				return true
			}
		}
	}
	return false
}

// publishedLogo looks for the record of a domain, and failing that for the one of
// its organization (draft §7.2).
func publishedLogo(c *value.Call, n *names, domain, selector string) (value.Value, error) {
	org, err := dmarc.NewEvaluator(nil, dmarc.Options{}).Organization(c.Context(), domain)
	if err != nil {
		org = domain
	}
	for _, at := range []string{domain, org} {
		texts, err := n.TXT(c.Context(), selector+"._bimi."+at)
		switch {
		case n.thrown != nil:
			return value.None, n.thrown
		case err != nil:
			return noLogo(c, "bimi: "+err.Error(), "dns", "temperror")
		}
		if found, records := only(texts); records > 1 {
			return noLogo(c, "bimi: more than one record", "bimi", "fail")
		} else if records == 1 {
			return logoRecord(c, found, at, selector)
		}
	}
	return noLogo(c, bimi.ErrNoRecord.Error(), "dns", "none")
}

// only returns the text that is a record, and how many are.
func only(texts []string) (text string, records int) {
	for _, t := range texts {
		if _, err := bimi.ParseRecord(t); !errors.Is(err, bimi.ErrNoRecord) {
			text = t
			records++
		}
	}
	return text, records
}

func logoRecord(c *value.Call, text, domain, selector string) (value.Value, error) {
	r, err := bimi.ParseRecord(text)
	switch {
	case errors.Is(err, bimi.ErrDeclined):
		return noLogo(c, err.Error(), "bimi", "declined")
	case err != nil:
		return noLogo(c, err.Error(), "bimi", "fail")
	}
	// Scripts look at these, whether the record has them or not.
	tags := value.Map("l", value.String(""), "a", value.String(""), "avp", value.String("brand"))
	for _, t := range r.Tags {
		tags.SetString(t.Name, value.String(t.Value))
	}
	return declare.Array(c, value.Map("record", value.FromArray(tags), "domain", value.String(domain),
		"selector", value.String(selector), "authentication-results", value.String("pass")))
}

func noLogo(c *value.Call, why, class, word string) (value.Value, error) {
	return declare.Array(c, value.Map("error", value.String(why), "class", value.String(class), "authentication-results", value.String(word)))
}

// markOptions are those of http for the certificate.
func markOptions() value.Value {
	return value.FromArray(value.Map("timeout", value.Int(10), "max_file_size", value.Int(1<<20),
		"tls_default_ca", value.True, "tls_verify_host", value.True))
}

func fetchMark(c *value.Call) (value.Value, error) {
	record, _ := c.Array(0).GetString("record")
	failed := func(why string) (value.Value, error) {
		return declare.Array(c, value.Map("error", value.String(why)))
	}
	uri := textAt(record, "a")
	if uri == "" {
		return failed("bimi: the record names no certificate")
	}
	authorities, ok := authoritiesOf(c.Array(1))
	if !ok {
		return value.None, declare.Unwanted(c, 1, "certificates")
	}
	if len(authorities) == 0 {
		return failed("bimi: no authorities are given")
	}
	text, err := c.Call(value.FromFunction(c.Library.Function("http")), value.String(uri), markOptions())
	if err != nil {
		return value.None, err
	}
	if !text.IsString() {
		return failed("bimi: the certificate cannot be fetched from " + uri)
	}
	domain := textAt(c.Args[0], "domain")
	names := []string{textAt(c.Args[0], "selector") + "._bimi." + domain, domain}
	m, err := bimi.ParseMark([]byte(text.Str()), authorities, names, time.Now())
	if err != nil {
		return failed(err.Error())
	}
	subject := value.NewArray(0)
	for _, n := range m.Leaf.Subject.Names {
		if s, ok := n.Value.(string); ok {
			subject.Push(value.FromArray(value.Strings([]string{n.Type.String(), s})))
		}
	}
	return declare.Array(c, value.Map("indicator", value.Bytes(m.SVG), "subject", value.FromArray(subject)))
}

// authoritiesOf reads a list of X509 objects and PEM texts; ok is false when there
// is something else in it.
func authoritiesOf(list *value.Array) (all []*x509.Certificate, ok bool) {
	for v := range list.Values() {
		if r, ok := v.Resource().(*certificate.Resource); ok {
			all = append(all, r.Certificate)
			continue
		}
		if o := v.Object(); o != nil {
			c, is := o.Native.(*x509.Certificate)
			if !is {
				return nil, false
			}
			all = append(all, c)
			continue
		}
		before := len(all)
		for text := []byte(v.Text()); ; {
			var block *pem.Block
			if block, text = pem.Decode(text); block == nil {
				break
			}
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, false
			}
			all = append(all, c)
		}
		if len(all) == before {
			return nil, false
		}
	}
	return all, true
}
