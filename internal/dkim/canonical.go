package dkim

import (
	"bytes"
	"fmt"
)

// Canonicalization is how much of a message may change on its way without
// breaking a signature (RFC 6376 §3.4).
type Canonicalization uint8

const (
	Relaxed Canonicalization = iota
	Simple
)

// ParseCanonicalization reads "relaxed" or "simple".
func ParseCanonicalization(s string) (Canonicalization, error) {
	switch s {
	case "relaxed":
		return Relaxed, nil
	case "simple":
		return Simple, nil
	}
	return 0, fmt.Errorf("dkim: unknown canonicalization %.20q", s)
}

func (c Canonicalization) String() string {
	if c == Simple {
		return "simple"
	}
	return "relaxed"
}

// AppendField appends the canonical form of a header field, given as it stands,
// with CRLF at its end (RFC 6376 §3.4.1, §3.4.2).
func (c Canonicalization) AppendField(b, field []byte) []byte {
	if c == Relaxed {
		return append(appendRelaxed(b, field), '\r', '\n')
	}
	b = append(b, field...)
	if !bytes.HasSuffix(field, []byte{'\n'}) { // the message ends with its header
		b = append(b, '\r', '\n')
	}
	return b
}

// AppendSignature appends the canonical form in which a signature field itself
// is signed: without the value of b= and without CRLF at its end (RFC 6376 §3.7).
// The tags are those of the field.
func (c Canonicalization) AppendSignature(b, field []byte, tags Tags) []byte {
	value := bytes.IndexByte(field, ':') + 1
	bare := field
	for _, t := range tags {
		if t.Name == "b" {
			bare = append(bytes.Clone(field[:value+t.start]), field[value+t.end:]...)
		}
	}
	if c == Relaxed {
		return appendRelaxed(b, bare)
	}
	return append(b, trimLineEnd(bare)...)
}

// appendRelaxed appends name in lower case, colon, and the value on one line with
// its runs of white space reduced to single spaces.
func appendRelaxed(b, field []byte) []byte {
	colon := bytes.IndexByte(field, ':')
	if colon < 0 {
		return b
	}
	for _, c := range bytes.TrimRight(field[:colon], " \t\r\n") {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	b = append(b, ':')
	value := trimLineEnd(field[colon+1:])
	start := len(b)
	space := false
	for i, c := range value {
		switch {
		case c == ' ' || c == '\t':
			space = true
			continue
		case c == '\n' || c == '\r' && i+1 < len(value) && value[i+1] == '\n':
			continue // a fold; the white space behind it is what remains
		}
		if space && len(b) > start {
			b = append(b, ' ')
		}
		space = false
		b = append(b, c)
	}
	return b
}

func trimLineEnd(b []byte) []byte {
	if t, ok := bytes.CutSuffix(b, []byte{'\n'}); ok {
		return bytes.TrimSuffix(t, []byte{'\r'})
	}
	return b
}

// lineEnds is what empty lines that turned out not to be the last are written
// from.
var lineEnds = bytes.Repeat([]byte("\r\n"), 256)

func (s *sums) emitLineEnds(n int64) {
	for n > 0 {
		m := min(n, int64(len(lineEnds)/2))
		s.emit(lineEnds[:2*m])
		n -= m
	}
}

// simpleBody brings a body into simple form (RFC 6376 §3.4.3): as it is, with
// exactly one CRLF at its end. It holds back a run of line ends until something
// else follows.
type simpleBody struct {
	sums
	held int64 // CRLFs
	cr   bool  // and a CR behind them
}

func (s *simpleBody) write(p []byte) {
	if len(p) == 0 {
		return
	}
	if s.cr {
		s.cr = false
		if p[0] == '\n' {
			s.held++
			p = p[1:]
		} else {
			s.release()
			s.emit(lineEnds[:1])
		}
	}
	end := len(p)
	if end > 0 && p[end-1] == '\r' {
		s.cr = true
		end--
	}
	var tail int64
	for end >= 2 && p[end-1] == '\n' && p[end-2] == '\r' {
		end -= 2
		tail++
	}
	if end > 0 {
		s.release()
		s.emit(p[:end])
	}
	s.held += tail
}

func (s *simpleBody) release() {
	s.emitLineEnds(s.held)
	s.held = 0
}

func (s *simpleBody) close() {
	if s.cr { // bare
		s.release()
		s.emit(lineEnds[:1])
	}
	s.emit(lineEnds[:2]) // also for an empty body
	s.sums.close()
}

// relaxedBody brings a body into relaxed form (RFC 6376 §3.4.4): white space at
// the end of lines is gone, other runs of it are one space, empty lines at the
// end are gone, and there is a CRLF at the end of all but an empty body.
type relaxedBody struct {
	sums
	held  int64 // CRLFs not yet written
	space bool  // white space not yet written
	cr    bool  // a CR behind it that may begin a CRLF
	n     int   // bytes in out
	out   [2048]byte
}

// special are the bytes that relaxed form looks at.
var special = [256]bool{' ': true, '\t': true, '\r': true, '\n': true}

func (r *relaxedBody) write(p []byte) {
	for len(p) > 0 {
		if n := final(p); n > 0 {
			r.release()
			r.put(p[:n])
			p = p[n:]
			continue
		}
		r.take(p[0])
		p = p[1:]
	}
}

// final returns the length of the longest beginning of p, starting with an
// ordinary byte, that is in relaxed form already: single spaces and line ends
// between ordinary bytes belong to it. In most text that is nearly all, and the
// loop four times as fast as looking at words one by one.
func final(p []byte) int {
	for i := 0; ; i++ {
		for i < len(p) && !special[p[i]] {
			i++
		}
		switch {
		case i == 0 || i == len(p):
			return i
		case p[i] == ' ' && i+1 < len(p) && !special[p[i+1]]:
		case p[i] == '\r' && i+2 < len(p) && p[i+1] == '\n' && !special[p[i+2]]:
			i++
		default:
			return i
		}
	}
}

// take looks at one special byte.
func (r *relaxedBody) take(c byte) {
	switch {
	case c == '\n' && r.cr:
		r.held++
		r.space, r.cr = false, false
		return
	case r.cr || c == '\n': // a bare CR was held, or this is a bare LF
		r.release()
	}
	switch c {
	case '\r':
		r.cr = true
	case '\n':
		r.put(lineEnds[1:2])
	default:
		r.space = true
	}
}

// release writes what was held back, because more of the same line follows.
func (r *relaxedBody) release() {
	if r.held > 0 {
		r.flush()
		r.emitLineEnds(r.held)
		r.held = 0
	}
	if r.space {
		r.put(oneSpace)
		r.space = false
	}
	if r.cr {
		r.put(lineEnds[:1])
		r.cr = false
	}
}

var oneSpace = []byte{' '}

// put writes through a buffer, because pieces can be short and hash functions like
// long ones.
func (r *relaxedBody) put(p []byte) {
	if len(p) > len(r.out)-r.n {
		r.flush()
		if len(p) > len(r.out) {
			r.emit(p)
			return
		}
	}
	r.n += copy(r.out[r.n:], p)
}

func (r *relaxedBody) flush() {
	if r.n > 0 {
		r.emit(r.out[:r.n])
		r.n = 0
	}
}

func (r *relaxedBody) close() {
	if r.cr { // bare
		r.release()
	}
	r.flush()
	if r.length > 0 {
		r.emit(lineEnds[:2])
	}
	r.sums.close()
}
