package transfer

import (
	"bufio"
	"bytes"
	"io"
	"mime/quotedprintable"
	"strings"
)

// chunk is how much of a body is encoded at once.
const chunk = 4 << 10

func writeQuoted(w io.Writer, body string, text bool) error {
	buffered := bufio.NewWriterSize(w, chunk)
	q := quotedprintable.NewWriter(buffered)
	q.Binary = !text
	if text && hasBareCR(body) {
		body = CRLF(body) // the writer may lose a line end behind a lone CR
	}
	var part [chunk]byte
	for len(body) > 0 {
		n := copy(part[:], body)
		body = body[n:]
		if _, err := q.Write(part[:n]); err != nil {
			return err
		}
	}
	if err := q.Close(); err != nil {
		return err
	}
	return buffered.Flush()
}

func hasBareCR(s string) bool {
	for {
		i := strings.IndexByte(s, '\r')
		if i < 0 {
			return false
		}
		if s = s[i+1:]; !strings.HasPrefix(s, "\n") {
			return true
		}
	}
}

// quotedReader decodes quoted-printable line by line. An escape that is none
// stays as it stands, white space at the end of a line goes (RFC 2045 §6.7 (3)),
// line ends stay as they are. A line that is longer than the buffer is decoded
// in pieces.
type quotedReader struct {
	r    io.Reader
	in   []byte // what was read and is not decoded yet, with room behind it
	out  []byte // decoded
	rest []byte // of out, not yet delivered
	err  error
}

func newQuotedReader(r io.Reader) *quotedReader {
	return &quotedReader{r: r, in: make([]byte, 0, 8<<10)}
}

func (d *quotedReader) Read(b []byte) (n int, err error) {
	for len(d.rest) == 0 && len(b) > 0 {
		if d.err != nil && len(d.in) == 0 {
			return 0, d.err
		}
		if d.err == nil {
			n, err := d.r.Read(d.in[len(d.in):cap(d.in)])
			d.in, d.err = d.in[:len(d.in)+n], err
		}
		d.rest = d.decode(d.out[:0])
		d.out = d.rest[:0]
	}
	n = copy(b, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

// decode appends what can be decoded of the lines in the buffer.
func (d *quotedReader) decode(out []byte) []byte {
	done := 0
	for {
		n := bytes.IndexByte(d.in[done:], '\n') + 1
		if n == 0 {
			break
		}
		out = appendLine(out, d.in[done:done+n])
		done += n
	}
	switch rest := d.in[done:]; {
	case d.err != nil:
		out = appendLine(out, rest)
		done = len(d.in)
	case done == 0 && len(d.in) == cap(d.in):
		done = pieceLength(rest)
		out = AppendUnquoted(out, rest[:done])
	}
	d.in = d.in[:copy(d.in, d.in[done:])]
	return out
}

// pieceLength returns how much of a line without its end can be decoded: not an
// escape that may be cut off, nor white space that may turn out to be the last.
func pieceLength(piece []byte) int {
	n := len(piece)
	if i := bytes.LastIndexByte(piece, '='); i >= n-2 {
		n = i
	}
	if trimmed := len(bytes.TrimRight(piece[:n], " \t\r")); trimmed > 0 {
		return trimmed
	}
	return max(n, 1)
}

// appendLine appends a decoded line with its end, unless that is a soft one.
func appendLine(out, line []byte) []byte {
	text := bytes.TrimRight(line, "\r\n")
	end := line[len(text):]
	text = bytes.TrimRight(text, " \t")
	if n := len(text); n > 0 && text[n-1] == '=' {
		text, end = text[:n-1], nil
	}
	return append(AppendUnquoted(out, text), end...)
}

// AppendUnquoted appends text with its escapes decoded.
func AppendUnquoted(b, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '=')
		if i < 0 {
			return append(b, text...)
		}
		b = append(b, text[:i]...)
		if i+2 < len(text) {
			high, ok := unhex(text[i+1])
			low, also := unhex(text[i+2])
			if ok && also {
				b, text = append(b, high<<4|low), text[i+3:]
				continue
			}
		}
		b, text = append(b, '='), text[i+1:]
	}
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// NewReader returns a reader of what r holds in the given encoding. Errors are
// those of r alone.
func NewReader(r io.Reader, e Encoding) io.Reader {
	switch e {
	case Base64:
		return newBase64Reader(r)
	case QuotedPrintable:
		return newQuotedReader(r)
	}
	return r
}
