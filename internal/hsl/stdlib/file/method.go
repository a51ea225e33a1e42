package file

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// lock returns the file of a method, locked.
func lock(c *value.Call) *File {
	f := c.This.Native.(*File)
	f.mu.Lock()
	return f
}

func shut(c *value.Call) (value.Value, error) {
	f := c.This.Native.(*File)
	c.Disown(f)
	_ = f.Close() // it was only read
	return value.None, nil
}

func read(c *value.Call) (value.Value, error) {
	f := lock(c)
	defer f.mu.Unlock()
	if !c.Has(0) {
		return f.result(f.rest(c.Thread))
	}
	n := c.Int(0)
	if n < 0 {
		return value.None, declare.Unwanted(c, 0, "a number that is not below 0")
	}
	return f.result(f.some(c.Thread, n))
}

// some reads at most n bytes, fewer only at the end. A script may ask for far
// more than there is, so that room is made as bytes come.
func (f *File) some(t *value.Thread, n int) (string, error) {
	if f.content == nil {
		return "", errClosed
	}
	var b strings.Builder
	var growth value.Growth
	piece := make([]byte, min(n, 1<<15))
	for b.Len() < n {
		got, err := f.buffer.Read(piece[:min(len(piece), n-b.Len())])
		b.Write(piece[:got])
		f.at += int64(got)
		if err := growth.To(t, b.Len()); err != nil {
			return "", err
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

func readLine(c *value.Call) (value.Value, error) {
	f := lock(c)
	defer f.mu.Unlock()
	line, err := f.line(c.Thread)
	if errors.Is(err, io.EOF) {
		return value.False, nil
	}
	return f.result(line, err)
}

// line reads a line without its end, or io.EOF when there is none.
func (f *File) line(t *value.Thread) (string, error) {
	if f.content == nil {
		return "", errClosed
	}
	var b []byte
	var growth value.Growth
	for {
		part, err := f.buffer.ReadSlice('\n')
		b = append(b, part...)
		f.at += int64(len(part))
		if err := growth.To(t, len(b)); err != nil {
			return "", err
		}
		switch {
		case err == nil, errors.Is(err, io.EOF) && len(b) > 0:
			return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), t.Step(1)
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		}
	}
}

// whences are the places that an offset counts from.
var whences = map[string]int{"SEEK_SET": io.SeekStart, "SEEK_CUR": io.SeekCurrent, "SEEK_END": io.SeekEnd}

func seek(c *value.Call) (value.Value, error) {
	whence, ok := whences[c.Str(1)]
	if !ok {
		return value.None, declare.Unwanted(c, 1, "SEEK_SET, SEEK_CUR or SEEK_END")
	}
	f := lock(c)
	defer f.mu.Unlock()
	if f.seek(int64(c.Int(0)), whence) != nil {
		return value.None, nil
	}
	return value.Number(float64(f.at)), nil
}

func tell(c *value.Call) (value.Value, error) {
	f := lock(c)
	defer f.mu.Unlock()
	if f.content == nil {
		return value.None, nil
	}
	return value.Number(float64(f.at)), nil
}

func path(c *value.Call) (value.Value, error) {
	f := c.This.Native.(*File)
	if f.path == "" {
		return value.None, nil
	}
	return value.String(f.path), nil
}
