package dsn

import (
	"io"

	"github.com/posthaste-mta/posthaste/internal/message"
)

// maxLine is the longest line of a message without its CRLF (RFC 5322 §2.1.1).
const maxLine = 998

var (
	crlf  = []byte("\r\n")
	space = []byte(" ")
)

// canonical passes text on in a form that mail can carry: every line ends in
// CRLF, none is longer than maxLine, and NUL becomes a space. What is in that
// form already passes unchanged. Flush must follow the last Write.
type canonical struct {
	w io.Writer
	// continuation begins the rest of a line that was broken.
	continuation []byte

	written  int64
	eightBit bool // something outside ASCII went by
	column   int
	cr       bool // the last byte was a CR, and its line end is not written yet
	err      error
}

func (c *canonical) Write(p []byte) (int, error) {
	c.eightBit = c.eightBit || !message.IsASCII(p)
	n := len(p)
	for len(p) > 0 && c.err == nil {
		p = p[c.step(p):]
	}
	return n - len(p), c.err
}

// step passes on the first bytes of p and returns their number.
func (c *canonical) step(p []byte) int {
	if c.cr {
		c.endLine()
		if p[0] == '\n' {
			return 1
		}
	}
	n := ordinary(p)
	switch {
	case c.column == maxLine && n > 0 || c.column == maxLine && p[0] == 0:
		c.endLine()
		c.put(c.continuation)
		return 0
	case n > 0:
		n = min(n, maxLine-c.column)
		c.put(p[:n])
		return n
	case p[0] == 0:
		c.put(space)
	case p[0] == '\r':
		c.cr = true
	default:
		c.endLine()
	}
	return 1
}

// Flush ends the text. It adds no line end to a last line without one.
func (c *canonical) Flush() error {
	if c.cr {
		c.endLine()
	}
	return c.err
}

func (c *canonical) put(b []byte) {
	c.column += len(b)
	c.write(b)
}

func (c *canonical) endLine() {
	c.cr = false
	c.column = 0
	c.write(crlf)
}

func (c *canonical) write(b []byte) {
	if c.err == nil {
		var n int
		n, c.err = c.w.Write(b)
		c.written += int64(n)
	}
}

// ordinary returns the number of bytes of p before the first that ends a line
// or has no place in one.
func ordinary(p []byte) int {
	for i, c := range p {
		if c == '\r' || c == '\n' || c == 0 {
			return i
		}
	}
	return len(p)
}
