package build

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/posthaste-mta/posthaste/internal/message/transfer"
)

// Message is a finished message. Its bytes are the same each time that they are
// written. It is safe for concurrent use if what stands in it is.
type Message struct {
	header []byte // without the empty line behind it
	pieces []piece
	size   int64 // of the pieces
}

// piece is a stretch of a message: bytes, or what else writes itself.
type piece struct {
	data    []byte
	content io.WriterTo // nil: the data
	size    int64
	whole   bool // nothing joins the data
}

// Size is the number of bytes that WriteTo writes.
func (m *Message) Size() int64 { return int64(len(m.header)+len(crlf)) + m.size }

const crlf = "\r\n"

// Header returns the header without the empty line behind it. It must not be
// changed.
func (m *Message) Header() []byte { return m.header }

// WriteTo writes the message with CRLF line ends, without dot-stuffing.
func (m *Message) WriteTo(w io.Writer) (written int64, err error) {
	n, err := w.Write(append(m.header[:len(m.header):len(m.header)], crlf...))
	written = int64(n)
	if err != nil {
		return written, fmt.Errorf("build: %w", err)
	}
	body, err := m.WriteBody(w)
	return written + body, err
}

// WriteBody writes what stands behind the empty line.
func (m *Message) WriteBody(w io.Writer) (written int64, err error) {
	for i := range m.pieces {
		n, err := m.pieces[i].writeTo(w)
		written += n
		if err != nil {
			return written, fmt.Errorf("build: %w", err)
		}
	}
	return written, nil
}

func (p *piece) writeTo(w io.Writer) (int64, error) {
	if p.content == nil {
		n, err := w.Write(p.data)
		return int64(n), err
	}
	n, err := p.content.WriteTo(w)
	if err == nil && n != p.size {
		err = errChanged
	}
	return n, err
}

// errChanged means that a part wrote another number of bytes than it said.
var errChanged = errors.New("part changed while it was written")

// ErrTooLarge says that a message exceeds the limit that its reader gave.
var ErrTooLarge = errors.New("build: message exceeds its limit")

// Bytes returns the message if it has no more than limit bytes.
func (m *Message) Bytes(limit int64) ([]byte, error) {
	if m.Size() > limit {
		return nil, ErrTooLarge
	}
	b := bytes.NewBuffer(make([]byte, 0, m.Size()))
	_, err := m.WriteTo(b)
	return b.Bytes(), err
}

// under returns the message below a field.
func (m *Message) under(top []byte) *Message {
	return &Message{header: slices.Concat(top, m.header), pieces: m.pieces, size: m.size}
}

// text adds bytes, which join those in front of them.
func (m *Message) text(data ...string) {
	n := len(m.pieces)
	if n == 0 || m.pieces[n-1].content != nil || m.pieces[n-1].whole {
		m.pieces = append(m.pieces, piece{})
		n++
	}
	last := &m.pieces[n-1]
	before := len(last.data)
	for _, s := range data {
		last.data = append(last.data, s...)
	}
	last.size = int64(len(last.data))
	m.size += int64(len(last.data) - before)
}

// reserve returns a place for a header that is known only when the body is. That
// of the first part is none of the pieces.
func (m *Message) reserve(first bool) (top int) {
	if first {
		return -1
	}
	m.pieces = append(m.pieces, piece{whole: true})
	return len(m.pieces) - 1
}

// fill puts a header into its place.
func (m *Message) fill(top int, header []byte) {
	if top < 0 {
		m.header = header
		return
	}
	header = append(header, crlf...)
	m.pieces[top].data, m.pieces[top].size = header, int64(len(header))
	m.size += int64(len(header))
}

func (m *Message) add(content io.WriterTo, size int64) {
	m.pieces = append(m.pieces, piece{content: content, size: size})
	m.size += size
}

// body is a body on its way out.
type body struct {
	data     string
	encoding transfer.Encoding
	text     bool
}

func (b *body) size() int64 { return transfer.Size(b.data, b.encoding, b.text) }

// WriteTo encodes the body.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	c := counter{w: w}
	err := transfer.Write(&c, b.data, b.encoding, b.text)
	return c.n, err
}

// counter counts what passes through.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
