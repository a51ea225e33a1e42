package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A record is a header of 64 bytes, an envelope and a body, padded to eight
// bytes. The header names the generation and the salt of its segment, so that
// neither what an earlier use of the file left behind, nor bytes that a sender
// put into a message, can pass for a record.
//
//	 0  kind        1
//	 1  reserved    3
//	 4  batch       4   number of the write within the segment
//	 8  generation  8
//	16  salt        8
//	24  number      8   of the message; unused in marks
//	32  origin      8   generation that a message was copied from, or 0
//	40  envelope    4   length
//	44  count       4   entries, or marks
//	48  body        4   length
//	52  checksum    4   of the envelope
//	56  checksum    4   of the body
//	60  checksum    4   of the 60 bytes before
const (
	recordHeader = 64
	recordAlign  = 8

	recordMessage = 1 // envelope and body
	recordMarks   = 2 // the envelope is a list of marks
)

// maxLength is what fits the length fields.
const maxLength = 1<<32 - 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(p []byte) uint32 { return crc32.Checksum(p, castagnoli) }

// identity is what every record of one generation of a segment carries.
type identity struct {
	generation uint64 // never used twice in the life of a spool
	salt       uint64 // random, never leaves the disk
}

// record is the decoded header.
type record struct {
	kind        uint8
	batch       uint32
	number      uint64
	origin      uint64
	count       uint32
	envelope    uint32
	body        uint32
	envelopeCRC uint32
	bodyCRC     uint32
}

// size is what the record takes up in the segment.
func (r *record) size() int64 {
	return align(recordHeader+int64(r.envelope)+int64(r.body), recordAlign)
}

func align(n, to int64) int64 { return (n + to - 1) / to * to }

func (r *record) append(to []byte, id identity) []byte {
	start := len(to)
	le := binary.LittleEndian
	to = append(to, r.kind, 0, 0, 0)
	to = le.AppendUint32(to, r.batch)
	to = le.AppendUint64(to, id.generation)
	to = le.AppendUint64(to, id.salt)
	to = le.AppendUint64(to, r.number)
	to = le.AppendUint64(to, r.origin)
	to = le.AppendUint32(to, r.envelope)
	to = le.AppendUint32(to, r.count)
	to = le.AppendUint32(to, r.body)
	to = le.AppendUint32(to, r.envelopeCRC)
	to = le.AppendUint32(to, r.bodyCRC)
	return le.AppendUint32(to, checksum(to[start:]))
}

var errNotRecord = errors.New("not a record of this segment")

// parseRecord reads a header of the given generation. It looks at the header
// alone; the checksums of what follows are the caller's.
func parseRecord(p []byte, id identity) (record, error) {
	le := binary.LittleEndian
	if len(p) < recordHeader || le.Uint64(p[8:]) != id.generation || le.Uint64(p[16:]) != id.salt {
		return record{}, errNotRecord
	}
	if le.Uint32(p[60:]) != checksum(p[:60]) {
		return record{}, errNotRecord
	}
	r := record{
		kind:        p[0],
		batch:       le.Uint32(p[4:]),
		number:      le.Uint64(p[24:]),
		origin:      le.Uint64(p[32:]),
		envelope:    le.Uint32(p[40:]),
		count:       le.Uint32(p[44:]),
		body:        le.Uint32(p[48:]),
		envelopeCRC: le.Uint32(p[52:]),
		bodyCRC:     le.Uint32(p[56:]),
	}
	if r.kind != recordMessage && r.kind != recordMarks {
		return record{}, errNotRecord
	}
	return r, nil
}
