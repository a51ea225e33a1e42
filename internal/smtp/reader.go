package smtp

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// What can be wrong with a line.
var (
	// ErrLongLine says that a line was longer than allowed. It has been read to
	// its end, so the next line can follow.
	ErrLongLine = errors.New("smtp: line too long")
	// ErrEndlessLine says that a line went on far beyond the limit. Nothing
	// that follows on the connection makes sense.
	ErrEndlessLine = errors.New("smtp: line without end")
	// ErrBareLF says that a line ended in LF alone; the line comes with it.
	ErrBareLF = errors.New("smtp: line ends without CR")
)

// maxDrain is how much of an over-long line is read to find its end.
const maxDrain = 64 << 10

// Sizes of the buffers that a Reader goes through, the smallest of which lies
// within it. A read that fills its buffer makes the next one bigger, and a read
// that leaves most of it empty smaller.
const (
	idleBuffer  = 256
	lineBuffer  = idleBuffer * growth
	largeBuffer = lineBuffer * growth
	growth      = 16
)

var (
	lineBuffers  = sync.Pool{New: func() any { return new([lineBuffer]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
)

// Reader reads lines and text from a connection. While it waits with nothing
// read it holds only the few bytes within itself, so that an idle connection is
// cheap; a busy one gets larger buffers from a pool that all Readers share.
//
// Slices that it returns are parts of its buffer and hold until the next call.
// A Reader is used by one goroutine.
type Reader struct {
	src  io.Reader
	buf  []byte // inline, or the slice of line or large
	r, w int    // buf[r:w] has been read and not used
	last int    // bytes that the last read brought
	err  error  // of the last read

	line   *[lineBuffer]byte
	large  *[largeBuffer]byte
	inline [idleBuffer]byte
}

// NewReader returns a Reader of src.
func NewReader(src io.Reader) *Reader {
	r := new(Reader)
	r.Reset(src)
	return r
}

// Reset drops what has been read and goes on with another source.
func (r *Reader) Reset(src io.Reader) {
	r.Release()
	r.src, r.err = src, nil
}

// Release gives back the buffer and drops what is in it. The Reader can go on
// reading.
func (r *Reader) Release() {
	r.r, r.w, r.last = 0, 0, 0
	r.resize(idleBuffer)
}

// Buffered returns the number of bytes that have been read from the source and
// not yet taken.
func (r *Reader) Buffered() int { return r.w - r.r }

// Peek returns what is buffered.
func (r *Reader) Peek() []byte { return r.buf[r.r:r.w] }

// Skip takes n buffered bytes.
func (r *Reader) Skip(n int) { r.r += n }

// Expect prepares for a good deal of input, such as the text of a message.
func (r *Reader) Expect() {
	if len(r.buf) < lineBuffer {
		r.resize(lineBuffer)
	}
	r.last = len(r.buf) / 2 // as if there had been some
}

// Fill waits for more input than Buffered. An error is returned only when
// there is none; io.EOF at the end of the source.
func (r *Reader) Fill() error {
	if r.err != nil {
		return r.err
	}
	r.fit()
	n, err := r.src.Read(r.buf[r.w:])
	r.w += n
	r.last = n
	if err != nil && !isTimeout(err) { // the source may be read again after a timeout
		r.err = err
	}
	switch {
	case n > 0:
		return nil
	case err == nil:
		return io.ErrNoProgress
	}
	return err
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// fit makes room for the next read.
func (r *Reader) fit() {
	size, held := len(r.buf), r.w-r.r
	switch {
	case r.last == size || held == size:
		size *= growth
	case r.last < size/growth && held < size/growth:
		size /= growth
	}
	r.resize(size)
	if r.r > 0 {
		copy(r.buf, r.buf[r.r:r.w])
		r.r, r.w = 0, held
	}
}

// resize changes to the buffer of the class that size belongs to and takes
// along what is buffered, which must fit.
func (r *Reader) resize(size int) {
	old, line, large := r.buf, r.line, r.large
	held := old[r.r:r.w]
	switch {
	case size <= idleBuffer && len(held) <= idleBuffer:
		if len(old) == idleBuffer {
			return
		}
		r.buf, r.line, r.large = r.inline[:], nil, nil
	case size <= lineBuffer && len(held) <= lineBuffer:
		if line != nil {
			return
		}
		r.line, r.large = lineBuffers.Get().(*[lineBuffer]byte), nil
		r.buf = r.line[:]
	default:
		if large != nil {
			return
		}
		r.line, r.large = nil, largeBuffers.Get().(*[largeBuffer]byte)
		r.buf = r.large[:]
	}
	r.w = copy(r.buf, held)
	r.r = 0
	if line != nil {
		lineBuffers.Put(line)
	}
	if large != nil {
		largeBuffers.Put(large)
	}
}

// ReadLine returns the next line without its line end. Including that it may
// have limit bytes, at most 32 KB. The errors are those of the source and of
// lines; the end of the source within a line is io.ErrUnexpectedEOF.
func (r *Reader) ReadLine(limit int) ([]byte, error) {
	seen := 0
	for {
		if i := bytes.IndexByte(r.buf[r.r+seen:r.w], '\n'); i >= 0 {
			return r.takeLine(seen+i+1, limit)
		}
		seen = r.w - r.r
		if seen >= limit {
			return nil, r.drain()
		}
		if seen == 0 {
			r.Release()
		}
		if err := r.Fill(); err != nil {
			if errors.Is(err, io.EOF) && seen > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// takeLine takes n bytes, of which the last is LF.
func (r *Reader) takeLine(n, limit int) ([]byte, error) {
	line := r.buf[r.r : r.r+n]
	r.r += n
	if n > limit {
		return nil, ErrLongLine
	}
	line = line[:n-1]
	if n < 2 || line[n-2] != '\r' {
		return line, ErrBareLF
	}
	return line[:n-2], nil
}

// drain drops the rest of a line that is too long.
func (r *Reader) drain() error {
	for dropped := 0; dropped < maxDrain; {
		if i := bytes.IndexByte(r.buf[r.r:r.w], '\n'); i >= 0 {
			r.r += i + 1
			return ErrLongLine
		}
		dropped += r.w - r.r
		r.r = r.w
		if err := r.Fill(); err != nil {
			return err
		}
	}
	return ErrEndlessLine
}
