// Package build makes messages: parts with headers, bodies and parts of their own,
// written as a stream.
//
// A Part is filled in any order; nothing is encoded before it is written. Then
// Message fixes what is left open (transfer encodings, boundaries, the fields that
// describe bodies) and knows the size before the first byte is written. Bodies
// are never copied: they are encoded piece by piece on their way out, so that a
// large attachment costs a small buffer, however deep it stands.
//
// Signatures come last. A Signer reads the finished message and returns a field
// that is put on top of it.
//
// A Part is for one goroutine at a time. A part may stand in several others. What
// would make a message without end, a part within itself, is refused when it is
// written, and so are more parts or levels than anybody needs.
package build

import (
	"errors"
	"io"
	"time"

	"github.com/posthaste-mta/posthaste/internal/message/field"
)

// Entity is what can stand in a part: another Part, or a part of a message.
type Entity interface {
	// Entity returns what writes the entity, header first, and how many bytes it
	// writes.
	Entity() (content io.WriterTo, size int64, err error)
}

// Signer returns a header field, with its line end, for the top of a message.
type Signer func(m *Message) ([]byte, error)

// What can stand against a message.
var (
	// ErrType: there are parts in a part whose type is no multipart.
	ErrType = errors.New("build: parts in what is no multipart")
	// ErrBoundary: a text cannot be a boundary (RFC 2046 §5.1.1).
	ErrBoundary = errors.New("build: bad boundary")
	// ErrParts: there are more than MaxParts parts, or they stand more than
	// MaxDepth deep, perhaps because a part stands within itself.
	ErrParts = errors.New("build: too many parts")
)

// The most parts of a message and the most levels of them.
const (
	MaxParts = 10_000
	MaxDepth = 100
)

// Part is a message or a part of one in the making. The zero Part is an empty
// text.
type Part struct {
	added       []added
	kind        string
	boundary    string
	fixed       bool // the boundary was given
	body        string
	parts       []Entity
	date        time.Time
	disposition string
	fileName    string
	named       bool // the file name was given
	signers     []Signer
}

// added is a field as it was given.
type added struct {
	name, value string
	form        field.Form
}

// New returns an empty part.
func New() *Part { return new(Part) }

// AddHeader adds a field behind those added before. It fails for a name that is
// none. A field that Part writes itself is left out if it was added.
func (p *Part) AddHeader(name, value string, form field.Form) error {
	if _, err := field.Append(nil, name, "", form); err != nil {
		return err
	}
	p.added = append(p.added, added{name, value, form})
	return nil
}

// AppendPart adds a part behind those added before. Without a type set, p becomes
// multipart/mixed.
func (p *Part) AppendPart(x Entity) { p.parts = append(p.parts, x) }

// SetBody sets the body; in a part with parts, the text in front of them. It is
// written as quoted-printable or base64, whichever suits it, and as it is in a
// message or multipart, which may not be encoded, or under a
// Content-Transfer-Encoding that was added. Line ends of text become CRLF.
func (p *Part) SetBody(body string) { p.body = body }

// SetType sets the Content-Type, with parameters if it has any. Text without a
// charset is given utf-8. The default is text/plain.
func (p *Part) SetType(kind string) { p.kind = kind }

// SetBoundary sets the boundary of a multipart, which is a UUID otherwise.
func (p *Part) SetBoundary(boundary string) error {
	if !field.ValidBoundary(boundary) {
		return ErrBoundary
	}
	p.boundary, p.fixed = boundary, true
	return nil
}

// SetDate adds a Date.
func (p *Part) SetDate(t time.Time) { p.date = t }

// SetFileName sets the name of the part as a file.
func (p *Part) SetFileName(name string) { p.fileName, p.named = name, true }

// SetDisposition sets how the part is shown (RFC 2183 §2): inline or attachment,
// which is the default for a part with a file name.
func (p *Part) SetDisposition(disposition string) { p.disposition = disposition }

// Sign adds a signer, whose field goes on top of those of earlier ones when the
// message is finished.
func (p *Part) Sign(s Signer) { p.signers = append(p.signers, s) }

// Message finishes the message. What is set or added later changes later ones.
func (p *Part) Message() (*Message, error) {
	b := builder{}
	if _, err := b.part(p, 0); err != nil {
		return nil, err
	}
	m := &b.message
	for _, sign := range p.signers {
		top, err := sign(m)
		if err != nil {
			return nil, err
		}
		m = m.under(top)
	}
	return m, nil
}

// Entity finishes p as a part of another message: without the fields of a whole
// one and unsigned.
func (p *Part) Entity() (content io.WriterTo, size int64, err error) {
	b := builder{}
	if _, err := b.part(p, 1); err != nil {
		return nil, 0, err
	}
	return &b.message, b.message.Size(), nil
}
