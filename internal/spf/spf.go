// Package spf checks whether a host may send mail for a domain (RFC 7208).
//
// The evaluation is that of blitiri.com.ar/go/spf, which keeps to the limits of
// RFC 7208 §4.6.4 on look-ups. This package gives it our resolver and our types,
// chooses the identity to check, and holds each record against the grammar before
// it is evaluated: RFC 7208 §4.6 wants a syntax error anywhere to fail the whole
// record, while the library finds those that it comes across.
//
// Explanations (exp=) are checked for syntax and not fetched. They are text of a
// stranger's choosing for our replies.
package spf

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"blitiri.com.ar/go/spf"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/authres"
)

// Resolver looks up what records refer to. A name without such a record gives
// nothing and no error. An error is taken for temporary unless it has a method
// Temporary() bool that says otherwise.
type Resolver interface {
	TXT(ctx context.Context, name string) ([]string, error)
	// MX returns the names of mail exchanges.
	MX(ctx context.Context, name string) ([]string, error)
	// Addresses returns the addresses of a host, if ipv4 is set only the IPv4
	// ones.
	Addresses(ctx context.Context, host string, ipv4 bool) ([]netip.Addr, error)
	// Names returns the names that the reverse zone has for an address.
	Names(ctx context.Context, addr netip.Addr) ([]string, error)
}

// Status is the outcome of a check (RFC 7208 §2.6).
type Status string

const (
	None      Status = "none"
	Neutral   Status = "neutral"
	Pass      Status = "pass"
	Fail      Status = "fail"
	SoftFail  Status = "softfail"
	TempError Status = "temperror"
	PermError Status = "permerror"
)

// Result is what became of a check.
type Result struct {
	Status Status
	// Reason says how the result came about, in a few words for our log.
	Reason string
	// Domain is the domain that was checked, in A-labels, and "" if there was
	// none that could be. DMARC aligns by it.
	Domain string
	// Sender is the address that was checked, as it was given; "" if it was the
	// HELO name.
	Sender string
	Helo   string

	lookup bool // the reason is an error of the resolver
}

// Method returns the result for an Authentication-Results field (RFC 8601
// §2.7.2).
func (r Result) Method() authres.Method {
	m := authres.Method{Name: "spf", Result: string(r.Status)}
	switch {
	case r.lookup: // what our resolver had to say is nobody else's business
		m.Reason = "look-up failed"
	case r.Status == TempError || r.Status == PermError:
		m.Reason = r.Reason
	}
	if r.Sender != "" {
		m.Add("smtp", "mailfrom", r.Sender)
	} else {
		m.Add("smtp", "helo", r.Helo)
	}
	return m
}

// Options bounds what a check may cost.
type Options struct {
	// Timeout is for a whole check. 0 means 20 s, the least that RFC 7208 §4.6.4
	// advises.
	Timeout time.Duration
	// MaxVoid is how many look-ups may find nothing. 0 means 2 (RFC 7208 §4.6.4).
	MaxVoid uint
}

// Checker checks hosts. It is safe for concurrent use.
type Checker struct {
	resolver Resolver
	options  Options
}

// NewChecker returns a Checker that looks up with r.
func NewChecker(r Resolver, o Options) *Checker {
	o.Timeout = cmp.Or(o.Timeout, 20*time.Second)
	o.MaxVoid = cmp.Or(o.MaxVoid, 2)
	return &Checker{resolver: r, options: o}
}

// Check says whether ip may send for sender, which is an address or a bare
// domain. When it is empty, the HELO name is checked (RFC 7208 §2.4).
func (c *Checker) Check(ctx context.Context, ip netip.Addr, helo, sender string) Result {
	r := Result{Status: None, Sender: sender, Helo: helo}
	local, domain := identity(helo, sender)
	domain, err := address.ASCIIDomain(domain)
	if err != nil || !checkable(domain) {
		r.Reason = "not a domain name"
		return r
	}
	r.Domain = domain
	if ip = ip.Unmap(); !ip.IsValid() {
		r.Status, r.Reason = PermError, "not an IP address"
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	status, err := spf.CheckHostWithSender(net.IP(ip.AsSlice()), helo, local+"@"+domain,
		spf.WithContext(ctx), spf.WithResolver(&adaptor{Resolver: c.resolver, ip: ip}),
		spf.OverrideVoidLookupLimit(c.options.MaxVoid))
	r.Status = Status(status)
	r.Reason, r.lookup = reason(err)
	r.lookup = r.lookup && (r.Status == TempError || r.Status == PermError)
	return r
}

// identity returns the local part and the domain to check.
func identity(helo, sender string) (local, domain string) {
	local, domain = "", sender
	if sender == "" {
		domain = helo
	} else if at := strings.LastIndexByte(sender, '@'); at >= 0 {
		local, domain = sender[:at], sender[at+1:]
	}
	if local == "" { // RFC 7208 §4.3
		local = "postmaster"
	}
	// The library would take what is behind the first @ for the domain.
	return strings.ReplaceAll(local, "@", "_"), domain
}

// checkable says whether a domain can have a record (RFC 7208 §4.3).
func checkable(domain string) bool {
	domain = strings.TrimSuffix(domain, ".")
	if len(domain) > 253 || !strings.Contains(domain, ".") || domain[0] == '[' {
		return false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
	}
	return true
}

// reason puts what the library says into words, and tells whether that comes from
// the resolver.
func reason(err error) (text string, lookup bool) {
	var dns *net.DNSError
	switch {
	case err == nil:
		return "no mechanism matched", false
	case errors.As(err, &dns):
		return dns.Err, true
	}
	return err.Error(), false
}

// adaptor shows a Resolver to the library, in the types of package net.
type adaptor struct {
	Resolver
	ip netip.Addr // of the client

	named bool     // names was looked up
	names []string // of the client, that have its address
}

// fault turns an error, or the lack of data, into what the library tells apart.
func fault(err error, found int, name string) error {
	if err == nil && found > 0 {
		return nil
	}
	if err == nil {
		return &net.DNSError{Err: "no such record", Name: name, IsNotFound: true}
	}
	var t interface{ Temporary() bool }
	return &net.DNSError{Err: err.Error(), Name: name, IsTemporary: !errors.As(err, &t) || t.Temporary()}
}

// LookupTXT refuses records that are not well formed, so that the library calls
// them a permanent error.
func (a *adaptor) LookupTXT(ctx context.Context, name string) ([]string, error) {
	texts, err := a.TXT(ctx, restore(name))
	if err := fault(err, len(texts), name); err != nil {
		return nil, err
	}
	texts = slices.Clone(texts) // which others may see
	for i, text := range texts {
		if isRecord(text) {
			if err := checkSyntax(text); err != nil {
				return nil, err
			}
			texts[i] = a.rewrite(ctx, text, name)
		}
	}
	return texts, nil
}

func (a *adaptor) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	hosts, err := a.MX(ctx, restore(name))
	mxs := make([]*net.MX, len(hosts))
	for i, h := range hosts {
		mxs[i] = &net.MX{Host: h}
	}
	return mxs, fault(err, len(hosts), name)
}

func (a *adaptor) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	addrs, err := a.Addresses(ctx, restore(host), a.ip.Is4())
	ips := make([]net.IPAddr, len(addrs))
	for i, ip := range addrs {
		ips[i] = net.IPAddr{IP: ip.AsSlice()}
	}
	return ips, fault(err, len(addrs), host)
}

func (a *adaptor) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, err
	}
	names, err := a.Names(ctx, ip.Unmap())
	return names, fault(err, len(names), addr)
}
