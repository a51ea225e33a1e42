package script

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// reportOptions reads the dsn option of Try, Bounce and Queue (spec hsl-phases.md
// 13); nil where it is not given.
func (h *queueHost) reportOptions(c *value.Call, a *value.Array) (*queue.ReportOptions, error) {
	if a == nil {
		return nil, nil
	}
	given, err := value.CheckOptions(c.Builtin.Name+": dsn", reportKeys, a)
	if err != nil {
		return nil, err
	}
	o := &queue.ReportOptions{
		Transport: given.Get("transportid").Str(), Job: given.Get("jobid").Str(), Metadata: nil, Delay: seconds(given.Num("delay")),
	}
	if m := given.Array("metadata"); m != nil {
		o.Metadata = stringMap(m)
	}
	t := &o.Text
	t.FromName, t.SubjectPrepend = given.Get("from_name").Str(), given.Get("subject_prepend").Str()
	t.Readable, t.OmitOriginal = []byte(given.Get("readable_mimepart").Str()), !given.Bool("original_headers")
	t.Headers = headerLines(given.Array("headers"))
	if given.Has("recipient") {
		to, err := parseAddress(given.Get("recipient"))
		if err != nil {
			return nil, value.Errorf("%s: dsn: recipient: %v", c.Builtin.Name, err)
		}
		o.Recipient, t.To = &to, to
	}
	if given.Has("from") {
		if t.From, err = parseAddress(given.Get("from")); err != nil {
			return nil, value.Errorf("%s: dsn: from: %v", c.Builtin.Name, err)
		}
	}
	if signature := given.Array("dkim"); signature != nil {
		if o.Signer, err = h.hooks.engine.options.Mail.Signer(c, signature); err != nil {
			return nil, value.Errorf("%s: dsn: dkim: %v", c.Builtin.Name, err)
		}
	}
	return o, h.knows(c, o.Transport)
}

// reportKeys are the keys of the dsn option.
var reportKeys = []value.Option{
	{Name: "transportid", Type: value.StringType, Doc: "transport of the report"},
	{Name: "recipient", Type: addressType, Doc: "who gets it, instead of the sender"},
	{Name: "metadata", Type: value.ArrayType, Doc: "names and strings to store with it"},
	{Name: "from", Type: addressType, Doc: "address in From"},
	{Name: "from_name", Type: value.StringType, Doc: "name in From"},
	{Name: "dkim", Type: value.ArrayType, Doc: "selector, domain, key and options of signDKIM"},
	{Name: "jobid", Type: value.StringType, Doc: "job of it"},
	{Name: "readable_mimepart", Type: value.StringType, Doc: "a MIME part in place of the explanation"},
	{Name: "original_headers", Type: value.BooleanType, Default: value.True, Doc: "return the header of the message"},
	{Name: "subject_prepend", Type: value.StringType, Doc: "text before the subject"},
	{Name: "headers", Type: value.ArrayType, Doc: "further header lines: texts, or name => value"},
	{Name: "delay", Type: value.NumberType, Doc: "seconds before it is sent"},
}

// headerLines reads header lines, which may be given by name.
func headerLines(a *value.Array) (lines []string) {
	if a == nil {
		return nil
	}
	for k, v := range a.All() {
		line := v.Text()
		if k.IsString() {
			line = k.Str() + ": " + line
		}
		lines = append(lines, line)
	}
	return lines
}
