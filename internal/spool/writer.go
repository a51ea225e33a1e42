package spool

import (
	"io"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

var zeros [page]byte

// keepArena is how much of the memory for small pieces is kept for the next
// write: enough for thousands of messages, less than one with many recipients.
const keepArena = 2 << 20

// writer puts records one behind the other into a segment. Small pieces are
// copied together, bodies are referred to, and all of it leaves in one write.
type writer struct {
	file  vfs.File
	id    identity
	batch uint32
	start int64 // where the first of bufs goes
	end   int64 // where the next record goes

	bufs  [][]byte
	arena []byte // small pieces; those since piece are not in bufs yet
	piece int
}

// begin starts a write at the tail of g. The first write into a segment starts
// with its header, which from then on says that the segment is used.
func (w *writer) begin(g *segment) {
	if cap(w.arena) > keepArena {
		w.arena = nil
	}
	*w = writer{
		file: g.file, id: g.identity, batch: g.batch,
		start: g.tail, end: g.tail,
		bufs: w.bufs[:0], arena: w.arena[:0],
	}
	if g.tail == dataStart {
		w.start = 0
		w.arena = g.appendHeader(w.arena, flagUsed)
		w.arena = append(w.arena, zeros[:dataStart-len(w.arena)]...)
	}
}

// record appends a record. body may be nil.
func (w *writer) record(r record, envelope []byte, body *content) error {
	r.batch = w.batch
	w.arena = r.append(w.arena, w.id)
	w.arena = append(w.arena, envelope...)
	if body != nil {
		if err := w.body(body, w.end+recordHeader+int64(len(envelope))); err != nil {
			return err
		}
	}
	w.pad(r)
	return nil
}

// markRecord appends a record with all marks in m, if there are any.
func (w *writer) markRecord(m *markWriter) {
	if m.count == 0 {
		return
	}
	r := record{kind: recordMarks, count: m.count, envelope: uint32(len(m.buf)), envelopeCRC: checksum(m.buf)}
	_ = w.record(r, m.buf, nil) // without a body nothing is written yet
}

// raw appends a record whose envelope and body lie one behind the other.
func (w *writer) raw(r record, data []byte) {
	r.batch = w.batch
	w.arena = r.append(w.arena, w.id)
	w.refer(data)
	w.pad(r)
}

func (w *writer) pad(r record) {
	size := r.size()
	w.arena = append(w.arena, zeros[:size-recordHeader-int64(r.envelope)-int64(r.body)]...)
	w.end += size
}

// refer appends p without copying it; p stays as it is until flush.
func (w *writer) refer(p []byte) {
	w.closePiece()
	w.bufs = append(w.bufs, p)
}

func (w *writer) closePiece() {
	if w.piece < len(w.arena) {
		w.bufs = append(w.bufs, w.arena[w.piece:])
		w.piece = len(w.arena)
	}
}

// body appends the bytes of c, which go to offset off.
func (w *writer) body(c *content, off int64) error {
	if c.spilled > 0 {
		if err := w.write(off); err != nil {
			return err
		}
		to := &offsetWriter{file: w.file, off: off}
		if _, err := copyRange(to, c.file, 0, c.spilled, nil); err != nil {
			return err
		}
		w.start = to.off
	}
	for _, chunk := range c.chunks {
		w.refer(chunk)
	}
	return nil
}

// write sends out everything before offset off.
func (w *writer) write(off int64) error {
	w.closePiece()
	n, err := w.file.WriteV(w.bufs, w.start)
	if err == nil && n != off-w.start {
		err = io.ErrShortWrite
	}
	clear(w.bufs)
	w.bufs, w.start = w.bufs[:0], off
	return err
}

// flush sends out the rest, filled up with zeros to the end of the page, as far
// as limit: the kernel need not read the page before it changes part of it, and
// the zeros end the log. The next write overwrites them.
func (w *writer) flush(limit int64) error {
	to := min(align(w.end, page), limit)
	w.arena = append(w.arena, zeros[:to-w.end]...)
	return w.write(to)
}

// offsetWriter writes to a file from an offset on.
type offsetWriter struct {
	file vfs.File
	off  int64
}

func (o *offsetWriter) Write(p []byte) (int, error) {
	n, err := o.file.WriteAt(p, o.off)
	o.off += int64(n)
	return n, err
}
