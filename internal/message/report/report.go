// Package report reads what mail systems report about mail: whether it was
// delivered (RFC 3464, and RFC 6533 for addresses in UTF-8), and what its
// recipients complain about (RFC 5965).
//
// Both are a part of a message that holds blocks of fields, beside a text for
// people and mostly the message that it is about or its header. ParseStatus and
// ParseFeedback find that part, wherever it stands, and read it as it is: many who
// send reports do not keep to the grammar, so what cannot be read is left out and
// nothing is refused. Package message/dsn is the writing side.
//
// The bytes come from strangers. What is read is bounded, and no value is more
// than text.
package report

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/message"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
)

// Bounds of what is read of a report.
const (
	maxPart   = 1 << 20 // bytes
	maxBlocks = 10_000
	maxFields = 1_000 // of a block
)

// Field is one field of a report.
type Field struct {
	Name  string // in lower case
	Value string // on one line, without white space around it
}

// Fields are a block of fields in their order.
type Fields []Field

// Get returns the first value of a name in lower case, "" if there is none.
func (f Fields) Get(name string) string {
	for _, field := range f {
		if field.Name == name {
			return field.Value
		}
	}
	return ""
}

// All returns the values of a name in lower case.
func (f Fields) All(name string) (values []string) {
	for _, field := range f {
		if field.Name == name {
			values = append(values, field.Value)
		}
	}
	return values
}

// has reports whether one of the names is there.
func (f Fields) has(names ...string) bool {
	for _, name := range names {
		for _, field := range f {
			if field.Name == name {
				return true
			}
		}
	}
	return false
}

// Typed parts a value such as "rfc822; joe@example.com" or "smtp; 550 no" into its
// type, in lower case, and the rest (RFC 3464 §2.1.2). Without a type the whole of
// it is text.
func Typed(v string) (kind, text string) {
	kind, text, ok := strings.Cut(v, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	if !ok || kind == "" || strings.ContainsAny(kind, " \t@:<") {
		return "", strings.TrimSpace(v)
	}
	return kind, strings.TrimSpace(text)
}

// find returns the first part of one of the types, the whole message included.
func find(m *mime.Message, types ...string) *mime.Part {
	is := func(kind string) bool {
		for _, t := range types {
			if kind == t {
				return true
			}
		}
		return false
	}
	if kind, ok := m.Root().Type(); ok && is(kind) {
		return m.Root()
	}
	if found := m.Root().FindByType(is); len(found) > 0 {
		return found[0]
	}
	return nil
}

// blocks reads the blocks of fields that a part holds. Fields without a name, and
// blocks without a field, are left out.
func blocks(p *mime.Part) (all []Fields) {
	text, err := p.Content(true, maxPart)
	if err != nil {
		return nil // too long to be a report, or not to be read
	}
	for len(text) > 0 && len(all) < maxBlocks {
		_, next, _ := message.Split(text)
		if next == 0 { // cannot be, but must not go on for ever
			break
		}
		if f := fields(text[:next]); len(f) > 0 {
			all = append(all, f)
		}
		text = text[next:]
	}
	return all
}

func fields(block []byte) (all Fields) {
	for f := range message.Fields(block) {
		if len(f.Name) == 0 || len(all) == maxFields {
			continue
		}
		name := strings.ToLower(strings.TrimSpace(string(f.Name)))
		all = append(all, Field{name, strings.TrimSpace(string(f.AppendUnfolded(nil)))})
	}
	return all
}

// Original is the message that a report is about, as far as it came along.
type Original struct {
	message *mime.Part // of type message/rfc822 or message/global
	header  *mime.Part // of type text/rfc822-headers or message/global-headers
}

// OriginalOf finds the message that another one, of whatever kind, brings along.
func OriginalOf(m *mime.Message) Original {
	return Original{
		message: find(m, "message/rfc822", "message/global"),
		header:  find(m, "text/rfc822-headers", "message/global-headers", "message/rfc822-headers"),
	}
}

// Message returns the original message, if it came whole and has at most limit
// bytes.
func (o Original) Message(limit int64) (text []byte, ok bool) {
	if o.message == nil {
		return nil, false
	}
	text, err := o.message.Content(true, limit)
	return text, err == nil
}

// Header returns the header block of the original message, if it came and has at
// most limit bytes.
func (o Original) Header(limit int64) (block []byte, ok bool) {
	p := o.message
	if p == nil {
		p = o.header
	}
	if p == nil {
		return nil, false
	}
	text, err := p.Content(true, limit)
	if err != nil {
		return nil, false
	}
	end, _, _ := message.Split(text)
	return text[:end], true
}
