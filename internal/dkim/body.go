package dkim

import (
	"crypto"
	"errors"
	"hash"
	"io"
	"slices"
	"sync"
)

// BodyHash names one of the hashes that can be taken of a body.
type BodyHash struct {
	Canonicalization Canonicalization
	Hash             crypto.Hash // SHA256 or SHA1
	// Length is the number of bytes of the canonical body that are hashed, or
	// Whole.
	Length int64
}

// Whole is the Length of hashes over all of a body.
const Whole int64 = -1

// ErrBodyLength says that a body is shorter than the part of it that is to be
// hashed.
var ErrBodyLength = errors.New("body is shorter than its signed part")

// Body computes hashes of the body of one message while it is read. First come
// the calls of Want, then the body through Write or ReadFrom, then Close; after
// that Sum and Length are safe for concurrent use. The zero Body is ready.
//
// A kilobyte costs about 1.8 µs relaxed and 0.7 µs simple, 0.7 µs of it SHA-256
// (BenchmarkBody, one core).
type Body struct {
	relaxed *relaxedBody
	simple  *simpleBody
	begun   bool
}

// Want asks for one of the hashes. Asking twice for the same costs nothing, nor
// do several that differ in length only: they are read off the same hash on its
// way. Asking when the body has begun to come is too late and has no effect.
func (b *Body) Want(w BodyHash) {
	if b.begun {
		return
	}
	var s *sums
	switch w.Canonicalization {
	case Relaxed:
		if b.relaxed == nil {
			b.relaxed = new(relaxedBody)
		}
		s = &b.relaxed.sums
	case Simple:
		if b.simple == nil {
			b.simple = new(simpleBody)
		}
		s = &b.simple.sums
	}
	s.want(w.Hash, w.Length)
}

// Write takes the next piece of the body. It never fails.
func (b *Body) Write(p []byte) (int, error) {
	b.begun = true
	if b.relaxed != nil {
		b.relaxed.write(p)
	}
	if b.simple != nil {
		b.simple.write(p)
	}
	return len(p), nil
}

// pieces are the buffers of ReadFrom.
var pieces = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// ReadFrom takes all that r has to give.
func (b *Body) ReadFrom(r io.Reader) (n int64, err error) {
	piece := pieces.Get().(*[32 << 10]byte)
	defer pieces.Put(piece)
	for {
		m, err := r.Read(piece[:])
		n += int64(m)
		_, _ = b.Write(piece[:m])
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// Close ends the body. It never fails.
func (b *Body) Close() error {
	b.begun = true
	if b.relaxed != nil {
		b.relaxed.close()
	}
	if b.simple != nil {
		b.simple.close()
	}
	return nil
}

func (b *Body) sums(c Canonicalization) *sums {
	switch {
	case c == Relaxed && b.relaxed != nil:
		return &b.relaxed.sums
	case c == Simple && b.simple != nil:
		return &b.simple.sums
	}
	return nil
}

// Sum returns a hash that was asked for before the body came. It fails with
// ErrBodyLength when the body is shorter than the length asked for.
func (b *Body) Sum(w BodyHash) ([]byte, error) {
	if s := b.sums(w.Canonicalization); s != nil {
		return s.sum(w.Hash, w.Length)
	}
	return nil, errNotWanted
}

// Length returns the length of the canonical body, of which a hash must have been
// asked for.
func (b *Body) Length(c Canonicalization) int64 {
	if s := b.sums(c); s != nil {
		return s.length
	}
	return 0
}

var errNotWanted = errors.New("dkim: body hash was not asked for before the body was read")

// sums are the hashes of one canonical form.
type sums struct {
	length  int64
	running []*running
}

// running is one hash function at work, from which sums are taken at marks.
type running struct {
	function crypto.Hash
	hash     hash.Hash
	whole    bool   // whether the sum at the end is wanted
	marks    []mark // ascending; those that were passed have their sum
	passed   int    // how many
	at       int64  // bytes hashed
	total    []byte // the sum at the end
}

type mark struct {
	at  int64
	sum []byte
}

func (s *sums) want(f crypto.Hash, length int64) {
	i := slices.IndexFunc(s.running, func(r *running) bool { return r.function == f })
	if i < 0 {
		i = len(s.running)
		s.running = append(s.running, &running{function: f, hash: f.New()})
	}
	r := s.running[i]
	if length < 0 {
		r.whole = true
		return
	}
	at, found := slices.BinarySearchFunc(r.marks, length, func(m mark, n int64) int { return int(min(max(m.at-n, -1), 1)) })
	if !found {
		r.marks = slices.Insert(r.marks, at, mark{at: length})
	}
}

// emit takes the next bytes of the canonical form.
func (s *sums) emit(p []byte) {
	s.length += int64(len(p))
	for _, r := range s.running {
		r.write(p)
	}
}

func (r *running) write(p []byte) {
	for r.passed < len(r.marks) {
		m := &r.marks[r.passed]
		n := m.at - r.at
		if n > int64(len(p)) {
			break
		}
		_, _ = r.hash.Write(p[:n])
		r.at += n
		p = p[n:]
		m.sum = r.hash.Sum(nil)
		r.passed++
	}
	if r.whole || r.passed < len(r.marks) {
		_, _ = r.hash.Write(p)
		r.at += int64(len(p))
	}
}

func (s *sums) close() {
	for _, r := range s.running {
		r.write(nil) // a mark at 0 in an empty body
		r.total = r.hash.Sum(nil)
	}
}

func (s *sums) sum(f crypto.Hash, length int64) ([]byte, error) {
	for _, r := range s.running {
		switch {
		case r.function != f:
		case length < 0 && r.whole:
			return r.total, nil
		default:
			for _, m := range r.marks {
				if m.at == length && m.sum != nil {
					return m.sum, nil
				} else if m.at == length {
					return nil, ErrBodyLength
				}
			}
		}
	}
	return nil, errNotWanted
}
