package mail

import (
	"errors"
	"io"
	"math"
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
	"github.com/posthaste-mta/posthaste/internal/message/patch"
)

// Message is the state of a MailMessage or EODMailMessage.
type Message struct {
	kit    *Kit
	source *source
	open   *mime.Message // nil until somebody looks into the message
	limits mime.Limits
	// record notes a copy for a recipient in the transaction; nil for a message
	// whose copies are queued at once.
	record func(envelope.Recipient) (id envelope.ID, number uint32)

	object value.Value
	kept   []value.Value // what edits hold on to, for the count of memory
	edited editedForm
	sums   sums
}

// source is the original. Once it is closed, nothing of it can be read.
type source struct {
	content io.ReaderAt
	size    int64
	closed  bool
}

var errGone = errors.New("the message is gone: it ends with the hook that it was given to")

func (s *source) Size() int64 { return s.size }

func (s *source) ReadAt(b []byte, off int64) (int, error) {
	if s.closed {
		return 0, errGone
	}
	return s.content.ReadAt(b, off)
}

// Original is what a message is made from.
type Original interface {
	io.ReaderAt
	Size() int64
}

// newMessage returns a message whose copies are queued at once.
func (k *Kit) newMessage(o Original) *Message {
	m := &Message{kit: k, source: &source{content: o, size: o.Size()}, limits: k.options.Limits}
	m.object = value.FromObject(k.mailMessage.New(m))
	return m
}

// Received is a message at the end of its transaction.
type Received struct {
	Original
	// Flat leaves parts unopened (spec config.md 3.1, phases.data.multipart).
	Flat bool
	// Record notes a copy for one recipient, which counts once the script
	// accepts, and returns the ids of the entry.
	Record func(envelope.Recipient) (envelope.ID, uint32)
}

// Received returns the EODMailMessage for a message. Its caller ends it with
// Close.
func (k *Kit) Received(r Received) *Message {
	m := &Message{kit: k, source: &source{content: r, size: r.Size()}, limits: k.options.Limits, record: r.Record}
	m.limits.Flat = r.Flat
	m.object = value.FromObject(EODClass.New(m))
	return m
}

// Value returns the object that scripts have.
func (m *Message) Value() value.Value { return m.object }

// Close ends the message: whoever still has it cannot read it any more.
func (m *Message) Close() { m.source.closed = true }

// PrivateToThread implements value.Private.
func (m *Message) PrivateToThread() {}

// EachValue implements value.Holder: what edits hold on to counts as the
// script's.
func (m *Message) EachValue(f func(value.Value) error) error {
	for _, v := range m.kept {
		if err := f(v); err != nil {
			return err
		}
	}
	return nil
}

// mime returns the index over the message.
func (m *Message) mime() *mime.Message {
	if m.open == nil {
		m.open = mime.New(m.source, m.limits)
	}
	return m.open
}

// check is the exception for a message that cannot be read.
func (m *Message) check(c *value.Call) error {
	switch {
	case m.source.closed:
		return value.Errorf("%s: %v", c.Builtin.Name, errGone)
	case m.open != nil && m.open.Err() != nil:
		return value.Errorf("%s: %v", c.Builtin.Name, m.open.Err())
	}
	return nil
}

// editCost is about what the record of an edit takes.
const editCost = 256

// keep charges an edit to the script, and what the edit holds on to.
func (m *Message) keep(c *value.Call, held ...value.Value) error {
	size := editCost
	for _, v := range held {
		size += v.StrLen()
	}
	m.kept = append(m.kept, held...)
	return c.Alloc(size)
}

// onMessage makes a builtin of what is done with a whole message.
func onMessage(f func(*value.Call, *Message) (value.Value, error)) declare.Func {
	return func(c *value.Call) (value.Value, error) {
		m := c.This.Native.(*Message)
		if err := m.check(c); err != nil {
			return value.None, err
		}
		v, err := f(c, m)
		if err == nil {
			err = m.check(c)
		}
		return v, err
	}
}

// messageMethods are those of whole messages, without queue.
func messageMethods() []*value.Builtin {
	return []*value.Builtin{
		declare.Method("reset() number", "Drops all edits and returns how many there were.", onMessage(reset)),
		declare.Method("snapshot() number", "Keeps the edits made so far and returns a number to restore them by.", onMessage(snapshot)),
		declare.Method("restore(number id) boolean", "Goes back, or forth, to the edits of a snapshot. Returns false if there is none of that number.", onMessage(restore)),
		declare.Method("modifyContent(number start, number count, string data) MailMessage",
			"Replaces count bytes of the original from start by data, whatever they mean. Throws outside of the original.", onMessage(modifyContent)),
		declare.Method("toFile() File", "Returns the message with its edits as a file to read. Later edits do not change it.", onMessage(toFile)),
		declare.Method("toString() string", "Returns the message with its edits.", onMessage(toString)),
		declare.Method("signDKIM(string selector, string domain, resource or string key, [array options]) MailMessage or string or none",
			"Signs the message with the edits made so far (DKIM) and puts the signature on top of it. The key is a private key, its name in the configuration, or its text (PEM). "+
				"Returns none if the message cannot be signed so.", onMessage(signMessage), mailSignOptions...),
		declare.Method("verifyDKIM([string headerfield], [array options]) array",
			"Checks a signature of the original message: a whole DKIM-Signature or ARC-Message-Signature field as getHeader gives it with its option field. "+
				"Returns an array of result (pass, permerror or temperror), error unless it passed, and tags, those of the signature. Without a field the list of these for all DKIM signatures, from the top.",
			onMessage(verifyDKIM), verifyOptions...),
		sendMethod(onMessage(sendMessage)),
	}
}

// mailMessageClass is the class MailMessage.
func (k *Kit) mailMessageClass() *value.Class {
	c := &value.Class{Name: "MailMessage", Doc: "A message, with its edits. It is also the part that is the whole message, with all methods of MIMEPart."}
	c.Methods = append(messageMethods(), queueMethod("Queues the message as it is now for one recipient, at once.", onMessage(queueMessage)))
	c.Methods = append(c.Methods, partMethods()...)
	c.Statics = []*value.Builtin{
		declare.Method("String(string data) MailMessage or none", "Returns the message that a text is.",
			func(c *value.Call) (value.Value, error) {
				return k.newMessage(stringSource(c.Str(0))).object, c.Alloc(editCost)
			}),
		declare.Method("File(File file) MailMessage or none", "Returns the message that a file holds, or none if it cannot be read.", k.fromFile),
	}
	declare.Examples(c, partExamples)
	declare.Examples(c, messageExamples)
	declare.Examples(c, mailMessageExamples)
	return c
}

// EODClass is the class EODMailMessage: a MailMessage whose queue belongs to the
// transaction.
var EODClass = eodClass()

func eodClass() *value.Class {
	c := &value.Class{Name: "EODMailMessage", Doc: "The message that has just been received, with all methods of MailMessage and MIMEPart."}
	c.Methods = append(messageMethods(), queueMethod("Queues a copy of the message as it is now for one recipient, once the script accepts.", onMessage(queueCopy)))
	c.Methods = append(c.Methods, partMethods()...)
	declare.Examples(c, partExamples)
	declare.Examples(c, messageExamples)
	return c
}

func reset(c *value.Call, m *Message) (value.Value, error) { return value.Int(m.mime().Reset()), nil }

func snapshot(c *value.Call, m *Message) (value.Value, error) {
	return value.Int(m.mime().Snapshot()), c.Alloc(16)
}

func restore(c *value.Call, m *Message) (value.Value, error) {
	if err := c.Step(m.mime().Edits()); err != nil {
		return value.None, err
	}
	return value.Boolean(m.mime().Restore(c.Int(0))), c.Step(m.mime().Edits())
}

func modifyContent(c *value.Call, m *Message) (value.Value, error) {
	if err := m.keep(c, c.Args[2]); err != nil {
		return value.None, err
	}
	err := m.mime().Modify(int64(c.Int(0)), int64(c.Int(1)), declare.View(c.Str(2)))
	switch {
	case errors.Is(err, patch.ErrRange):
		return value.None, value.Errorf("%s: %d bytes at %d: the message has %d bytes, and the place must not cut into an earlier edit",
			c.Builtin.Name, c.Int(1), c.Int(0), m.source.size)
	case err != nil:
		return value.None, failed(c, err)
	}
	return m.object, c.Step(m.mime().Edits())
}

// failed is the exception for something that went wrong within.
func failed(c *value.Call, err error) error { return value.Errorf("%s: %v", c.Builtin.Name, err) }

// view returns the message with its edits.
func (m *Message) view(c *value.Call) (*patch.View, error) {
	v, err := m.mime().View(time.Now())
	if err != nil {
		return nil, failed(c, err)
	}
	return v, nil
}

func toString(c *value.Call, m *Message) (value.Value, error) {
	v, err := m.view(c)
	if err != nil {
		return value.None, err
	}
	return text(c, v)
}

// text returns finished bytes as a string, charged to the script before it is
// made.
func text(c *value.Call, content Content) (value.Value, error) {
	if err := c.AllocFloat(float64(content.Size())); err != nil {
		return value.None, err
	}
	b := make(buffer, 0, content.Size())
	if _, err := content.WriteTo(&b); err != nil {
		return value.None, failed(c, err)
	}
	return declare.Bytes(c, b)
}

// buffer is what text is collected in.
type buffer []byte

func (b *buffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// bodyLimit bounds what a getter returns, beside the memory of the script.
const bodyLimit = math.MaxInt32
