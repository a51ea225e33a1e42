// Package offline looks into spool folders that no process has open: those of a
// host that is gone, of a disk that was mounted elsewhere, of an MTA that is
// stopped. It changes nothing in them.
//
// A walk meets each message that still waits, with those of its recipients that
// do. Export writes what a walk meets to an archive, which a running MTA takes
// in. While a walk lasts, no MTA can open the folder.
package offline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/queue/archive"
	"github.com/posthaste-mta/posthaste/internal/spool"
	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// Message is one message that waits. It is valid during the call that it is
// given to.
type Message struct {
	Envelope *envelope.Message // with the recipients that wait, and no others
	States   []envelope.State  // of these recipients, in the same order
	*spool.Scanned
}

// Visitor is what Walk reports to. Functions may be nil. Walk calls them from
// one goroutine.
type Visitor struct {
	// Message is called for each message. An error ends the walk.
	Message func(*Message) error
	// Damaged is called for what could not be understood: a file, a stretch of
	// one, or an envelope.
	Damaged func(error)
}

// Walk reads the spool in dir. When a process has it open, the error is a
// *spool.LockedError.
func Walk(ctx context.Context, dir string, v Visitor) error {
	damaged := func(err error) {
		if v.Damaged != nil {
			v.Damaged(err)
		}
	}
	return spool.Scan(ctx, vfs.OS, dir, spool.Visitor{
		Corrupt: func(c spool.Corruption) {
			damaged(fmt.Errorf("%s at %d, %d bytes: %w", c.File, c.Offset, c.Length, c.Err))
		},
		Message: func(s spool.Scanned) error {
			m, err := read(&s)
			if err != nil {
				damaged(fmt.Errorf("%s at %d: %w", s.File, s.Offset, err))
				return nil
			}
			if v.Message == nil {
				return nil
			}
			return v.Message(m)
		},
	})
}

// read takes apart what the spool found.
func read(s *spool.Scanned) (*Message, error) {
	m := &Message{Envelope: new(envelope.Message), Scanned: s}
	if err := envelope.Decode(s.Envelope, m.Envelope); err != nil {
		return nil, err
	}
	states := map[uint32]envelope.State{}
	for _, e := range s.States {
		var st envelope.State
		if err := envelope.DecodeState(e.State, &st); err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.Entry, err)
		}
		states[e.Entry] = st
	}
	m.Envelope.Recipients = slices.DeleteFunc(m.Envelope.Recipients, func(r envelope.Recipient) bool {
		return slices.Contains(s.Done, r.Number)
	})
	for _, r := range m.Envelope.Recipients {
		st, ok := states[r.Number]
		if !ok {
			st = envelope.State{Due: r.NotBefore, Hold: r.Hold}
		}
		m.States = append(m.States, st)
	}
	return m, nil
}

// Entry is one recipient that waits.
type Entry struct {
	*envelope.Recipient
	State envelope.State
}

// Entries returns the recipients that wait, in order.
func (m *Message) Entries() []Entry {
	var all []Entry
	for i := range m.Envelope.Recipients {
		all = append(all, Entry{&m.Envelope.Recipients[i], m.States[i]})
	}
	return all
}

// Transport is where the recipient's mail goes by now.
func (e Entry) Transport() string {
	if e.State.Transport != "" {
		return e.State.Transport
	}
	return e.Recipient.Transport
}

// Status is HOLD, DEFER for what is not due at that time, or ACTIVE.
func (e Entry) Status(at time.Time) string {
	switch {
	case e.State.Hold:
		return "HOLD"
	case e.State.Due.After(at):
		return "DEFER"
	}
	return "ACTIVE"
}

// WriteTo writes the stored bytes of the message, without edits of recipients.
func (m *Message) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, m.Body()) }

// Summary counts what a walk met.
type Summary struct {
	Messages int   `json:"messages"`
	Entries  int   `json:"entries"`
	Bytes    int64 `json:"bytes"`   // of the stored messages
	Damaged  int   `json:"damaged"` // messages, files and stretches of files
}

func (s *Summary) count(m *Message) {
	s.Messages++
	s.Entries += len(m.States)
	s.Bytes += m.BodySize
}

// Check reads everything, bodies too, against its checksums. found is called for
// each damage.
func Check(ctx context.Context, dir string, found func(error)) (Summary, error) {
	var sum Summary
	damaged := func(err error) {
		sum.Damaged++
		found(err)
	}
	err := Walk(ctx, dir, Visitor{
		Damaged: damaged,
		Message: func(m *Message) error {
			sum.count(m)
			if err := m.Verify(); err != nil {
				damaged(fmt.Errorf("message %s: %w", m.Envelope.ID, err))
			}
			return nil
		},
	})
	return sum, err
}

// Export writes all messages to w and closes it. Those that are damaged are
// counted, reported through found, and left out.
func Export(ctx context.Context, dir string, w *archive.Writer, found func(error)) (Summary, error) {
	var sum Summary
	damaged := func(err error) {
		sum.Damaged++
		found(err)
	}
	err := Walk(ctx, dir, Visitor{
		Damaged: damaged,
		Message: func(m *Message) error {
			err := m.Verify()
			if err == nil {
				err = w.Add(&archive.Message{Envelope: m.Envelope, States: m.States}, m)
			}
			switch {
			case w.Err() != nil:
				return w.Err()
			case err != nil:
				damaged(fmt.Errorf("message %s: %w", m.Envelope.ID, err))
			default:
				sum.count(m)
			}
			return nil
		},
	})
	if err == nil {
		err = w.Close()
	}
	return sum, err
}

// ErrNone is returned for a message that does not wait in the spool.
var ErrNone = errors.New("no such message waits there")

// Find calls f with the message of that id.
func Find(ctx context.Context, dir string, id envelope.ID, f func(*Message) error) error {
	var failed error
	err := Walk(ctx, dir, Visitor{Message: func(m *Message) error {
		if m.Envelope.ID != id {
			return nil
		}
		failed = f(m)
		return errFound
	}})
	switch {
	case errors.Is(err, errFound):
		return failed
	case err != nil:
		return err
	}
	return fmt.Errorf("%s: %w", id, ErrNone)
}

// errFound ends the walk of Find.
var errFound = errors.New("found")
