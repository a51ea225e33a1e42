package extra

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
	"github.com/posthaste-mta/posthaste/internal/message/report"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
)

// originalOptions ask for what a report is about.
var originalOptions = []value.Option{
	declare.Option("boolean original_message = false", "Add original_message, the text of the message that the report is about, if it came whole."),
	declare.Option("boolean original_headers = false", "Add original_headers, the text of its header, if that came."),
}

func dsnLibrary(Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("dsn_parse(MailMessage or EODMailMessage mail, [array options]) array or none",
			"Reads a report on the delivery of a message (DSN, RFC 3464). Returns an array of message, the fields about the message by their names in lower case, "+
				"and recipients, a list of such arrays, one for each recipient; or none if the message is no such report.",
			`$m = MailMessage::String("Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; joe@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n"); `+
				`echo dsn_parse($m)["recipients"][0]["status"]; // 5.1.1`,
			parseStatus, originalOptions...),
	})
}

func arfLibrary(Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("arf_parse(MailMessage or EODMailMessage mail, [array options]) array or none",
			"Reads a report of a recipient about a message (ARF, RFC 5965). Returns an array of feedback_report, its fields by their names in lower case, each a list of values, "+
				"and date, from, to (a list) and subject of the report; or none if the message is no such report.",
			`$m = MailMessage::String("Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\n"); `+
				`echo arf_parse($m)["feedback_report"]["feedback-type"][0]; // abuse`,
			parseFeedback, originalOptions...),
	})
}

func parseStatus(c *value.Call) (value.Value, error) {
	m, err := messageOf(c, 0)
	if err != nil {
		return value.None, err
	}
	s, ok := report.ParseStatus(m)
	if !ok {
		return value.None, nil
	}
	recipients := value.NewArray(len(s.Recipients))
	for _, r := range s.Recipients {
		recipients.Push(value.FromArray(firstValues(r)))
	}
	out := value.Map("message", value.FromArray(firstValues(s.Message)), "recipients", value.FromArray(recipients))
	addOriginal(c, out, s.Original)
	return declare.Array(c, out)
}

// firstValues are the fields by name; of several the first.
func firstValues(fields report.Fields) *value.Array {
	a := value.NewArray(len(fields))
	for _, f := range fields {
		if _, twice := a.GetString(f.Name); !twice {
			a.SetString(f.Name, value.String(f.Value))
		}
	}
	return a
}

func parseFeedback(c *value.Call) (value.Value, error) {
	m, err := messageOf(c, 0)
	if err != nil {
		return value.None, err
	}
	f, ok := report.ParseFeedback(m)
	if !ok {
		return value.None, nil
	}
	fields := value.NewArray(len(f.Report))
	for _, field := range f.Report {
		if _, again := fields.GetString(field.Name); !again {
			fields.SetString(field.Name, value.FromArray(value.Strings(f.Report.All(field.Name))))
		}
	}
	from, err := addressesOf(c, m, "from")
	if err != nil {
		return value.None, err
	}
	to, err := addressesOf(c, m, "to")
	if err != nil {
		return value.None, err
	}
	out := value.NewArray(0)
	out.SetString("date", headerText(m, "date"))
	if first, ok := from.At(0); ok {
		out.SetString("from", first)
	}
	out.SetString("to", value.FromArray(to))
	out.SetString("subject", headerText(m, "subject"))
	out.SetString("feedback_report", value.FromArray(fields))
	addOriginal(c, out, f.Original)
	return declare.Array(c, out)
}

// headerText is a field of the header as people read it, or none.
func headerText(m *mime.Message, name string) value.Value {
	if text, ok := m.Root().Header(name, 0, mime.Text); ok {
		return value.String(text)
	}
	return value.None
}

// addressesOf returns the list of addresses of a field, as
// header_addresslist_extract reads them; what is malformed has none.
func addressesOf(c *value.Call, m *mime.Message, name string) (*value.Array, error) {
	text, _ := m.Root().Header(name, 0, mime.Unfolded)
	list, err := c.Call(value.FromFunction(c.Library.Function("header_addresslist_extract")), value.String(text))
	if err != nil {
		return nil, err
	}
	if !list.IsArray() {
		return value.NewArray(0), nil
	}
	return list.Array(), nil
}

// mostOriginal bounds what is returned of an original.
const mostOriginal = 64 << 20

func addOriginal(c *value.Call, out *value.Array, o report.Original) {
	given := c.Options(1)
	if given.Bool("original_message") {
		if text, ok := o.Message(mostOriginal); ok {
			out.SetString("original_message", value.Bytes(text))
		}
	}
	if given.Bool("original_headers") {
		if block, ok := o.Header(mostOriginal); ok {
			out.SetString("original_headers", value.Bytes(block))
		}
	}
}

// messageOf returns the message that an argument is.
func messageOf(c *value.Call, i int) (*mime.Message, error) {
	m := mail.Of(c.Args[i])
	if m == nil {
		return nil, declare.Unwanted(c, i, "a message")
	}
	return m.Index(c)
}
