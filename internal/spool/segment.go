package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// A segment file starts with a page that holds the header, goes on with records
// and ends with a second copy of the header in its last sector.
//
//	 0  "PHSPOOL1"  8
//	 8  slot        4
//	12  flags       4
//	16  generation  8
//	24  salt        8
//	32  size        8
//	40  checksum    4   of the 40 bytes before
const (
	segmentMagic = "PHSPOOL1"
	headerSize   = 44
	sector       = 512
	page         = 4096
	dataStart    = page

	maxSlots = 1 << 22 // far beyond what file systems take; bounds the table of slots

	flagUsed   = 1 << 0 // something was written behind the header
	flagSingle = 1 << 1 // made for one large message
)

// segment is one generation of one segment file. A file that is used again
// gets a new segment.
type segment struct {
	identity
	slot   uint32
	size   int64
	single bool
	file   vfs.File // nil: opened for each use, as those of large messages are

	// These belong to the committer while the segment is active.
	tail  int64 // where the next record goes; everything before is synced
	batch uint32

	// Guarded by Store.mu.
	phase    phase
	turn     uint64              // order in which segments were taken into use
	alive    int                 // messages with entries that are not done
	bytes    int64               // of records of those
	unmarked int                 // messages that are done, but their marks are not on disk yet
	readers  int                 // bodies open
	refs     map[uint64]struct{} // generations that marks in here speak of, and that still exist
	held     bool                // holds something that must not be overwritten
	indexed  bool                // has an index file
}

// phase is where a segment stands in its life.
type phase uint8

const (
	phaseInherited phase = iota // found at Open, not read yet
	phaseSpare                  // has its header, nothing else
	phaseActive                 // is appended to
	phaseSealed                 // full, read only
	phasePoisoned               // a write failed; read only, its file is not used again
	phaseDrained                // nothing in it is needed
	phaseStuck                  // could neither be overwritten nor removed
)

// dataEnd is where records must end.
func (g *segment) dataEnd() int64 { return g.size - sector }

func (g *segment) name() string { return segmentName(g.slot) }

func segmentName(slot uint32) string { return fmt.Sprintf("%08x.seg", slot) }
func indexName(slot uint32) string   { return fmt.Sprintf("%08x.idx", slot) }

// parseName tells which slot a file name means.
func parseName(name, suffix string) (uint32, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 8 {
		return 0, false
	}
	slot, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || slot >= maxSlots || strings.ToLower(digits) != digits {
		return 0, false
	}
	return uint32(slot), true
}

func (g *segment) appendHeader(to []byte, flags uint32) []byte {
	start := len(to)
	le := binary.LittleEndian
	if g.single {
		flags |= flagSingle
	}
	to = append(to, segmentMagic...)
	to = le.AppendUint32(to, g.slot)
	to = le.AppendUint32(to, flags)
	to = le.AppendUint64(to, g.generation)
	to = le.AppendUint64(to, g.salt)
	to = le.AppendUint64(to, uint64(g.size))
	return le.AppendUint32(to, checksum(to[start:]))
}

var errHeader = errors.New("bad segment header")

// parseHeader reads what appendHeader wrote.
func parseHeader(p []byte, fileSize int64) (*segment, uint32, error) {
	le := binary.LittleEndian
	if len(p) < headerSize || string(p[:8]) != segmentMagic || le.Uint32(p[40:]) != checksum(p[:40]) {
		return nil, 0, errHeader
	}
	g := &segment{
		identity: identity{generation: le.Uint64(p[16:]), salt: le.Uint64(p[24:])},
		slot:     le.Uint32(p[8:]),
		size:     int64(le.Uint64(p[32:])),
	}
	flags := le.Uint32(p[12:])
	g.single = flags&flagSingle != 0
	if g.size != fileSize || g.size < dataStart+sector {
		return nil, 0, errHeader
	}
	return g, flags, nil
}

// writeHeaders puts both copies in place. They are not synced.
func (g *segment) writeHeaders(f vfs.File, flags uint32) error {
	head := make([]byte, sector)
	g.appendHeader(head[:0], flags)
	if _, err := f.WriteAt(head, 0); err != nil {
		return err
	}
	_, err := f.WriteAt(head, g.dataEnd())
	return err
}

// readHeader tells what generation an existing file holds, and whether
// anything was written into it. With a bad first header the second one counts.
func readHeader(f vfs.File) (g *segment, used bool, err error) {
	size, err := f.Size()
	if err != nil {
		return nil, false, err
	}
	var head [headerSize]byte
	if _, err := f.ReadAt(head[:], 0); err == nil {
		if g, flags, err := parseHeader(head[:], size); err == nil {
			return g, flags&flagUsed != 0, nil
		}
	}
	if _, err := f.ReadAt(head[:], max(0, size-sector)); err != nil {
		return nil, false, errHeader
	}
	g, _, err = parseHeader(head[:], size)
	return g, true, err
}

// access returns the file to read from and what to call when done with it.
func (g *segment) access(fsys vfs.FS, dir string) (vfs.File, func() error, error) {
	if g.file != nil {
		return g.file, func() error { return nil }, nil
	}
	f, err := fsys.OpenFile(filepath.Join(dir, g.name()), os.O_RDONLY, 0)
	if err != nil {
		return nil, nil, err
	}
	return f, f.Close, nil
}
