// Package dane authenticates mail hosts by TLSA records (RFC 7672): a domain that
// signs its zone says there which certificates its hosts have, and a delivery
// that finds such records can neither be intercepted nor talked out of TLS.
//
// It stands on answers that were validated by DNSSEC. The package validates
// nothing itself: the resolver says which answers may be believed (package dns),
// and what is not validated counts as absent. Lookup tells what holds for one
// host, Verify compares what the host shows in its handshake.
package dane

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/posthaste-mta/posthaste/internal/dns"
)

// Certificate usages of TLSA records (RFC 7218 §2.1). Those of public
// authorities, 0 and 1, have no meaning for mail (RFC 7672 §3.1.3).
const (
	UsageTA = 2 // DANE-TA: an authority in the chain
	UsageEE = 3 // DANE-EE: the host's own certificate
)

// Selectors and matching types (RFC 7218 §2.2, §2.3).
const (
	SelectorCert = 0
	SelectorSPKI = 1

	MatchFull   = 0
	MatchSHA256 = 1
	MatchSHA512 = 2
)

// Resolver is what the package asks of the DNS. *dns.Resolver does it.
type Resolver interface {
	Query(ctx context.Context, name string, t dns.Type) (*dns.Answer, error)
	TLSA(ctx context.Context, name string) (dns.Set[dns.TLSA], error)
}

// Level says what DANE demands for a host.
type Level int

// The levels.
const (
	// Absent: no validated records; DANE says nothing.
	Absent Level = iota
	// Encrypt: there are records and none can be used. TLS is mandatory, and the
	// host stays unauthenticated (RFC 7672 §2.2).
	Encrypt
	// Authenticate: TLS is mandatory, and the host must match a record.
	Authenticate
)

func (l Level) String() string { return [...]string{"absent", "encrypt", "authenticate"}[l] }

// Policy is what holds for one host.
type Policy struct {
	Level   Level
	Base    string     // TLSA base domain: the SNI to send, and a name that certificates may have
	Records []dns.TLSA // usable ones
}

// ErrBogus is a host that must not be used: its records cannot be found out, and
// an attacker may be the reason (RFC 7672 §2.2). Try another host, or later.
var ErrBogus = errors.New("dane: TLSA records cannot be looked up")

// Lookup returns what holds for a host. secure says that the MX records that led
// to it were validated; for a host that was configured by name it is true. The
// error wraps ErrBogus.
func Lookup(ctx context.Context, r Resolver, host string, port uint16, secure bool) (*Policy, error) {
	if _, err := netip.ParseAddr(host); err == nil || !secure {
		return &Policy{}, nil
	}
	bases, err := baseDomains(ctx, r, host)
	if err != nil {
		return nil, err
	}
	for _, base := range bases {
		set, err := r.TLSA(ctx, "_"+strconv.Itoa(int(port))+"._tcp."+base)
		switch {
		case err != nil && dns.Temporary(err):
			return nil, fmt.Errorf("%w: %w", ErrBogus, err)
		case err != nil || !set.Secure:
			continue // validated absence, or nothing to believe
		}
		return policy(base, set.Values), nil
	}
	return &Policy{}, nil
}

// policy keeps the records that can be used.
func policy(base string, records []dns.TLSA) *Policy {
	p := &Policy{Level: Encrypt, Base: base}
	for _, r := range records {
		if usable(r) {
			p.Records = append(p.Records, r)
		}
	}
	p.Records = strongest(p.Records)
	if len(p.Records) > 0 {
		p.Level = Authenticate
	}
	return p
}

// digestSizes are the lengths of the data by matching type.
var digestSizes = map[uint8]int{MatchSHA256: 32, MatchSHA512: 64}

func usable(r dns.TLSA) bool {
	if r.Usage != UsageTA && r.Usage != UsageEE || r.Selector > SelectorSPKI || r.MatchingType > MatchSHA512 {
		return false
	}
	size, digest := digestSizes[r.MatchingType]
	return digest && len(r.Data) == size || !digest && len(r.Data) > 0
}

// strongest drops records with SHA-256 where there are some of the same usage and
// selector with SHA-512 (RFC 7671 §9).
func strongest(records []dns.TLSA) (kept []dns.TLSA) {
	type kind struct{ usage, selector uint8 }
	strong := map[kind]bool{}
	for _, r := range records {
		if r.MatchingType == MatchSHA512 {
			strong[kind{r.Usage, r.Selector}] = true
		}
	}
	for _, r := range records {
		if r.MatchingType != MatchSHA256 || !strong[kind{r.Usage, r.Selector}] {
			kept = append(kept, r)
		}
	}
	return kept
}

// baseDomains lists where TLSA records are looked for (RFC 7672 §2.2.3): at the
// end of the aliases of the host, when all of them were validated, and at the
// host itself. It is empty for a host in a zone that is not signed.
func baseDomains(ctx context.Context, r Resolver, host string) ([]string, error) {
	final, whole, first, err := expand(ctx, r, host)
	switch {
	case err != nil:
		return nil, err
	case final == host && whole:
		return []string{host}, nil
	case whole:
		return []string{final, host}, nil
	case first:
		// The alias itself was validated and what it leads to was not.
		return []string{host}, nil
	}
	return nil, nil
}

// expand follows the aliases of a host to its addresses. whole says that every
// answer on the way was validated, first that the alias of the host itself was.
func expand(ctx context.Context, r Resolver, host string) (final string, whole, first bool, err error) {
	var temporary error
	for _, t := range []dns.Type{dns.TypeA, dns.TypeAAAA} {
		a, qerr := r.Query(ctx, host, t)
		if qerr == nil {
			qerr = a.Err()
		}
		switch {
		case qerr == nil:
			final = end(a)
			if final != host && !a.Secure {
				first, err = aliasSecure(ctx, r, host)
			}
			return final, a.Secure, first, err
		case dns.Temporary(qerr):
			temporary = qerr
		}
	}
	if temporary != nil {
		return "", false, false, fmt.Errorf("%w: %w", ErrBogus, temporary)
	}
	return host, false, false, nil // no address: nobody will connect
}

// end is the name at the end of the aliases of an answer.
func end(a *dns.Answer) string {
	name := a.Name
	for range len(a.Records) {
		for _, r := range a.Records {
			if target, ok := r.Data.(dns.Name); ok && r.Type == dns.TypeCNAME && r.Name == name {
				name = string(target)
				break
			}
		}
	}
	return name
}

// aliasSecure asks for the alias alone. When that cannot be answered, an attacker
// may be keeping the records at the alias from being looked for.
func aliasSecure(ctx context.Context, r Resolver, host string) (bool, error) {
	a, err := r.Query(ctx, host, dns.TypeCNAME)
	if err == nil {
		err = a.Err()
	}
	if err != nil && dns.Temporary(err) {
		return false, fmt.Errorf("%w: %w", ErrBogus, err)
	}
	return err == nil && a.Secure, nil
}
