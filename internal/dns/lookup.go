package dns

import (
	"context"
	"net/netip"
	"slices"
	"time"

	wire "github.com/miekg/dns"
)

// Set is what a lookup found, at least one value.
type Set[T any] struct {
	Values  []T
	Secure  bool // validated, every alias on the way included
	Expires time.Time
}

const (
	maxAliases = 8  // answers to follow, each of which may hold several aliases
	maxReverse = 10 // names of one address that are looked at
)

// Families says which kinds of addresses are wanted. Zero means both.
type Families uint8

const (
	IPv4 Families = 1 << iota
	IPv6
)

// Has reports whether addresses like a are wanted.
func (f Families) Has(a netip.Addr) bool { return f == 0 || f&FamilyOf(a) != 0 }

// FamilyOf returns the family of an address.
func FamilyOf(a netip.Addr) Families {
	if a.Is4() || a.Is4In6() {
		return IPv4
	}
	return IPv6
}

// find asks for records and follows aliases over as many answers as it takes.
// When a name or record is missing, it returns the answer and its Err.
func (r *Resolver) find(ctx context.Context, name string, t Type) (a *Answer, secure bool, err error) {
	secure = true
	for range maxAliases {
		if a, err = r.Query(ctx, name, t); err != nil {
			return nil, false, err
		}
		secure = secure && a.Secure
		end, found := a.chain()
		if found || end == a.Name || a.RCode != NoError || len(a.Authority) > 0 {
			return a, secure, a.Err()
		}
		name = end // the upstream did not follow
	}
	return nil, false, &Error{Name: name, Type: t, Reason: ErrAlias}
}

// values looks up the records of one type and returns their data. When there
// are none, the set still says until when that holds.
func values[T Data](ctx context.Context, r *Resolver, name string, t Type) (Set[T], error) {
	a, secure, err := r.find(ctx, name, t)
	switch {
	case a == nil:
		return Set[T]{}, err
	case err != nil:
		return Set[T]{Secure: secure, Expires: a.Expires}, err
	}
	end, _ := a.chain()
	set := Set[T]{Secure: secure, Expires: a.Expires}
	for _, rec := range a.Records {
		if v, ok := rec.Data.(T); ok && rec.Type == t && rec.Name == end {
			set.Values = append(set.Values, v)
		}
	}
	if len(set.Values) == 0 { // data of the right type that could not be read
		return set, &Error{Name: name, Type: t, Reason: ErrNoData, Server: a.Server}
	}
	return set, nil
}

// Lookup returns the records of one type at a name, whatever it is an alias for,
// as they came. For TypeANY it returns all that the answer has.
func (r *Resolver) Lookup(ctx context.Context, name string, t Type) (Set[Record], error) {
	a, secure, err := r.find(ctx, name, t)
	switch {
	case a == nil:
		return Set[Record]{}, err
	case err != nil:
		return Set[Record]{Secure: secure, Expires: a.Expires}, err
	}
	end, _ := a.chain()
	set := Set[Record]{Secure: secure, Expires: a.Expires}
	for _, rec := range a.Records {
		if t == TypeANY || rec.Type == t && rec.Name == end {
			set.Values = append(set.Values, rec)
		}
	}
	return set, nil
}

// ReverseZone returns the name at which the names of an address stand, such as
// 1.2.0.192.in-addr.arpa.
func ReverseZone(a netip.Addr) string {
	arpa, err := wire.ReverseAddr(a.Unmap().WithZone("").String())
	if err != nil {
		return "" // of the zero Addr only
	}
	return plain(arpa)
}

// MX returns the mail exchanges of a domain by preference. A null MX
// (RFC 7505) is an error with ErrNullMX.
func (r *Resolver) MX(ctx context.Context, domain string) (Set[MX], error) {
	set, err := values[MX](ctx, r, domain, TypeMX)
	if err != nil {
		return set, err
	}
	if set.Values = slices.DeleteFunc(set.Values, func(m MX) bool { return m.Host == "." }); len(set.Values) == 0 {
		return set, &Error{Name: domain, Type: TypeMX, Reason: ErrNullMX}
	}
	slices.SortFunc(set.Values, compareMX)
	return set, nil
}

// TXT returns the texts at a name, each joined to one string.
func (r *Resolver) TXT(ctx context.Context, name string) (Set[string], error) {
	set, err := values[Text](ctx, r, name, TypeTXT)
	out := Set[string]{Secure: set.Secure, Expires: set.Expires}
	for _, t := range set.Values {
		out.Values = append(out.Values, t.String())
	}
	return out, err
}

// TLSA returns the certificate associations at a name such as
// _25._tcp.mx.example.com.
func (r *Resolver) TLSA(ctx context.Context, name string) (Set[TLSA], error) {
	return values[TLSA](ctx, r, name, TypeTLSA)
}

// Addresses returns the addresses of a host in ascending order, or the address
// itself when host is one. When only one of two families can be looked up, what
// was found is returned.
func (r *Resolver) Addresses(ctx context.Context, host string, f Families) (Set[netip.Addr], error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return literal(host, a, f)
	}
	wanted := make([]Type, 0, 2)
	if f.Has(netip.IPv6Unspecified()) {
		wanted = append(wanted, TypeAAAA)
	}
	if f.Has(netip.IPv4Unspecified()) {
		wanted = append(wanted, TypeA)
	}
	sets := make([]Set[netip.Addr], len(wanted))
	errs := make([]error, len(wanted))
	each(len(wanted), func(i int) {
		sets[i], errs[i] = values[netip.Addr](ctx, r, host, wanted[i])
	})
	return mergeAddresses(sets, errs)
}

// literal is the set of an address that was given instead of a name.
func literal(host string, a netip.Addr, f Families) (Set[netip.Addr], error) {
	a = a.Unmap().WithZone("")
	if !f.Has(a) {
		return Set[netip.Addr]{}, &Error{Name: host, Reason: ErrFamily}
	}
	return Set[netip.Addr]{Values: []netip.Addr{a}, Secure: true, Expires: time.Now().Add(time.Hour)}, nil
}

// mergeAddresses joins the results of both families. Without any address the
// error is the one that leaves most hope: a temporary one before a final one.
func mergeAddresses(sets []Set[netip.Addr], errs []error) (Set[netip.Addr], error) {
	var out Set[netip.Addr]
	var failed error
	for i, set := range sets {
		switch {
		case errs[i] == nil && len(out.Values) == 0:
			out = Set[netip.Addr]{Values: slices.Clone(set.Values), Secure: set.Secure, Expires: set.Expires}
		case errs[i] == nil:
			out.Values = append(out.Values, set.Values...)
			out.Secure = out.Secure && set.Secure
			out.Expires = earlier(out.Expires, set.Expires)
		case failed == nil || Temporary(errs[i]) && !Temporary(failed):
			failed = errs[i]
		}
	}
	if len(out.Values) == 0 {
		return out, failed
	}
	slices.SortFunc(out.Values, netip.Addr.Compare)
	out.Values = slices.Compact(out.Values)
	return out, nil
}

// ReverseName returns the name of an address, confirmed by a forward look-up:
// the first of its PTR names that has the address. Loopback addresses are
// localhost. Without a name the error is that of the PTR look-up, or has ErrNoData when no name could be confirmed.
func (r *Resolver) ReverseName(ctx context.Context, a netip.Addr) (string, error) {
	a = a.Unmap().WithZone("")
	if a.IsLoopback() {
		return "localhost", nil // RFC 6761 §6.3; no server knows it better
	}
	arpa, err := wire.ReverseAddr(a.String())
	if err != nil {
		return "", &Error{Name: a.String(), Type: TypePTR, Reason: ErrName}
	}
	names, err := values[Name](ctx, r, arpa, TypePTR)
	if err != nil {
		return "", err
	}
	err = &Error{Name: a.String(), Type: TypePTR, Reason: ErrNoData}
	for _, name := range names.Values[:min(len(names.Values), maxReverse)] {
		forward, ferr := r.Addresses(ctx, string(name), FamilyOf(a))
		if slices.Contains(forward.Values, a) {
			return string(name), nil
		}
		if ferr != nil && Temporary(ferr) {
			err = ferr
		}
	}
	return "", err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
