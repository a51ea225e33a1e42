package mime

import (
	"bytes"
	"slices"
	"time"

	"github.com/posthaste-mta/posthaste/internal/message/field"
	"github.com/posthaste-mta/posthaste/internal/message/patch"
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

func (r *renderer) insert(at int64, data []byte) { r.replace(at, 0, data) }

// content replaces what is no header.
func (r *renderer) content(start, count int64, data []byte) {
	r.replace(start, count, data)
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
		r.content(p.start, p.end-p.start, bytes.Join(slices.Concat(d.before, d.after), delimiter))
	default:
		for _, b := range d.before {
			r.insert(p.start, slices.Concat(b, delimiter))
		}
		r.part(p)
		if len(d.after) > 0 {
			r.insert(p.end, r.shut(p, p.parent.boundary))
		}
		for _, b := range d.after {
			r.content(p.end, 0, slices.Concat(delimiter, b))
		}
	}
	if p.bare && r.tail == p.end {
		r.insert(p.end, crlf)
		r.tail = -1
	}
}

// leaves reports whether a part goes and nothing comes in its place.
func (d *partEdit) leaves() bool { return d.removed && len(d.before)+len(d.after) == 0 }

var crlf = []byte("\r\n")

// part writes a part with the multiparts around it.
func (r *renderer) part(p *Part) {
	d := r.edits.of(p)
	open, shut := d.wrapping()
	if p.parent == nil && len(shut) > 0 {
		shut = append(shut, crlf...)
	}
	switch {
	case d.entity != nil:
		r.content(p.start, p.end-p.start, slices.Concat(open, d.entity, shut))
		return
	case p.parent == nil && len(open) > 0:
		r.wholeHeader(p, d, open)
	default:
		r.insert(p.start, open)
		r.header(p, d)
	}
	if d.body == nil {
		r.multipart(p, d)
	}
	if len(shut) > 0 {
		r.content(p.end, 0, shut)
	}
}

// wrapping returns what stands in front of a part in its new multiparts, from the
// header of the outermost, and what stands behind it.
func (d *partEdit) wrapping() (open, shut []byte) {
	for i := len(d.layers) - 1; i >= 0; i-- {
		l := &d.layers[i]
		delimiter := "--" + l.boundary + "\r\n"
		open = field.AppendText(open, "Content-Type", l.kind)
		open = append(open, "\r\n"+delimiter...)
		for _, b := range l.before {
			open = append(append(open, b...), "\r\n"+delimiter...)
		}
	}
	for i := range d.layers {
		l := &d.layers[i]
		for _, b := range l.after {
			shut = append(append(shut, "\r\n--"+l.boundary+"\r\n"...), b...)
		}
		shut = append(shut, "\r\n--"+l.boundary+"--"...)
	}
	return open, shut
}

// header writes the header of a part and its new body.
func (r *renderer) header(p *Part, d *partEdit) {
	list, body := r.finished(p, d)
	if list != nil {
		unended := r.fields(p, list)
		if d.body != nil {
			r.emptyLine(p, nil, unended)
		}
	}
	r.body(p, d, body)
}

// wholeHeader writes the header of a whole message that was put into a new
// multipart: the fields that describe the body become those of the first part.
func (r *renderer) wholeHeader(p *Part, d *partEdit, open []byte) {
	list, body := r.finished(p, d)
	if list == nil {
		list = r.edits.entries(p)
	}
	list = p.withVersion(slices.Clone(list))
	inner := open
	for i := range list {
		if en := &list[i]; en.describesBody() && !en.deleted {
			inner = appendField(inner, p.raw(en))
			en.deleted = true
		}
	}
	unended := r.fields(p, list)
	r.emptyLine(p, inner, unended)
	r.body(p, d, body)
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
	places := p.live(list, "content-type", All)
	if len(places) == 0 {
		return ""
	}
	_, value, _ := bytes.Cut(p.raw(&list[places[0]]), []byte(":"))
	v := field.ParseValue(value, "")
	kind, _ := typeOf(&v)
	return kind
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
func (r *renderer) emptyLine(p *Part, fields []byte, unended bool) {
	if p.HasBody() {
		r.insert(p.headerEnd, fields)
		return
	}
	if int64(len(p.header)) < p.headerEnd-p.start { // its end is not seen
		unended = p.message.lastByte(p.headerEnd) != '\n'
	}
	if unended {
		fields = slices.Concat(crlf, fields)
	}
	r.insert(p.headerEnd, slices.Concat(fields, crlf))
}

// body writes the new body of a part, if it has one.
func (r *renderer) body(p *Part, d *partEdit, body written) {
	if d.body != nil {
		r.content(p.bodyStart, p.end-p.bodyStart, body.data)
	}
}

// raw makes the edits of bytes, but for those that lie in what was replaced.
func (r *renderer) raw() {
	r.edits.raw.Each(func(start, count int64, data []byte) {
		if !r.patch.Covers(start, count) {
			r.replace(start, count, data)
		}
	})
}
