package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Message collects one body and commits it. It is used by one goroutine at a
// time; the reading methods may run side by side after the last Write.
type Message struct {
	store   *Store
	content *content
	broken  error // why the body could not be collected

	// What Commit hands to the committer, and what comes back.
	envelope    []byte
	envelopeCRC uint32
	entries     uint32
	number      uint64
	handle      Handle
	err         error
}

// NewMessage begins the collection of a body.
func (s *Store) NewMessage() *Message {
	return &Message{store: s, content: newContent()}
}

// Write appends to the body. Beyond Options.MemoryBody it spills to a file.
// After an error the message cannot be committed.
func (m *Message) Write(p []byte) (int, error) {
	if m.broken != nil {
		return 0, m.broken
	}
	if m.content.size+int64(len(p)) > maxLength {
		m.broken = fmt.Errorf("spool: body: %w", ErrTooLarge)
		return 0, m.broken
	}
	n, err := m.content.write(p, m.store.o.MemoryBody, m.store.spillFile)
	if err != nil {
		m.broken = fmt.Errorf("spool: body: %w", writeFailure(err))
	}
	return n, m.broken
}

// Size is the number of bytes written so far.
func (m *Message) Size() int64 { return m.content.size }

// ReadAt reads what was written so far, also after Commit, until Discard.
func (m *Message) ReadAt(p []byte, off int64) (int, error) { return m.content.ReadAt(p, off) }

// WriteTo writes out what was written so far, also after Commit, until Discard.
func (m *Message) WriteTo(w io.Writer) (int64, error) { return m.content.WriteTo(w) }

// Discard gives the buffers back. Call it in every case, after Commit too; the
// committed message is not touched by it. The Message is not used after it.
func (m *Message) Discard() {
	if m.content != nil {
		// The spill file has no name and no reader any more: there is nothing
		// that an error of closing it could mean.
		_ = m.content.release()
		m.content = nil
	}
}

// Commit returns when the message is on disk, in one sync with everything else
// that waited. Entries are numbered from 1 to entries. ctx is looked at before
// the message is handed to the log; after that Commit waits for the outcome, so
// that an error always means that nothing is left behind. The envelope is not
// kept.
//
// Errors are ErrLowSpace and ErrDiskFull (452), ErrTooLarge (552), ErrFailed and
// ErrClosed (451), or that of ctx.
func (m *Message) Commit(ctx context.Context, envelope []byte, entries int) (Handle, error) {
	h, err := m.commit(ctx, envelope, entries)
	if err != nil {
		m.store.Metrics.Refused.Inc()
		return 0, fmt.Errorf("spool: commit: %w", err)
	}
	return h, nil
}

func (m *Message) commit(ctx context.Context, envelope []byte, entries int) (Handle, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if m.broken != nil {
		return 0, errors.Unwrap(m.broken)
	}
	if entries < 1 || entries >= leaving {
		return 0, fmt.Errorf("%d entries", entries)
	}
	if int64(len(envelope)) > maxLength {
		return 0, ErrTooLarge
	}
	if m.store.Free().Low {
		return 0, ErrLowSpace
	}
	m.envelope, m.envelopeCRC, m.entries = envelope, checksum(envelope), uint32(entries)
	defer func() { m.envelope = nil }()
	if r := m.record(); r.size() > m.store.largest {
		return m.store.commitSingle(m)
	}
	b, err := m.store.enqueue(m)
	if err != nil {
		return 0, err
	}
	<-b.done
	return m.handle, m.err
}

// record is the header of the message, as far as the message knows it.
func (m *Message) record() record {
	return record{
		kind:        recordMessage,
		number:      m.number,
		count:       m.entries,
		envelope:    uint32(len(m.envelope)),
		body:        uint32(m.content.size),
		envelopeCRC: m.envelopeCRC,
		bodyCRC:     m.content.crc,
	}
}

// writeFailure tells a full disk from other trouble.
func writeFailure(err error) error {
	if isFull(err) {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return fmt.Errorf("%w: %w", ErrFailed, err)
}
