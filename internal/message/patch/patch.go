// Package patch keeps edits of a message apart from its bytes: what is to be
// replaced where. Applying them copies nothing but the replacements, and every
// byte that no edit names comes out as it went in, so that signatures over it
// survive.
//
// Offsets are those of the original, whatever was edited before. An edit that
// lies within an earlier one replaces it; edits that touch stay side by side.
package patch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
)

// ErrRange says that an edit does not fit: it ends beyond the original, or cuts
// into an earlier edit without covering it.
var ErrRange = errors.New("patch: edit out of range")

// ErrFormat says that the bytes given to Decode are no patch.
var ErrFormat = errors.New("patch: malformed")

// Patch is a list of edits. The zero Patch changes nothing. It is not safe for
// concurrent use while it is edited, and safe to apply by many.
type Patch struct{ edits []edit }

// edit replaces count bytes of the original from start by data.
type edit struct {
	start, count int64
	data         []byte
}

// Len returns the number of edits.
func (p *Patch) Len() int { return len(p.edits) }

// Clone returns a copy that shares only the replacements, which never change.
func (p *Patch) Clone() Patch { return Patch{slices.Clone(p.edits)} }

// Replace replaces count bytes from start by data, which is kept. With a count
// of zero it inserts, behind what was inserted there before.
func (p *Patch) Replace(start, count int64, data []byte) error {
	return p.add(start, count, data, false)
}

// InsertBefore inserts data at start, in front of what was inserted there
// before.
func (p *Patch) InsertBefore(start int64, data []byte) error {
	return p.add(start, 0, data, true)
}

func (p *Patch) add(start, count int64, data []byte, before bool) error {
	if start < 0 || count < 0 {
		return ErrRange
	}
	end := start + count
	// from is the first edit that is not wholly in front of the new one, to the
	// first that is wholly behind it.
	from := sort.Search(len(p.edits), func(i int) bool { return p.edits[i].behind(start, count, before) })
	to := from
	for to < len(p.edits) && p.edits[to].start < end {
		if e := p.edits[to]; e.start < start || e.start+e.count > end {
			return fmt.Errorf("%w: %d+%d cuts into %d+%d", ErrRange, start, count, e.start, e.count)
		}
		to++
	}
	p.edits = slices.Replace(p.edits, from, to, edit{start, count, data})
	return nil
}

// behind reports whether e does not lie wholly in front of an edit of count
// bytes at start.
func (e *edit) behind(start, count int64, before bool) bool {
	end := e.start + e.count
	switch {
	case end > start:
		return true
	case end < start:
		return false
	case e.count > 0 || e.start < start:
		return false // ends where the new one begins
	}
	return before || count > 0 && e.start > start // insertions at the same place
}

// Each walks the edits from front to back. The data must not be changed.
func (p *Patch) Each(visit func(start, count int64, data []byte)) {
	for _, e := range p.edits {
		visit(e.start, e.count, e.data)
	}
}

// Covers reports whether one edit replaces all of count bytes from start, or with
// a count of zero, what stands on both sides of start.
func (p *Patch) Covers(start, count int64) bool {
	i := sort.Search(len(p.edits), func(i int) bool { return p.edits[i].start+p.edits[i].count > start })
	if i == len(p.edits) {
		return false
	}
	e := p.edits[i]
	return e.start <= start && start+count <= e.start+e.count && (count > 0 || e.start < start)
}

// Size returns the size of a patched original of size bytes.
func (p *Patch) Size(size int64) int64 {
	for _, e := range p.edits {
		size += int64(len(e.data)) - e.count
	}
	return size
}

// Append appends the binary form of p: what Decode reads.
func (p *Patch) Append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(p.edits)))
	at := int64(0)
	for _, e := range p.edits {
		b = binary.AppendUvarint(b, uint64(e.start-at))
		b = binary.AppendUvarint(b, uint64(e.count))
		b = binary.AppendUvarint(b, uint64(len(e.data)))
		b = append(b, e.data...)
		at = e.start + e.count
	}
	return b
}

// Decode reads what Append wrote. The patch keeps b.
func Decode(b []byte) (*Patch, error) {
	n, b, err := uvarint(b)
	if err != nil || n > uint64(len(b)) {
		return nil, ErrFormat
	}
	p := &Patch{edits: make([]edit, 0, min(n, 64))}
	at := int64(0)
	for range n {
		var e edit
		if e, b, err = decodeEdit(b, at); err != nil {
			return nil, err
		}
		at = e.start + e.count
		p.edits = append(p.edits, e)
	}
	if len(b) > 0 {
		return nil, ErrFormat
	}
	return p, nil
}

// maxOffset keeps sums of offsets from overflowing.
const maxOffset = 1 << 60

func decodeEdit(b []byte, at int64) (e edit, rest []byte, err error) {
	var fields [3]uint64
	for i := range fields {
		if fields[i], b, err = uvarint(b); err != nil || fields[i] > maxOffset {
			return e, nil, ErrFormat
		}
	}
	e.start, e.count = at+int64(fields[0]), int64(fields[1])
	if e.start+e.count > maxOffset || fields[2] > uint64(len(b)) {
		return e, nil, ErrFormat
	}
	e.data = b[:fields[2]:fields[2]]
	return e, b[fields[2]:], nil
}

func uvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, ErrFormat
	}
	return v, b[n:], nil
}

// Source is an original that can be read at any place.
type Source interface {
	io.ReaderAt
	Size() int64
}

// Apply returns a view of the original with the edits made. It fails when an
// edit lies beyond the end of the original.
func (p *Patch) Apply(original Source) (*View, error) {
	size := original.Size()
	if n := len(p.edits); n > 0 && p.edits[n-1].start+p.edits[n-1].count > size {
		return nil, fmt.Errorf("%w: the original has %d bytes", ErrRange, size)
	}
	v := &View{original: original, size: p.Size(size)}
	at := int64(0) // in the original
	for _, e := range p.edits {
		v.keep(at, e.start-at)
		v.put(e.data)
		at = e.start + e.count
	}
	v.keep(at, size-at)
	return v, nil
}

// View is a patched original: a list of stretches. It is safe for concurrent
// use if the original is.
type View struct {
	original Source
	size     int64
	pieces   []piece
}

// piece is a stretch of the view: of the original, or of data if that is not
// nil.
type piece struct {
	at   int64 // in the view
	from int64 // in the original
	size int64
	data []byte
}

func (v *View) keep(from, size int64) {
	if size > 0 {
		v.pieces = append(v.pieces, piece{at: v.end(), from: from, size: size})
	}
}

func (v *View) put(data []byte) {
	if len(data) > 0 {
		v.pieces = append(v.pieces, piece{at: v.end(), size: int64(len(data)), data: data})
	}
}

func (v *View) end() int64 {
	if n := len(v.pieces); n > 0 {
		return v.pieces[n-1].at + v.pieces[n-1].size
	}
	return 0
}

// Size returns the number of bytes.
func (v *View) Size() int64 { return v.size }

// ReadAt reads from any place.
func (v *View) ReadAt(b []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, ErrRange
	}
	i := sort.Search(len(v.pieces), func(i int) bool { return v.pieces[i].at+v.pieces[i].size > off })
	for ; i < len(v.pieces) && n < len(b); i++ {
		p := &v.pieces[i]
		skip := off + int64(n) - p.at
		part := b[n:min(int64(len(b)), int64(n)+p.size-skip)]
		if p.data != nil {
			n += copy(part, p.data[skip:])
			continue
		}
		m, err := v.original.ReadAt(part, p.from+skip)
		n += m
		if m < len(part) {
			return n, fmt.Errorf("patch: original: %w", orUnexpected(err))
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// WriteTo writes everything.
func (v *View) WriteTo(w io.Writer) (written int64, err error) {
	for i := range v.pieces {
		p := &v.pieces[i]
		var n int64
		if p.data != nil {
			m, e := w.Write(p.data)
			n, err = int64(m), e
		} else {
			n, err = io.Copy(w, io.NewSectionReader(v.original, p.from, p.size))
			if err == nil && n < p.size {
				err = io.ErrUnexpectedEOF
			}
		}
		written += n
		if err != nil {
			return written, fmt.Errorf("patch: %w", err)
		}
	}
	return written, nil
}

func orUnexpected(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
