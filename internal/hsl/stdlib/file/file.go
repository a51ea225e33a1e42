// Package file holds the class File, which reads files, and where scripts find
// them: in the configuration or below a folder of the system (see Store).
package file

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/ffi"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Content is what a File reads.
type Content interface {
	io.Reader
	io.Seeker
	io.Closer
}

// Store opens files by the paths that scripts use. It must be safe for
// concurrent use.
type Store interface {
	// Open returns an error for paths that are not there or not allowed.
	Open(path string) (Content, error)
}

// Resource is an open file that only the class File can read, such as the body
// of a message. It is used up by the first File that is made of it.
type Resource struct {
	Path    string // "" if it has none
	Content Content
}

// ResourceKind implements value.Resource.
func (*Resource) ResourceKind() string { return "FileResource" }

// Class returns the class File for the files of a store, which may be nil.
func Class(s Store) *value.Class {
	c := &value.Class{
		Name: "File",
		Doc:  "A file that can be read. It is closed at the end of the script at the latest.",
	}
	c.Constructor = declare.Function("File(string or FileResource path) File or none",
		"Opens a file of the configuration by its name, or one of the system as file://path. Gives none if it cannot be opened.",
		`$f = File::String("one\ntwo"); echo $f->readline(); // one`,
		func(call *value.Call) (value.Value, error) { return open(call, c, s) })
	c.Methods = []*value.Builtin{
		declare.Method("close()", "Closes the file.", shut),
		declare.Method("read([number length]) string or none", "Returns at most length bytes, or the rest of the file; an empty string at the end and none on an error.", read),
		declare.Method("readline() string or boolean or none", "Returns a line without its end, false at the end of the file and none on an error.", readLine),
		declare.Method(`seek(number offset, [string whence = "SEEK_SET"]) number or none`,
			"Goes to an offset from the beginning (SEEK_SET), from here (SEEK_CUR) or from the end (SEEK_END) and returns the new position, or none.", seek),
		declare.Method("tell() number or none", "Returns the position.", tell),
		declare.Method("getPath() string or none", "Returns the path, or none if the file has none.", path),
		ffi.Value(),
	}
	c.Statics = []*value.Builtin{
		declare.Method("String(string data) File", "Returns a file of the data.",
			func(call *value.Call) (value.Value, error) {
				return New(call.Thread, c, "", nopCloser{strings.NewReader(call.Str(0))}), nil
			}),
		declare.Method("read(string filename) string or none", "Returns all of a file, or none if it cannot be read.",
			func(call *value.Call) (value.Value, error) { return readAll(call, s, call.Str(0)) }),
	}
	declare.Examples(c, examples)
	return c
}

// New returns an object of the class, a File, that the thread closes at its end.
func New(t *value.Thread, c *value.Class, path string, content Content) value.Value {
	f := &File{path: path, content: content, buffer: bufio.NewReader(content)}
	t.Own(f)
	return value.FromObject(c.New(f))
}

func open(c *value.Call, class *value.Class, s Store) (value.Value, error) {
	if r, ok := c.Args[0].Resource().(*Resource); ok {
		return New(c.Thread, class, r.Path, r.Content), nil
	}
	if s == nil {
		return value.None, nil
	}
	content, err := s.Open(c.Str(0))
	if err != nil {
		return value.None, nil // none says so
	}
	return New(c.Thread, class, c.Str(0), content), nil
}

func readAll(c *value.Call, s Store, path string) (value.Value, error) {
	if s == nil {
		return value.None, nil
	}
	content, err := s.Open(path)
	if err != nil {
		return value.None, nil // none says so
	}
	f := &File{content: content, buffer: bufio.NewReader(content)}
	defer f.Close()
	return f.result(f.rest(c.Thread))
}

// nopCloser is a Content in memory.
type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

// errClosed is for what is done with a file after its close.
var errClosed = errors.New("file: closed")

// File is the state of a File. It may be shared by scripts, so it has a lock.
type File struct {
	path string

	mu      sync.Mutex
	content Content // nil when closed
	buffer  *bufio.Reader
	at      int64 // position of the script; the content is ahead of it by the buffer
}

// Close implements io.Closer, for the thread that owns the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.content == nil {
		return nil
	}
	err := f.content.Close()
	f.content = nil
	return err
}

// Content returns all of the file from its beginning, wherever the script
// stands, for builtins that take a File. The thread pays.
func (f *File) Content(t *value.Thread) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.at
	if err := f.seek(0, io.SeekStart); err != nil {
		return "", err
	}
	text, err := f.rest(t)
	if back := f.seek(at, io.SeekStart); err == nil {
		err = back
	}
	return text, err
}

// rest reads to the end. The caller holds the lock.
func (f *File) rest(t *value.Thread) (string, error) {
	if f.content == nil {
		return "", errClosed
	}
	var b strings.Builder
	var growth value.Growth
	piece := make([]byte, 1<<15)
	for {
		n, err := f.buffer.Read(piece)
		b.Write(piece[:n])
		f.at += int64(n)
		if err := growth.To(t, b.Len()); err != nil {
			return "", err
		}
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// seek goes to a place. The caller holds the lock.
func (f *File) seek(offset int64, whence int) error {
	if f.content == nil {
		return errClosed
	}
	if whence == io.SeekCurrent {
		offset, whence = offset+f.at, io.SeekStart
	}
	at, err := f.content.Seek(offset, whence)
	if err != nil {
		return err
	}
	f.at = at
	f.buffer.Reset(f.content)
	return nil
}

// result makes none of an error, unless it ends the script.
func (f *File) result(text string, err error) (value.Value, error) {
	switch {
	case value.Uncatchable(err):
		return value.None, err
	case err != nil:
		return value.None, nil
	}
	return value.String(text), nil
}

// Original gives access to any place of the file, wherever the script stands,
// for builtins that take a File and read it later. Reading fails once the file
// is closed.
func (f *File) Original() (*Original, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.at
	if err := f.seek(0, io.SeekEnd); err != nil {
		return nil, err
	}
	size := f.at
	return &Original{f, size}, f.seek(at, io.SeekStart)
}

// Original is a File that is read at any place.
type Original struct {
	file *File
	size int64
}

// Size returns the size that the file had.
func (o *Original) Size() int64 { return o.size }

// ReadAt implements io.ReaderAt. It leaves the position of the script alone.
func (o *Original) ReadAt(b []byte, off int64) (n int, err error) {
	f := o.file
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.content == nil {
		return 0, errClosed
	}
	if direct, ok := f.content.(io.ReaderAt); ok {
		return direct.ReadAt(b, off)
	}
	at := f.at
	if err := f.seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n, err = io.ReadFull(f.content, b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	if back := f.seek(at, io.SeekStart); err == nil {
		err = back
	}
	return n, err
}
