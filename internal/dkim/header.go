package dkim

import (
	"bytes"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/message"
)

// Header is an index over the header block of a message. It is safe for
// concurrent use and keeps the block alive.
type Header struct {
	block  []byte
	fields []message.Field
}

// NewHeader indexes the header block with which b begins.
func NewHeader(b []byte) *Header {
	h := &Header{block: b, fields: make([]message.Field, 0, 32)}
	for f := range message.Fields(b) {
		h.fields = append(h.fields, f)
	}
	return h
}

// Fields returns the fields from top to bottom. The slice must not be changed.
func (h *Header) Fields() []message.Field { return h.fields }

// Raw returns a field of the header as it stands, with its name and line end.
func (h *Header) Raw(f message.Field) []byte { return h.block[f.Start:f.End] }

// count returns how many fields have that name, which is in lower case.
func (h *Header) count(name string) (n int) {
	for i := range h.fields {
		if h.fields[i].Is(name) {
			n++
		}
	}
	return n
}

// appendSigned appends the canonical forms of the fields that a signature names,
// in its order. Of fields with the same name the last is taken first, and when
// there are no more, none (RFC 6376 §5.4.2). The field that is itself the
// signature is passed over, because it was not there when it was made.
func (h *Header) appendSigned(b []byte, c Canonicalization, names []string, own []byte) []byte {
	found := make([]int, len(names)) // position + 1 of the field each name took
	for i, name := range names {
		at := len(h.fields)
		for j := i - 1; j >= 0; j-- {
			if names[j] == name {
				at = found[j] - 1
				break
			}
		}
		at = h.above(at, name, own)
		found[i] = at + 1
		if at >= 0 {
			b = c.AppendField(b, h.Raw(h.fields[at]))
		}
	}
	return b
}

// above returns the position of the last field with that name above position i,
// or -1.
func (h *Header) above(i int, name string, own []byte) int {
	for i--; i >= 0; i-- {
		if h.fields[i].Is(name) && (own == nil || !bytes.Equal(h.Raw(h.fields[i]), own)) {
			return i
		}
	}
	return -1
}

// foldNames brings field names into the form in which they are compared.
func foldNames(names []string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, strings.ToLower(trim(n)))
	}
	return out
}
