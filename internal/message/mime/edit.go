package mime

import (
	"errors"

	"github.com/posthaste-mta/posthaste/internal/message/patch"
)

// What can stand against an edit.
var (
	// ErrGone: the part was removed or replaced, or stands in one that was.
	ErrGone = errors.New("mime: part is gone")
	// ErrWhole: the edit is not possible for the whole message.
	ErrWhole = errors.New("mime: not possible for the whole message")
	// ErrType: the part is no multipart, or the wanted type is none.
	ErrType = errors.New("mime: no multipart")
	// ErrEncoding: there is no such transfer encoding.
	ErrEncoding = errors.New("mime: unknown transfer encoding")
	// ErrBoundary: the text holds a delimiter of the multipart that it would
	// stand in.
	ErrBoundary = errors.New("mime: text holds a boundary")
)

// change is one recorded edit and, through before, all that came before it. What
// is recorded stays as it is, so that a snapshot is but a pointer.
type change struct {
	before *change
	count  int // with this one
	apply  func(*edits)
}

// edits is what a record of changes amounts to.
type edits struct {
	parts map[*Part]*partEdit
	raw   patch.Patch
}

func newEdits() edits { return edits{parts: make(map[*Part]*partEdit)} }

// partEdit is what was done to one part.
type partEdit struct {
	fields  []entry // the header; nil: as it came
	body    *newBody
	removed bool
	entity  []byte // in place of the part; nil: the part itself

	preamble, epilogue *string

	layers        []layer  // multiparts around the part, from the innermost
	before, after [][]byte // siblings
	first, last   [][]byte // children in front of the others and behind them
}

// layer is a multipart that was made around a part.
type layer struct {
	kind          string // with parameters, without boundary
	boundary      string
	before, after [][]byte // entities beside the part, in order
}

// none is what stands for the edits of a part without any.
var none partEdit

func (e *edits) of(p *Part) *partEdit {
	if d := e.parts[p]; d != nil {
		return d
	}
	return &none
}

func (e *edits) change(p *Part) *partEdit {
	d := e.parts[p]
	if d == nil {
		d = new(partEdit)
		e.parts[p] = d
	}
	return d
}

// record makes a change and keeps it.
func (m *Message) record(apply func(*edits)) {
	m.last = &change{before: m.last, count: m.Edits() + 1, apply: apply}
	apply(&m.edits)
}

// Edits returns the number of recorded edits.
func (m *Message) Edits() int {
	if m.last == nil {
		return 0
	}
	return m.last.count
}

// Revision is a state of the edits. Equal ones stand for the same edits.
type Revision struct{ last *change }

// Revision returns the present state, to tell later whether it is the same.
func (m *Message) Revision() Revision { return Revision{m.last} }

// Reset drops all edits and returns how many there were.
func (m *Message) Reset() int {
	n := m.Edits()
	m.goTo(nil)
	return n
}

// Snapshot keeps the edits made so far and returns what Restore knows them by: 1,
// 2, and so on. It costs a few bytes.
func (m *Message) Snapshot() int {
	m.snapshots = append(m.snapshots, m.last)
	return len(m.snapshots)
}

// Restore goes back, or forth, to the edits of a snapshot, which can be restored
// as often as wanted. It reports false if there is none with that ID.
func (m *Message) Restore(id int) bool {
	if id < 1 || id > len(m.snapshots) {
		return false
	}
	m.goTo(m.snapshots[id-1])
	return true
}

// goTo makes the edits anew that led to a change.
func (m *Message) goTo(last *change) {
	m.last = last
	m.edits = newEdits()
	changes := make([]*change, m.Edits())
	for c := last; c != nil; c = c.before {
		changes[c.count-1] = c
	}
	for _, c := range changes {
		c.apply(&m.edits)
	}
}

// Modify replaces count bytes of the original from start by data, whatever they
// mean. Where another edit replaces more than those bytes, that one counts; where
// it replaces fewer, this one. It fails with patch.ErrRange outside the original
// or if it cuts into an earlier range; if it cuts into an edit of another kind,
// View fails so.
func (m *Message) Modify(start, count int64, data []byte) error {
	if start < 0 || count < 0 || start+count > m.source.Size() {
		return patch.ErrRange
	}
	trial := m.edits.raw.Clone()
	if err := trial.Replace(start, count, data); err != nil {
		return err
	}
	m.record(func(e *edits) { _ = e.raw.Replace(start, count, data) }) // as on trial
	return nil
}

// gone reports whether p itself cannot be edited any more, because it or a part
// around it was taken out or written over.
func (p *Part) gone() bool {
	if d := p.message.edits.of(p); d.removed || d.entity != nil {
		return true
	}
	return p.lost()
}

// lost reports whether the place of p is no more.
func (p *Part) lost() bool {
	for q := p.parent; q != nil; q = q.parent {
		if d := p.message.edits.of(q); d.removed || d.entity != nil || d.body != nil {
			return true
		}
	}
	return false
}
