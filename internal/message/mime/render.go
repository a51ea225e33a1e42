package mime

import (
	"bytes"
	"slices"
	"time"

	"github.com/posthaste-mta/posthaste/internal/message"
	"github.com/posthaste-mta/posthaste/internal/message/field"
	"github.com/posthaste-mta/posthaste/internal/message/patch"
	"github.com/posthaste-mta/posthaste/internal/message/transfer"
)

// renderer makes a patch of edits. It walks the parts from front to back, so each
// edit lies behind the one before.
type renderer struct {
	edits *edits
	now   time.Time
	patch patch.Patch
	// tail is where the last edit of content ended, as opposed to one of a header.
	tail   int64
	closed map[*Part]bool // unclosed multiparts that were closed
	err    error
}

func (r *renderer) replace(start, count int64, data []byte) {
	if count == 0 && len(data) == 0 {
		return
	}
	if err := r.patch.Replace(start, count, data); err != nil && r.err == nil {
		r.err = err
	}
}

// insert puts data at an offset, one behind the other. None of it is copied, here
// or by the patch.
func (r *renderer) insert(at int64, data ...[]byte) {
	for _, b := range data {
		r.replace(at, 0, b)
	}
}

// content replaces what is no header.
func (r *renderer) content(start, count int64, data ...[]byte) {
	r.replace(start, count, nil)
	r.insert(start+count, data...)
	r.tail = start + count
}

// child writes a part with its siblings that were put beside it.
func (r *renderer) child(p *Part) {
	d := r.edits.of(p)
	r.tail = -1
	if p.glued && d != &none && !d.leaves() {
		r.insert(p.start, crlf)
	}
	delimiter := []byte("\r\n--" + p.parent.boundary + "\r\n")
	switch {
	case d.leaves():
		r.replace(p.dash, p.next-p.dash, nil)
		return
	case d.removed:
		r.content(p.start, p.end-p.start, joined(slices.Concat(d.before, d.after), delimiter)...)
	default:
		for _, b := range d.before {
			r.insert(p.start, b, delimiter)
		}
		r.part(p)
		if len(d.after) > 0 {
			r.insert(p.end, r.shut(p, p.parent.boundary))
		}
		for _, b := range d.after {
			r.content(p.end, 0, delimiter, b)
		}
	}
	if p.bare && r.tail == p.end {
		r.insert(p.end, crlf)
		r.tail = -1
	}
}

// leaves reports whether a part goes and nothing comes in its place.
func (d *partEdit) leaves() bool { return d.removed && len(d.before)+len(d.after) == 0 }

// joined returns entities with a delimiter between them.
func joined(entities [][]byte, delimiter []byte) (out [][]byte) {
	for i, b := range entities {
		if i > 0 {
			out = append(out, delimiter)
		}
		out = append(out, b)
	}
	return out
}

var crlf = []byte("\r\n")

// part writes a part with the multiparts around it.
func (r *renderer) part(p *Part) {
	d := r.edits.of(p)
	if d.entity != nil {
		open, shut := d.wrapping(encodingOf(d.entity))
		r.content(p.start, p.end-p.start, slices.Concat(open, [][]byte{d.entity}, shut)...)
		return
	}
	list, body := r.finished(p, d)
	var open, shut [][]byte
	if len(d.layers) > 0 {
		open, shut = d.wrapping(p.editedEncoding(list))
	}
	if p.parent == nil && open != nil {
		r.wholeHeader(p, list, open)
		shut = append(shut, crlf)
	} else {
		r.insert(p.start, open...)
		r.header(p, d, list)
	}
	if d.body != nil {
		r.content(p.bodyStart, p.end-p.bodyStart, body.data)
	} else {
		r.multipart(p, d)
	}
	if shut != nil {
		r.content(p.end, 0, shut...)
	}
}

// wrapping returns what stands in front of a part with the given encoding in its
// new multiparts, from the header of the outermost, and what stands behind it.
func (d *partEdit) wrapping(own transfer.Encoding) (open, shut [][]byte) {
	for i := range d.layers {
		l := &d.layers[i]
		encodings := []transfer.Encoding{own}
		for _, b := range slices.Concat(l.before, l.after) {
			encodings = append(encodings, encodingOf(b))
		}
		own = transfer.Around(encodings...)
		open = append(l.opening(own), open...)
		for _, b := range l.after {
			shut = append(shut, []byte("\r\n--"+l.boundary+"\r\n"), b)
		}
		shut = append(shut, []byte("\r\n--"+l.boundary+"--"))
	}
	return open, shut
}

// opening returns the header of a multipart and the entities in front of the part.
func (l *layer) opening(e transfer.Encoding) [][]byte {
	b := field.AppendText(nil, "Content-Type", l.kind)
	if e != "" {
		b = field.AppendText(b, "Content-Transfer-Encoding", string(e))
	}
	delimiter := "\r\n--" + l.boundary + "\r\n"
	out := [][]byte{append(b, delimiter...)}
	for _, entity := range l.before {
		out = append(out, entity, []byte(delimiter))
	}
	return out
}

// header writes a header as edited, nil if it was not. A new body needs the empty
// line in front of it.
func (r *renderer) header(p *Part, d *partEdit, list []entry) {
	if list == nil {
		return
	}
	unended := r.fields(p, list)
	if d.body != nil {
		r.emptyLine(p, unended)
	}
}

// wholeHeader writes the header of a whole message that was put into a new
// multipart: the fields that describe the body become those of the first part.
func (r *renderer) wholeHeader(p *Part, list []entry, open [][]byte) {
	if list == nil {
		list = r.edits.entries(p)
	}
	list = p.withVersion(slices.Clone(list))
	var inner []byte
	for i := range list {
		if en := &list[i]; p.describesBody(en) && !en.deleted {
			inner = appendField(inner, p.raw(en))
			en.deleted = true
		}
	}
	unended := r.fields(p, list)
	r.emptyLine(p, unended, append(open, inner)...)
}

// finished returns the header in which fields are settled and fit a new body, and
// that body. The header is nil if nothing changes it.
func (r *renderer) finished(p *Part, d *partEdit) (list []entry, body written) {
	if d.fields == nil && d.body == nil {
		return nil, body
	}
	list = slices.Clone(r.edits.entries(p))
	for i := range list {
		list[i].settle(r.now)
	}
	if d.body != nil {
		body = d.body.write(p, p.editedType(list))
		if !d.body.final {
			list = p.withEncoding(list, body)
		}
	}
	return list, body
}

// editedType returns the type that a header gives.
func (p *Part) editedType(list []entry) string {
	v := p.editedValue(list, "content-type")
	kind, _ := typeOf(&v)
	return kind
}

// editedEncoding returns the transfer encoding that a header gives, or that of the
// original if the header is nil.
func (p *Part) editedEncoding(list []entry) transfer.Encoding {
	if list == nil {
		e, _ := p.encoding()
		return e
	}
	v := p.editedValue(list, "content-transfer-encoding")
	e, _ := transfer.Parse(v.Main)
	return e
}

func (p *Part) editedValue(list []entry, name string) (v field.Value) {
	if places := p.live(list, name, All); len(places) > 0 {
		_, value, _ := bytes.Cut(p.raw(&list[places[0]]), []byte(":"))
		v = field.ParseValue(value, "")
	}
	return v
}

// encodingOf returns the transfer encoding that the header of an entity gives.
func encodingOf(entity []byte) transfer.Encoding {
	for f := range message.Fields(entity) {
		if f.Is("content-transfer-encoding") {
			v := field.ParseValue(f.Value, "")
			e, _ := transfer.Parse(v.Main)
			return e
		}
	}
	return ""
}

// withEncoding returns the header with the field that tells the encoding of a
// body. It stays as it is if it tells that already.
func (p *Part) withEncoding(list []entry, body written) []entry {
	const name = "content-transfer-encoding"
	places := p.live(list, name, All)
	_, declared := p.encoding()
	switch own, _ := p.encoding(); {
	case len(places) == 0 && body.encoding == "7bit":
		return list
	case len(places) == 1 && declared && list[places[0]].raw == nil && own == body.encoding:
		return list
	}
	raw := field.AppendText(nil, "Content-Transfer-Encoding", string(body.encoding))
	return p.withVersion(p.put(list, entry{name: name, original: -1, raw: raw}, All))
}

// fields writes the differences between a header and the original's, and reports
// whether the last line of it has no line end, as that of the original may not.
func (r *renderer) fields(p *Part, list []entry) (unended bool) {
	at := p.start
	for i := range list {
		en := &list[i]
		if en.original < 0 {
			if !en.deleted {
				r.insert(at, line(en.raw, unended))
			}
			continue
		}
		f := &p.fields[en.original]
		start, size := p.start+int64(f.Start), int64(f.End-f.Start)
		at = start + size
		unended = !en.deleted && p.header[f.End-1] != '\n'
		switch {
		case en.deleted:
			r.replace(start, size, nil)
		case en.raw != nil && unended:
			r.replace(start, size, bytes.TrimSuffix(en.raw, crlf))
		case en.raw != nil:
			r.replace(start, size, appendField(nil, en.raw))
		}
	}
	return unended
}

// line returns a field with its line end behind it, or in front of it if that
// before it has none.
func line(raw []byte, unended bool) []byte {
	if unended {
		return slices.Concat(crlf, bytes.TrimSuffix(raw, crlf))
	}
	return appendField(nil, raw)
}

func appendField(b, raw []byte) []byte {
	b = append(b, raw...)
	if len(raw) > 0 && raw[len(raw)-1] != '\n' {
		b = append(b, crlf...)
	}
	return b
}

// emptyLine writes fields at the end of the header and sees to the empty line
// that ends it.
func (r *renderer) emptyLine(p *Part, unended bool, fields ...[]byte) {
	if p.HasBody() {
		r.insert(p.headerEnd, fields...)
		return
	}
	if int64(len(p.header)) < p.headerEnd-p.start { // its end is not seen
		unended = p.message.lastByte(p.headerEnd) != '\n'
	}
	if unended {
		r.insert(p.headerEnd, crlf)
	}
	r.insert(p.headerEnd, append(fields, crlf)...)
}

// raw makes the edits of bytes, but for those that lie in what was replaced.
func (r *renderer) raw() {
	r.edits.raw.Each(func(start, count int64, data []byte) {
		if !r.patch.Covers(start, count) {
			r.replace(start, count, data)
		}
	})
}
