package queue

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
)

// Group is a glimpse of a sub-queue.
type Group struct {
	Transport string
	Job       string
	Tenant    string
	Domain    string
	RemoteMX  string     // first host to be tried
	RemoteIP  netip.Addr // and its address
	Waiting   int
	Sending   int
}

// Groups returns the sub-queues with the most entries, at most so many, the
// largest first.
func (q *Queue) Groups(ctx context.Context, most int) ([]Group, error) {
	var all []Group
	err := q.ask(ctx, func(s *schedule) {
		all = make([]Group, 0, len(s.groups))
		for _, g := range s.groups {
			all = append(all, g.glimpse())
		}
	})
	slices.SortFunc(all, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Waiting+b.Sending, a.Waiting+a.Sending), cmp.Compare(a.Domain, b.Domain))
	})
	return all[:min(most, len(all))], err
}

func (g *group) glimpse() Group {
	c := g.key.class.Value()
	return Group{
		Transport: c.transport, Job: c.job, Tenant: c.tenant, Domain: g.key.domain.Value(),
		RemoteMX: g.key.mx, RemoteIP: g.key.addr, Waiting: g.waiting, Sending: g.sending,
	}
}
