package source

import (
	"slices"
	"strconv"
	"time"

	"github.com/posthaste-mta/posthaste/internal/sink/sequence"
)

// mail is the message that a session has in hand. Its memory serves for one
// message after the other.
type mail struct {
	mark     sequence.Mark
	content  *content
	head     []byte
	entries  []uint64 // that are still to be delivered
	results  []result // of the present try, for each of entries
	acked    []uint64 // entries that the present try brought home
	opened   bool     // MAIL was accepted
	bodySent bool     // the server may have the body
	sentAt   time.Time
}

// size is the number of bytes of the message.
func (m *mail) size() int { return len(m.head) + len(m.content.plain) }

// result is what became of one recipient in one try.
type result uint8

const (
	pending result = iota
	taken          // at RCPT
	acknowledged
	temporary
	permanent
)

// resultOf is what a reply means for those that it concerns.
func resultOf(code int, positive result) result {
	switch {
	case code < 400:
		return positive
	case code < 500:
		return temporary
	}
	return permanent
}

// load makes message number n ready for its first try.
func (m *mail) load(s *Source, n uint64) {
	o := &s.options
	m.mark = sequence.Mark{Run: o.Run, Number: n, Recipients: uint32(o.Recipients)}
	m.content = s.contents[n%uint64(len(s.contents))]
	m.entries = m.entries[:0]
	for i := range o.Recipients {
		m.entries = append(m.entries, m.mark.Entry(i))
	}
	m.writeHead(o, n)
}

// writeHead makes the header fields that differ from message to message.
func (m *mail) writeHead(o *Options, n uint64) {
	b := append(m.head[:0], sequence.Header+": "...)
	b = append(sequence.AppendMark(b, m.mark), "\r\n"...)
	if m.content.generated {
		b = append(b, "Message-ID: <"...)
		b = strconv.AppendUint(b, n, 10)
		b = append(append(append(b, '.'), o.Run...), "@source.invalid>\r\nFrom: <"...)
		b = o.From.Append(b, n)
		b = append(b, ">\r\nTo: <"...)
		b = o.Rcpt.Append(b, m.entries[0])
		b = append(b, ">\r\n"...)
	}
	m.head = b
}

// begin forgets the results of the try before.
func (m *mail) begin() {
	m.opened, m.bodySent = false, false
	m.results = append(m.results[:0], make([]result, len(m.entries))...)
}

// settle gives those that are not refused yet the result, and reports whether
// there were any.
func (m *mail) settle(r result) (any bool) {
	for i, old := range m.results {
		if old == pending || old == taken {
			m.results[i], any = r, true
		}
	}
	return any
}

// wanted reports whether the server has taken some recipient.
func (m *mail) wanted() bool { return slices.Contains(m.results, taken) }
