package mail

import (
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
)

// queueOptions are those of queue() (spec hsl-stdlib.md 14.2).
var queueOptions = []value.Option{
	declare.Option("array metadata", "Names and strings to store with the entry."),
	declare.Option("boolean hold = false", "Keep it until it is released."),
	declare.Option("string jobid", "The job of the entry."),
	declare.Option("string tenantid", "The tenant of the entry."),
	declare.Option("array quotas", "Names of the quotas that it counts towards."),
	declare.Option("number delay", "Seconds before the first attempt."),
	declare.Option("array dsn", "What the sender wants to be told (RFC 3461): notify, a list or text of NEVER or SUCCESS, FAILURE and DELAY; orcpt; ret, FULL or HDRS; envid."),
	declare.Option("number priority", "0 is normal, 1 is high."),
}

func queueMethod(doc string, f declare.Func) *value.Builtin {
	return declare.Method("queue(string or array sender, string or array recipient, string transportid, [array options]) array",
		doc+" Returns an array of transaction and queue, the ids of the entry.", f, queueOptions...)
}

// recipient makes the entry that queue(sender, recipient, transportid, options)
// asks for.
func recipient(c *value.Call) (r envelope.Recipient, err error) {
	if r.Sender, err = ParseAddress(c.Args[0]); err != nil {
		return r, err
	}
	if r.Address, err = ParseAddress(c.Args[1]); err != nil {
		return r, err
	}
	if r.Address.IsNull() {
		return r, value.Errorf("%s: the recipient is empty", c.Builtin.Name)
	}
	r.Transport = c.Str(2)
	o := c.Options(3)
	r.Hold = o.Bool("hold")
	r.Job, r.Tenant = o.Get("jobid").Str(), o.Get("tenantid").Str()
	r.Metadata = metadata(o.Array("metadata"))
	r.Quotas = texts(o.Array("quotas"))
	r.Priority = uint8(max(min(o.Int("priority"), 1), 0))
	if d := o.Num("delay"); d > 0 {
		r.NotBefore = time.Now().Add(seconds(d))
	}
	return r, notification(c, o.Array("dsn"), &r)
}

// seconds is a time that a script gives, a century at most.
func seconds(n float64) time.Duration {
	const century = 3e9
	return time.Duration(min(n, century) * float64(time.Second))
}

func metadata(a *value.Array) map[string]string {
	if a == nil {
		return nil
	}
	m := make(map[string]string, a.Len())
	for k, v := range a.All() {
		m[k.Text()] = v.Text()
	}
	return m
}

func texts(a *value.Array) (list []string) {
	if a == nil {
		return nil
	}
	for v := range a.Values() {
		list = append(list, v.Text())
	}
	return list
}

// notification reads the option dsn.
func notification(c *value.Call, a *value.Array, r *envelope.Recipient) (err error) {
	if a == nil {
		return nil
	}
	if v, _ := a.GetString("notify"); v.IsSet() {
		text := v.Text()
		if v.IsArray() {
			text = strings.Join(texts(v.Array()), ",")
		}
		if r.Notify, err = envelope.ParseNotify(strings.ReplaceAll(text, " ", "")); err != nil {
			return declare.UnwantedOption(c, "dsn: notify", "NEVER, or some of SUCCESS, FAILURE and DELAY", v)
		}
	}
	if v, _ := a.GetString("ret"); v.IsSet() {
		if r.Ret, err = envelope.ParseRet(v.Text()); err != nil {
			return declare.UnwantedOption(c, "dsn: ret", "FULL or HDRS", v)
		}
	}
	if v, _ := a.GetString("orcpt"); v.IsSet() {
		r.ORcpt = originalRecipient(v.Text())
	}
	if v, _ := a.GetString("envid"); v.IsSet() {
		r.EnvID = v.Text()
	}
	return nil
}

// originalRecipient returns an address with its type (RFC 3461 §4.2), which
// scripts may leave out.
func originalRecipient(text string) string {
	if text == "" || strings.Contains(text, ";") {
		return text
	}
	return "rfc822;" + text
}

// ids is the result of queue.
func ids(id envelope.ID, number uint32) value.Value {
	return value.FromArray(value.Map("transaction", value.String(id.String()), "queue", value.Number(float64(number))))
}

// queueCopy is queue of the message of a transaction.
func queueCopy(c *value.Call, m *Message) (value.Value, error) {
	r, err := recipient(c)
	if err != nil {
		return value.None, err
	}
	if r.Patch, err = m.patch(c); err != nil {
		return value.None, err
	}
	if err := c.Alloc(entryCost); err != nil {
		return value.None, err
	}
	return ids(m.record(r)), nil
}

// entryCost is about what a recorded copy takes until the message is queued.
const entryCost = 256

// editedForm is the edits as they are kept with an entry, for a state of them.
type editedForm struct {
	revision mime.Revision
	patch    []byte
	made     bool
}

// patch returns the edits made so far in the form that is kept with an entry, nil
// if there are none. Copies with the same edits share it.
func (m *Message) patch(c *value.Call) ([]byte, error) {
	if m.open == nil || m.open.Edits() == 0 {
		return nil, nil
	}
	if m.edited.made && m.edited.revision == m.open.Revision() {
		return m.edited.patch, nil
	}
	p, err := m.open.Patch(time.Now())
	if err != nil {
		return nil, failed(c, err)
	}
	m.edited = editedForm{revision: m.open.Revision(), made: true}
	if p.Len() > 0 {
		m.edited.patch = p.Append(nil)
	}
	return m.edited.patch, c.Alloc(len(m.edited.patch))
}

// queueMessage is queue of any other message.
func queueMessage(c *value.Call, m *Message) (value.Value, error) {
	r, err := recipient(c)
	if err != nil {
		return value.None, err
	}
	v, err := m.view(c)
	if err != nil {
		return value.None, err
	}
	header, _, err := message.ReadHeader(v, v.Size(), headerLimit)
	if err != nil {
		return value.None, failed(c, err)
	}
	return m.kit.queue(c, r, v, header)
}

// headerLimit is how much of a header is looked at.
const headerLimit = 1 << 20

// queue hands a message with one recipient to the queue.
func (k *Kit) queue(c *value.Call, r envelope.Recipient, content Content, header []byte) (value.Value, error) {
	if k.options.Queue == nil {
		return value.None, value.Errorf("%s: there is no queue outside the MTA: use send", c.Builtin.Name)
	}
	r.Number = 1
	e := envelope.Message{
		Priority: r.Priority, Ret: r.Ret, EnvID: r.EnvID, Body: bodyOf(content),
		Subject: message.Summarize(header).Subject, Recipients: []envelope.Recipient{r},
	}
	e.SMTPUTF8 = r.Address.NeedsUTF8() || r.Sender.NeedsUTF8()
	if err := k.options.Queue.Queue(c.Context(), &e, content); err != nil {
		if interrupted := c.Interrupted(err); value.Uncatchable(interrupted) {
			return value.None, interrupted
		}
		return value.None, failed(c, err)
	}
	return ids(e.ID, 1), nil
}

// bodyOf says what a message needs of those who pass it on (RFC 6152).
func bodyOf(content Content) envelope.Body {
	var s survey
	if _, err := content.WriteTo(&s); err != nil || !s.eight {
		return envelope.Body7Bit // an error comes again when it is written
	}
	return envelope.Body8BitMIME
}

// survey looks for bytes beyond ASCII.
type survey struct{ eight bool }

func (s *survey) Write(p []byte) (int, error) {
	for i := 0; !s.eight && i < len(p); i++ {
		s.eight = p[i] >= 0x80
	}
	return len(p), nil
}
