package queue

import (
	"net/netip"
	"unique"

	"github.com/posthaste-mta/posthaste/internal/delivery"
)

// group is a sub-queue: the ACTIVE entries that go the same way. It exists
// while it has entries.
type group struct {
	key         groupKey
	destination *delivery.Destination // of the entry that came in last
	settings    *Settings             // by which that was found
	lanes       [priorities]lane
	waiting     int
	sending     int
}

// groupKey is what the entries of a sub-queue have in common.
type groupKey struct {
	class  unique.Handle[class]
	domain unique.Handle[string]
	mx     string     // first candidate
	addr   netip.Addr // and its address
}

const priorities = 2

// lane is the waiting line of one priority in a group.
type lane struct {
	group      *group
	entries    list
	next, prev *lane // in the ring of its priority; nil while empty
}

// maxShift bounds how far insert looks for the place of an entry.
const maxShift = 64

// insert puts e in its place by the time of its message. Most are the newest,
// some come a little late from a worker that took longer, and a retry is often
// the oldest; what belongs further within a long line stands nearly there.
func (l *lane) insert(e *entry) {
	head := &l.entries.head
	if first := head.next; first != head && e.msg.received < first.msg.received {
		e.linkBefore(first)
		return
	}
	at := head
	for range maxShift {
		if at.prev == head || at.prev.msg.received <= e.msg.received {
			break
		}
		at = at.prev
	}
	e.linkBefore(at)
}

// ring is the lanes of one priority that have entries, visited in turn.
type ring struct{ at *lane }

// add puts l last in the turn. It does nothing when l is in the ring already.
func (r *ring) add(l *lane) {
	switch {
	case l.next != nil:
	case r.at == nil:
		l.next, l.prev = l, l
		r.at = l
	default:
		l.next, l.prev = r.at, r.at.prev
		l.prev.next, l.next.prev = l, l
	}
}

func (r *ring) remove(l *lane) {
	if l.next == nil {
		return
	}
	if l.next == l {
		r.at = nil
	} else {
		l.prev.next, l.next.prev = l.next, l.prev
		if r.at == l {
			r.at = l.next
		}
	}
	l.next, l.prev = nil, nil
}

// turn returns the lane whose turn it is, or nil, and passes the turn on.
func (r *ring) turn() *lane {
	l := r.at
	if l != nil {
		r.at = l.next
	}
	return l
}

// activate puts e into the sub-queue of its destination.
func (s *schedule) activate(e *entry, d *delivery.Destination) {
	key := groupKey{class: e.class, domain: e.domain}
	if len(d.Hosts) > 0 {
		key.mx, key.addr = d.Hosts[0].Name, d.Hosts[0].Addr.Addr()
	}
	g := s.groups[key]
	if g == nil {
		g = &group{key: key}
		for p := range g.lanes {
			g.lanes[p].group = g
			g.lanes[p].entries.init()
		}
		s.groups[key] = g
	}
	g.destination, g.settings = d, s.settings
	g.waiting++
	e.group = g
	s.setState(e, StateActive)
	l := &g.lanes[e.msg.priority]
	l.insert(e)
	s.ready[e.msg.priority].add(l)
}

// deactivate takes an ACTIVE entry out of its sub-queue.
func (s *schedule) deactivate(e *entry) {
	g := e.group
	e.unlink()
	g.waiting--
	if l := &g.lanes[e.msg.priority]; l.entries.empty() {
		s.ready[e.msg.priority].remove(l)
	}
}

// leave lets go of the group of an entry that is neither ACTIVE nor SENDING any
// more.
func (s *schedule) leave(e *entry) {
	g := e.group
	e.group = nil
	if g.waiting == 0 && g.sending == 0 {
		delete(s.groups, g.key)
	}
}

// next takes the entry that is to be sent now, or nil: the higher priority
// first, sub-queues in turn, and within one the oldest first.
func (s *schedule) next() *entry {
	for p := priorities - 1; p >= 0; p-- {
		if l := s.ready[p].turn(); l != nil {
			e := l.entries.head.next
			s.deactivate(e)
			return e
		}
	}
	return nil
}
