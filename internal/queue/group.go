package queue

import (
	"net/netip"
	"unique"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/policy"
)

// group is the ACTIVE entries that go the same way in every respect. It exists
// while it has entries. What policies do not tell apart shares a sub-queue.
type group struct {
	key         groupKey
	destination *delivery.Destination // of the entry that came in last
	settings    *Settings             // by which that was found
	tuple       policy.Tuple          // of the eight fields, but for the source
	grouping    string
	line        *subqueue
	lanes       [priorities]lane
	waiting     int
	sending     int
}

// groupKey is what the entries of a group have in common.
type groupKey struct {
	class     unique.Handle[class]
	domain    unique.Handle[string]
	mx        string            // first candidate
	addr      netip.Addr        // and its address
	groupings *policy.Groupings // by which its grouping was found
	sources   *policy.Sources
}

const priorities = 2

// lane is the waiting line of one priority in a group.
type lane struct {
	group      *group
	entries    list
	size       int
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
	g := s.groupOf(e, d)
	g.destination, g.settings = d, s.settings
	g.waiting++
	e.group = g
	s.setState(e, StateActive)
	p := e.priority
	s.active[p]++
	l := &g.lanes[p]
	l.insert(e)
	l.size++
	g.line.ready[p].add(l)
	s.engine.Add(g.line.Line, p, 1, s.clock)
}

// groupOf returns the group for an entry that goes to d.
func (s *schedule) groupOf(e *entry, d *delivery.Destination) *group {
	key := groupKey{class: e.class, domain: e.domain, groupings: s.settings.Groupings}
	if len(d.Hosts) > 0 {
		key.mx, key.addr = d.Hosts[0].Name, d.Hosts[0].Addr.Addr()
	}
	key.sources = s.sourcesOf(e, d, key.addr)
	if g := s.groups[key]; g != nil {
		return g
	}
	g := &group{key: key}
	c := e.class.Value()
	g.tuple = policy.NewTuple(c.tenant, c.job, c.transport, "", key.mx, e.domain.Value(), key.addr)
	g.grouping = key.groupings.Of(&g.tuple)
	g.tuple.Values[policy.Grouping] = g.grouping
	for p := range g.lanes {
		g.lanes[p].group = g
		g.lanes[p].entries.init()
	}
	s.join(g)
	s.groups[key] = g
	return g
}

// deactivate takes an ACTIVE entry out of its sub-queue.
func (s *schedule) deactivate(e *entry) {
	g, p := e.group, e.priority
	e.unlink()
	g.waiting--
	s.active[p]--
	l := &g.lanes[p]
	if l.size--; l.size == 0 {
		g.line.ready[p].remove(l)
	}
	s.engine.Remove(g.line.Line, p, 1, s.clock)
}

// leave lets go of the group of an entry that is neither ACTIVE nor SENDING any
// more.
func (s *schedule) leave(e *entry) {
	g := e.group
	e.group = nil
	if g.waiting == 0 && g.sending == 0 {
		delete(s.groups, g.key)
		s.engine.Leave(g.line.Line, s.clock)
	}
}
