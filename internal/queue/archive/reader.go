package archive

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/posthaste-mta/posthaste/internal/envelope"
)

// Reader reads an archive. It is for one goroutine.
type Reader struct {
	r       *bufio.Reader
	at      int64 // bytes read
	payload bytes.Buffer
	inBody  bool
	inside  bool   // between magic and Z
	count   uint64 // whole messages since the magic
}

// NewReader returns a Reader of r. It may read beyond the end of the archive.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReaderSize(r, maxPiece)} }

// Next moves to the next message, passing over what is left of the current one.
// It returns io.EOF behind the last.
func (r *Reader) Next() (*Message, error) {
	if r.inBody {
		if _, err := r.WriteTo(io.Discard); err != nil && !errors.Is(err, ErrAbandoned) {
			return nil, err
		}
	}
	for {
		if !r.inside {
			if err := r.begin(); err != nil {
				return nil, err
			}
		}
		kind, err := r.frame()
		if err != nil {
			return nil, err
		}
		switch kind {
		case frameMessage:
			return r.message()
		case frameTrailer:
			if n, _ := binary.Uvarint(r.payload.Bytes()); n != r.count {
				return nil, r.fail(ErrFormat)
			}
			r.inside, r.count = false, 0
		default:
			return nil, r.fail(ErrFormat)
		}
	}
}

// WriteTo writes the body of the current message to w. It must not be taken
// for complete when there is an error; ErrAbandoned is one with which Next may
// still be called.
func (r *Reader) WriteTo(w io.Writer) (n int64, err error) {
	for r.inBody {
		kind, err := r.frame()
		if err != nil {
			return n, err
		}
		switch kind {
		case frameBody:
			n += int64(r.payload.Len())
			if _, err := w.Write(r.payload.Bytes()); err != nil {
				return n, fmt.Errorf("archive: body: %w", err)
			}
		case frameEnd:
			r.inBody = false
			if said, _ := binary.Uvarint(r.payload.Bytes()); int64(said) != n {
				return n, r.fail(ErrFormat)
			}
			r.count++
		case frameAbandoned:
			r.inBody = false
			return n, r.fail(ErrAbandoned)
		default:
			return n, r.fail(ErrFormat)
		}
	}
	return n, nil
}

// begin reads the magic, or finds the end of the stream.
func (r *Reader) begin() error {
	var head [len(magic)]byte
	n, err := io.ReadFull(r.r, head[:])
	if err == io.EOF && r.at > 0 {
		return io.EOF
	}
	r.at += int64(n)
	switch {
	case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
		return r.fail(cut(err))
	case string(head[:]) == magic:
		r.inside = true
		return nil
	case n == len(magic) && string(head[:n-1]) == magic[:n-1]:
		return r.fail(ErrVersion)
	}
	return r.fail(ErrFormat)
}

// frame reads the next frame that is not to be passed over into r.payload.
func (r *Reader) frame() (kind byte, err error) {
	for {
		kind, err := r.anyFrame()
		if err != nil || kind < 'a' || kind > 'z' {
			return kind, err
		}
	}
}

func (r *Reader) anyFrame() (kind byte, err error) {
	var head [frameHead]byte
	if err := r.full(head[:]); err != nil {
		return 0, err
	}
	length := binary.LittleEndian.Uint32(head[1:])
	if length > maxFrame {
		return 0, r.fail(ErrFormat)
	}
	r.payload.Reset()
	// Grows with what arrives, not with what is claimed.
	n, err := io.CopyN(&r.payload, r.r, int64(length))
	r.at += n
	if err != nil {
		return 0, r.fail(cut(err))
	}
	var tail [4]byte
	if err := r.full(tail[:]); err != nil {
		return 0, err
	}
	sum := crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, r.payload.Bytes())
	if sum != binary.LittleEndian.Uint32(tail[:]) {
		return 0, r.fail(ErrFormat)
	}
	return head[0], nil
}

func (r *Reader) full(b []byte) error {
	n, err := io.ReadFull(r.r, b)
	r.at += int64(n)
	if err != nil {
		return r.fail(cut(err))
	}
	return nil
}

// cut keeps io.EOF for the end of an archive alone.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return err
}

func (r *Reader) fail(err error) error {
	return fmt.Errorf("archive: near byte %d: %w", r.at, err)
}

// message decodes the payload of an M frame.
func (r *Reader) message() (*Message, error) {
	part, rest, ok := cutPart(r.payload.Bytes())
	m := &Message{Envelope: new(envelope.Message)}
	if !ok {
		return nil, r.fail(ErrFormat)
	}
	if err := envelope.Decode(part, m.Envelope); err != nil {
		return nil, r.fail(err)
	}
	count, n := binary.Uvarint(rest)
	if n <= 0 || count != uint64(len(m.Envelope.Recipients)) || count == 0 {
		return nil, r.fail(ErrFormat)
	}
	rest = rest[n:]
	m.States = make([]envelope.State, count)
	for i := range m.States {
		if part, rest, ok = cutPart(rest); !ok {
			return nil, r.fail(ErrFormat)
		}
		if err := envelope.DecodeState(part, &m.States[i]); err != nil {
			return nil, r.fail(err)
		}
	}
	r.inBody = true
	return m, nil
}

func cutPart(b []byte) (part, rest []byte, ok bool) {
	length, n := binary.Uvarint(b)
	if n <= 0 || length > uint64(len(b)-n) {
		return nil, nil, false
	}
	b = b[n:]
	return b[:length], b[length:], true
}
