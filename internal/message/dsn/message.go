package dsn

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
)

// errChanged means that the original was not the same at its second reading.
var errChanged = errors.New("dsn: original changed while it was returned")

// Message is a finished report. Its bytes are the same each time that they are
// written, as long as the original can be read.
type Message struct {
	before, after []byte
	original      io.ReaderAt // between the two; nil: nothing
	originalSize  int64
	size          int64
	eightBit      bool
	utf8          bool
}

// New builds the report. It fails if the original cannot be read; without it
// (Original nil) the report can still be made.
func New(r *Report) (*Message, error) {
	if r.Kind < Failed || r.Kind > Expanded {
		return nil, fmt.Errorf("dsn: no report of kind %d", r.Kind)
	}
	f := &form{report: r, boundary: "=_" + rand.Text()}
	return f.build()
}

// Size is the number of bytes that WriteTo writes.
func (m *Message) Size() int64 { return m.size }

// EightBit reports whether the message holds bytes outside ASCII and so needs
// 8BITMIME (RFC 6152).
func (m *Message) EightBit() bool { return m.eightBit }

// NeedsUTF8 reports whether the message must be sent with SMTPUTF8 (RFC 6531).
func (m *Message) NeedsUTF8() bool { return m.utf8 }

// WriteTo writes the message with CRLF line ends, without dot-stuffing.
func (m *Message) WriteTo(w io.Writer) (int64, error) {
	if m.original == nil {
		n, err := w.Write(append(m.before[:len(m.before):len(m.before)], m.after...))
		return int64(n), err
	}
	buffered := bufio.NewWriterSize(w, 32<<10)
	c := &canonical{w: buffered}
	c.write(m.before)
	if err := c.copy(m.original, m.originalSize); err != nil {
		return c.written, err
	}
	c.write(m.after)
	switch {
	case c.err != nil:
		return c.written, c.err
	case c.written != m.size:
		return c.written, errChanged
	}
	return c.written, buffered.Flush()
}

// copy passes a whole original through c.
func (c *canonical) copy(r io.ReaderAt, size int64) error {
	n, err := io.Copy(c, io.NewSectionReader(r, 0, size))
	if err == nil && n < size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("dsn: return original: %w", err)
	}
	return c.Flush()
}
