package spool

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// Visitor is what Scan reports to. Functions may be nil.
type Visitor struct {
	// Message is called for each living message. An error ends the scan.
	Message func(Scanned) error
	// Corrupt is called for each file and stretch that could not be understood.
	Corrupt func(Corruption)
}

// Scanned is one living message found by Scan. It is valid during the call.
type Scanned struct {
	Recovered // without a handle

	Number uint64 // unique in the life of the spool
	File   string // segment that it lies in
	Offset int64  // of its record there

	body io.ReaderAt
	crc  uint32
}

// Body reads the stored bytes.
func (m *Scanned) Body() *io.SectionReader { return io.NewSectionReader(m.body, 0, m.BodySize) }

// Verify reads the body and returns ErrCorrupt when it is not what was committed.
func (m *Scanned) Verify() error {
	var crc uint32
	_, err := copyRange(io.Discard, m.body, 0, m.BodySize, func(p []byte) { crc = crc32.Update(crc, castagnoli, p) })
	if err == nil && crc != m.crc {
		err = ErrCorrupt
	}
	if err != nil {
		return fmt.Errorf("spool: body in %s at %d: %w", m.File, m.Offset, err)
	}
	return nil
}

// Scan reads a spool that no process has open, and changes nothing in it. It
// finds what Recover would find after Open. When a process has it open the
// error is a *LockedError.
func Scan(ctx context.Context, fsys vfs.FS, path string, v Visitor) error {
	lock, err := takeLock(fsys, path)
	if err != nil && !errors.Is(err, syscall.EROFS) { // what cannot be written has no writer
		return err
	}
	if lock != nil {
		defer lock.Close()
	}
	o := &offline{fs: fsys, path: path, v: v}
	segments, err := o.open()
	if err == nil {
		err = o.scan(ctx, segments)
	}
	for _, g := range segments {
		if g.file != nil {
			err = errors.Join(err, g.file.Close())
		}
	}
	if err != nil {
		return fmt.Errorf("spool: scan %s: %w", path, err)
	}
	return nil
}

type offline struct {
	fs   vfs.FS
	path string
	v    Visitor
}

func (o *offline) corrupt(c Corruption) {
	if o.v.Corrupt != nil {
		c.Action = "left"
		o.v.Corrupt(c)
	}
}

func (o *offline) open() ([]*segment, error) {
	names, err := o.fs.List(o.path)
	if err != nil {
		return nil, err
	}
	var segments []*segment
	for _, name := range names {
		slot, ok := parseName(name, segSuffix)
		if !ok {
			continue
		}
		f, err := o.fs.OpenFile(filepath.Join(o.path, name), os.O_RDONLY, 0)
		if err != nil {
			return segments, err
		}
		g, used, err := readHeader(f)
		if err != nil || g.slot != slot {
			size, _ := f.Size() // only for the report
			o.corrupt(Corruption{File: name, Length: size, Err: errHeader})
		}
		if err != nil || g.slot != slot || !used {
			if err := f.Close(); err != nil {
				return segments, err
			}
			continue
		}
		g.file = f
		segments = append(segments, g)
	}
	return segments, nil
}

func (o *offline) scan(ctx context.Context, segments []*segment) error {
	l := newLoader(o.fs, o.path, 1, segments)
	if err := l.readMarks(ctx); err != nil {
		return err
	}
	for _, src := range l.sources {
		for _, d := range src.damage {
			o.corrupt(Corruption{File: src.seg.name(), Offset: d.offset, Length: d.length, Err: ErrCorrupt})
		}
	}
	if o.v.Message == nil {
		return nil
	}
	return l.each(ctx, func(f *found) error { return o.v.Message(f.scanned()) })
}

func (f *found) scanned() Scanned {
	body := f.offset + recordHeader + int64(f.record.envelope)
	m := Scanned{
		Recovered: f.recovered(), Number: f.record.number, File: f.seg.name(), Offset: f.offset,
		body: io.NewSectionReader(f.seg.file, body, int64(f.record.body)), crc: f.record.bodyCRC,
	}
	return m
}
