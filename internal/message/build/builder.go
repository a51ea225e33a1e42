package build

import (
	"strings"

	"github.com/google/uuid"

	"github.com/posthaste-mta/posthaste/internal/message"
	"github.com/posthaste-mta/posthaste/internal/message/field"
	"github.com/posthaste-mta/posthaste/internal/message/transfer"
)

// builder lays a part and all that stands in it out as a message.
type builder struct {
	message Message
	parts   int
	given   []string // boundaries around the part that were not made here
}

// form is what a part is written as.
type form struct {
	contentType string // the value
	multipart   bool
	text        bool
	plain       bool // a message or multipart, not to be encoded
	boundary    string
}

// part writes p and returns its transfer encoding.
func (b *builder) part(p *Part, depth int) (transfer.Encoding, error) {
	if b.parts++; b.parts > MaxParts || depth > MaxDepth {
		return "", ErrParts
	}
	f, err := p.form()
	if err != nil {
		return "", err
	}
	top := b.message.reserve(b.parts == 1)
	content := b.body(p, f)
	if f.multipart {
		if content.encoding, err = b.multipart(p, f, depth); err != nil {
			return "", err
		}
	} else if content.data != "" {
		b.message.add(&content, content.size())
	}
	encoding := content.encoding
	if own := p.find("Content-Transfer-Encoding"); own != nil {
		encoding, _ = transfer.Parse(own.value)
	}
	b.message.fill(top, p.header(f, content.encoding, depth == 0))
	return encoding, nil
}

// form decides what p is from its type, or from a Content-Type that was added.
func (p *Part) form() (f form, err error) {
	f.contentType = p.kind
	if a := p.find("Content-Type"); a != nil {
		f.contentType = a.value
	}
	if f.contentType = strings.TrimRight(f.contentType, "; \t\r\n"); f.contentType == "" {
		f.contentType = "text/plain"
		if len(p.parts) > 0 {
			f.contentType = "multipart/mixed"
		}
	}
	v := field.ParseValue([]byte(f.contentType), "")
	kind, _, _ := strings.Cut(strings.ToLower(v.Main), "/")
	f.text = kind == "text"
	f.plain = kind == "multipart" || kind == "message"
	f.multipart = len(p.parts) > 0
	if f.multipart {
		return f, p.setBoundary(&f, &v, kind)
	}
	if _, declared := v.Param("charset"); f.text && !declared {
		f.contentType += string(field.AppendParam(nil, "charset", "utf-8"))
	}
	return f, nil
}

// setBoundary takes the boundary from the type, or writes it there. One that was
// made stays that of the part.
func (p *Part) setBoundary(f *form, v *field.Value, kind string) error {
	if kind != "multipart" {
		return ErrType
	}
	own, declared := v.Param("boundary")
	if declared {
		if f.boundary = own; !field.ValidBoundary(own) {
			return ErrBoundary
		}
		return nil
	}
	if p.boundary == "" {
		p.boundary = uuid.NewString()
	}
	f.boundary = p.boundary
	f.contentType += string(field.AppendParam(nil, "boundary", p.boundary))
	return nil
}

// find returns the first field that was added with a name.
func (p *Part) find(name string) *added {
	for i := range p.added {
		if strings.EqualFold(p.added[i].name, name) {
			return &p.added[i]
		}
	}
	return nil
}

// body returns the body as it will be written. The encoding is empty if no field
// has to tell it.
func (b *builder) body(p *Part, f form) body {
	content := body{data: p.body, text: f.text}
	switch {
	case f.multipart || p.find("Content-Transfer-Encoding") != nil:
	case f.plain:
		content.data = transfer.CRLF(p.body)
		if e := transfer.ChooseIdentity(content.data); e != transfer.SevenBit {
			content.encoding = e
		}
	default:
		content.encoding = transfer.ChooseEncoded(p.body, f.text)
	}
	if content.encoding == transfer.QuotedPrintable && b.hides(p.body) {
		content.encoding = transfer.Base64
	}
	return content
}

// hides reports whether a body may hold a delimiter of a multipart around it.
func (b *builder) hides(body string) bool {
	for _, boundary := range b.given {
		if strings.Contains(body, "--"+boundary) {
			return true
		}
	}
	return false
}

// header returns what was added, then what describes the part, but for that which
// was added.
func (p *Part) header(f form, encoding transfer.Encoding, whole bool) (out []byte) {
	for _, a := range p.added {
		if f.multipart && strings.EqualFold(a.name, "Content-Type") {
			a.value = f.contentType // which may have its boundary now
		}
		out, _ = field.Append(out, a.name, a.value, a.form) // the name is good
	}
	own := func(name, value string) {
		if value != "" && p.find(name) == nil {
			out = field.AppendText(out, name, value)
		}
	}
	if !p.date.IsZero() {
		own("Date", message.FormatDate(p.date))
	}
	if whole {
		own("MIME-Version", "1.0")
	}
	own("Content-Type", f.contentType)
	own("Content-Transfer-Encoding", string(encoding))
	own("Content-Disposition", p.dispositionValue())
	return out
}

func (p *Part) dispositionValue() string {
	value := p.disposition
	if !p.named {
		return value
	}
	if value == "" {
		value = "attachment"
	}
	return value + string(field.AppendParam(nil, "filename", p.fileName))
}

// multipart writes what stands in a multipart and returns the encoding that it
// has to tell.
func (b *builder) multipart(p *Part, f form, depth int) (label transfer.Encoding, err error) {
	if p.body != "" {
		b.message.text(transfer.CRLF(p.body), crlf)
	}
	if p.boundary != f.boundary || p.fixed {
		b.given = append(b.given, f.boundary)
		defer func() { b.given = b.given[:len(b.given)-1] }()
	}
	for i, x := range p.parts {
		if i > 0 {
			b.message.text(crlf)
		}
		b.message.text("--", f.boundary, crlf)
		e, err := b.entity(x, depth+1)
		if err != nil {
			return "", err
		}
		label = transfer.Around(label, e)
	}
	b.message.text(crlf+"--", f.boundary, "--")
	if depth == 0 {
		b.message.text(crlf)
	}
	return label, nil
}

// entity writes a part. The encoding of one that was not built here is not known.
func (b *builder) entity(x Entity, depth int) (transfer.Encoding, error) {
	if p, ok := x.(*Part); ok {
		return b.part(p, depth)
	}
	if b.parts++; b.parts > MaxParts {
		return "", ErrParts
	}
	content, size, err := x.Entity()
	if err != nil {
		return "", err
	}
	b.message.add(content, size)
	return "", nil
}
