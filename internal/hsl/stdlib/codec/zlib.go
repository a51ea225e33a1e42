package codec

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// stream is one of the formats that carry deflate.
type stream struct {
	writer func(w io.Writer, level int) (io.WriteCloser, error)
	reader func(r io.Reader) (io.ReadCloser, error)
}

var (
	zlibStream = stream{
		func(w io.Writer, level int) (io.WriteCloser, error) { return zlib.NewWriterLevel(w, level) },
		zlib.NewReader,
	}
	gzipStream = stream{
		func(w io.Writer, level int) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, level) },
		func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) },
	}
	rawStream = stream{
		func(w io.Writer, level int) (io.WriteCloser, error) { return flate.NewWriter(w, level) },
		func(r io.Reader) (io.ReadCloser, error) { return flate.NewReader(r), nil },
	}
)

// streamOf reads the bits of the window as zlib does: 8 to 15, negative for
// deflate alone, 16 more for gzip. The size itself does not matter here: a
// window of 32 KiB reads all others.
func streamOf(c *value.Call, i int) (stream, error) {
	switch bits := c.Int(i); {
	case bits >= 8 && bits <= 15:
		return zlibStream, nil
	case bits >= -15 && bits <= -8:
		return rawStream, nil
	case bits >= 16+8 && bits <= 16+15:
		return gzipStream, nil
	}
	return stream{}, declare.Unwanted(c, i, "8 to 15, -15 to -8 or 24 to 31")
}

func compress(c *value.Call) (value.Value, error) {
	s, level := c.Str(0), c.Int(1)
	if level < -1 || level > 9 {
		return value.None, declare.Unwanted(c, 1, "0 to 9")
	}
	format, err := streamOf(c, 2)
	if err != nil {
		return value.None, err
	}
	var b bytes.Buffer
	w, err := format.writer(&b, level)
	for err == nil && s != "" {
		n := min(len(s), 1<<15)
		if _, err = io.WriteString(w, s[:n]); err == nil {
			err = c.Step(n / 8)
		}
		s = s[n:]
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return value.None, err
	}
	return declare.Bytes(c, b.Bytes())
}

func uncompress(c *value.Call) (value.Value, error) {
	format, err := streamOf(c, 1)
	if err != nil {
		return value.None, err
	}
	r, err := format.reader(strings.NewReader(c.Str(0)))
	if err != nil {
		return value.None, nil // none says so
	}
	b, err := inflate(c, r)
	if value.Uncatchable(err) {
		return value.None, err
	}
	if err != nil {
		return value.None, nil // none says so
	}
	return value.String(string(b)), nil
}

// inflate reads to the end and pays for each piece before the next one: a small
// text may hold a large one.
func inflate(c *value.Call, r io.Reader) (b []byte, err error) {
	var growth value.Growth
	piece := make([]byte, 1<<15)
	for {
		n, err := r.Read(piece)
		b = append(b, piece[:n]...)
		if err := growth.To(c.Thread, len(b)); err != nil {
			return nil, err
		}
		if err := c.Step(n/16 + 1); err != nil {
			return nil, err
		}
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
