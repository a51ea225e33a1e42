package mime

import (
	"bytes"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/message"
	"github.com/posthaste-mta/posthaste/internal/message/field"
)

// Reading says in which form a header field is returned.
type Reading int

const (
	// Text is the value as people read it: unfolded, decoded, UTF-8.
	Text Reading = iota
	// Unfolded is the value on one line, its bytes as they came.
	Unfolded
	// Whole is the field as it came, from its name to its last line end.
	Whole
)

// headerBytes returns what is seen of the header block.
func (p *Part) headerBytes() []byte {
	if p.header == nil {
		size := p.headerEnd - p.start
		seen := min(size, int64(p.message.limits.Header))
		b := make([]byte, seen)
		n, err := p.message.source.ReadAt(b, p.start)
		if int64(n) < seen {
			p.message.fail(err)
			b = b[:n]
		}
		if seen < size { // behind a whole line
			b = b[:bytes.LastIndexByte(b, '\n')+1]
		}
		p.setHeader(b)
	}
	return p.header
}

// setHeader keeps what is seen of the header and finds its fields. Behind the
// last of as many as are allowed nothing is seen.
func (p *Part) setHeader(b []byte) {
	most := p.message.limits.Fields
	p.fields = make([]message.Field, 0, min(most, bytes.Count(b, []byte("\n"))))
	end := 0
	for f := range message.Fields(b) {
		if len(p.fields) == most {
			break
		}
		p.fields = append(p.fields, f)
		end = f.End
	}
	p.header = b[:end:end]
	if p.header == nil {
		p.header = []byte{}
	}
}

// field returns the field with the given name in lower case and the given index
// among its namesakes, or nil.
func (p *Part) field(name string, index int) *message.Field {
	p.headerBytes()
	for i := range p.fields {
		if name != "" && p.fields[i].Is(name) {
			if index == 0 {
				return &p.fields[i]
			}
			index--
		}
	}
	return nil
}

// Header returns a field of the original header: the one with the given index,
// from 0 at the top, among those of that name. The name is in any case.
func (p *Part) Header(name string, index int, form Reading) (string, bool) {
	f := p.field(strings.ToLower(name), index)
	if f == nil || index < 0 {
		return "", false
	}
	return p.read(f, form), true
}

// Headers returns all fields of that name, from top to bottom.
func (p *Part) Headers(name string, form Reading) (values []string) {
	p.headerBytes()
	name = strings.ToLower(name)
	for i := range p.fields {
		if name != "" && p.fields[i].Is(name) {
			values = append(values, p.read(&p.fields[i], form))
		}
	}
	return values
}

func (p *Part) read(f *message.Field, form Reading) string {
	switch form {
	case Whole:
		return string(p.header[f.Start:f.End])
	case Unfolded:
		return string(field.Unfold(f.Value))
	}
	return field.Decode(f.Value, p.charset())
}

// RawHeader returns the header block as it came, without the empty line behind it:
// as much of it as is seen. It must not be changed.
func (p *Part) RawHeader() []byte { return p.headerBytes() }

// HeaderNames returns the names of the fields in lower case, as often as they
// occur, from top to bottom. Lines that are no fields have no name.
func (p *Part) HeaderNames() (names []string) {
	p.headerBytes()
	for i := range p.fields {
		if name := p.fields[i].Name; len(name) > 0 {
			names = append(names, strings.ToLower(string(name)))
		}
	}
	return names
}
