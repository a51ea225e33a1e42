package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The two errors about `version` keep the wording that packers of these files
// have always had.
var (
	ErrMissingVersion = errors.New("Missing version") //nolint:staticcheck // documented text
	ErrUnknownVersion = errors.New("Unknown version") //nolint:staticcheck // documented text
)

// Position is a place in a file. Line and Column count from one; zero means
// that the file as a whole is meant.
type Position struct {
	File   string
	Line   int
	Column int
}

// String writes p as file:line:column.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Error is one mistake in a file.
type Error struct {
	Position
	Path string // of the key, such as "servers[0].listeners"; empty for the whole file
	Err  error
}

// Error returns file:line:column: path: text.
func (e *Error) Error() string {
	return e.String() + ": " + prefixed(e.Path, e.Err.Error())
}

// Unwrap returns the mistake without its place.
func (e *Error) Unwrap() error { return e.Err }

// Errors are all mistakes found in one pass, in the order of the file.
type Errors []*Error

// Error returns one mistake per line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.Is and errors.As look into each mistake.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// Err returns e sorted by place, or nil when there are no mistakes.
func (e Errors) Err() error {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b *Error) int {
		if a.File != b.File {
			return strings.Compare(a.File, b.File)
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return e
}
