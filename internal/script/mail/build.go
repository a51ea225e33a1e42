package mail

import (
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/file"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message/build"
)

// builder is the state of a MIME.
type builder struct {
	kit  *Kit
	part *build.Part
	kept []value.Value // what the part holds on to, for the count of memory
}

// PrivateToThread implements value.Private.
func (b *builder) PrivateToThread() {}

// EachValue implements value.Holder.
func (b *builder) EachValue(f func(value.Value) error) error {
	for _, v := range b.kept {
		if err := f(v); err != nil {
			return err
		}
	}
	return nil
}

// Current is implemented by the Host of threads that have a message, for MIME
// with the id of a part.
type Current interface {
	// CurrentMail returns the message, or nil.
	CurrentMail() *Message
}

// onBuilder makes a builtin of a change to a message in the making. It returns
// the object, so that calls can be chained.
func onBuilder(f func(*value.Call, *builder) error) declare.Func {
	return func(c *value.Call) (value.Value, error) {
		b := c.This.Native.(*builder)
		cost := editCost
		for _, v := range c.Args {
			if v.IsString() {
				b.kept = append(b.kept, v)
				cost += v.StrLen()
			}
		}
		if err := c.Alloc(cost); err != nil {
			return value.None, err
		}
		return value.FromObject(c.This), f(c, b)
	}
}

// onFinished makes a builtin of what is done with the finished message.
func onFinished(f func(*value.Call, *Kit, *build.Message) (value.Value, error)) declare.Func {
	return func(c *value.Call) (value.Value, error) {
		b := c.This.Native.(*builder)
		m, err := b.part.Message()
		if err != nil {
			return value.None, failed(c, err)
		}
		return f(c, b.kit, m)
	}
}

// mimeClass is the class MIME.
func (k *Kit) mimeClass() *value.Class {
	c := &value.Class{Name: "MIME", Doc: "A message, or a part of one, in the making. Methods that change it return it."}
	c.Constructor = declare.Function("MIME([string partid]) MIME or MIMEPart or none",
		`Begins a message. With the id of a part, as older scripts give it, returns that part of the message that has been received ("0" is the whole), or none.`,
		`echo MIME()->setBody("Hello")->toString();`, k.construct)
	c.Methods = []*value.Builtin{
		declare.Method("addHeader(string name, string value, [array options]) MIME", "Adds a field behind those added before.", onBuilder(buildHeader), encodeOption, wordOption),
		declare.Method("appendPart("+entities+" part) MIME", "Adds a part. Without a type set, the message becomes multipart/mixed.", onBuilder(buildPart)),
		declare.Method("setBody(string body) MIME",
			"Sets the body, or the text in front of the parts if there are any. It is encoded as quoted-printable or base64, whichever suits it, unless a Content-Transfer-Encoding was added.", onBuilder(func(c *value.Call, b *builder) error {
				b.part.SetBody(c.Str(0))
				return nil
			})),
		declare.Method("setType(string type) MIME", "Sets the Content-Type, with parameters if it has any. Text without a charset is given utf-8. The default is text/plain.", onBuilder(func(c *value.Call, b *builder) error {
			b.part.SetType(c.Str(0))
			return nil
		})),
		declare.Method("setBoundary(string boundary) MIME", "Sets the boundary of a multipart, which is a UUID otherwise.", onBuilder(setBoundary)),
		declare.Method("setDate([number timestamp]) MIME", "Adds a Date: a Unix time, or now.", onBuilder(setDate)),
		declare.Method("setFileName(string filename) MIME", "Sets the name of the part as a file.", onBuilder(func(c *value.Call, b *builder) error {
			b.part.SetFileName(c.Str(0))
			return nil
		})),
		declare.Method("setDisposition(string type) MIME", "Sets how the part is shown: inline, or attachment, which is the default for a part with a file name.", onBuilder(func(c *value.Call, b *builder) error {
			b.part.SetDisposition(c.Str(0))
			return nil
		})),
		declare.Method("signDKIM(string selector, string domain, resource or string key, [array options]) MIME",
			"Signs the message when it is finished (DKIM) and puts the signature on top of earlier ones. The key is a private key, its name in the configuration, or its text (PEM).", onBuilder(signBuilder), signOptions...),
		declare.Method("toString() string", "Returns the finished message.", onFinished(func(c *value.Call, _ *Kit, m *build.Message) (value.Value, error) { return text(c, m) })),
		declare.Method("toFile() File", "Returns the finished message as a file to read.", onFinished(finishedFile)),
		queueMethod("Queues the finished message for one recipient, at once.", onFinished(queueBuilt)),
		sendMethod(onFinished(func(c *value.Call, k *Kit, m *build.Message) (value.Value, error) { return k.send(c, m) })),
	}
	declare.Examples(c, mimeExamples)
	return c
}

func (k *Kit) construct(c *value.Call) (value.Value, error) {
	if !c.Has(0) {
		return value.FromObject(k.mime.New(&builder{kit: k, part: build.New()})), c.Alloc(editCost)
	}
	host, _ := c.Host.(Current)
	if host == nil || host.CurrentMail() == nil {
		return value.None, value.Errorf("MIME: there is no message here to take part %q of", c.Str(0))
	}
	m := host.CurrentMail()
	if err := m.check(c); err != nil {
		return value.None, err
	}
	root := &part{m.mime().Root(), m}
	return getByID(c, root)
}

func buildHeader(c *value.Call, b *builder) error {
	form, err := formOf(c, c.Options(2))
	if err != nil {
		return err
	}
	if err := b.part.AddHeader(c.Str(0), c.Str(1), form); err != nil {
		return failed(c, err)
	}
	return nil
}

// buildPart adds a part. One in the making stays so until the whole is finished;
// one of a message that came in is taken as it is now, because that message may
// end before.
func buildPart(c *value.Call, b *builder) error {
	if other, ok := c.Native(0).(*builder); ok {
		b.part.AppendPart(other.part)
		b.kept = append(b.kept, c.Args[0])
		return nil
	}
	e, held, err := flatten(c, 0)
	if err != nil {
		return err
	}
	b.part.AppendPart(e)
	b.kept = append(b.kept, held)
	return nil
}

func setBoundary(c *value.Call, b *builder) error {
	if err := b.part.SetBoundary(c.Str(0)); err != nil {
		return declare.Unwanted(c, 0, "a boundary (RFC 2046 5.1.1)")
	}
	return nil
}

func setDate(c *value.Call, b *builder) error {
	at := time.Now()
	if c.Has(0) {
		at = time.Unix(int64(c.Int(0)), 0)
	}
	b.part.SetDate(at)
	return nil
}

func finishedFile(c *value.Call, _ *Kit, m *build.Message) (value.Value, error) {
	s, err := text(c, m)
	if err != nil {
		return value.None, err
	}
	return newFile(c, stringSource(s.Str()))
}

func queueBuilt(c *value.Call, k *Kit, m *build.Message) (value.Value, error) {
	r, err := recipient(c)
	if err != nil {
		return value.None, err
	}
	return k.queue(c, r, m, m.Header())
}

var _ file.Content = readable{}
