package mime

import (
	"slices"
	"strings"
)

// multipart writes what is inside a multipart.
func (r *renderer) multipart(p *Part, d *partEdit) {
	if p.boundary == "" {
		return
	}
	delimiter := []byte("--" + p.boundary + "\r\n")
	dash := p.firstDash()
	if d.preamble != nil {
		r.preamble(p, dash, *d.preamble)
	}
	last := d.last
	if dash >= 0 {
		for _, b := range d.first {
			r.insert(dash, delimiter, b, crlf)
		}
	} else {
		last = slices.Concat(d.first, last)
	}
	if !r.children(p) && len(d.first)+len(last) == 0 {
		last = [][]byte{crlf} // RFC 2046 §5.1.1 wants a part at least
	}
	r.end(p, d, last)
}

// children writes the parts of a multipart and reports whether any is left, or
// none was there.
func (r *renderer) children(p *Part) (left bool) {
	n := len(p.children)
	if p.closeAt < 0 {
		for n > 0 && r.edits.of(p.children[n-1]).leaves() {
			n--
		}
	}
	for _, c := range p.children[:n] {
		r.child(c)
		left = left || !r.edits.of(c).leaves()
	}
	if gone := p.children[n:]; len(gone) > 0 {
		// Nothing but what ends p stands behind them, and the line end in front
		// of that now belongs to what is left.
		from := gone[0].dash
		var end []byte
		if n > 0 {
			from = p.children[n-1].end
			end = r.shutBefore(p.children[n-1], p.parent)
		}
		r.content(from, p.end-from, end)
	}
	return left || len(p.children) == 0
}

// preamble writes the text in front of the first delimiter, or in place of the
// body if there is none.
func (r *renderer) preamble(p *Part, dash int64, text string) {
	if !p.HasBody() {
		text = "\r\n" + text
	}
	if dash < 0 {
		r.content(p.bodyStart, p.end-p.bodyStart, []byte(text))
		return
	}
	if text != "" {
		text += "\r\n"
	}
	r.replace(p.bodyStart, dash-p.bodyStart, []byte(text))
}

// end writes the last parts of a multipart and what is behind them.
func (r *renderer) end(p *Part, d *partEdit, last [][]byte) {
	if p.closeAt < 0 {
		r.unclosedEnd(p, d, last)
		return
	}
	for _, b := range last {
		r.insert(p.closeAt, []byte("--"+p.boundary+"\r\n"), b, crlf)
	}
	if d.epilogue == nil {
		return
	}
	text := p.epilogueText(*d.epilogue)
	from := min(p.closeEnd, p.end)
	if text != "" && (p.closeEnd > p.end || p.message.lastByte(p.closeEnd) != '\n') {
		text = "\r\n" + text
	}
	r.content(from, p.end-from, []byte(text))
}

// unclosedEnd closes a multipart if there is anything to write behind its parts.
func (r *renderer) unclosedEnd(p *Part, d *partEdit, last [][]byte) {
	if len(last) == 0 && d.epilogue == nil {
		return
	}
	var out []byte
	if n := len(p.children); n > 0 {
		out = r.shut(p.children[n-1], p.boundary)
	}
	if !p.HasBody() && p.message.lastByte(p.headerEnd) != '\n' {
		out = append(out, crlf...)
	}
	for _, b := range last {
		out = append(append(out, "\r\n--"+p.boundary+"\r\n"...), b...)
	}
	out = append(out, "\r\n--"+p.boundary+"--"...)
	if d.epilogue != nil && *d.epilogue != "" {
		out = append(append(out, crlf...), p.epilogueText(*d.epilogue)...)
	} else if p.parent == nil {
		out = append(out, crlf...)
	}
	r.content(p.end, 0, out)
	if r.closed == nil {
		r.closed = make(map[*Part]bool)
	}
	r.closed[p] = true
}

// shut returns what closes the multiparts at the end of p that are unclosed, if
// one of them would take a delimiter with the given boundary, which is that of a
// multipart around them, for its own.
func (r *renderer) shut(p *Part, boundary string) (out []byte) {
	taken := false
	for {
		if d := r.edits.of(p); d.removed || d.entity != nil || d.body != nil || len(d.layers) > 0 {
			break
		}
		if p.boundary != "" && p.closeAt < 0 && !r.closed[p] {
			out = append([]byte("\r\n--"+p.boundary+"--"), out...) // the innermost first
			taken = taken || p.takes(boundary)
		}
		if len(p.children) == 0 || p.closeAt >= 0 {
			break
		}
		p = p.children[len(p.children)-1]
	}
	if !taken {
		return nil
	}
	return out
}

// shutBefore is shut for whatever delimiter of q or of a multipart around it comes
// next.
func (r *renderer) shutBefore(p, q *Part) (out []byte) {
	for ; q != nil && out == nil; q = q.parent {
		out = r.shut(p, q.boundary)
	}
	return out
}

// takes reports whether a delimiter with the given boundary, or the closing one,
// is one of p too.
func (p *Part) takes(boundary string) bool {
	return p.boundary == boundary || p.boundary == boundary+"--" || p.boundary+"--" == boundary
}

// epilogueText returns an epilogue, which ends a line if it ends the message.
func (p *Part) epilogueText(text string) string {
	if p.parent == nil && text != "" && !strings.HasSuffix(text, "\n") {
		text += "\r\n"
	}
	return text
}
