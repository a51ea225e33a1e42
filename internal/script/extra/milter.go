package extra

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message/field"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
	"github.com/posthaste-mta/posthaste/internal/milter"
)

func milterLibrary(Options) *value.Library { return library(nil, milterClass) }

var milterClass = &value.Class{
	Name: "Milter",
	Doc: "A mail filter that speaks the milter protocol, asked about a message. What it wants changed of header and body is changed when the object is made; " +
		"fields that it adds stand on top.",
}

func init() {
	milterClass.Constructor = declare.Function(
		"Milter(array options, string senderip, number senderport, string or none senderptr, string or none senderhelo, string sender, array recipients, string transactionid, MailMessage or EODMailMessage mail) Milter",
		"Asks the filter. One that cannot be asked throws.",
		`try { Milter(["port" => 1], "192.0.2.1", 25, "", "x", "a@b", ["c@d"], "id", MailMessage::String("Subject: x\r\n\r\n")); } catch ($e) { echo "not asked"; } // not asked`,
		newMilter,
		declare.Option("string path", "The socket of the filter on this host."),
		declare.Option(`string host = "127.0.0.1"`, "The address of the filter."),
		declare.Option("number port", "Its port."),
		declare.Option("number timeout = 5", "Seconds for each answer."),
		declare.Option("number timeout_eod = 5", "Seconds for each answer after the end of the message."))
	milterClass.Methods = []*value.Builtin{
		declare.Method("getAction() string", "Returns what is to be done with the message: none (take it), discard, reject, setreply, quarantine or tempfail.",
			func(c *value.Call) (value.Value, error) {
				return value.String(string(c.This.Native.(*milterResult).Action)), nil
			}),
		declare.Method("getReply() array", "Returns what is to be said for setreply: an array of reason and reply_codes, an array of code and enhanced, as Reject and Defer take them.", milterReply),
		declare.Method("getHeaderValue(string field) string or none", "Returns the value of a field that the filter has added or changed, or that the message has, or none.", milterHeader),
	}
	declare.Examples(milterClass, milterExamples)
}

// milterResult is the Native of a Milter.
type milterResult struct {
	milter.Verdict
	fields map[string]string // of the message and the edits, by lower-case name
}

func newMilter(c *value.Call) (value.Value, error) {
	index, err := messageOf(c, 8)
	if err != nil {
		return value.None, err
	}
	o := c.Options(0)
	p := peer{path: o.Str("path"), address: o.Str("host"), port: o.Int("port")}
	conn, err := p.dial(c.Context())
	if err == nil {
		defer conn.Close()
		var t milter.Transaction
		if t, err = milterTransaction(c, index.Root()); err == nil {
			r := &milterResult{fields: map[string]string{}}
			if r.Verdict, err = milter.Run(conn, milter.Options{Timeout: span(o.Num("timeout")), EndTimeout: span(o.Num("timeout_eod"))}, t); err == nil {
				r.remember(t.Fields)
				return value.FromObject(milterClass.New(r)), r.apply(c, index)
			}
		}
	}
	if c.Context().Err() != nil {
		return value.None, c.Interrupted(err)
	}
	return value.None, value.Errorf("Milter: %v", err)
}

func milterTransaction(c *value.Call, root *mime.Part) (milter.Transaction, error) {
	t := milter.Transaction{Hostname: c.Str(3), Helo: c.Str(4), Sender: c.Str(5), ID: c.Str(7), Body: root.RawBody()}
	ip, err := netip.ParseAddr(c.Str(1))
	port := c.Int(2)
	if err != nil || port < 0 || port > 65535 {
		return t, errors.New("the client has no address and port")
	}
	t.Client = netip.AddrPortFrom(ip, uint16(port))
	for r := range c.Array(6).Values() {
		t.Recipients = append(t.Recipients, r.Text())
	}
	seen := map[string]int{}
	for _, name := range root.HeaderNames() {
		whole, _ := root.Header(name, seen[name], mime.Whole)
		seen[name]++
		own, text, _ := strings.Cut(strings.TrimRight(whole, "\r\n"), ":")
		t.Fields = append(t.Fields, milter.Field{Name: strings.TrimSpace(own), Value: strings.TrimPrefix(text, " ")})
	}
	return t, nil
}

// remember keeps what getHeaderValue finds; the topmost field of a name counts.
func (r *milterResult) remember(fields []milter.Field) {
	for _, f := range fields {
		if name := strings.ToLower(f.Name); r.fields[name] == "" {
			r.fields[name] = strings.TrimSpace(f.Value)
		}
	}
	for _, e := range r.Edits {
		r.fields[strings.ToLower(e.Name)] = strings.TrimSpace(e.Value)
	}
}

// apply changes the message as the filter wants it.
func (r *milterResult) apply(c *value.Call, index *mime.Message) error {
	size := len(r.Body)
	for _, e := range r.Edits {
		size += len(e.Name) + len(e.Value)
	}
	if err := c.Alloc(size); err != nil {
		return err
	}
	root := index.Root()
	if r.NewBody {
		if err := index.Modify(root.Size()-root.BodySize(), root.BodySize(), r.Body); err != nil {
			return value.Errorf("Milter: %v", err)
		}
	}
	for _, e := range r.Edits {
		text := strings.ReplaceAll(strings.ReplaceAll(e.Value, "\r\n", "\n"), "\n", "\r\n")
		var err error
		switch {
		case e.Kind != milter.Change:
			err = root.AddHeader(e.Name, text, field.Verbatim)
		case e.Value == "":
			root.DelHeader(e.Name, max(e.Index-1, 0))
		default:
			_, err = root.SetHeader(e.Name, text, max(e.Index-1, 0), field.Verbatim)
		}
		if err != nil {
			return value.Errorf("Milter: field %s: %v", e.Name, err)
		}
	}
	return nil
}

func milterReply(c *value.Call) (value.Value, error) {
	r := c.This.Native.(*milterResult)
	codes := value.NewArray(0)
	if r.Code != 0 {
		codes.SetString("code", value.Int(r.Code))
	}
	if r.Enhanced != "" {
		list := value.NewArray(0)
		for part := range strings.SplitSeq(r.Enhanced, ".") {
			n, _ := strconv.Atoi(part) // the package has looked
			list.Push(value.Int(n))
		}
		codes.SetString("enhanced", value.FromArray(list))
	}
	return declare.Array(c, value.Map("reason", value.String(r.Reason), "reply_codes", value.FromArray(codes)))
}

func milterHeader(c *value.Call) (value.Value, error) {
	text, ok := c.This.Native.(*milterResult).fields[strings.ToLower(c.Str(0))]
	if !ok {
		return value.None, nil
	}
	return declare.Text(c, text)
}
