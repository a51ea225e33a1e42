// Package archive is the portable form of queued messages: what `ctl queue
// export` writes and `ctl queue import` takes, on any host and with any version
// of the program that knows the format's version.
//
// An archive is a stream that can be written and read without seeking and
// without holding more than a piece of a message in memory:
//
//	magic    "PHQUEUE" and the format's version, 8 bytes
//	message  any number of times:
//	         M frame   envelope, and what has become of each recipient
//	         B frames  the body in pieces
//	         E frame   the body's length; or an X frame, see below
//	Z frame  number of messages
//
//	frame    type, 1 byte · length of the payload, 4 bytes little endian ·
//	         payload · CRC32C of all that, 4 bytes little endian
//
// Archives may be joined by joining their bytes. A reader passes over frames
// with a type in lower case that it does not know, and over bytes that follow
// the known ones in an M frame; anything else unknown stops it. The missing of
// the Z frame shows that an archive was cut short; messages before the cut are
// whole. An X frame in the place of E says that the body could not be read to
// its end when the archive was written, and that the message must not be used.
package archive

import (
	"errors"
	"hash/crc32"

	"github.com/posthaste-mta/posthaste/internal/envelope"
)

// Suffix is the end of the names of archive files.
const Suffix = ".phqueue"

const magic = "PHQUEUE\x01"

// Types of frame.
const (
	frameMessage   = 'M'
	frameBody      = 'B'
	frameEnd       = 'E'
	frameAbandoned = 'X'
	frameTrailer   = 'Z'
)

const (
	frameHead = 5 // type and length
	maxPiece  = 64 << 10
	// maxFrame bounds what a frame may claim. An envelope takes some 60 bytes
	// for each recipient, so this is far beyond what any message needs.
	maxFrame = 64 << 20
)

// Errors of reading. All of them are wrapped with the place where they occurred.
var (
	ErrFormat    = errors.New("not an archive of queued messages, or damaged")
	ErrVersion   = errors.New("written by a newer version of the program")
	ErrTruncated = errors.New("cut short")
	// ErrAbandoned is returned for a single message; the next one can be read.
	ErrAbandoned = errors.New("body was unreadable when the archive was written")
)

// Message is a message and what has become of its recipients so far.
type Message struct {
	Envelope *envelope.Message
	States   []envelope.State // of Envelope.Recipients, in the same order
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
