package mime

import (
	"bytes"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/message"
	"github.com/posthaste-mta/posthaste/internal/message/transfer"
)

// newBody stands in the place of a body.
type newBody struct {
	data     string
	encoding transfer.Encoding // empty: as the content wants it
	final    bool              // encoded already, under the header that is there

	// What it was written as, for messages that are written many times.
	kind string
	done *written
}

// SetBody gives the part another body, also in the place of parts. Without an
// encoding it is written as 7bit if it can be, else as quoted-printable if most
// of it stays readable, else as base64; a part whose type is a multipart or a
// message is not encoded, as those may not be (RFC 2045 §6.4). Line ends become
// CRLF in all of these but data. With one of base64 the data is encoded, with any
// other it is written as it is under that label.
//
// The type is that of the edited header when the message is written.
func (p *Part) SetBody(data string, encoding transfer.Encoding) error {
	if encoding != "" {
		known, ok := transfer.Parse(string(encoding))
		if !ok {
			return ErrEncoding
		}
		encoding = known
	}
	if p.gone() {
		return ErrGone
	}
	p.message.record(func(e *edits) { e.change(p).body = &newBody{data: data, encoding: encoding} })
	return nil
}

// SetPreamble gives a multipart the text in front of its first delimiter.
func (p *Part) SetPreamble(text string) error {
	text, err := p.marginal(text)
	if err == nil {
		p.message.record(func(e *edits) { e.change(p).preamble = &text })
	}
	return err
}

// SetEpilogue gives a multipart the text behind its last delimiter, which is
// written if it is missing.
func (p *Part) SetEpilogue(text string) error {
	text, err := p.marginal(text)
	if err == nil {
		p.message.record(func(e *edits) { e.change(p).epilogue = &text })
	}
	return err
}

// marginal returns text as it can stand outside the parts of p.
func (p *Part) marginal(text string) (string, error) {
	p.message.scan()
	text = transfer.CRLF(text)
	switch {
	case p.gone() || p.message.edits.of(p).body != nil:
		return "", ErrGone
	case p.boundary == "":
		return "", ErrType
	case p.holdsDelimiter([]byte(text)):
		return "", ErrBoundary
	}
	return text, nil
}

// Remove takes the part out of the multipart that it stands in. A multipart whose
// last part goes keeps an empty one.
func (p *Part) Remove() error {
	switch {
	case p.parent == nil:
		return ErrWhole
	case p.message.edits.of(p).removed || p.lost():
		return ErrGone
	}
	p.message.record(func(e *edits) { e.change(p).removed = true })
	return nil
}

// ReplacePart puts an entity in the place of the part. That of the whole message
// keeps its header but for the fields that describe the body, whose names begin
// with Content-; it takes those and the body of the entity.
func (p *Part) ReplacePart(x Entity) error {
	b, err := flatten(x)
	switch {
	case err != nil:
		return err
	case p.message.edits.of(p).removed || p.lost():
		return ErrGone
	case p.parent.holdsDelimiter(b):
		return ErrBoundary
	case p.parent == nil:
		p.replaceWhole(b)
	default:
		p.message.record(func(e *edits) { e.change(p).entity = b })
	}
	return nil
}

func (p *Part) replaceWhole(entity []byte) {
	header, body, _ := message.Split(entity)
	var fields []entry
	for f := range message.Fields(entity[:header]) {
		en := entry{name: strings.ToLower(string(f.Name)), original: -1, raw: entity[f.Start:f.End]}
		if p.describesBody(&en) {
			fields = append(fields, en)
		}
	}
	data := string(entity[body:])
	p.message.record(func(e *edits) {
		list := e.entries(p)
		for i := range list {
			list[i].deleted = list[i].deleted || p.describesBody(&list[i])
		}
		d := e.change(p)
		d.fields = p.withVersion(append(list, fields...))
		d.body = &newBody{data: data, final: true}
	})
}

// describesBody reports whether a field belongs to the body and moves with it
// (RFC 2045 §3).
func (p *Part) describesBody(en *entry) bool {
	const prefix = "content-"
	name := en.name
	if name == "" && en.original >= 0 {
		name = string(p.fields[en.original].Name)
	}
	return len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}

// withVersion returns the header of a whole message with the field that makes it
// one of MIME (RFC 2045 §4).
func (p *Part) withVersion(list []entry) []entry {
	if p.parent != nil || len(p.live(list, "mime-version", All)) > 0 {
		return list
	}
	return append(list, entry{name: "mime-version", original: -1, raw: []byte(mimeVersion)})
}

const mimeVersion = "MIME-Version: 1.0\r\n"

// written is a body as it is written.
type written struct {
	encoding transfer.Encoding
	data     []byte
}

// write encodes a new body of p for a type, once.
func (b *newBody) write(p *Part, kind string) written {
	if b.done == nil || b.kind != kind {
		w := b.encoded(p, kind)
		b.done, b.kind = &w, kind
	}
	return *b.done
}

func (b *newBody) encoded(p *Part, kind string) written {
	switch {
	case b.final || b.encoding != "" && b.encoding != transfer.Base64:
		return written{b.encoding, []byte(b.data)}
	case isMultipart(kind) || strings.HasPrefix(kind, "message/"):
		data := transfer.CRLF(b.data)
		return written{transfer.ChooseIdentity(data), []byte(data)}
	case b.encoding == transfer.Base64:
		return b.encode(transfer.Base64, false)
	}
	text := kind == "" || strings.HasPrefix(kind, "text/")
	w := b.encode(transfer.Choose(b.data, text), text)
	if w.encoding != transfer.Base64 && p.parent.holdsDelimiter(w.data) {
		return b.encode(transfer.Base64, text)
	}
	return w
}

func (b *newBody) encode(e transfer.Encoding, text bool) written {
	data := b.data
	if e == transfer.SevenBit {
		data = transfer.CRLF(data)
	}
	var out bytes.Buffer
	_ = transfer.Write(&out, data, e, text) // a Buffer does not fail
	return written{e, out.Bytes()}
}
