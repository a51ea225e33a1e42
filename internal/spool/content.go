package spool

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// Bodies are held in chunks that go round between messages: most mail fits
// into the first.
const (
	firstChunk = 16 << 10
	nextChunk  = 64 << 10
)

var (
	firstChunks = sync.Pool{New: func() any { return new([firstChunk]byte) }}
	nextChunks  = sync.Pool{New: func() any { return new([nextChunk]byte) }}
	contents    = sync.Pool{New: func() any { return new(content) }}
)

func takeChunk(first bool) []byte {
	if first {
		return firstChunks.Get().(*[firstChunk]byte)[:0]
	}
	return nextChunks.Get().(*[nextChunk]byte)[:0]
}

func giveChunk(c []byte) {
	if cap(c) == firstChunk {
		firstChunks.Put((*[firstChunk]byte)(c[:firstChunk]))
	} else {
		nextChunks.Put((*[nextChunk]byte)(c[:nextChunk]))
	}
}

// content is the bytes of one body: the first spilled ones in a file without a
// name, the rest in chunks. It is written by one goroutine and then only read.
// It is shared by a Message, the cache and open bodies, and its chunks are
// given back when the last of them lets go.
type content struct {
	refs    atomic.Int32
	size    int64
	crc     uint32
	chunks  [][]byte
	file    vfs.File
	spilled int64
}

func newContent() *content {
	c := contents.Get().(*content)
	c.refs.Store(1)
	return c
}

func (c *content) hold() *content {
	c.refs.Add(1)
	return c
}

// release lets go. The error is that of closing the spill file.
func (c *content) release() error {
	if c.refs.Add(-1) > 0 {
		return nil
	}
	var err error
	if c.file != nil {
		err = c.file.Close()
	}
	c.freeChunks()
	c.size, c.crc, c.file, c.spilled = 0, 0, nil, 0
	contents.Put(c)
	return err
}

func (c *content) freeChunks() {
	for i, chunk := range c.chunks {
		giveChunk(chunk)
		c.chunks[i] = nil
	}
	c.chunks = c.chunks[:0]
}

// memory is what the content keeps from others.
func (c *content) memory() int64 {
	var n int64
	for _, chunk := range c.chunks {
		n += int64(cap(chunk))
	}
	return n
}

// write appends, and spills when more than limit bytes are in memory.
func (c *content) write(p []byte, limit int64, spill func() (vfs.File, error)) (int, error) {
	written := 0
	for len(p) > 0 {
		chunk, err := c.room(limit, spill)
		if err != nil {
			return written, err
		}
		n := min(len(p), cap(*chunk)-len(*chunk))
		*chunk = append(*chunk, p[:n]...)
		c.crc = crc32.Update(c.crc, castagnoli, p[:n])
		c.size += int64(n)
		written += n
		p = p[n:]
	}
	return written, nil
}

// room returns a chunk that is not full.
func (c *content) room(limit int64, spill func() (vfs.File, error)) (*[]byte, error) {
	if n := len(c.chunks); n > 0 && len(c.chunks[n-1]) < cap(c.chunks[n-1]) {
		return &c.chunks[n-1], nil
	}
	if len(c.chunks) > 0 && (c.file != nil || c.size+nextChunk > limit) {
		if err := c.spill(spill); err != nil {
			return nil, err
		}
	}
	c.chunks = append(c.chunks, takeChunk(c.size == 0))
	return &c.chunks[len(c.chunks)-1], nil
}

// spill moves what is in memory to the file.
func (c *content) spill(open func() (vfs.File, error)) error {
	if c.file == nil {
		f, err := open()
		if err != nil {
			return err
		}
		c.file = f
	}
	n, err := c.file.WriteV(append([][]byte(nil), c.chunks...), c.spilled)
	if err == nil && n != c.size-c.spilled {
		err = io.ErrShortWrite
	}
	if err != nil {
		return err
	}
	c.spilled = c.size
	c.freeChunks()
	return nil
}

func (c *content) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("spool: negative offset")
	}
	done := 0
	if off < c.spilled {
		part := p[:min(int64(len(p)), c.spilled-off)]
		n, err := c.file.ReadAt(part, off)
		if n < len(part) {
			return n, err
		}
		done = n
	}
	start := c.spilled
	for _, chunk := range c.chunks {
		if in := off + int64(done) - start; in >= 0 && in < int64(len(chunk)) {
			done += copy(p[done:], chunk[in:])
		}
		start += int64(len(chunk))
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

func (c *content) WriteTo(w io.Writer) (int64, error) {
	total, err := copyRange(w, c.file, 0, c.spilled, nil)
	if err != nil {
		return total, err
	}
	for _, chunk := range c.chunks {
		n, err := w.Write(chunk)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// copyRange writes bytes of r to w through a chunk, and hands each piece to
// seen when that is not nil.
func copyRange(w io.Writer, r io.ReaderAt, off, length int64, seen func([]byte)) (int64, error) {
	if length == 0 {
		return 0, nil
	}
	buf := takeChunk(false)
	defer giveChunk(buf)
	var total int64
	for total < length {
		piece := buf[:min(length-total, nextChunk)]
		if n, err := r.ReadAt(piece, off+total); n < len(piece) {
			return total, unexpected(err)
		}
		if seen != nil {
			seen(piece)
		}
		n, err := w.Write(piece)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// unexpected turns the end of a file into an error where more was promised.
func unexpected(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// spillFile makes a file that is gone when it is closed.
func (s *Store) spillFile() (vfs.File, error) {
	name := filepath.Join(s.o.TempDir, fmt.Sprintf("body-%d-%d.tmp", os.Getpid(), s.spills.Add(1)))
	f, err := s.fs.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	// Another store that opens with the same folder may take it for a leftover.
	if err := s.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// isFull tells errors that more room would cure.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
