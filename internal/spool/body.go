package spool

import (
	"fmt"
	"hash/crc32"
	"io"
	"sync/atomic"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// Body reads the body of one message, from memory while it is fresh and from
// its segment otherwise. ReadAt is safe for concurrent use.
type Body struct {
	size    int64
	content *content // nil: read from file
	closed  atomic.Bool

	store *Store
	seg   *segment
	file  vfs.File
	start int64
	crc   uint32
	done  func() error
}

// Body opens the body of a living message. It stays readable until closed,
// even when the message ends meanwhile.
func (s *Store) Body(h Handle) (*Body, error) {
	s.mu.Lock()
	p := s.table.at(h)
	if p == nil || !p.alive() {
		s.mu.Unlock()
		return nil, fmt.Errorf("spool: body %d: %w", h, ErrUnknown)
	}
	b := &Body{store: s, size: int64(p.body), crc: p.bodyCRC}
	if b.content = s.cache.take(h); b.content != nil {
		s.mu.Unlock()
		s.Metrics.CacheHits.Inc()
		return b, nil
	}
	b.seg = s.slots[p.slot]
	b.seg.readers++
	b.start = p.start() + recordHeader + int64(p.envelope)
	s.mu.Unlock()
	s.Metrics.CacheMisses.Inc()
	if err := b.open(); err != nil {
		return nil, fmt.Errorf("spool: body %d: %w", h, err)
	}
	return b, nil
}

func (b *Body) open() error {
	f, done, err := b.seg.access(b.store.fs, b.store.o.Path)
	if err != nil {
		b.store.unread(b.seg)
		return err
	}
	b.file, b.done = f, done
	return nil
}

// unread ends what readers++ began.
func (s *Store) unread(g *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.readers--
	s.checkLocked(g)
}

// Size is the length of the body in bytes.
func (b *Body) Size() int64 { return b.size }

// ReadAt reads part of the body. Checksums are not looked at.
func (b *Body) ReadAt(p []byte, off int64) (int, error) {
	if b.content != nil {
		return b.content.ReadAt(p, off)
	}
	if off >= b.size {
		return 0, io.EOF
	}
	if rest := b.size - off; int64(len(p)) > rest {
		n, err := b.file.ReadAt(p[:rest], b.start+off)
		if err == nil {
			err = io.EOF
		}
		return n, err
	}
	return b.file.ReadAt(p, b.start+off)
}

// WriteTo writes the whole body. When the checksum does not fit it returns an
// error that is ErrCorrupt, after having written: the receiver must not be told
// that the message is complete.
func (b *Body) WriteTo(w io.Writer) (int64, error) {
	if b.content != nil {
		return b.content.WriteTo(w)
	}
	var crc uint32
	n, err := copyRange(w, b.file, b.start, b.size, func(p []byte) { crc = crc32.Update(crc, castagnoli, p) })
	if err == nil && crc != b.crc {
		b.store.Metrics.Corrupt.Inc()
		err = fmt.Errorf("spool: body in %s at %d: %w", b.seg.name(), b.start, ErrCorrupt)
	}
	return n, err
}

// Close lets the space of the message go when it is done. Closing again does
// nothing.
func (b *Body) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	if b.content != nil {
		return b.content.release()
	}
	b.store.unread(b.seg)
	return b.done()
}

// Envelope reads the envelope of a living message.
func (s *Store) Envelope(h Handle) ([]byte, error) {
	s.mu.Lock()
	p := s.table.at(h)
	if p == nil || !p.alive() {
		s.mu.Unlock()
		return nil, fmt.Errorf("spool: envelope %d: %w", h, ErrUnknown)
	}
	at, seg := *p, s.slots[p.slot]
	seg.readers++
	s.mu.Unlock()
	defer s.unread(seg)
	_, data, err := s.readRecord(seg, at, int64(at.envelope))
	if err != nil {
		return nil, fmt.Errorf("spool: envelope %d: %w", h, err)
	}
	return data, nil
}

// readRecord reads the header at a place and the first length bytes behind it,
// and checks both header and envelope.
func (s *Store) readRecord(seg *segment, at place, length int64) (record, []byte, error) {
	f, done, err := seg.access(s.fs, s.o.Path)
	if err != nil {
		return record{}, nil, err
	}
	buf := make([]byte, recordHeader+length)
	_, err = f.ReadAt(buf, at.start())
	if closeErr := done(); err == nil {
		err = closeErr
	}
	if err != nil {
		return record{}, nil, unexpected(err)
	}
	r, err := parseRecord(buf, seg.identity)
	if err != nil || r.number != at.number || r.envelope != at.envelope || r.body != at.body ||
		checksum(buf[recordHeader:][:r.envelope]) != r.envelopeCRC {
		s.Metrics.Corrupt.Inc()
		return record{}, nil, fmt.Errorf("record in %s at %d: %w", seg.name(), at.start(), ErrCorrupt)
	}
	return r, buf[recordHeader:], nil
}
