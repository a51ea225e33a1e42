package spool

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// scanner finds the records of one generation in a segment file.
type scanner struct {
	file io.ReaderAt
	id   identity
	end  int64 // records end here at the latest
	// verify reads bodies and checks them; without it only headers and envelopes
	// are read.
	verify bool

	window []byte // bytes of the file from offset base
	base   int64
	buf    []byte
}

// damage is a stretch in which no record was found.
type damage struct {
	offset, length int64
	// acknowledged: it is not the torn end of a log but had once been synced.
	acknowledged bool

	after int64 // batch of the record before, or -1
}

// judge tells damage from torn writes. A write follows another one only after
// that has been synced. What was damaged is of the same write as the record
// before, or of the next; so if there is a later one than that, it was synced.
func judge(found []damage, last int64) {
	for i := range found {
		found[i].acknowledged = last >= found[i].after+2
	}
}

const (
	scanWindow   = 1 << 20 // with verify
	scanGlance   = 4 << 10 // without
	lookupWindow = 1 << 20
)

// run calls fn for every valid record, in order, and returns the end of the last
// one and the stretches between them that are not records.
func (sc *scanner) run(fn func(r record, off int64, envelope []byte) error) (int64, []damage, error) {
	var found []damage
	at, end, batch := int64(dataStart), int64(dataStart), int64(-1)
	for at < sc.end {
		r, envelope, ok := sc.record(at)
		if !ok {
			next := sc.find(at + recordAlign)
			found = append(found, damage{offset: at, length: next - at, after: batch})
			at = next
			continue
		}
		batch = int64(r.batch)
		if err := fn(r, at, envelope); err != nil {
			return end, found, err
		}
		at += r.size()
		end = at
	}
	judge(found, batch)
	return end, found, nil
}

// record reads and checks the record at off. The envelope is valid until the
// next call.
func (sc *scanner) record(off int64) (record, []byte, bool) {
	head := sc.bytes(off, recordHeader)
	r, err := parseRecord(head, sc.id)
	if err != nil || off+r.size() > sc.end {
		return record{}, nil, false
	}
	p := sc.bytes(off, recordHeader+int64(r.envelope))
	if int64(len(p)) < recordHeader+int64(r.envelope) || checksum(p[recordHeader:]) != r.envelopeCRC {
		return record{}, nil, false
	}
	envelope := p[recordHeader:]
	if r.kind == recordMarks && readMarks(envelope, func(mark) {}) != nil {
		return record{}, nil, false
	}
	if sc.verify && r.body > 0 {
		envelope = bytes.Clone(envelope)
		if !sc.checkBody(off+recordHeader+int64(r.envelope), int64(r.body), r.bodyCRC) {
			return record{}, nil, false
		}
	}
	return r, envelope, true
}

func (sc *scanner) checkBody(off, length int64, want uint32) bool {
	var crc uint32
	for length > 0 {
		p := sc.bytes(off, min(length, scanWindow))
		if len(p) == 0 {
			return false
		}
		crc = crc32.Update(crc, castagnoli, p)
		off += int64(len(p))
		length -= int64(len(p))
	}
	return crc == want
}

// find returns the offset of the next header at or behind off, or the end.
func (sc *scanner) find(off int64) int64 {
	var key [16]byte
	binary.LittleEndian.PutUint64(key[:], sc.id.generation)
	binary.LittleEndian.PutUint64(key[8:], sc.id.salt)
	const keyOffset = 8
	for at := off + keyOffset; at < sc.end; {
		p := sc.bytes(at, min(lookupWindow, sc.end-at))
		i := bytes.Index(p, key[:])
		switch {
		case i >= 0:
			start := at + int64(i) - keyOffset
			if start%recordAlign == 0 {
				if _, _, ok := sc.record(start); ok {
					return start
				}
			}
			at += int64(i) + 1
		case len(p) > len(key): // the key may lie across the end of the window
			at += int64(len(p) - len(key) + 1)
		default: // unreadable, or the end
			at = align(at+1, page)
		}
	}
	return sc.end
}

// bytes returns length bytes from off, fewer at the end of the file or where it
// cannot be read. They are valid until the next call.
func (sc *scanner) bytes(off, length int64) []byte {
	if off >= sc.base && off+length <= sc.base+int64(len(sc.window)) {
		return sc.window[off-sc.base:][:length]
	}
	ahead := int64(scanGlance)
	if sc.verify {
		ahead = scanWindow
	}
	want := max(length, min(ahead, sc.end-off))
	if int64(cap(sc.buf)) < want {
		sc.buf = make([]byte, want)
	}
	n, _ := sc.file.ReadAt(sc.buf[:want], off) // a shorter result says enough
	sc.window, sc.base = sc.buf[:n], off
	return sc.window[:min(int64(n), length)]
}
