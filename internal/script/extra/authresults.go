package extra

import (
	"errors"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/authres"
	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func resultsLibrary(Options) *value.Library { return library(nil, resultsClass) }

var resultsClass = &value.Class{
	Name: "AuthenticationResults",
	Doc:  "The value of an Authentication-Results field (RFC 8601) in the making. Nothing that a stranger supplied can end a value in it or the field.",
}

func init() {
	const ptypes = " The properties are an array of values by type and name, such as \"smtp.remote-ip\", which come behind or in place of its own."
	resultsClass.Constructor = declare.Function("AuthenticationResults([array options]) AuthenticationResults",
		"Begins a field.",
		`echo AuthenticationResults(["hostname" => "mx.example.com"])->SPF(["result" => "pass"], "a.example", "example.com")->toString(["multiline" => false]); `+
			`// mx.example.com; spf=pass smtp.mailfrom=example.com`,
		newResults, declare.Option("string hostname", "Who has checked; that of the host unless it is given."))
	resultsClass.Methods = []*value.Builtin{
		declare.Method("SPF(array or string spf, string helo, string domain, [array ptypes]) AuthenticationResults",
			"Adds what spf_query said of a sender's domain, or of the HELO name if that is empty."+ptypes, addSPF),
		declare.Method("TLS(array or none tls, [array ptypes]) AuthenticationResults",
			"Adds whether the connection is encrypted, and how: the tls of $connection."+ptypes, addTLS),
		declare.Method("DKIM(MailMessage or EODMailMessage or array dkim, [array ptypes]) AuthenticationResults",
			"Adds a result for each signature of a message, which are checked, or for each of a list of what verifyDKIM said."+ptypes, addDKIM),
		declare.Method("DMARC(array dmarc, [array ptypes]) AuthenticationResults", "Adds what dmarc said."+ptypes, addDMARC),
		declare.Method("addMethod(string name, string result, [array ptypes]) AuthenticationResults", "Adds the result of any other method."+ptypes,
			func(c *value.Call) (value.Value, error) {
				return add(c, authres.Method{Name: c.Str(0), Result: c.Str(1)}, c.Array(2))
			}),
		declare.Method("toString([array options]) string", "Returns the value of the field.", resultsText,
			declare.Option("boolean multiline = true", "Each method has a line of its own.")),
	}
	declare.Examples(resultsClass, resultsExamples)
}

// results is the state of an AuthenticationResults.
type results struct{ authres.Results }

// PrivateToThread implements value.Private.
func (*results) PrivateToThread() {}

func newResults(c *value.Call) (value.Value, error) {
	r := new(results)
	if r.ID = c.Options(0).Str("hostname"); r.ID == "" {
		name, err := c.Call(value.FromFunction(c.Library.Function("gethostname")))
		if err != nil {
			return value.None, err
		}
		r.ID = name.Text()
	}
	return value.FromObject(resultsClass.New(r)), nil
}

func resultsText(c *value.Call) (value.Value, error) {
	r := c.This.Native.(*results)
	if c.Options(0).Bool("multiline") {
		return declare.Text(c, r.Folded())
	}
	return declare.Text(c, r.String())
}

// mostMethods bounds what scripts collect by mistake.
const mostMethods = 1000

// add adds a method with further properties, and returns the object.
func add(c *value.Call, m authres.Method, ptypes *value.Array) (value.Value, error) {
	for key, v := range ptypes.All() {
		ptype, property, _ := strings.Cut(key.Text(), ".")
		if property == "" {
			ptype, property = "policy", ptype
		}
		for i, p := range m.Props {
			if strings.EqualFold(p.Type, ptype) && strings.EqualFold(p.Property, property) {
				m.Props = append(m.Props[:i:i], m.Props[i+1:]...)
				break
			}
		}
		m.Add(ptype, property, v.Text())
	}
	r := c.This.Native.(*results)
	if len(r.Methods) == mostMethods {
		return value.None, value.Errorf("%s: more than %d results", c.Builtin.Name, mostMethods)
	}
	r.Methods = append(r.Methods, m)
	return value.FromObject(c.This), c.Alloc(256)
}

func addSPF(c *value.Call) (value.Value, error) {
	m := authres.Method{Name: "spf", Result: c.Args[0].Text()}
	if c.Args[0].IsArray() {
		m.Result = textAt(c.Args[0], "result")
	}
	if domain := c.Str(2); domain != "" {
		m.Add("smtp", "mailfrom", domain)
	} else {
		m.Add("smtp", "helo", c.Str(1))
	}
	return add(c, m, c.Array(3))
}

func addTLS(c *value.Call) (value.Value, error) {
	m := authres.Method{Name: "tls", Result: "none"}
	if c.Args[0].IsArray() {
		m.Result = "pass"
		m.Add("smtp", "version", textAt(c.Args[0], "protocol"))
		m.Add("smtp", "cipher", textAt(c.Args[0], "cipher"))
	}
	return add(c, m, c.Array(1))
}

func addDKIM(c *value.Call) (value.Value, error) {
	list := c.Args[0]
	if o := list.Object(); o != nil {
		n, err := newNames(c, value.None)
		if err != nil {
			return value.None, err
		}
		if list, err = method(c, o, "verifyDKIM", value.None, value.FromArray(value.Map("dns_function", n.keys()))); err != nil {
			return value.None, err
		}
	}
	if list.Array().Len() == 0 {
		return add(c, authres.Method{Name: "dkim", Result: "none"}, c.Array(1))
	}
	for v := range list.Array().Values() {
		if _, err := add(c, dkimMethod(v), c.Array(1)); err != nil {
			return value.None, err
		}
	}
	return value.FromObject(c.This), nil
}

// failures are what verifyDKIM says of signatures that could be checked and are
// wrong, which the field tells apart from others (RFC 8601 §2.7.1).
var failures = []error{dkim.ErrBody, dkim.ErrSignature, dkim.ErrExpired}

// dkimMethod is one result of verifyDKIM.
func dkimMethod(v value.Value) authres.Method {
	m := authres.Method{Name: "dkim", Result: textAt(v, "result")}
	for _, err := range failures {
		if said := textAt(v, "error"); m.Result == "permerror" && strings.Contains(said, err.Error()) {
			m.Result, m.Reason = "fail", err.Error()
		}
	}
	tags, _ := v.Array().GetString("tags")
	for _, name := range []string{"d", "i", "s", "a"} {
		if text := textAt(tags, name); text != "" {
			m.Add("header", name, text)
		}
	}
	if b := strings.Join(strings.Fields(textAt(tags, "b")), ""); b != "" { // RFC 6008
		m.Add("header", "b", b[:min(len(b), 8)])
	}
	return m
}

func addDMARC(c *value.Call) (value.Value, error) {
	d := c.Args[0]
	m := authres.Method{Name: "dmarc"}
	switch word := textAt(d, "result"); word {
	case "none", "quarantine", "reject":
		m.Result, m.Comment = "fail", "p="+textAt(d, "policy")+" dis="+word
	case "policy_absent":
		m.Result = "none"
	case "pass":
		m.Result, m.Comment = "pass", "p="+textAt(d, "policy")+" dis=none"
	default:
		m.Result = word
	}
	if from := textAt(d, "from"); from != "" {
		m.Add("header", "from", from)
	}
	return add(c, m, c.Array(1))
}

// parseResults reads a value that toString has made, or a script itself.
func parseResults(v value.Value) (authres.Results, error) {
	if o := v.Object(); o != nil {
		if r, ok := o.Native.(*results); ok {
			return r.Results, nil
		}
		return authres.Results{}, errors.New("no results")
	}
	return authres.Parse(v.Text())
}
