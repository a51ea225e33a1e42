package queue

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/policy"
)

// subqueue is a line of the policies, with the groups that wait in it.
type subqueue struct {
	*policy.Line
	ready [priorities]ring // lanes of groups that have entries, in turn
}

// join puts g, which may have entries, into its sub-queue.
func (s *schedule) join(g *group) {
	l := s.engine.Line(&g.tuple, g.key.sources)
	if l.Owner == nil {
		l.Owner = &subqueue{Line: l}
	}
	g.line = l.Owner.(*subqueue)
	for p := range g.lanes {
		if n := g.lanes[p].size; n > 0 {
			g.line.ready[p].add(&g.lanes[p])
			s.engine.Add(l, uint8(p), n, s.clock)
		}
	}
}

// regroup makes all sub-queues anew, because other fields tell them apart.
func (s *schedule) regroup() {
	for _, g := range s.groups {
		old := g.line
		for p := range g.lanes {
			if n := g.lanes[p].size; n > 0 {
				old.ready[p].remove(&g.lanes[p])
				s.engine.Remove(old.Line, uint8(p), n, s.clock)
			}
		}
		s.join(g)
		s.engine.Leave(old.Line, s.clock)
	}
}

// next takes the entry that is to be sent now, with a reservation, or nil: the
// higher priority first, sub-queues in turn, groups within one in turn, and
// within these the oldest first.
func (s *schedule) next() (*entry, *policy.Reservation) {
	l, r := s.engine.Next(s.clock, s.pooled)
	if r == nil {
		return nil, nil
	}
	q := l.Owner.(*subqueue)
	for p := priorities - 1; p >= 0; p-- {
		if lane := q.ready[p].turn(); lane != nil {
			e := lane.entries.head.next
			r.Owner = e
			r.Describe(&lane.group.tuple)
			s.deactivate(e)
			return e, r
		}
	}
	panic("queue: a sub-queue without entries was picked up")
}

// pooled reports whether the entry of l whose turn it is would find a
// connection in the pool.
func (s *schedule) pooled(l *policy.Line, source int) bool {
	pool, ok := s.q.courier.(Pool)
	if !ok {
		return false
	}
	q := l.Owner.(*subqueue)
	for p := priorities - 1; p >= 0; p-- {
		if lane := q.ready[p].at; lane != nil {
			g := lane.group
			a := s.attempt(lane.entries.head.next)
			if a.transport == nil {
				return false
			}
			from := l.Source(source)
			a.settle(g.tuple.From(from))
			a.leaveFrom(from)
			a.Grouping = g.grouping
			return pool.Idle(&a.Attempt, g.destination)
		}
	}
	return false
}

// Pool is what a Courier may know besides: whether a connection idles on which
// the attempt could go to its first host.
type Pool interface {
	Idle(*delivery.Attempt, *delivery.Destination) bool
}

// maxSources bounds the lists of source addresses that are shared.
const maxSources = 4096

// sourcesOf returns the addresses that e may leave from to an address: those of
// its transport that are of that family, or else the one that the system would
// choose.
func (s *schedule) sourcesOf(e *entry, d *delivery.Destination, remote netip.Addr) *policy.Sources {
	var t *delivery.Transport
	if e.rare != nil && e.rare.try != nil && e.rare.try.Transport != nil {
		t = e.rare.try.Transport
	} else if own := s.settings.Transports[e.class.Value().transport]; own != nil {
		t = own.Delivery
	}
	if t == nil || len(t.Sources) == 0 {
		return s.systemsChoice(d.Local)
	}
	key := sourceKey{t, dns.FamilyOf(remote)}
	if have := s.sources[key]; have != nil {
		return have
	}
	var list []policy.Source
	for i := range t.Sources {
		if a := t.Sources[i].Addr; dns.FamilyOf(a) == key.family || !remote.IsValid() {
			list = append(list, policy.Source{Addr: a, Index: i})
		}
	}
	if len(list) == 0 {
		list = []policy.Source{{Index: -1}} // the courier says what is wrong
	}
	shared := s.share(t.Ordered, list)
	if len(s.sources) >= maxSources {
		clear(s.sources)
	}
	s.sources[key] = shared
	return shared
}

// systemsChoice is the list of the one address that the system would choose.
func (s *schedule) systemsChoice(local netip.Addr) *policy.Sources {
	have := s.locals[local]
	if have == nil {
		if len(s.locals) >= maxSources {
			clear(s.locals)
		}
		have = policy.NewSources(false, []policy.Source{{Addr: local, Index: -1}})
		s.locals[local] = have
	}
	return have
}

type sourceKey struct {
	transport *delivery.Transport
	family    dns.Families
}

// share returns the one list that says the same.
func (s *schedule) share(ordered bool, list []policy.Source) *policy.Sources {
	var b strings.Builder
	fmt.Fprint(&b, ordered)
	for _, one := range list {
		fmt.Fprintf(&b, " %d@%s", one.Index, one.Addr)
	}
	text := b.String()
	if have := s.shared[text]; have != nil {
		return have
	}
	if len(s.shared) >= maxSources {
		clear(s.shared)
	}
	made := policy.NewSources(ordered, list)
	s.shared[text] = made
	return made
}

// leaveFrom sets the source address of an attempt.
func (a *attempt) leaveFrom(from policy.Source) {
	t := a.Override
	if t == nil {
		t = a.Transport
	}
	if from.Index >= 0 && from.Index < len(t.Sources) {
		a.Source = &t.Sources[from.Index]
	}
	a.view.LocalIP = from.Addr
}
