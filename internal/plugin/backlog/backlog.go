// Package backlog is a queue of texts on disk, first in, first out, for who hands
// them on later: a dead receiver fills a bounded part of the disk and nothing else.
//
// A Log is a folder of segments, files named by their number that hold records
// (a length, a checksum and the text), and a file that says how far the reader is.
// Append returns when the record is on disk; appends that wait at the same time
// share one sync. The reader takes records without removing them (Peek) and removes
// them when they have arrived (Advance); a segment that is read to its end is
// deleted. After a crash everything that was appended and not removed is there. What
// was removed shortly before may come again, because that is not synced.
package backlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
)

// Options bound a Log.
type Options struct {
	// MaxBytes is how much may wait; appends beyond it fail with ErrFull.
	MaxBytes int64
	// SegmentBytes is how large a segment grows; 0 stands for 16 MiB.
	SegmentBytes int64
	// NoSync leaves it to the system when appends reach the disk.
	NoSync bool
}

const defaultSegment = 16 << 20

// Errors of appends.
var (
	ErrFull   = errors.New("backlog: full")
	ErrClosed = errors.New("backlog: closed")
)

// Log is a queue on disk. It is safe for concurrent use, by one reader at a time.
// Locks are taken in the order syncing, mu.
type Log struct {
	dir  string
	o    Options
	more chan struct{} // holds one when something was appended

	mu       sync.Mutex
	segments []*segment // the first is read, the last written
	read     place
	mark     *mark
	waiting  int   // records behind read
	bytes    int64 // of these, with their headers
	appended int64 // records since the start
	closed   bool

	syncing sync.Mutex
	synced  int64 // of the records appended, how many are on disk
}

// segment is one file.
type segment struct {
	number uint64
	file   *os.File
	size   int64
}

// place is where a record begins.
type place struct {
	number uint64
	offset int64
}

const headerSize = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Append puts a text at the end.
func (l *Log) Append(text string) error {
	count, err := l.write(text)
	if err == nil && !l.o.NoSync {
		err = l.sync(count)
	}
	return err
}

func (l *Log) write(text string) (count int64, err error) {
	record := make([]byte, headerSize, headerSize+len(text))
	binary.LittleEndian.PutUint32(record, uint32(len(text)))
	record = append(record, text...)
	binary.LittleEndian.PutUint32(record[4:], crc32.Update(crc32.Checksum(record[:4], castagnoli), castagnoli, record[headerSize:]))
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return 0, ErrClosed
	case l.bytes+int64(len(record)) > l.o.MaxBytes:
		return 0, ErrFull
	}
	s := l.segments[len(l.segments)-1]
	if s.size > 0 && s.size+int64(len(record)) > l.o.SegmentBytes {
		if s, err = l.growLocked(s); err != nil {
			return 0, err
		}
	}
	if n, err := s.file.WriteAt(record, s.size); err != nil {
		if n > 0 {
			err = errors.Join(err, s.file.Truncate(s.size))
		}
		return 0, fmt.Errorf("backlog: %w", err)
	}
	s.size += int64(len(record))
	l.waiting++
	l.bytes += int64(len(record))
	l.appended++
	select {
	case l.more <- struct{}{}:
	default:
	}
	return l.appended, nil
}

// growLocked begins the next segment. The one before it is synced first, so that
// only the last can end in the middle of a record.
func (l *Log) growLocked(last *segment) (*segment, error) {
	if !l.o.NoSync {
		if err := last.file.Sync(); err != nil {
			return nil, fmt.Errorf("backlog: %w", err)
		}
	}
	s, err := openSegment(l.dir, last.number+1)
	if err != nil {
		return nil, err
	}
	if !l.o.NoSync {
		if err := syncFolder(l.dir); err != nil {
			s.file.Close()
			return nil, err
		}
	}
	l.segments = append(l.segments, s)
	return s, nil
}

// sync returns when as many records are on disk. Those who wait for their turn
// find that the one before them did their work.
func (l *Log) sync(count int64) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if l.synced >= count {
		return nil
	}
	l.mu.Lock()
	upTo, closed := l.appended, l.closed
	f := l.segments[len(l.segments)-1].file
	l.mu.Unlock()
	if closed {
		return nil // Close has synced
	}
	// A file that is closed by now was synced when the one behind it began.
	if err := f.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("backlog: %w", err)
	}
	l.synced = upTo
	return nil
}

// More returns a channel that yields something after an Append; it stays the same.
func (l *Log) More() <-chan struct{} { return l.more }

// Len returns how many records wait, and their bytes on disk.
func (l *Log) Len() (records int, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting, l.bytes
}

// Batch is what Peek has found: texts that still wait.
type Batch struct {
	Texts []string
	end   place
	bytes int64
}

// Peek returns the next records, at most count of them and, beyond the first, at
// most size bytes. A damaged record ends its segment: what is behind it in there
// cannot be found, and the error says so once.
func (l *Log) Peek(count int, size int64) (Batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := Batch{end: l.read}
	i := 0
	for len(b.Texts) < count && i < len(l.segments) {
		s := l.segments[i]
		if b.end.number != s.number {
			b.end = place{s.number, 0}
		}
		text, n, err := readRecord(s, b.end.offset)
		switch {
		case n == 0 && err == nil: // the end of the segment
			i++
		case err != nil && len(b.Texts) > 0:
			return b, nil // the next Peek begins with it
		case err != nil:
			l.skipLocked(s, b.end.offset)
			return Batch{end: l.read}, fmt.Errorf("backlog: %s: %w", s.file.Name(), err)
		case len(b.Texts) > 0 && b.bytes+n > size:
			return b, nil
		default:
			b.Texts = append(b.Texts, text)
			b.end.offset += n
			b.bytes += n
		}
	}
	return b, nil
}

// Advance removes what Peek has returned last.
func (l *Log) Advance(b Batch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.read = b.end
	l.waiting -= len(b.Texts)
	l.bytes -= b.bytes
	return l.settleLocked()
}

// Clear removes everything that waits.
func (l *Log) Clear() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	last := l.segments[len(l.segments)-1]
	l.read = place{last.number, last.size}
	l.waiting, l.bytes = 0, 0
	return l.settleLocked()
}

// settleLocked writes down how far the reader is and deletes what he is through
// with.
func (l *Log) settleLocked() error {
	for len(l.segments) > 1 && (l.segments[0].number < l.read.number || l.read.offset >= l.segments[0].size) {
		s := l.segments[0]
		l.segments = l.segments[1:]
		if l.read.number <= s.number {
			l.read = place{l.segments[0].number, 0}
		}
		s.file.Close()
		if err := os.Remove(s.file.Name()); err != nil {
			return fmt.Errorf("backlog: %w", err)
		}
	}
	return l.mark.write(l.read)
}

// skipLocked gives up what is behind a damaged record of a segment.
func (l *Log) skipLocked(s *segment, offset int64) {
	l.read = place{s.number, s.size}
	l.bytes -= s.size - offset
	l.waiting = 0
	for _, other := range l.segments {
		if other.number > s.number {
			n, _ := count(other, 0)
			l.waiting += n
		}
	}
	_ = l.settleLocked() // the damage is what to tell
}

// Close syncs what was appended and closes the files.
func (l *Log) Close() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	err := l.segments[len(l.segments)-1].file.Sync()
	for _, s := range l.segments {
		err = errors.Join(err, s.file.Close())
	}
	return errors.Join(err, l.mark.close())
}

func openSegment(dir string, number uint64) (*segment, error) {
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%016x%s", number, suffix)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("backlog: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("backlog: %w", err)
	}
	return &segment{number: number, file: f, size: info.Size()}, nil
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("backlog: %w", err)
	}
	return nil
}
