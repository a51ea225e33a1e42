// Package syntax reads HSL source text into a tree: the first pass.
//
// A Lexer cuts a file into tokens, a recursive-descent parser makes statements
// and expressions of them. Both report what they find wrong as an Error with
// position, source line and caret; the parser then goes on behind the broken
// statement, so that one run reports several mistakes.
//
// Files are registered in a Sources, whose positions are single numbers that
// tell file and offset apart, because include splices the statements of one
// file into another.
package syntax

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
)

// Pos is a place in one of the files of a Sources. The zero Pos is nowhere.
type Pos int32

// Sources are the files that one compilation has read. They may be read by many
// goroutines once nothing is added any more.
type Sources struct {
	files []*File
	size  Pos
}

// File is one file of a Sources.
type File struct {
	Name string // as it appears in messages
	Text string
	// Within are the places of the include statements that led here, innermost
	// first.
	Within []Pos

	base      Pos // of the first byte
	linesOnce sync.Once
	lines     []int // offset of each line
}

// MaxSource bounds one file and all files of a compilation together.
const MaxSource = 256 << 20

// Add registers a file. within are the include statements that led to it.
func (s *Sources) Add(name, text string, within []Pos) (*File, error) {
	if len(text) > MaxSource-int(s.size)-1 {
		return nil, fmt.Errorf("syntax: sources are larger than %d MiB", MaxSource>>20)
	}
	f := &File{Name: name, Text: text, Within: within, base: s.size + 1}
	s.files = append(s.files, f)
	s.size += Pos(len(text)) + 1
	return f, nil
}

// File returns the file of a place, or nil.
func (s *Sources) File(p Pos) *File {
	i := sort.Search(len(s.files), func(i int) bool { return s.files[i].base > p })
	if i == 0 {
		return nil
	}
	return s.files[i-1]
}

// Names returns the names of all files, in the order in which they were read.
func (s *Sources) Names() []string {
	names := make([]string, len(s.files))
	for i, f := range s.files {
		names[i] = f.Name
	}
	return names
}

// Text returns the text of a file; "" if there is none of that name.
func (s *Sources) Text(name string) string {
	for _, f := range s.files {
		if f.Name == name {
			return f.Text
		}
	}
	return ""
}

// Line returns a line of a file, cut around the column if it is long, and where
// the column is in it; "" if there is no such line.
func (s *Sources) Line(file string, line, column int) (text string, caret int) {
	for _, f := range s.files {
		f.linesOnce.Do(f.findLines)
		if f.Name == file && line > 0 && line <= len(f.lines) {
			return s.Excerpt(f.base + Pos(min(f.lines[line-1]+column-1, len(f.Text))))
		}
	}
	return "", 0
}

// Position says where p is for people.
func (s *Sources) Position(p Pos) Position {
	f := s.File(p)
	if f == nil {
		return Position{}
	}
	line, column := f.at(int(p - f.base))
	return Position{File: f.Name, Line: line, Column: column}
}

// at converts an offset into line and column.
func (f *File) at(offset int) (line, column int) {
	f.linesOnce.Do(f.findLines)
	i := sort.SearchInts(f.lines, offset+1) - 1
	return i + 1, offset - f.lines[i] + 1
}

func (f *File) findLines() {
	f.lines = append(f.lines, 0)
	for i := range len(f.Text) {
		if f.Text[i] == '\n' {
			f.lines = append(f.lines, i+1)
		}
	}
}

// Position is a place as people read it: lines and columns from 1, columns in
// bytes.
type Position struct {
	File         string
	Line, Column int
}

// String returns file:line:column.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Error is one mistake in a source, or one warning about it.
type Error struct {
	Position
	Message string
	Warning bool
	// Within are the include statements that led to the file, innermost first.
	Within []Position
	// Source is the line, and Caret where in it to point, in bytes.
	Source string
	Caret  int
}

// Errorf returns an error at p.
func (s *Sources) Errorf(p Pos, format string, args ...any) *Error {
	e := &Error{Position: s.Position(p), Message: fmt.Sprintf(format, args...)}
	f := s.File(p)
	if f == nil {
		return e
	}
	for _, w := range f.Within {
		e.Within = append(e.Within, s.Position(w))
	}
	e.Source, e.Caret = s.Excerpt(p)
	return e
}

// excerptWidth is how much of a long line is shown on either side.
const excerptWidth = 100

// Excerpt returns the line of p, or the part of it around p if it is long, and
// where p stands in it.
func (s *Sources) Excerpt(p Pos) (line string, caret int) {
	f := s.File(p)
	if f == nil {
		return "", 0
	}
	n, column := f.at(int(p - f.base))
	start := f.lines[n-1]
	at := start + column - 1
	start = max(start, at-excerptWidth)
	line = f.Text[start:min(len(f.Text), at+excerptWidth)]
	if end := strings.IndexByte(line[at-start:], '\n'); end >= 0 {
		line = strings.TrimSuffix(line[:at-start+end], "\r")
	}
	return line, min(at-start, len(line))
}

// Error returns the message with its place, on one line.
func (e *Error) Error() string {
	if e.File == "" && e.Line == 0 {
		return e.Message
	}
	return e.Position.String() + ": " + e.Message
}

// Detail returns the message with place, source line, caret, and the includes
// that led there.
func (e *Error) Detail() string {
	var b strings.Builder
	b.WriteString(e.Error())
	b.WriteString(Underline(e.Source, e.Caret))
	for _, w := range e.Within {
		fmt.Fprintf(&b, "\n    included at %s", w)
	}
	return b.String()
}

// Underline returns two lines, each after a line break: the source line, and a
// caret below the byte. It returns "" for an empty line.
func Underline(line string, caret int) string {
	if strings.TrimSpace(line) == "" {
		return ""
	}
	pad := []byte(line[:caret])
	for i, c := range pad {
		if c != '\t' {
			pad[i] = ' '
		}
	}
	return "\n    " + line + "\n    " + string(pad) + "^"
}

// Errors are the mistakes of one compilation, in order of their places.
type Errors []*Error

// Error returns all messages, a line each.
func (l Errors) Error() string {
	texts := make([]string, len(l))
	for i, e := range l {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "\n")
}

// Detail returns all messages with their source lines.
func (l Errors) Detail() string {
	texts := make([]string, len(l))
	for i, e := range l {
		texts[i] = e.Detail()
	}
	return strings.Join(texts, "\n")
}

// Sort orders the errors by file and place, and drops repetitions.
func (l Errors) Sort() Errors {
	slices.SortStableFunc(l, func(a, b *Error) int {
		if a.File != b.File {
			return strings.Compare(a.File, b.File)
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return slices.CompactFunc(l, func(a, b *Error) bool { return a.Position == b.Position && a.Message == b.Message })
}
