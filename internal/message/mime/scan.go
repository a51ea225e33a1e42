package mime

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

const (
	// window is how much of the original is looked at at once; firstWindow is
	// enough for most headers.
	window      = 64 << 10
	firstWindow = 4 << 10
	// longestBoundary bounds boundaries: RFC 2046 §5.1.1 allows 70 characters.
	longestBoundary = 256
	// longestDelimiter bounds the lines that are compared with boundaries, with
	// white space behind them.
	longestDelimiter = longestBoundary + 256
)

// scanner finds lines in the original through a window.
type scanner struct {
	message *Message
	buf     []byte // what the window shows
	base    int64  // offset of buf in the original
	room    []byte // for buf
	size    int64
	open    []*Part // multiparts, the innermost last
	parts   int
}

func newScanner(m *Message) *scanner {
	return &scanner{message: m, size: m.source.Size()}
}

// at returns the original from an offset on: at least want bytes, unless it ends
// before.
func (s *scanner) at(offset int64, want int) []byte {
	if i := offset - s.base; i >= 0 && i <= int64(len(s.buf)) {
		if b := s.buf[i:]; len(b) >= want || s.base+int64(len(s.buf)) == s.size {
			return b
		}
	}
	s.room = grown(s.room, min(s.size-offset, window))
	n := min(int64(len(s.room)), s.size-offset)
	if n <= 0 {
		return nil
	}
	got, err := s.message.source.ReadAt(s.room[:n], offset)
	if int64(got) < n {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		s.message.fail(err)
		s.size = offset + int64(got)
	}
	s.base, s.buf = offset, s.room[:got]
	return s.buf
}

// grown returns room for what is looked at next, of which there are at most n
// bytes: at first for a header, later for more.
func grown(room []byte, n int64) []byte {
	switch {
	case room == nil:
		return make([]byte, max(0, min(n, firstWindow)))
	case int64(len(room)) < n:
		return make([]byte, n)
	}
	return room
}

// lineEnd returns the offset behind the line that begins at an offset.
func (s *scanner) lineEnd(offset int64) int64 {
	for offset < s.size {
		b := s.at(offset, 1)
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			return offset + int64(i) + 1
		}
		offset += int64(len(b))
	}
	return s.size
}

// header returns where the header block at start ends and where the body begins,
// which differ by the empty line if there is one. A line that stop accepts ends
// both.
func (s *scanner) header(start int64, stop func(line []byte) bool) (end, body int64) {
	for at := start; at < s.size; at = s.lineEnd(at) {
		b := s.at(at, longestDelimiter)
		switch {
		case bytes.HasPrefix(b, []byte("\n")):
			return at, at + 1
		case bytes.HasPrefix(b, []byte("\r\n")):
			return at, at + 2
		case stop != nil && bytes.HasPrefix(b, dashes) && stop(b):
			return at, at
		}
	}
	return s.size, s.size
}

var dashes = []byte("--")

// nextDash returns the offset of the next line at or behind offset, where a line
// begins, that begins with two dashes.
func (s *scanner) nextDash(offset int64) (at int64, found bool) {
	needle := []byte("\n--")
	if bytes.HasPrefix(s.at(offset, len(dashes)), dashes) {
		return offset, true
	}
	for offset < s.size {
		b := s.at(offset, len(needle))
		if i := bytes.Index(b, needle); i >= 0 {
			return offset + int64(i) + 1, true
		}
		offset += max(1, int64(len(b)-len(dashes)))
	}
	return s.size, false
}

// delimiter says which open multipart the line with which b begins belongs to,
// and whether it closes it.
func (s *scanner) delimiter(b []byte) (level int, closes, ok bool) {
	b = b[:min(len(b), longestDelimiter)]
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	} else if len(b) == longestDelimiter {
		return 0, false, false
	}
	// White space may stand behind a boundary (RFC 2046 §5.1.1).
	b = bytes.TrimRight(b[len(dashes):], " \t\r")
	for level = len(s.open) - 1; level >= 0; level-- {
		boundary := s.open[level].boundary
		if len(b) == len(boundary) && string(b) == boundary {
			return level, false, true
		}
		if len(b) == len(boundary)+len(dashes) && string(b[:len(boundary)]) == boundary && bytes.HasSuffix(b, dashes) {
			return level, true, true
		}
	}
	return 0, false, false
}

// scan finds the parts of the message, once.
func (m *Message) scan() {
	if m.scanned {
		return
	}
	m.scanned = true
	if m.limits.Flat {
		m.root.closeAt = -1
		return
	}
	s := newScanner(m)
	s.enter(m.root)
	for at := m.root.bodyStart; len(s.open) > 0; {
		dash, found := s.nextDash(at)
		if !found {
			break
		}
		at = s.dash(dash)
	}
	s.leave(0, s.size, -1)
}

// dash takes a line that begins with two dashes and returns where to go on.
func (s *scanner) dash(at int64) int64 {
	level, closes, ok := s.delimiter(s.at(at, longestDelimiter))
	if !ok {
		return s.lineEnd(at)
	}
	p := s.open[level]
	if !closes && s.parts >= s.message.limits.Parts {
		return s.lineEnd(at)
	}
	end := s.endBefore(at, p)
	s.leave(level+1, end, at)
	p.endLast(end, at, at)
	if closes {
		p.closeAt, p.closeEnd = at, s.lineEnd(at)
		s.open = s.open[:level]
		return p.closeEnd
	}
	return s.child(p, at)
}

// endBefore returns where what stands in front of the delimiter at an offset
// ends: the line end in front of it belongs to the delimiter (RFC 2046 §5.1.1),
// unless it ends the header or the empty line behind it.
func (s *scanner) endBefore(at int64, p *Part) int64 {
	least := p.bodyStart
	for q := p; len(q.children) > 0; {
		q = q.children[len(q.children)-1]
		least = q.bodyStart
	}
	end := at
	for _, c := range []byte("\n\r") {
		if b := s.lastByte(end); end > least && b == c {
			end--
		}
	}
	return end
}

// lastByte returns the byte in front of an offset, or 0.
func (s *scanner) lastByte(offset int64) byte {
	if i := offset - 1 - s.base; i >= 0 && i < int64(len(s.buf)) {
		return s.buf[i]
	}
	return s.message.lastByte(offset)
}

func (m *Message) lastByte(offset int64) byte {
	var b [1]byte
	if offset > 0 {
		if _, err := m.source.ReadAt(b[:], offset-1); !errors.Is(err, io.EOF) {
			m.fail(err)
		}
	}
	return b[0]
}

// child begins a part of p behind the delimiter at an offset, and returns where
// its body begins.
func (s *scanner) child(p *Part, dash int64) int64 {
	s.parts++
	c := &Part{message: s.message, parent: p, number: len(p.children) + 1, dash: dash, start: s.lineEnd(dash)}
	c.glued = c.start == s.size && s.lastByte(c.start) != '\n'
	p.children = append(p.children, c)
	c.headerEnd, c.bodyStart = s.header(c.start, func(line []byte) bool {
		_, _, ok := s.delimiter(line)
		return ok
	})
	s.keepHeader(c)
	s.enter(c)
	if len(c.header) > longKept {
		c.header, c.fields = nil, nil
	}
	return c.bodyStart
}

// longKept is the longest header of a part that stays in memory before anybody
// asks for it.
const longKept = 4 << 10

// keepHeader spares p the reading of a header that the window shows.
func (s *scanner) keepHeader(p *Part) {
	from, to := p.start-s.base, p.headerEnd-s.base
	if from >= 0 && to <= int64(len(s.buf)) && to-from <= int64(s.message.limits.Header) {
		p.setHeader(bytes.Clone(s.buf[from:to]))
	}
}

// enter opens p if it is a multipart with a boundary.
func (s *scanner) enter(p *Part) {
	p.closeAt = -1
	if !p.isMultipart() {
		return
	}
	boundary, _ := p.contentType().Param("boundary")
	boundary = strings.TrimRight(boundary, " \t") // which no delimiter can end in
	if boundary == "" || len(boundary) > longestBoundary {
		p.badHeader = true
		return
	}
	if len(s.open) < s.message.limits.Depth {
		p.boundary = boundary
		s.open = append(s.open, p)
	}
}

// leave ends the multiparts from a level on at an offset, none of which is
// closed. The line at next ends them, -1 stands for the end of the message.
func (s *scanner) leave(level int, end, next int64) {
	for i := len(s.open) - 1; i >= level; i-- {
		s.open[i].endLast(end, end, next)
		s.open[i].unclosed = true
	}
	s.open = s.open[:min(level, len(s.open))]
}

// endLast ends the last child of p. Taking it out means taking out what stands in
// front of next; the line that ended it is at the offset delimiter.
func (p *Part) endLast(end, next, delimiter int64) {
	if n := len(p.children); n > 0 && !p.children[n-1].ended {
		c := p.children[n-1]
		c.end, c.next, c.ended = max(end, c.bodyStart), next, true
		c.bare = c.end == delimiter
	}
}
