package mime

import (
	"slices"
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/message"
	"github.com/posthaste-mta/posthaste/internal/message/field"
)

// Part is one part of a message, or the whole of it.
type Part struct {
	message *Message
	parent  *Part
	number  int // among its siblings, from 1

	// Offsets in the original. The header block ends where the empty line
	// begins, or where the body does if there is none.
	dash      int64 // of the delimiter in front; -1: none
	start     int64 // of the header
	headerEnd int64
	bodyStart int64
	end       int64
	next      int64 // where what belongs to the part and its delimiter ends
	ended     bool
	// bare says that the delimiter behind the part has no line end of its own in
	// front of it.
	bare bool
	// glued says that the delimiter in front of the part has no line end, so that
	// the part is empty.
	glued bool

	header    []byte // what is seen of the header; nil: not read yet
	fields    []message.Field
	content   *field.Value
	badHeader bool

	// Of multiparts that were opened, the boundary is not empty.
	boundary string
	children []*Part
	closeAt  int64 // offset of the closing delimiter; -1: none
	closeEnd int64 // behind its line
	unclosed bool
}

// Message returns the message that p is part of.
func (p *Part) Message() *Message { return p.message }

// ID returns what names the part within its message: "0" for the whole, "1" and
// "2" for its parts, "1.2" for a part of a part.
func (p *Part) ID() string {
	if p.parent == nil {
		return "0"
	}
	var numbers []string
	for q := p; q.parent != nil; q = q.parent {
		numbers = append(numbers, strconv.Itoa(q.number))
	}
	slices.Reverse(numbers)
	return strings.Join(numbers, ".")
}

// Size returns the number of bytes of the original part, header and body.
func (p *Part) Size() int64 { return p.end - p.start }

// Parts returns the parts of a multipart, which must not be changed, or nil.
func (p *Part) Parts() []*Part {
	p.message.scan()
	return p.children
}

// contentType returns the parsed value of the Content-Type field. Without one it
// is empty.
func (p *Part) contentType() *field.Value {
	if p.content == nil {
		p.content = new(field.Value)
		if f := p.field("content-type", 0); f != nil {
			*p.content = field.ParseValue(f.Value, "")
		}
	}
	return p.content
}

// isMultipart reports whether the Content-Type says that p has parts.
func (p *Part) isMultipart() bool { return isMultipart(p.contentType().Main) }

func isMultipart(kind string) bool {
	const prefix = "multipart/"
	return len(kind) > len(prefix) && strings.EqualFold(kind[:len(prefix)], prefix)
}

// Type returns the type and subtype in lower case. It reports false if there is
// no Content-Type, or none that has both.
func (p *Part) Type() (string, bool) { return typeOf(p.contentType()) }

func typeOf(v *field.Value) (string, bool) {
	kind, sub, ok := strings.Cut(v.Main, "/")
	kind, sub = strings.TrimSpace(kind), strings.TrimSpace(sub)
	if !ok || kind == "" || sub == "" || strings.ContainsAny(kind+sub, " \t") {
		return "", false
	}
	return strings.ToLower(kind + "/" + sub), true
}

// TypeParameter returns a parameter of the Content-Type, decoded (RFC 2231).
func (p *Part) TypeParameter(name string) (string, bool) {
	return p.contentType().Param(strings.ToLower(name))
}

// FileName returns the name that the part should have as a file: that of the
// Content-Disposition (RFC 2183 §2.3), or the name that older programs put into
// the Content-Type. It is what the sender says, with directories if he likes.
func (p *Part) FileName() (string, bool) {
	if f := p.field("content-disposition", 0); f != nil {
		v := field.ParseValue(f.Value, p.charset())
		if name, ok := v.Param("filename"); ok {
			return name, true
		}
	}
	return p.contentType().Param("name")
}

// charset returns the character set that the part declares for itself.
func (p *Part) charset() string {
	label, _ := p.contentType().Param("charset")
	return label
}

// Malformation is a way in which a part is broken.
type Malformation string

// The malformations that are told.
const (
	// BadHeader: a line of the header is no field, the header is too long to be
	// seen whole, or a multipart has no boundary to find its parts by.
	BadHeader Malformation = "bad_header"
	// UnclosedBoundary: the last delimiter of a multipart is missing.
	UnclosedBoundary Malformation = "unclosed_boundary"
)

// Errors returns what is wrong with the part itself, not with parts of it.
func (p *Part) Errors() (found []Malformation) {
	p.message.scan()
	bad := p.badHeader || int64(len(p.headerBytes())) < p.headerEnd-p.start
	for i := range p.fields {
		bad = bad || len(p.fields[i].Name) == 0
	}
	if bad {
		found = append(found, BadHeader)
	}
	if p.unclosed {
		found = append(found, UnclosedBoundary)
	}
	return found
}

// Find returns the parts of p at any depth that a test accepts, in the order in
// which they stand, p itself not among them.
func (p *Part) Find(accept func(*Part) bool) (found []*Part) {
	for _, c := range p.Parts() {
		if accept(c) {
			found = append(found, c)
		}
		found = append(found, c.Find(accept)...)
	}
	return found
}

// FindByType returns the parts below p whose type a test accepts.
func (p *Part) FindByType(accept func(kind string) bool) []*Part {
	return p.Find(func(c *Part) bool {
		kind, ok := c.Type()
		return ok && accept(kind)
	})
}

// FindByFileName returns the parts below p whose file name a test accepts.
func (p *Part) FindByFileName(accept func(name string) bool) []*Part {
	return p.Find(func(c *Part) bool {
		name, ok := c.FileName()
		return ok && accept(name)
	})
}

// ByID returns the part with the given ID if it is p or below it, or nil.
func (p *Part) ByID(id string) *Part {
	q := p.message.root
	if id != "0" {
		for number := range strings.SplitSeq(id, ".") {
			n, err := strconv.Atoi(number)
			if err != nil || n < 1 || n > len(q.Parts()) || strconv.Itoa(n) != number {
				return nil
			}
			q = q.children[n-1]
		}
	}
	for r := q; r != nil; r = r.parent {
		if r == p {
			return q
		}
	}
	return nil
}
