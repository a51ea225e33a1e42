package mime

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/posthaste-mta/posthaste/internal/message/patch"
)

// Entity is what can become a part of a message: something with a header and a
// body.
type Entity interface {
	// Entity returns what writes the entity, header first, and how many bytes it
	// writes.
	Entity() (content io.WriterTo, size int64, err error)
}

// Entity returns the part with its edits, without what was put beside it, so that
// it can become a part of another message.
func (p *Part) Entity() (content io.WriterTo, size int64, err error) {
	m := p.message
	m.scan()
	r := renderer{edits: &m.edits, now: time.Now()}
	r.replace(0, p.start, nil)
	r.part(p)
	r.replace(p.end, m.source.Size()-p.end, nil)
	r.raw()
	if r.err == nil {
		r.err = m.err
	}
	if r.err != nil {
		return nil, 0, r.err
	}
	v, err := r.patch.Apply(m.source)
	if err != nil {
		return nil, 0, fmt.Errorf("mime: %w", err)
	}
	return v, v.Size(), nil
}

var _ io.WriterTo = (*patch.View)(nil)

// flatten returns the bytes of an entity. Content that has them at hand, in a
// method Bytes, is not copied.
func flatten(x Entity) ([]byte, error) {
	content, size, err := x.Entity()
	if err != nil {
		return nil, err
	}
	if finished, ok := content.(interface{ Bytes() []byte }); ok {
		return finished.Bytes(), nil
	}
	b := bytes.NewBuffer(make([]byte, 0, size))
	if _, err := content.WriteTo(b); err != nil {
		return nil, fmt.Errorf("mime: %w", err)
	}
	return b.Bytes(), nil
}

// holdsDelimiter reports whether a text would end or divide the multipart p, or
// one around it, if it stood in it.
func (p *Part) holdsDelimiter(text []byte) bool {
	for ; p != nil; p = p.parent {
		if p.boundary != "" && holdsBoundary(text, p.boundary) {
			return true
		}
	}
	return false
}

func holdsBoundary(text []byte, boundary string) bool {
	delimiter := []byte("--" + boundary)
	for at := 0; ; {
		i := bytes.Index(text[at:], delimiter)
		if i < 0 {
			return false
		}
		at += i
		rest := bytes.TrimPrefix(text[at+len(delimiter):], dashes)
		rest, _, _ = bytes.Cut(rest, []byte("\n"))
		if (at == 0 || text[at-1] == '\n') && len(bytes.TrimRight(rest, " \t\r")) == 0 {
			return true
		}
		at += len(delimiter)
	}
}
