package spool

import (
	"cmp"
	"encoding/binary"
	"errors"
)

// A mark is a fact about a message that was learnt after the message was
// written. Marks are collected in records of their own.
type mark struct {
	kind   markKind
	home   uint64 // generation of the segment that the message lies in
	number uint64 // of the message; for a cut the offset
	entry  uint32 // markDone, markState
	stamp  uint64 // markState: the highest one of an entry is its newest state
	state  []byte // markState
}

type markKind uint8

const (
	// markDone: the entry needs no more.
	markDone markKind = 1 + iota
	// markState: what is known of the entry.
	markState
	// markGone: the record of the message in segment home counts no more, because
	// all entries are done or because the message was copied to another segment.
	markGone
	// markCut: what lies in segment home from the offset on was never acknowledged.
	markCut
)

// compareMarks orders by message and entry, an end before states, and states by
// age.
func compareMarks(a, b mark) int {
	return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.entry, b.entry),
		cmp.Compare(a.kind, b.kind), cmp.Compare(a.stamp, b.stamp), cmp.Compare(a.home, b.home))
}

// markWriter appends marks in a form in which neighbours cost few bytes: home,
// number and stamp are differences to the mark before.
type markWriter struct {
	buf   []byte
	count uint32
	last  mark
}

func (w *markWriter) reset(buf []byte) { *w = markWriter{buf: buf} }

func (w *markWriter) add(m mark) {
	w.buf = append(w.buf, byte(m.kind))
	w.buf = binary.AppendVarint(w.buf, int64(m.home-w.last.home))
	w.buf = binary.AppendVarint(w.buf, int64(m.number-w.last.number))
	w.last.home, w.last.number = m.home, m.number
	if m.kind == markDone || m.kind == markState {
		w.buf = binary.AppendUvarint(w.buf, uint64(m.entry))
	}
	if m.kind == markState {
		w.buf = binary.AppendVarint(w.buf, int64(m.stamp-w.last.stamp))
		w.last.stamp = m.stamp
		w.buf = binary.AppendUvarint(w.buf, uint64(len(m.state)))
		w.buf = append(w.buf, m.state...)
	}
	w.count++
}

// maxMark bounds what add appends beside the state.
const maxMark = 1 + 5*binary.MaxVarintLen64

var errMarks = errors.New("malformed marks")

// markReader takes apart what a markWriter wrote. States are slices of data.
type markReader struct {
	data []byte
	last mark
	err  error
}

// next returns false at the end and at the first error, which is then in err.
func (r *markReader) next() (mark, bool) {
	if len(r.data) == 0 || r.err != nil {
		return mark{}, false
	}
	m := mark{kind: markKind(r.data[0])}
	r.data = r.data[1:]
	if m.kind < markDone || m.kind > markCut {
		r.err = errMarks
	}
	m.home = r.last.home + uint64(r.varint())
	m.number = r.last.number + uint64(r.varint())
	m.stamp = r.last.stamp
	if m.kind == markDone || m.kind == markState {
		m.entry = r.entry()
	}
	if m.kind == markState {
		m.stamp += uint64(r.varint())
		m.state = r.bytes()
	}
	r.last = m
	if m.kind != markState {
		m.stamp = 0
	}
	return m, r.err == nil
}

func (r *markReader) varint() int64 {
	v, n := binary.Varint(r.data)
	return v * int64(r.took(n))
}

func (r *markReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.data)
	return v * uint64(r.took(n))
}

// took steps over n bytes and returns 1, or 0 when there was nothing to take.
func (r *markReader) took(n int) int {
	if n <= 0 {
		r.err = errMarks
		return 0
	}
	r.data = r.data[n:]
	return 1
}

func (r *markReader) entry() uint32 {
	v := r.uvarint()
	if v > maxLength {
		r.err = errMarks
	}
	return uint32(v)
}

func (r *markReader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.data)) {
		r.err = errMarks
		return nil
	}
	p := r.data[:n:n]
	r.data = r.data[n:]
	return p
}

// readMarks calls fn for each mark in data.
func readMarks(data []byte, fn func(mark)) error {
	r := markReader{data: data}
	for m, ok := r.next(); ok; m, ok = r.next() {
		fn(m)
	}
	return r.err
}
