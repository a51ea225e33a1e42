// Package mime is a message as those see it who look into it and change it: parts,
// their headers and bodies, and edits of all of them.
//
// A Message is an index of offsets over bytes that stay where they are, in a file
// or in memory. The header of the message is read at once, everything below only
// when somebody asks for a part: then one pass over the body finds the
// boundaries (RFC 2046 §5.1) and notes where each part begins and ends. Bodies are
// streams; none is held in memory unless the caller collects it.
//
// Malformed input is no error. What a broken message means is decided the way
// that package message and most mail programs do it, and noted in the part's
// Errors: a line that is no header field, a boundary that is missing or never
// closed. Depth and number of parts are bounded; what lies beyond the bounds is
// the body of the last part within them. Parts of type message/rfc822 are not
// opened: their body is a message of its own.
//
// Edits never touch the original. They are recorded, in order, and getters go on
// telling what came in. View makes the edited message by laying a patch over
// the original, in which everything that no edit names, down to the odd line end,
// is as it came, so that signatures over it survive. Snapshot, Restore and Reset
// move along the record.
//
// A read of the original that fails makes a getter answer as if nothing were
// there; Err then says so, and View fails. A Message and its parts are for one
// goroutine at a time.
package mime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/posthaste-mta/posthaste/internal/message/patch"
)

// Source is an original that can be read at any place.
type Source = patch.Source

// Limits bound what a message can cost. Zero stands for the value in brackets.
type Limits struct {
	Header int // bytes of each header whose fields are seen (1 MiB)
	Fields int // of each header that are seen (10,000)
	Depth  int // multiparts within each other (32)
	Parts  int // parts of the whole message (10,000)
	// Flat leaves multiparts unopened: no part has parts.
	Flat bool
}

func (l Limits) orDefault() Limits {
	if l.Header <= 0 {
		l.Header = 1 << 20
	}
	if l.Fields <= 0 {
		l.Fields = 10_000
	}
	if l.Depth <= 0 {
		l.Depth = 32
	}
	if l.Parts <= 0 {
		l.Parts = 10_000
	}
	return l
}

// Message is an original with an index and edits.
type Message struct {
	source  Source
	limits  Limits
	root    *Part
	scanned bool
	err     error

	last      *change // newest edit; nil: none
	edits     edits   // what the record amounts to
	snapshots []*change
}

// New returns the message that the source holds. It reads the header; if that
// fails, Err says so.
func New(source Source, limits Limits) *Message {
	m := &Message{source: source, limits: limits.orDefault()}
	m.root = &Part{message: m, dash: -1, end: source.Size()}
	s := newScanner(m)
	m.root.headerEnd, m.root.bodyStart = s.header(0, nil)
	s.keepHeader(m.root)
	m.edits = newEdits()
	return m
}

// NewBytes returns the message that b holds, which must not change.
func NewBytes(b []byte) *Message { return New(bytes.NewReader(b), Limits{}) }

// Root returns the part that is the whole message.
func (m *Message) Root() *Part { return m.root }

// Err returns the first error of reading the original, or nil.
func (m *Message) Err() error { return m.err }

func (m *Message) fail(err error) {
	if err != nil && m.err == nil {
		m.err = fmt.Errorf("mime: read message: %w", err)
	}
}

// Original returns what the message was made from.
func (m *Message) Original() Source { return m.source }

// Patch returns the edits in the form that is kept with a queued message. Fields
// of SetDateLater are given the date of now. Nothing is read for it that the
// edits did not need.
func (m *Message) Patch(now time.Time) (*patch.Patch, error) {
	if m.err != nil {
		return nil, m.err
	}
	r := renderer{edits: &m.edits, now: now}
	r.part(m.root)
	r.raw()
	if r.err == nil {
		r.err = m.err // reading for it
	}
	return &r.patch, r.err
}

// View returns the edited message.
func (m *Message) View(now time.Time) (*patch.View, error) {
	p, err := m.Patch(now)
	if err != nil {
		return nil, err
	}
	v, err := p.Apply(m.source)
	if err != nil {
		return nil, fmt.Errorf("mime: %w", err)
	}
	return v, nil
}

// ErrTooLarge says that a text exceeds the limit that its reader gave.
var ErrTooLarge = errors.New("mime: text exceeds its limit")

// Bytes returns the edited message if it has no more than limit bytes.
func (m *Message) Bytes(now time.Time, limit int64) ([]byte, error) {
	v, err := m.View(now)
	if err != nil {
		return nil, err
	}
	return collect(io.NewSectionReader(v, 0, v.Size()), v.Size(), limit)
}

// collect reads everything, of which there are about size bytes.
func collect(r io.Reader, size, limit int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(size, limit)) + bytes.MinRead)
	n, err := b.ReadFrom(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("mime: %w", err)
	case n > limit:
		return nil, ErrTooLarge
	}
	return b.Bytes(), nil
}
