// Package list is the plug-ins that look something up in files: suppression-list,
// bounce-list and ip-list.
//
// A file is read whole and replaced whole. A file with a mistake is refused with
// the number of each wrong line, and what was in force stays: a list that lost
// lines without a word would let mail through, or hold it up, that it should not.
//
// Look-ups are safe for concurrent use and take no lock.
package list

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/posthaste-mta/posthaste/internal/plugin"
)

// Pattern is a compiled regular expression.
type Pattern interface {
	// Match reports whether text has a match. An error says that it cost too much.
	Match(text string) (bool, error)
}

// Compiler compiles a regular expression of the kind that scripts use, without
// regard to case.
type Compiler func(pattern string) (Pattern, error)

// source is one list of the settings.
type source struct {
	ID         string `key:"id" required:"true"`
	Path       string `key:"path" required:"true"`
	AutoReload bool   `key:"autoreload" default:"true"`
}

// lists are the lists of a plug-in, each a *T.
type lists[T any] struct {
	plugin.Base
	files map[string]*file[T]
	order []string
	read  func(io.Reader) (*T, error)
	test  func(l *T, args []string) (string, error)

	mu sync.Mutex // serialises loads
}

type file[T any] struct {
	source
	current atomic.Pointer[T]
}

// ErrUnknown is for a list that the settings do not have.
var ErrUnknown = errors.New("no such list")

func newLists[T any](s plugin.Settings, read func(io.Reader) (*T, error), test func(*T, []string) (string, error)) (*lists[T], error) {
	var given struct {
		Lists []source `key:"lists"`
	}
	if err := s.Decode(&given); err != nil {
		return nil, err
	}
	l := &lists[T]{files: map[string]*file[T]{}, read: read, test: test}
	for i, one := range given.Lists {
		if l.files[one.ID] != nil {
			return nil, fmt.Errorf("lists[%d].id: there are two lists %q", i, one.ID)
		}
		l.files[one.ID] = &file[T]{source: one}
		l.order = append(l.order, one.ID)
	}
	return l, nil
}

// Prepare implements plugin.Plugin: lists are read when they have not been, and
// with each reload unless their autoreload is false.
func (l *lists[T]) Prepare(s plugin.Settings) (func(), error) {
	if _, err := l.Base.Prepare(s); err != nil {
		return nil, err
	}
	next := map[*file[T]]*T{}
	var errs []error
	for _, id := range l.order {
		f := l.files[id]
		if f.current.Load() != nil && !f.AutoReload {
			continue
		}
		loaded, err := l.load(f)
		errs = append(errs, err)
		next[f] = loaded
	}
	return func() {
		for f, loaded := range next {
			f.current.Store(loaded)
		}
	}, errors.Join(errs...)
}

func (l *lists[T]) load(f *file[T]) (*T, error) {
	r, err := os.Open(f.Path)
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", f.ID, err)
	}
	defer r.Close()
	loaded, err := l.read(bufio.NewReaderSize(r, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("list %q: %s: %w", f.ID, f.Path, err)
	}
	return loaded, nil
}

// get returns the list of that id as it is now.
func (l *lists[T]) get(id string) (*T, error) {
	f := l.files[id]
	if f == nil {
		return nil, fmt.Errorf("%w: %q; there are %s", ErrUnknown, id, l.names())
	}
	loaded := f.current.Load()
	if loaded == nil {
		return nil, fmt.Errorf("list %q was not read yet", id)
	}
	return loaded, nil
}

func (l *lists[T]) names() string {
	if len(l.files) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(l.files)), ", ")
}

// Command implements plugin.Plugin: "reload ID", also written "reload:ID", and
// "test ID …".
func (l *lists[T]) Command(_ context.Context, args []string) (string, error) {
	args = plugin.Words(args)
	switch {
	case len(args) == 2 && args[0] == "reload":
		return "OK", l.reload(args[1])
	case len(args) >= 3 && args[0] == "test":
		loaded, err := l.get(args[1])
		if err != nil {
			return "", err
		}
		return l.test(loaded, args[2:])
	}
	return "", plugin.Usage(args, "reload ID", "test ID TEXT...")
}

func (l *lists[T]) reload(id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.files[id]
	if f == nil {
		return fmt.Errorf("%w: %q; there are %s", ErrUnknown, id, l.names())
	}
	loaded, err := l.load(f)
	if err == nil {
		f.current.Store(loaded)
	}
	return err
}

// mistakes gathers what is wrong with lines, up to a readable number.
type mistakes struct {
	errs  []error
	count int
}

const mostMistakes = 10

func (m *mistakes) add(line int, err error) {
	if m.count++; m.count <= mostMistakes {
		m.errs = append(m.errs, fmt.Errorf("line %d: %w", line, err))
	}
}

func (m *mistakes) err() error {
	if m.count > mostMistakes {
		m.errs = append(m.errs, fmt.Errorf("and %d more", m.count-mostMistakes))
	}
	return errors.Join(m.errs...)
}

// eachLine calls f for each line that is neither empty nor a comment.
func eachLine(r io.Reader, f func(line string) error) error {
	var wrong mistakes
	s := bufio.NewScanner(r)
	for n := 1; s.Scan(); n++ {
		line := strings.TrimSpace(s.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := f(line); err != nil {
			wrong.add(n, err)
		}
	}
	return errors.Join(wrong.err(), s.Err())
}

// yes is a boolean as operators read it.
func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
