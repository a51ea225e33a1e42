package queue

import (
	"net/netip"
	"strings"
	"time"
	"unique"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/spool"
)

// State is where an entry is. The names are those that operators know.
type State uint8

const (
	StateUnknown State = iota // due, being prepared
	StateDefer
	StateActive
	StateSending
	StateHold
	states
)

func (s State) String() string {
	return [...]string{"UNKNOWN", "DEFER", "ACTIVE", "SENDING", "HOLD"}[s]
}

// message is the part that the recipients of one message share. What is seldom
// asked for (subject, reverse name, parameters) stays on disk.
type message struct {
	id       envelope.ID
	handle   spool.Handle
	slot     uint32 // in schedule.slots
	received int64
	size     int64
	origin   unique.Handle[origin]
	local    string // of the sender
	domain   unique.Handle[string]
	entries  []entry
	left     uint32 // entries that are not done
	priority uint8
	flags    messageFlags
}

// origin is what many messages have in common about where they came from.
type origin struct {
	server   string
	ip       netip.Addr
	helo     string
	username string
	stage    string
}

type messageFlags uint8

const (
	has8Bit messageFlags = 1 << iota
	hasBinary
	hasUTF8
	hasRequireTLS
	// hasRare: the envelope has something that is not kept here, so an attempt
	// reads it from the spool.
	hasRare
)

// entry is one recipient. It is in at most one list, chosen by its state.
type entry struct {
	next, prev *entry
	msg        *message
	group      *group // while ACTIVE or SENDING
	local      string
	domain     unique.Handle[string]
	class      unique.Handle[class]
	rare       *rare  // nil for most
	reason     string // of the last failure
	due        int64
	number     uint32
	retry      uint32
	state      State
	notify     envelope.Notify
	flags      entryFlags
	priority   uint8 // 0 or 1
}

// class is what steers an entry and is shared by many.
type class struct{ transport, job, tenant string }

// rare holds what few entries have.
type rare struct {
	sender      *address.Address // differs from the message's
	quotas      []string
	metadata    map[string]string // replaces the envelope's
	metadataSet bool
	after       *Action               // what an operator wants once the running attempt ends
	try         *Try                  // from the hook, for the attempt to come
	context     any                   // likewise
	to          *delivery.Destination // that its settings lead to; nil: that of the group
}

type entryFlags uint8

const (
	isGone entryFlags = 1 << iota
	isNotified
)

// more returns the rare part of e, made if need be.
func (e *entry) more() *rare {
	if e.rare == nil {
		e.rare = new(rare)
	}
	return e.rare
}

// listed reports whether e is in a list.
func (e *entry) listed() bool { return e.next != nil }

// recovered is what an earlier run knew of the entries of a message.
type recovered struct {
	done   map[uint32]bool
	states map[uint32]envelope.State
}

// newMessage turns an envelope into entries. past is nil for a new message.
func newMessage(h spool.Handle, m *envelope.Message, past *recovered) *message {
	in := &message{
		id: m.ID, handle: h, received: unixMilli(m.Received), size: m.Size,
		origin:   unique.Make(origin{m.ServerID, m.Client.IP, m.Client.Helo, m.Client.Username, m.Stage}),
		priority: min(m.Priority, 1),
		flags:    flagsOf(m),
	}
	in.addEntries(m.Recipients, past)
	in.left = uint32(len(in.entries))
	for i := range in.entries {
		e := &in.entries[i]
		if past != nil {
			if st, ok := past.states[e.number]; ok {
				e.restore(&st)
			}
		}
	}
	return in
}

// addEntries makes the entries of rs that are not done. Local parts often point
// into a whole command line, so they are copied: all of a message into one
// string.
func (in *message) addEntries(rs []envelope.Recipient, past *recovered) {
	if len(rs) == 0 {
		return
	}
	sender := rs[0].Sender
	var locals strings.Builder
	size := len(sender.Local)
	for i := range rs {
		size += len(rs[i].Address.Local)
	}
	locals.Grow(size)
	locals.WriteString(sender.Local)
	for i := range rs {
		locals.WriteString(rs[i].Address.Local)
	}
	rest := locals.String()
	cut := func(n int) (s string) { s, rest = rest[:n], rest[n:]; return s }
	in.local, in.domain = cut(len(sender.Local)), unique.Make(sender.Domain)
	in.entries = make([]entry, 0, len(rs))
	for i := range rs {
		r := &rs[i]
		local := cut(len(r.Address.Local))
		if past == nil || !past.done[r.Number] {
			in.entries = append(in.entries, in.newEntry(r, local))
		}
	}
}

func flagsOf(m *envelope.Message) (f messageFlags) {
	switch m.Body {
	case envelope.Body8BitMIME:
		f |= has8Bit
	case envelope.BodyBinaryMIME:
		f |= hasBinary
	}
	if m.SMTPUTF8 {
		f |= hasUTF8
	}
	if m.RequireTLS {
		f |= hasRequireTLS
	}
	if m.EnvID != "" || m.Ret != envelope.RetUnset {
		f |= hasRare
	}
	for i := range m.Recipients {
		if r := &m.Recipients[i]; r.ORcpt != "" || len(r.Patch) > 0 || r.EnvID != "" || r.Ret != envelope.RetUnset {
			f |= hasRare
		}
	}
	return f
}

func (m *message) newEntry(r *envelope.Recipient, local string) entry {
	e := entry{
		msg: m, number: r.Number, notify: r.Notify,
		local: local, domain: unique.Make(r.Address.Domain),
		class: unique.Make(class{r.Transport, r.Job, r.Tenant}),
		due:   unixMilli(r.NotBefore), priority: min(max(m.priority, r.Priority), 1),
	}
	if r.Hold {
		e.state = StateHold
	}
	if r.Sender.Local != m.local || r.Sender.Domain != m.domain.Value() {
		sender := r.Sender
		e.more().sender = &sender
	}
	if len(r.Quotas) > 0 {
		e.more().quotas = r.Quotas
	}
	return e
}

// restore applies the state that an earlier run wrote.
func (e *entry) restore(st *envelope.State) {
	e.retry, e.due, e.reason = st.Retry, unixMilli(st.Due), st.Reason
	e.state = StateUnknown
	if st.Hold {
		e.state = StateHold
	}
	if st.Notified {
		e.flags |= isNotified
	}
	if st.Transport != "" {
		e.setTransport(st.Transport)
	}
	if st.MetadataSet {
		e.more().metadata, e.rare.metadataSet = st.Metadata, true
	}
}

// saved is the state to write for e.
func (e *entry) saved() envelope.State {
	st := envelope.State{
		Retry: e.retry, Hold: e.state == StateHold, Reason: e.reason,
		Notified: e.flags&isNotified != 0, Transport: e.class.Value().transport,
	}
	if e.due != 0 {
		st.Due = time.UnixMilli(e.due)
	}
	if e.rare != nil {
		st.Metadata, st.MetadataSet = e.rare.metadata, e.rare.metadataSet
	}
	return st
}

func (e *entry) setTransport(id string) {
	c := e.class.Value()
	c.transport = id
	e.class = unique.Make(c)
}

func (e *entry) setJob(id string) {
	c := e.class.Value()
	c.job = id
	e.class = unique.Make(c)
}

func (e *entry) sender() address.Address {
	if e.rare != nil && e.rare.sender != nil {
		return *e.rare.sender
	}
	if e.msg.local == "" && e.msg.domain == (unique.Handle[string]{}) {
		return address.Address{}
	}
	return address.Address{Local: e.msg.local, Domain: e.msg.domain.Value()}
}

func (e *entry) recipient() address.Address {
	return address.Address{Local: e.local, Domain: e.domain.Value()}
}

// list is a doubly linked list of entries through their own links. The zero
// list is not ready; see init.
type list struct{ head entry }

func (l *list) init() { l.head.next, l.head.prev = &l.head, &l.head }

func (l *list) push(e *entry) { e.linkBefore(&l.head) }

// linkBefore puts e, which is in no list, in front of at.
func (e *entry) linkBefore(at *entry) {
	e.prev, e.next = at.prev, at
	e.prev.next, at.prev = e, e
}

// pop takes the first entry, or nil.
func (l *list) pop() *entry {
	e := l.head.next
	if e == &l.head {
		return nil
	}
	e.unlink()
	return e
}

// unlink takes e out of the list it is in, if any.
func (e *entry) unlink() {
	if e.next == nil {
		return
	}
	e.prev.next, e.next.prev = e.next, e.prev
	e.next, e.prev = nil, nil
}
