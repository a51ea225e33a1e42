package backlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	suffix   = ".backlog"
	markName = "position"
	// foreign is a file that jlog queues have.
	foreign = "metastore"
)

var errDamaged = errors.New("a record is damaged; what is behind it in this file is lost")

// Open opens the queue in a folder, which it makes if there is none. Another
// process that has it open is an error.
func Open(dir string, o Options) (*Log, error) {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = defaultSegment
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("backlog: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, foreign)); err == nil {
		return nil, fmt.Errorf("backlog: %s is a jlog queue of another program: let that empty it, and name another folder", dir)
	}
	l := &Log{dir: dir, o: o, more: make(chan struct{}, 1)}
	if err := l.open(); err != nil {
		for _, s := range l.segments {
			s.file.Close()
		}
		if l.mark != nil {
			_ = l.mark.close()
		}
		return nil, err
	}
	if l.waiting > 0 {
		l.more <- struct{}{}
	}
	return l, nil
}

func (l *Log) open() (err error) {
	if l.mark, err = openMark(l.dir); err != nil {
		return err
	}
	numbers, err := segmentNumbers(l.dir)
	if err != nil {
		return err
	}
	if len(numbers) == 0 {
		numbers = []uint64{max(l.mark.read.number, 1)}
	}
	for _, n := range numbers {
		s, err := openSegment(l.dir, n)
		if err != nil {
			return err
		}
		l.segments = append(l.segments, s)
	}
	l.read = l.mark.read
	if first := l.segments[0]; l.read.number < first.number {
		l.read = place{first.number, 0}
	}
	if err := l.cutTail(); err != nil {
		return err
	}
	for _, s := range l.segments {
		from := int64(0)
		switch {
		case s.number < l.read.number:
			continue
		case s.number == l.read.number:
			from = min(l.read.offset, s.size)
			l.read.offset = from
		}
		n, _ := count(s, from) // damage is found by the reader
		l.waiting += n
		l.bytes += s.size - from
	}
	return l.settleLocked()
}

// cutTail drops the part of a record that a crash has left at the end.
func (l *Log) cutTail() error {
	last := l.segments[len(l.segments)-1]
	from := int64(0)
	if last.number == l.read.number {
		from = min(l.read.offset, last.size)
	}
	_, end := count(last, from)
	if end == last.size {
		return nil
	}
	last.size = end
	if err := last.file.Truncate(end); err != nil {
		return fmt.Errorf("backlog: %w", err)
	}
	return nil
}

// count returns how many whole records stand in a segment from an offset on, and
// where the last of them ends.
func count(s *segment, offset int64) (n int, end int64) {
	for {
		_, size, err := readRecord(s, offset)
		if size == 0 || err != nil {
			return n, offset
		}
		offset += size
		n++
	}
}

// readRecord reads the record at an offset; its size is 0 at the end.
func readRecord(s *segment, offset int64) (text string, size int64, err error) {
	if offset >= s.size {
		return "", 0, nil
	}
	var header [headerSize]byte
	if s.size-offset < headerSize {
		return "", headerSize, errDamaged
	}
	if _, err := s.file.ReadAt(header[:], offset); err != nil {
		return "", headerSize, err
	}
	length := int64(binary.LittleEndian.Uint32(header[:]))
	if length > s.size-offset-headerSize {
		return "", headerSize, errDamaged
	}
	body := make([]byte, length)
	if _, err := s.file.ReadAt(body, offset+headerSize); err != nil {
		return "", headerSize, err
	}
	if crc32.Update(crc32.Checksum(header[:4], castagnoli), castagnoli, body) != binary.LittleEndian.Uint32(header[4:]) {
		return "", headerSize, errDamaged
	}
	return string(body), headerSize + length, nil
}

func segmentNumbers(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("backlog: %w", err)
	}
	var numbers []uint64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if n, err := strconv.ParseUint(name, 16, 64); ok && err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// mark is the file that says how far the reader is: two slots, written in turns,
// so that a torn write leaves the other. It also is the lock of the queue.
type mark struct {
	file *os.File
	turn uint64
	read place
}

const slotSize = 32

func openMark(dir string) (*mark, error) {
	f, err := os.OpenFile(filepath.Join(dir, markName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("backlog: %w", err)
	}
	m := &mark{file: f}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("backlog: %s is open in another process: %w", dir, err)
	}
	var slots [2 * slotSize]byte
	n, _ := f.ReadAt(slots[:], 0) // what is not there does not check out
	for i := 0; i+slotSize <= n; i += slotSize {
		slot := slots[i : i+slotSize]
		turn := binary.LittleEndian.Uint64(slot)
		if crc32.Checksum(slot[:24], castagnoli) == binary.LittleEndian.Uint32(slot[24:]) && turn > m.turn {
			m.turn = turn
			m.read = place{binary.LittleEndian.Uint64(slot[8:]), int64(binary.LittleEndian.Uint64(slot[16:]))}
		}
	}
	return m, nil
}

func (m *mark) write(p place) error {
	m.turn++
	m.read = p
	var slot [slotSize]byte
	binary.LittleEndian.PutUint64(slot[:], m.turn)
	binary.LittleEndian.PutUint64(slot[8:], p.number)
	binary.LittleEndian.PutUint64(slot[16:], uint64(p.offset))
	binary.LittleEndian.PutUint32(slot[24:], crc32.Checksum(slot[:24], castagnoli))
	if _, err := m.file.WriteAt(slot[:], int64(m.turn%2)*slotSize); err != nil {
		return fmt.Errorf("backlog: %w", err)
	}
	return nil
}

func (m *mark) close() error { return m.file.Close() }
