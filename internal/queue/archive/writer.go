package archive

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// Writer writes an archive. It is for one goroutine.
type Writer struct {
	w       io.Writer
	buf     []byte // frame under construction
	begun   bool
	written uint64 // messages
	err     error  // of w; nothing more is written after it
}

// NewWriter returns a Writer to w, which should be buffered if small writes
// cost it much.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Add writes a message whose body writes itself. When the body cannot be read
// to its end the error is that of body, the message is marked as unusable, and
// more messages may be added. Err tells such an error from one of the archive.
func (w *Writer) Add(m *Message, body io.WriterTo) error {
	w.begin()
	w.frame(frameMessage, m.append(nil))
	pieces := pieces{w: w}
	n, err := body.WriteTo(&pieces)
	pieces.flush()
	if w.err != nil {
		return w.err
	}
	if err != nil {
		w.frame(frameAbandoned, nil)
		return fmt.Errorf("archive: message %s: %w", m.Envelope.ID, err)
	}
	w.frame(frameEnd, binary.AppendUvarint(nil, uint64(n)))
	w.written++
	return w.err
}

// Err returns the error that keeps the archive from being written, if any.
func (w *Writer) Err() error { return w.err }

// Close ends the archive. It does not close what it was written to.
func (w *Writer) Close() error {
	w.begin()
	w.frame(frameTrailer, binary.AppendUvarint(nil, w.written))
	return w.err
}

func (w *Writer) begin() {
	if !w.begun {
		w.begun = true
		w.write([]byte(magic))
	}
}

func (w *Writer) frame(kind byte, payload []byte) {
	w.buf = append(w.buf[:0], kind)
	w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(len(payload)))
	w.buf = append(w.buf, payload...)
	w.buf = binary.LittleEndian.AppendUint32(w.buf, crc32.Checksum(w.buf, castagnoli))
	w.write(w.buf)
}

func (w *Writer) write(b []byte) {
	if w.err != nil {
		return
	}
	if _, err := w.w.Write(b); err != nil {
		w.err = fmt.Errorf("archive: %w", err)
	}
}

// append appends the payload of the M frame.
func (m *Message) append(b []byte) []byte {
	b = appendPart(b, m.Envelope.Append(nil))
	b = binary.AppendUvarint(b, uint64(len(m.States)))
	for i := range m.States {
		b = appendPart(b, m.States[i].Append(nil))
	}
	return b
}

func appendPart(b, part []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(part)))
	return append(b, part...)
}

// pieces cuts a body into frames of equal size.
type pieces struct {
	w    *Writer
	held []byte
}

func (p *pieces) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		k := min(len(b), maxPiece-len(p.held))
		p.held = append(p.held, b[:k]...)
		if b = b[k:]; len(p.held) == maxPiece {
			p.flush()
		}
	}
	return n, p.w.err
}

func (p *pieces) flush() {
	if len(p.held) > 0 {
		p.w.frame(frameBody, p.held)
		p.held = p.held[:0]
	}
}
