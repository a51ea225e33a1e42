// Package message reads what a mail system needs to know of a message's bytes
// and writes the headers of messages of its own.
//
// Reading is an index over the original bytes: Fields walks the header block and
// says where each field begins and ends, and nothing is ever parsed and printed
// again, so that what nobody touches stays as it came. Any bytes are a message.
// A line may end in CRLF or LF, a field may lack its colon or have a broken
// name, the empty line before the body may be missing: each has a defined
// reading and none is an error, because the mail has to be dealt with anyway.
//
// Summarize answers in one pass what is asked of every message at intake.
// Writing is Builder, which folds and encodes header fields (RFC 5322, RFC 2047)
// and cannot be made to write a line break that its caller did not ask for.
package message

import (
	"bytes"
	"fmt"
	"io"
	"iter"
)

// Field is one header field of a message. The slices are parts of the message.
type Field struct {
	// Start and End are the offsets of the field with its continuation lines
	// and last line end.
	Start, End int
	// Name is what stands before the colon, without white space at its end. It
	// is empty for a line that is no header field: one without a colon or with
	// anything but printable ASCII before it.
	Name []byte
	// Value is what stands between the colon and the last line end, still
	// folded. For a line that is no header field it is the whole line.
	Value []byte
}

// Is reports whether the field has the given name, which must be in lower case.
func (f Field) Is(name string) bool {
	if len(f.Name) != len(name) {
		return false
	}
	for i, c := range f.Name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != name[i] {
			return false
		}
	}
	return true
}

// AppendUnfolded appends the value to b without its line ends (RFC 5322 §2.2.3)
// and without white space around it.
func (f Field) AppendUnfolded(b []byte) []byte {
	for v := bytes.Trim(f.Value, " \t\r\n"); len(v) > 0; {
		line, rest, _ := bytes.Cut(v, newline)
		if len(rest) > 0 {
			line = bytes.TrimSuffix(line, carriageReturn)
		}
		b = append(b, line...)
		v = rest
	}
	return b
}

var (
	newline        = []byte{'\n'}
	carriageReturn = []byte{'\r'}
)

// Split returns the offset at which the header block of b ends, just behind the
// line end of its last field, and the one at which the body begins. They differ
// by the empty line. Without one the whole of b is header, whole is false, and
// both are len(b).
func Split(b []byte) (header, body int, whole bool) {
	for i := 0; ; {
		if n := emptyLine(b[i:]); n > 0 {
			return i, i + n, true
		}
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return len(b), len(b), false
		}
		i += n + 1
	}
}

// emptyLine returns the length of the line end with which b begins, or 0.
func emptyLine(b []byte) int {
	switch {
	case len(b) > 0 && b[0] == '\n':
		return 1
	case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
		return 2
	}
	return 0
}

// Fields walks the fields of the header block with which b begins, in order, up
// to the empty line or the end of b.
func Fields(b []byte) iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for i := 0; i < len(b) && emptyLine(b[i:]) == 0; {
			f := fieldAt(b, i)
			if !yield(f) {
				return
			}
			i = f.End
		}
	}
}

// fieldAt returns the field that begins at start, which is inside b.
func fieldAt(b []byte, start int) Field {
	end := lineEnd(b, start)
	first := b[start:end]
	for end < len(b) && (b[end] == ' ' || b[end] == '\t') {
		end = lineEnd(b, end)
	}
	f := Field{Start: start, End: end, Value: trimLineEnd(b[start:end])}
	if colon := bytes.IndexByte(first, ':'); colon > 0 {
		if name := bytes.TrimRight(first[:colon], " \t"); ValidName(name) {
			f.Name, f.Value = name, f.Value[colon+1:]
		}
	}
	return f
}

// lineEnd returns the offset behind the line that begins at i.
func lineEnd(b []byte, i int) int {
	if n := bytes.IndexByte(b[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(b)
}

func trimLineEnd(b []byte) []byte {
	if t := bytes.TrimSuffix(b, newline); len(t) < len(b) {
		return bytes.TrimSuffix(t, carriageReturn)
	}
	return b
}

// ValidName reports whether b can be the name of a header field (RFC 5322 §2.2).
func ValidName[T string | []byte](b T) bool {
	for i := range len(b) {
		if c := b[i]; c <= ' ' || c >= 0x7f || c == ':' {
			return false
		}
	}
	return len(b) > 0
}

// ReadHeader reads the header block of a message of the given size, without the
// empty line behind it. A block of more than limit bytes is cut behind its last
// line within them, and whole is then false.
func ReadHeader(r io.ReaderAt, size int64, limit int) (header []byte, whole bool, err error) {
	// Two bytes beyond the limit, for an empty line that stands there.
	most := int(min(size, int64(limit)+2))
	for n := min(4096, most); ; n = min(4*n, most) {
		b := make([]byte, n)
		if _, err := r.ReadAt(b, 0); err != nil && err != io.EOF {
			return nil, false, fmt.Errorf("message: read header: %w", err)
		}
		if end, _, found := Split(b); found && end <= limit {
			return b[:end], true, nil
		}
		switch {
		case n < most:
		case size <= int64(limit):
			return b, true, nil
		default:
			b = b[:limit]
			return b[:bytes.LastIndexByte(b, '\n')+1], false, nil
		}
	}
}
