package dns

import (
	"cmp"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
)

// Host is one address of one host that takes mail for a domain.
type Host struct {
	Name       string // empty when the domain is an address literal
	Addr       netip.Addr
	Preference uint16
	Secure     bool // the MX records and the address were validated
	// SecureName says that what led to the name was validated, or that it was
	// given: the address may still come from a zone that is not signed.
	SecureName bool
}

// Search says which hosts Destinations shall find.
type Search struct {
	Domain   string   // a domain, an address literal or a bare address
	Families Families // of addresses that may be used
	Seed     Seed
	// Accept, if set, tells which MX names may be used.
	Accept func(name string) bool
	// Own, if set, tells hosts that are ourselves. They and all hosts of equal
	// or worse preference are left out, lest mail runs in circles (RFC 5321
	// §5.1).
	Own func(name string, a netip.Addr) bool
}

// Seed makes the order of equals reproducible: the transaction id of a message
// and the number of the retry.
type Seed struct {
	ID    [16]byte
	Retry uint32
}

const (
	// A hostile zone may list thousands of hosts. These many are looked at.
	maxExchanges = 20
	maxAddresses = 16
)

// Destinations returns the hosts to try for a domain, in order and at least
// one: by preference, equals shuffled by the seed, and the addresses of one
// host with the families taking turns. A domain without MX records stands for
// itself (RFC 5321 §5.1). The error is an *Error; Temporary tells whether to
// try again later.
func (r *Resolver) Destinations(ctx context.Context, s Search) ([]Host, error) {
	if a, ok := literalDomain(s.Domain); ok {
		set, err := literal(s.Domain, a, s.Families)
		if err != nil {
			return nil, err
		}
		if s.Own != nil && s.Own("", set.Values[0]) {
			return nil, &Error{Name: s.Domain, Reason: ErrLoop}
		}
		return []Host{{Addr: set.Values[0]}}, nil
	}
	x, err := r.exchanges(ctx, s.Domain, s.Families)
	if err != nil {
		return nil, err
	}
	return x.choose(ctx, r, &s)
}

// Hosts returns the addresses of hosts that are given by name or address, in
// that order; Preference counts them from 0. Hosts without addresses are left
// out as long as there is another.
func (r *Resolver) Hosts(ctx context.Context, names []string, f Families, seed Seed) ([]Host, error) {
	x := &exchanges{hosts: make([]exchange, len(names))}
	each(len(names), func(i int) {
		set, err := r.Addresses(ctx, names[i], f)
		x.hosts[i] = exchange{MX{uint16(i), plain(names[i])}, set.Values, set.Secure, true, err}
	})
	if out := order(x.hosts, seed); len(out) > 0 {
		return out, nil
	}
	return nil, x.why(ctx, r, x.hosts, f)
}

func literalDomain(domain string) (netip.Addr, bool) {
	if a, ok := address.Literal(domain); ok {
		return a, true
	}
	a, err := netip.ParseAddr(domain)
	return a, err == nil
}

// exchanges are the hosts of a mail domain as DNS has them, before any choice.
// They are shared and not changed.
type exchanges struct {
	domain  string
	hosts   []exchange // by preference and name
	expires time.Time
}

type exchange struct {
	MX
	addrs      []netip.Addr // ascending
	secure     bool         // the name and the addresses
	secureName bool
	err        error // why there are no addresses
}

type domainKey struct {
	name     string
	families Families
}

// exchanges finds the hosts of a domain, in the domain cache or by asking.
// Domains of which a host could not be looked up are not kept there.
func (r *Resolver) exchanges(ctx context.Context, domain string, f Families) (*exchanges, error) {
	name, err := canonical(domain)
	if err != nil {
		return nil, &Error{Name: domain, Reason: ErrName}
	}
	key := domainKey{name, f}
	x, ok := r.domains.get(key)
	if ok && time.Now().Before(x.expires) {
		r.metrics.DomainHits.Inc()
		return x, nil
	}
	if ok {
		r.metrics.DomainExpires.Inc()
	}
	r.metrics.DomainMisses.Inc()
	if x, err = r.resolve(ctx, name, f); err != nil {
		return nil, err
	}
	if time.Now().Before(x.expires) {
		r.domains.set(key, x)
	}
	return x, nil
}

// resolve asks for the MX records of a domain and the addresses of its hosts.
func (r *Resolver) resolve(ctx context.Context, domain string, f Families) (*exchanges, error) {
	mx, err := r.MX(ctx, domain)
	switch {
	case err == nil:
	case isNoData(err):
		// RFC 5321 §5.1: without MX records the domain is its own exchange.
		mx.Values = []MX{{0, domain}}
	default:
		return nil, err
	}
	hosts := mx.Values[:min(len(mx.Values), maxExchanges)]
	x := &exchanges{domain: domain, hosts: make([]exchange, len(hosts)), expires: mx.Expires}
	expires := make([]time.Time, len(hosts))
	each(len(hosts), func(i int) {
		set, err := r.Addresses(ctx, hosts[i].Host, f)
		x.hosts[i] = exchange{hosts[i], set.Values[:min(len(set.Values), maxAddresses)], mx.Secure && set.Secure, mx.Secure, err}
		expires[i] = set.Expires // zero after an error: not to be kept
	})
	for _, t := range expires {
		x.expires = earlier(x.expires, t)
	}
	return x, nil
}

// choose applies the wishes of one search and brings the hosts into order.
func (x *exchanges) choose(ctx context.Context, r *Resolver, s *Search) ([]Host, error) {
	hosts := x.hosts
	if s.Accept != nil {
		hosts = slices.DeleteFunc(slices.Clone(hosts), func(e exchange) bool { return !s.Accept(e.Host) })
		if len(hosts) == 0 {
			return nil, &Error{Name: x.domain, Type: TypeMX, Reason: ErrExcluded}
		}
	}
	if s.Own != nil {
		if hosts = beforeOwn(hosts, s.Own); len(hosts) == 0 {
			return nil, &Error{Name: x.domain, Type: TypeMX, Reason: ErrLoop}
		}
	}
	out := order(hosts, s.Seed)
	if len(out) == 0 {
		return nil, x.why(ctx, r, hosts, s.Families)
	}
	return out, nil
}

// beforeOwn returns the hosts that are better than the best which is ourselves.
func beforeOwn(hosts []exchange, own func(string, netip.Addr) bool) []exchange {
	for _, e := range hosts {
		if !slices.ContainsFunc(e.addrs, func(a netip.Addr) bool { return own(e.Host, a) }) && !own(e.Host, netip.Addr{}) {
			continue
		}
		end := slices.IndexFunc(hosts, func(o exchange) bool { return o.Preference >= e.Preference })
		return hosts[:end]
	}
	return hosts
}

// order lists the addresses of hosts sorted by preference; the seed decides
// among equals.
func order(hosts []exchange, seed Seed) []Host {
	rnd := rand.New(rand.NewPCG(
		binary.LittleEndian.Uint64(seed.ID[:8])^uint64(seed.Retry),
		binary.LittleEndian.Uint64(seed.ID[8:])))
	var out []Host
	for len(hosts) > 0 {
		n := 1
		for n < len(hosts) && hosts[n].Preference == hosts[0].Preference {
			n++
		}
		for _, i := range rnd.Perm(n) {
			e := hosts[i]
			for _, a := range alternate(e.addrs, rnd) {
				out = append(out, Host{e.Host, a, e.Preference, e.secure, e.secureName})
			}
		}
		hosts = hosts[n:]
	}
	return out
}

// alternate shuffles addresses so that families take turns, because one that
// does not work on this network should not use up the first tries.
func alternate(addrs []netip.Addr, rnd *rand.Rand) []netip.Addr {
	if len(addrs) < 2 {
		return addrs
	}
	first := slices.IndexFunc(addrs, func(a netip.Addr) bool { return a.Is6() }) // ascending: IPv4 comes first
	if first < 0 {
		first = len(addrs)
	}
	four, six := shuffled(addrs[:first], rnd), shuffled(addrs[first:], rnd)
	if rnd.IntN(2) == 0 {
		four, six = six, four
	}
	out := make([]netip.Addr, 0, len(addrs))
	for i := range max(len(four), len(six)) {
		if i < len(four) {
			out = append(out, four[i])
		}
		if i < len(six) {
			out = append(out, six[i])
		}
	}
	return out
}

func shuffled(addrs []netip.Addr, rnd *rand.Rand) []netip.Addr {
	out := slices.Clone(addrs)
	rnd.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// why tells what is wrong with hosts none of which has a usable address: first
// a look-up that failed and may work later, then addresses of a family that may
// not be used, else that there is none.
func (x *exchanges) why(ctx context.Context, r *Resolver, hosts []exchange, f Families) error {
	var err error
	for _, e := range hosts {
		if e.err != nil && (err == nil || Temporary(e.err) && !Temporary(err)) {
			err = e.err
		}
	}
	if Temporary(err) || f == 0 || f == IPv4|IPv6 {
		return err
	}
	for _, e := range hosts {
		if set, _ := r.Addresses(ctx, e.Host, f^(IPv4|IPv6)); len(set.Values) > 0 {
			return &Error{Name: x.domain, Reason: ErrFamily}
		}
	}
	return err
}

func compareMX(a, b MX) int {
	return cmp.Or(cmp.Compare(a.Preference, b.Preference), cmp.Compare(a.Host, b.Host))
}

// each calls f for 0 to n-1 at the same time and waits.
func each(n int, f func(int)) {
	if n == 1 {
		f(0)
		return
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
