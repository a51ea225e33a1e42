package mail

import (
	"io"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message/build"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
)

// entities are the classes of what can become a part.
const entities = "MIME or MIMEPart or MailMessage or EODMailMessage"

// inserters put parts into a message and take them out.
func inserters() []*value.Builtin {
	kind := declare.Option(`string type = "multipart/mixed"`,
		"The multipart that the two stand in. It is made around this part unless there is one of that type; always if the type has parameters or is multipart/signed or multipart/encrypted.")
	return []*value.Builtin{
		declare.Method("remove()", "Takes the part out of the message.", onPart(remove)),
		declare.Method("prependPart("+entities+" part, [array options]) MIMEPart or none", "Puts a part in front of this one. Returns this part, or none if that is not possible.", onPart(prependPart), kind),
		declare.Method("appendPart("+entities+" part, [array options]) MIMEPart or none", "Puts a part behind this one. Returns this part, or none if that is not possible.", onPart(appendPart), kind),
		declare.Method("replacePart("+entities+" part)", "Puts a part in the place of this one. The whole message keeps its header but for the fields that describe the body.", onPart(replacePart)),
	}
}

func remove(c *value.Call, p *part) (value.Value, error) {
	if err := p.message.keep(c); err != nil {
		return value.None, err
	}
	if err := p.Remove(); err != nil && !impossible(err) {
		return value.None, failed(c, err)
	}
	return value.None, p.worked(c)
}

// flat is a finished part.
type flat struct{ data []byte }

// Entity implements mime.Entity and build.Entity.
func (f flat) Entity() (content io.WriterTo, size int64, err error) {
	return f, int64(len(f.data)), nil
}

// WriteTo implements io.WriterTo.
func (f flat) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(f.data)
	return int64(n), err
}

// Bytes returns the part, which must not be changed.
func (f flat) Bytes() []byte { return f.data }

// sized is content of known size.
type sized struct {
	io.WriterTo
	size int64
}

func (s sized) Size() int64 { return s.size }

// entityOf returns what can become a part, of argument i.
func entityOf(c *value.Call, i int) (build.Entity, error) {
	switch n := c.Native(i).(type) {
	case *builder:
		return n.part, nil
	case *part:
		return n.Part, n.message.check(c)
	case *Message:
		return n.mime().Root(), n.check(c)
	}
	return nil, declare.Unwanted(c, i, "a part")
}

// flatten finishes argument i as a part, charged to the script.
func flatten(c *value.Call, i int) (flat, value.Value, error) {
	e, err := entityOf(c, i)
	if err != nil {
		return flat{}, value.None, err
	}
	content, size, err := e.Entity()
	if err != nil {
		return flat{}, value.None, failed(c, err)
	}
	s, err := text(c, sized{content, size})
	return flat{declare.View(s.Str())}, s, err
}

// put changes the message by a part, of which the edit keeps the bytes.
func put(c *value.Call, p *part, do func(mime.Entity) error) (value.Value, error) {
	e, held, err := flatten(c, 0)
	if err != nil {
		return value.None, err
	}
	if err := p.message.keep(c, held); err != nil {
		return value.None, err
	}
	return p.done(c, do(e))
}

func prependPart(c *value.Call, p *part) (value.Value, error) {
	return put(c, p, func(e mime.Entity) error { return p.PrependPart(e, c.Options(1).Str("type")) })
}

func appendPart(c *value.Call, p *part) (value.Value, error) {
	return put(c, p, func(e mime.Entity) error { return p.AppendPart(e, c.Options(1).Str("type")) })
}

func replacePart(c *value.Call, p *part) (value.Value, error) {
	_, err := put(c, p, p.ReplacePart)
	return value.None, err
}
