// Package lookup is the DNS as scripts and the checks of a message's origin see
// it: one Resolver, made of ours, that answers dns_query and what SPF, DKIM,
// DMARC and ARC look up, and that knows how spf_query asks.
//
// It follows spec hsl-stdlib.md 5.1: what a zone says of itself, such as that a
// name does not exist, is an answer, and only what could not be asked is an error.
// The checks want it the other way round: nothing there is nothing found, and an
// error says whether it may pass.
package lookup

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/network"
)

// Resolver answers questions. It is safe for concurrent use.
type Resolver struct{ shared func() *dns.Resolver }

// New returns a Resolver that asks the one that shared returns at the time of
// the question, so that scripts can be compiled before there is one.
func New(shared func() *dns.Resolver) *Resolver { return &Resolver{shared} }

var _ network.Resolver = (*Resolver)(nil)

// Resolve implements network.Resolver.
func (r *Resolver) Resolve(ctx context.Context, q network.Question) (network.Answer, error) {
	t, err := dns.ParseType(q.Type)
	if err != nil {
		return network.Answer{}, err
	}
	from, stop, err := r.from(q.Servers, q.Port)
	if err != nil {
		return network.Answer{}, err
	}
	defer stop()
	name := q.Host
	if a, err := netip.ParseAddr(name); err == nil && t == dns.TypePTR {
		name = dns.ReverseZone(a)
	}
	set, err := from.Lookup(ctx, name, t)
	answer := network.Answer{DNSSEC: set.Secure}
	if err != nil {
		answer.Status, err = status(err)
		return answer, err
	}
	for _, record := range set.Values {
		answer.Records = append(answer.Records, recordOf(record))
	}
	return answer, nil
}

// from returns who is to be asked: the servers that a script names, or ours.
func (r *Resolver) from(servers []netip.Addr, port uint16) (from *dns.Resolver, stop func(), err error) {
	if len(servers) == 0 {
		return r.shared(), func() {}, nil
	}
	var o dns.Options
	for _, a := range servers {
		o.Servers = append(o.Servers, netip.AddrPortFrom(a, port))
	}
	own, err := dns.New(o)
	if err != nil {
		return nil, nil, err
	}
	return own, own.Stop, nil
}

// status tells an answer without data, in the words of scripts, from a question
// without answer, which stays an error.
func status(err error) (string, error) {
	var lacking *dns.Error
	switch {
	case errors.Is(err, dns.ErrNXDomain), errors.Is(err, dns.ErrName):
		return "NXDOMAIN", nil // what is no name cannot exist
	case errors.Is(err, dns.ErrNoData):
		return "NO_DATA", nil
	case errors.Is(err, dns.ErrAlias):
		return "SERVFAIL", nil
	case errors.Is(err, dns.ErrServer) && errors.As(err, &lacking) && lacking.Cause != nil:
		return lacking.Cause.Error(), nil
	}
	return "", err
}

// failure is an error of a look-up as packages spf, dkim and dmarc take it.
type failure struct{ error }

func (f failure) Temporary() bool { return dns.Temporary(f.error) }
func (f failure) Unwrap() error   { return f.error }

// found makes no error of what is not there.
func found(err error) error {
	if err == nil || errors.Is(err, dns.ErrNXDomain) || errors.Is(err, dns.ErrNoData) || errors.Is(err, dns.ErrNullMX) {
		return nil
	}
	return failure{err}
}

// TXT implements the resolvers of packages spf, dkim and dmarc.
func (r *Resolver) TXT(ctx context.Context, name string) ([]string, error) {
	return texts(ctx, r.shared(), name)
}

func texts(ctx context.Context, from *dns.Resolver, name string) ([]string, error) {
	set, err := from.TXT(ctx, name)
	return set.Values, found(err)
}

// Exists implements dmarc.Resolver.
func (r *Resolver) Exists(ctx context.Context, domain string) (bool, error) {
	_, err := r.shared().Lookup(ctx, domain, dns.TypeA)
	return !errors.Is(err, dns.ErrNXDomain), found(err)
}

// senders are the look-ups of package spf.
type senders struct{ *dns.Resolver }

func (s senders) TXT(ctx context.Context, name string) ([]string, error) {
	return texts(ctx, s.Resolver, name)
}

func (s senders) MX(ctx context.Context, name string) (hosts []string, err error) {
	set, err := s.Resolver.MX(ctx, name)
	for _, mx := range set.Values {
		hosts = append(hosts, mx.Host)
	}
	return hosts, found(err)
}

func (s senders) Addresses(ctx context.Context, host string, ipv4 bool) ([]netip.Addr, error) {
	var families dns.Families
	if ipv4 {
		families = dns.IPv4
	}
	set, err := s.Resolver.Addresses(ctx, host, families)
	return set.Values, found(err)
}

func (s senders) Names(ctx context.Context, addr netip.Addr) (names []string, err error) {
	set, err := s.Lookup(ctx, dns.ReverseZone(addr), dns.TypePTR)
	for _, record := range set.Values {
		names = append(names, strings.TrimSuffix(record.Data.String(), "."))
	}
	return names, found(err)
}
