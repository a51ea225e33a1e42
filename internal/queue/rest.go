package queue

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/policy"
)

// Tags of the suspensions that the queue makes itself.
const (
	tagProxyDown = "proxy-down"
	tagSilent    = "reaches nobody"
	tagUnusable  = "address not usable"
)

// downProxy is what must not be used while a proxy is down.
type downProxy struct {
	addresses  []string // that it has
	transports []string // that go through it from addresses of its own choice
}

// Proxy tells the queue that a proxy, named as delivery.Proxy.String does, is
// down, or up again. Until it is up, nothing is sent from its addresses: entries
// go out by others, or wait in the active queue.
func (q *Queue) Proxy(name string, down bool) {
	q.inbox.post(func(s *schedule) {
		if !down {
			s.resumeProxy(name)
			return
		}
		p := &downProxy{}
		s.down[name] = p
		s.suspendProxy(name, p)
	})
}

// RestSource leaves a source address alone for a while that has reached nobody
// for some time.
func (q *Queue) RestSource(a netip.Addr, wait time.Duration) {
	q.inbox.post(func(s *schedule) { s.suspendSource(a, tagSilent, wait) })
}

func (s *schedule) resumeProxy(name string) {
	delete(s.down, name)
	s.engine.Resume(proxyID(name, policy.LocalIP))
	s.engine.Resume(proxyID(name, policy.TransportID))
}

func proxyID(name string, f policy.Field) string {
	id := "proxy " + name
	if f == policy.TransportID {
		id += " of transports"
	}
	return id
}

// suspendProxy suspends everything that the settings send through a proxy.
func (s *schedule) suspendProxy(name string, p *downProxy) {
	for id, t := range s.settings.Transports {
		d := t.Delivery
		for i := range d.Sources {
			if x := d.ProxyFor(&d.Sources[i]); x != nil && x.String() == name {
				add(&p.addresses, d.Sources[i].Addr.String())
			}
		}
		if len(d.Sources) == 0 && d.Proxy != nil && d.Proxy.String() == name {
			add(&p.transports, id)
		}
	}
	s.suspendValues(name, policy.LocalIP, p.addresses)
	s.suspendValues(name, policy.TransportID, p.transports)
}

// add puts a value into a sorted list and reports whether it was not there.
func add(list *[]string, value string) bool {
	i, found := slices.BinarySearch(*list, value)
	if !found {
		*list = slices.Insert(*list, i, value)
	}
	return !found
}

func (s *schedule) suspendValues(proxy string, f policy.Field, values []string) {
	if len(values) == 0 {
		return
	}
	only, err := policy.NewMatch(map[policy.Field][]string{f: slices.Clone(values)}, nil)
	s.suspend(only, err, proxyID(proxy, f), tagProxyDown, 0)
}

func (s *schedule) suspend(only policy.Match, err error, id, tag string, ttl time.Duration) {
	if err == nil {
		_, err = s.engine.Suspend(&policy.Suspension{ID: id, If: only, Tag: tag, Created: time.Now(), TTL: ttl}, true, s.clock)
	}
	if err != nil {
		s.q.failed(err)
	}
}

// How long a source address is left alone that could not be used: twice as long
// each time, until it could (spec operations.md 10.1).
const (
	shortRest = 10 * time.Second
	longRest  = time.Minute
)

// holdDown is how long to leave something alone after it was left alone for
// last; never less than is configured.
func (s *schedule) holdDown(last time.Duration) time.Duration {
	least := s.settings.HoldDown
	if least <= 0 {
		least = shortRest
	}
	return max(min(2*last, longRest), least)
}

// without puts back the entry of an attempt whose source address this machine
// refuses or whose proxy is down, and sees to it that it is not picked up for
// that again soon; it waits in the active queue until there is an address. One
// that is refused and has no other beside it is a mistake of the configuration,
// which shows as a failure. without reports whether it has put the entry back.
func (q *Queue) without(a *attempt, d *delivery.Destination, cause error) bool {
	var avoid func(*schedule)
	switch {
	case errors.Is(cause, delivery.ErrProxy) && (a.Source != nil || a.Override == nil):
		avoid = func(s *schedule) { s.avoidProxy(a) }
	case errors.Is(cause, delivery.ErrNoSource) && a.Source != nil && a.hasOther():
		avoid = func(s *schedule) { s.rest(a.Source.Addr, tagUnusable) }
	default:
		return false
	}
	q.inbox.post(func(s *schedule) {
		avoid(s)
		s.q.metrics.PutBack.Inc()
		s.goOn(a.entry, d)
	})
	return true
}

// avoidProxy makes sure that what a went by is suspended as long as its proxy is
// down. Scripts may send from addresses through proxies that no setting names.
func (s *schedule) avoidProxy(a *attempt) {
	name := ""
	if x := a.settingsInForce().ProxyFor(a.Source); x != nil {
		name = x.String()
	}
	p := s.down[name]
	switch {
	case p == nil && a.Source != nil: // it has come up meanwhile, or nobody has told us
		s.rest(a.Source.Addr, tagProxyDown)
	case p == nil:
		s.suspendTransport(a.view.Transport, s.holdDown(0))
	case a.Source != nil && (add(&p.addresses, a.Source.Addr.String()) || !s.engine.Suspended(proxyID(name, policy.LocalIP))):
		s.suspendValues(name, policy.LocalIP, p.addresses)
	case a.Source == nil && (add(&p.transports, a.view.Transport) || !s.engine.Suspended(proxyID(name, policy.TransportID))):
		s.suspendValues(name, policy.TransportID, p.transports)
	}
}

// settingsInForce returns the transport as it is for this attempt.
func (a *attempt) settingsInForce() *delivery.Transport {
	if a.Override != nil {
		return a.Override
	}
	return a.Transport
}

// hasOther reports whether a could leave from another address of the family.
func (a *attempt) hasOther() bool {
	from := a.Source.Addr
	return slices.ContainsFunc(a.settingsInForce().Sources, func(o delivery.Source) bool {
		return o.Addr != from && dns.FamilyOf(o.Addr) == dns.FamilyOf(from)
	})
}

// rest suspends a source address for a while, that grows until it has worked.
func (s *schedule) rest(from netip.Addr, tag string) {
	wait := s.holdDown(s.rests[from])
	s.rests[from] = wait
	s.suspendSource(from, tag, wait)
}

func (s *schedule) suspendSource(from netip.Addr, tag string, wait time.Duration) {
	only, err := policy.Exactly(map[policy.Field]string{policy.LocalIP: from.String()})
	s.suspend(only, err, "localip "+from.String(), tag, wait)
}

func (s *schedule) suspendTransport(id string, wait time.Duration) {
	only, err := policy.Exactly(map[policy.Field]string{policy.TransportID: id})
	s.suspend(only, err, "transportid "+id, tagProxyDown, wait)
}
