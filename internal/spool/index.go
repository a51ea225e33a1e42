package spool

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// The index of a segment is a file beside it with everything that a recovery
// reads, which is all but the bodies: a header, the marks, and the messages with
// their envelopes, both compressed. It is written when the segment is full, and
// never synced: a checksum tells whether it is whole, and one that is not is
// made anew from the segment.
//
//	 0  "PHINDEX1"   8
//	 8  generation   8
//	16  salt         8
//	24  end          8   where the records end
//	32  marks        8   length as stored
//	40  marks        8   length when unpacked
//	48  messages     8   length as stored
//	56  messages     8   number
//	64  checksum     4   of the marks as stored
//	68  checksum     4   of the messages as stored
//	72  checksum     4   of the 72 bytes before
const (
	indexMagic  = "PHINDEX1"
	indexHeader = 76
)

// indexWriter collects the index of one segment in memory.
type indexWriter struct {
	marks    markWriter
	messages bytes.Buffer
	packer   *flate.Writer
	count    uint64
	last     entryKey
	scratch  []byte
}

// entryKey is what the next entry is written relative to.
type entryKey struct {
	number uint64
	offset uint64 // in units of recordAlign
}

// packers are reused: each has tables of a megabyte.
var packers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

func newIndexWriter() *indexWriter {
	w := &indexWriter{packer: packers.Get().(*flate.Writer)}
	w.packer.Reset(&w.messages)
	return w
}

// message adds a message record that lies at off.
func (w *indexWriter) message(r record, off int64, envelope []byte) {
	unit := uint64(off / recordAlign)
	b := binary.AppendVarint(w.scratch[:0], int64(r.number-w.last.number))
	b = binary.AppendVarint(b, int64(unit-w.last.offset))
	w.last = entryKey{r.number, unit}
	b = binary.AppendUvarint(b, r.origin)
	b = binary.AppendUvarint(b, uint64(r.count))
	b = binary.AppendUvarint(b, uint64(r.body))
	b = binary.AppendUvarint(b, uint64(r.bodyCRC))
	b = binary.AppendUvarint(b, uint64(len(envelope)))
	w.scratch = append(b, envelope...)
	_, _ = w.packer.Write(w.scratch) // into memory
	w.count++
}

// record adds a record of any kind. That a message was copied here becomes a
// mark, so that it is known before any message is looked at.
func (w *indexWriter) record(r record, off int64, envelope []byte) error {
	if r.kind == recordMessage {
		w.message(r, off, envelope)
	}
	return recordMarksOf(r, envelope, w.marks.add)
}

// recordMarksOf calls fn for each mark that a record holds or stands for.
func recordMarksOf(r record, envelope []byte, fn func(mark)) error {
	switch {
	case r.kind == recordMarks:
		return readMarks(envelope, fn)
	case r.origin != 0:
		fn(mark{kind: markGone, home: r.origin, number: r.number})
	}
	return nil
}

// bytes returns the index file of the segment whose records end at end. Nothing
// can be added after it.
func (w *indexWriter) bytes(id identity, end int64) []byte {
	_ = w.packer.Close()
	var marks bytes.Buffer
	w.packer.Reset(&marks)
	_, _ = w.packer.Write(w.marks.buf) // into memory
	_ = w.packer.Close()
	packers.Put(w.packer)
	w.packer = nil
	le := binary.LittleEndian
	out := make([]byte, 0, indexHeader+marks.Len()+w.messages.Len())
	out = append(out, indexMagic...)
	out = le.AppendUint64(out, id.generation)
	out = le.AppendUint64(out, id.salt)
	out = le.AppendUint64(out, uint64(end))
	out = le.AppendUint64(out, uint64(marks.Len()))
	out = le.AppendUint64(out, uint64(len(w.marks.buf)))
	out = le.AppendUint64(out, uint64(w.messages.Len()))
	out = le.AppendUint64(out, w.count)
	out = le.AppendUint32(out, checksum(marks.Bytes()))
	out = le.AppendUint32(out, checksum(w.messages.Bytes()))
	out = le.AppendUint32(out, checksum(out))
	out = append(out, marks.Bytes()...)
	return append(out, w.messages.Bytes()...)
}

// index is an index that was found to be whole.
type index struct {
	end      int64
	marks    []byte // unpacked
	messages []byte // as stored
	count    uint64
}

var errIndex = errors.New("bad index")

// parseIndex checks and takes apart an index file of the given generation.
func parseIndex(data []byte, id identity) (*index, error) {
	le := binary.LittleEndian
	if len(data) < indexHeader || string(data[:8]) != indexMagic || le.Uint32(data[72:]) != checksum(data[:72]) ||
		le.Uint64(data[8:]) != id.generation || le.Uint64(data[16:]) != id.salt {
		return nil, errIndex
	}
	stored, unpacked, packed := le.Uint64(data[32:]), le.Uint64(data[40:]), le.Uint64(data[48:])
	rest := uint64(len(data) - indexHeader)
	if stored > rest || packed != rest-stored {
		return nil, errIndex
	}
	marks, messages := data[indexHeader:][:stored], data[indexHeader+stored:]
	if le.Uint32(data[64:]) != checksum(marks) || le.Uint32(data[68:]) != checksum(messages) {
		return nil, errIndex
	}
	x := &index{end: int64(le.Uint64(data[24:])), messages: messages, count: le.Uint64(data[56:])}
	var err error
	x.marks, err = unpack(marks, unpacked)
	return x, err
}

// unpack inflates to exactly size bytes.
func unpack(p []byte, size uint64) ([]byte, error) {
	// The length is covered by a checksum, but one byte of input never makes
	// more than 1032 of output, so a larger one is not believed.
	if size > uint64(len(p))*1032 {
		return nil, errIndex
	}
	out := make([]byte, size)
	if _, err := io.ReadFull(flate.NewReader(bytes.NewReader(p)), out); err != nil {
		return nil, fmt.Errorf("%w: %w", errIndex, err)
	}
	return out, nil
}

// each calls fn for each message. The envelope is valid during the call.
func (x *index) each(fn func(r record, off int64, envelope []byte) error) error {
	in := &entryReader{r: flate.NewReader(bytes.NewReader(x.messages)), room: make([]byte, 0, entryAhead)}
	for range x.count {
		r, off := in.entry()
		envelope := in.bytes(uint64(r.envelope))
		if in.err != nil {
			return fmt.Errorf("%w: %w", errIndex, in.err)
		}
		r.envelopeCRC = checksum(envelope)
		if err := fn(r, off, envelope); err != nil {
			return err
		}
	}
	return nil
}

const entryAhead = 64 << 10

// entryReader reads entries from a stream through a buffer that it keeps.
type entryReader struct {
	r    io.Reader
	room []byte // what buf is a part of
	buf  []byte // what was read ahead and not used
	last entryKey
	err  error
}

func (in *entryReader) entry() (record, int64) {
	r := record{kind: recordMessage}
	in.last.number += uint64(in.varint())
	in.last.offset += uint64(in.varint())
	r.number = in.last.number
	r.origin = in.uvarint()
	r.count = uint32(in.uvarint())
	r.body = uint32(in.uvarint())
	r.bodyCRC = uint32(in.uvarint())
	r.envelope = uint32(in.uvarint())
	return r, int64(in.last.offset) * recordAlign
}

func (in *entryReader) varint() int64 {
	in.fill(binary.MaxVarintLen64)
	v, n := binary.Varint(in.buf)
	in.skip(n)
	return v
}

func (in *entryReader) uvarint() uint64 {
	in.fill(binary.MaxVarintLen64)
	v, n := binary.Uvarint(in.buf)
	in.skip(n)
	return v
}

func (in *entryReader) skip(n int) {
	if n <= 0 && in.err == nil {
		in.err = io.ErrUnexpectedEOF
	}
	in.buf = in.buf[max(n, 0):]
}

func (in *entryReader) bytes(n uint64) []byte {
	in.fill(int(n))
	if uint64(len(in.buf)) < n {
		if in.err == nil {
			in.err = io.ErrUnexpectedEOF
		}
		return nil
	}
	p := in.buf[:n:n]
	in.buf = in.buf[n:]
	return p
}

// fill reads ahead until n bytes are there or the stream ends. What was handed
// out before is overwritten.
func (in *entryReader) fill(n int) {
	if len(in.buf) >= n || in.r == nil {
		return
	}
	buf := append(in.room[:0], in.buf...)
	for len(buf) < n && in.r != nil {
		// A length that is not true must not cost memory, so that is taken in
		// steps, as the stream proves it.
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, entryAhead)
		}
		m, err := in.r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+m]
		if err != nil {
			in.r = nil
			if err != io.EOF && in.err == nil {
				in.err = err
			}
		}
	}
	in.buf, in.room = buf, buf
}

// loadIndex reads the index file of g.
func loadIndex(fsys vfs.FS, dir string, g *segment) (*index, error) {
	data, err := vfs.ReadFile(fsys, filepath.Join(dir, indexName(g.slot)))
	if err != nil {
		return nil, err
	}
	return parseIndex(data, g.identity)
}

// storeIndex writes an index file. It appears whole or not at all, except after
// a crash, which its checksums show.
func storeIndex(fsys vfs.FS, dir string, slot uint32, data []byte) error {
	name := filepath.Join(dir, indexName(slot))
	f, err := fsys.OpenFile(name+newSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err = errors.Join(err, f.Close()); err == nil {
		err = fsys.Rename(name+newSuffix, name)
	}
	if err != nil {
		return errors.Join(err, fsys.Remove(name+newSuffix))
	}
	return nil
}
