package session

import (
	"io"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/message"
)

// Content gives the bytes of a received message: our Received field and what
// came after it.
type Content interface {
	io.ReaderAt
	io.WriterTo
	Size() int64
}

// Mail is a received message as the hook of its end sees it.
type Mail struct {
	Content
	// Header is the header block with our Received field, without the empty
	// line behind it. Of one that is longer than 1 MiB it is what fits.
	Header  []byte
	Summary message.Summary

	transaction *Transaction
	queued      []envelope.Recipient
	next        int            // where the recipient of the next entry is looked for first
	index       map[string]int // of the transaction's recipients by folded address
}

// NewMail returns the message of a transaction, with its bytes and what the
// summary of its header says.
func NewMail(t *Transaction, content Content, header []byte) *Mail {
	return &Mail{
		Content: content, Header: header, Summary: message.Summarize(header),
		transaction: t, queued: make([]envelope.Recipient, 0, len(t.Recipients)),
	}
}

// Queued returns the entries recorded so far.
func (m *Mail) Queued() []envelope.Recipient { return m.queued }

// Queue records one recipient entry and returns its number, from 1. Any number
// of entries may be for the same recipient. They are queued together when the
// hook accepts.
//
// Notify and ORcpt, when both are zero, are taken from the RCPT command of the
// same address; Number is set here.
func (m *Mail) Queue(r envelope.Recipient) uint32 {
	if r.Notify == 0 && r.ORcpt == "" {
		if from := m.recipient(r); from != nil {
			r.Notify, r.ORcpt = from.Notify, from.ORcpt
		}
	}
	r.Number = uint32(len(m.queued) + 1)
	m.queued = append(m.queued, r)
	return r.Number
}

// recipient returns the accepted recipient that an entry is for, nil if it is
// for somebody else. Entries nearly always come in the order of RCPT.
func (m *Mail) recipient(r envelope.Recipient) *Recipient {
	all := m.transaction.Recipients
	if m.next < len(all) && all[m.next].Address == r.Address {
		m.next++
		return &all[m.next-1]
	}
	if m.index == nil {
		m.index = make(map[string]int, len(all))
		for i := len(all) - 1; i >= 0; i-- {
			m.index[all[i].Address.Fold()] = i
		}
	}
	i, ok := m.index[r.Address.Fold()]
	if !ok {
		return nil
	}
	m.next = i + 1
	return &all[i]
}
