package sink

import (
	"bytes"

	"github.com/posthaste-mta/posthaste/internal/sink/sequence"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// body is what is known of the body that is coming in. Where nobody wants the
// text it only counts.
type body struct {
	size    int64
	marks   bool // somebody wants the mark
	mark    markSearch
	limit   int64 // bytes to keep in text
	text    []byte
	file    *mailFile // nil: not stored
	err     error     // of the store
	decoder smtp.Decoder
}

// startBody makes ready for the first bytes of a message.
func (c *conn) startBody() {
	b, o := &c.tx.body, &c.sink.options
	*b = body{marks: o.Ledger != nil, text: b.text[:0], mark: markSearch{held: b.mark.held[:0]}}
	if o.OnMessage != nil {
		b.limit = o.Capture
	}
	if c.sink.store != nil {
		b.file, b.err = c.sink.store.create(c.serial, &c.tx)
	}
	c.in.Expect()
}

// Write takes the next bytes of the message. It never fails: what goes wrong is
// told in the reply to the end of the body.
func (b *body) Write(p []byte) (int, error) {
	b.size += int64(len(p))
	if b.marks {
		b.mark.write(p)
	}
	if room := b.limit - int64(len(b.text)); room > 0 {
		b.text = append(b.text, p[:min(room, int64(len(p)))]...)
	}
	if b.file != nil && b.err == nil {
		b.err = b.file.write(p)
	}
	return len(p), nil
}

// discard forgets a message that was not accepted.
func (b *body) discard() {
	if b.file != nil {
		b.file.discard()
		b.file = nil
	}
}

// commit makes a stored message visible.
func (b *body) commit() error {
	if b.file != nil && b.err == nil {
		b.err = b.file.commit()
		b.file = nil
	}
	return b.err
}

// maxHeader is how far into a message a mark is looked for.
const maxHeader = 64 << 10

// markSearch looks for the mark in the header of a message that comes in pieces.
type markSearch struct {
	done bool
	mark sequence.Mark // Recipients is 0 while there is none
	held []byte        // header so far, when one piece does not hold it all
}

var (
	firstField = []byte(sequence.Header + ":")
	markField  = []byte("\r\n" + sequence.Header + ":")
	headerEnd  = []byte("\r\n\r\n")
)

func (s *markSearch) write(p []byte) {
	if s.done {
		return
	}
	view := p
	if len(s.held) > 0 {
		s.held = append(s.held, p[:min(len(p), maxHeader)]...)
		view = s.held
	}
	if end := bytes.Index(view, headerEnd); end >= 0 {
		s.done = true
		s.find(view[:end+2])
	} else if len(view) >= maxHeader {
		s.done = true
		s.find(view)
	} else if len(s.held) == 0 {
		s.held = append(s.held, p...)
	}
}

// find reads the field from a header, in which each line has its end.
func (s *markSearch) find(header []byte) {
	value, ok := bytes.CutPrefix(header, firstField)
	if !ok {
		_, value, ok = bytes.Cut(header, markField)
	}
	if !ok {
		return
	}
	value, _, _ = bytes.Cut(value, []byte("\r\n"))
	if m, err := sequence.ParseMark(value); err == nil {
		s.mark = m
	}
}

// finish ends the search at the end of a message, which may be all header.
func (s *markSearch) finish() sequence.Mark {
	if !s.done && len(s.held) > 0 {
		s.find(s.held)
	}
	return s.mark
}
