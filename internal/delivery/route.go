package delivery

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// Resolver finds addresses. *dns.Resolver is one.
type Resolver interface {
	// Destinations finds the hosts for a mail domain.
	Destinations(context.Context, dns.Search) ([]dns.Host, error)
	// Hosts finds the addresses of hosts that are known by name.
	Hosts(ctx context.Context, names []string, f dns.Families, seed dns.Seed) ([]dns.Host, error)
}

// Resolve finds the hosts for an attempt: the DNS step of spec operations.md
// 9.4. The Outcome, when not nil, says why there are none.
func (c *Courier) Resolve(ctx context.Context, a *Attempt) (*Destination, *Outcome) {
	d, out := c.hosts(ctx, a)
	if out == nil && len(a.transport().Sources) == 0 {
		d.Local = c.local(d)
	}
	return d, out
}

func (c *Courier) hosts(ctx context.Context, a *Attempt) (*Destination, *Outcome) {
	t := a.transport()
	if d := t.Fixed(); d != nil {
		return d, nil
	}
	families := t.families()
	if families == 0 {
		return nil, verdict(StageResolve, KindConfig, codeConfig, "no source address is of a family that is allowed", nil)
	}
	port := t.Port
	if port == 0 {
		port = 25
	}
	seed := dns.Seed{ID: a.ID, Retry: a.Retry}
	d := &Destination{}
	var failed *Outcome
	for _, servers := range stretches(t.Servers) {
		hosts, out := c.look(ctx, t, servers, families, seed, a.Recipient.Domain)
		if out != nil {
			failed = better(failed, out)
			continue
		}
		d.add(hosts, port)
	}
	if len(d.Hosts) == 0 {
		return nil, failed
	}
	return d, nil
}

// Query resolves a domain as Resolve does for a message and retry on a transport
// that delivers by MX, for operators who want to see the order.
func (c *Courier) Query(ctx context.Context, domain string, id envelope.ID, retry uint32) (*Destination, *Outcome) {
	return c.Resolve(ctx, &Attempt{
		ID: id, Retry: retry, Recipient: address.Address{Domain: domain}, Transport: &Transport{},
	})
}

// stretches splits the servers of a transport into look-ups that stand alone and
// runs of hosts between them. No servers are one look-up.
func stretches(servers []string) [][]string {
	if len(servers) == 0 {
		return [][]string{{LookupMX}}
	}
	var out [][]string
	run := false
	for i, s := range servers {
		lookup := isLookup(s)
		if run && !lookup {
			out[len(out)-1] = append(out[len(out)-1], s)
			continue
		}
		out = append(out, servers[i:i+1:i+1])
		run = !lookup
	}
	return out
}

func isLookup(server string) bool {
	return server == LookupMX || strings.HasPrefix(server, LookupMX+":")
}

// look finds the hosts of one stretch of servers.
func (c *Courier) look(ctx context.Context, t *Transport, servers []string, f dns.Families, seed dns.Seed, domain string) (
	[]dns.Host, *Outcome,
) {
	if !isLookup(servers[0]) {
		hosts, err := c.resolver.Hosts(ctx, servers, f, seed)
		return hosts, hostFailure(err)
	}
	if other, ok := strings.CutPrefix(servers[0], LookupMX+":"); ok {
		domain = other
	}
	s := dns.Search{Domain: domain, Families: f, Seed: seed, Own: c.settings.Load().Own}
	if len(t.MXInclude)+len(t.MXExclude) > 0 {
		s.Accept = t.accepts
	}
	hosts, err := c.resolver.Destinations(ctx, s)
	return hosts, domainFailure(err)
}

// add appends hosts as they were found. Those of a later stretch come after
// those before it.
func (d *Destination) add(hosts []dns.Host, port uint16) {
	after := uint16(0)
	if n := len(d.Hosts); n > 0 {
		after = d.Hosts[n-1].Preference + 1
	}
	for _, h := range hosts {
		name := h.Name
		if _, err := netip.ParseAddr(name); err == nil {
			name = ""
		}
		d.Hosts = append(d.Hosts, Host{
			Name: name, Addr: netip.AddrPortFrom(h.Addr, port), Preference: after + h.Preference,
			Secure: h.Secure, SecureName: h.SecureName,
		})
	}
}

// Fixed returns the destination of a transport all of whose servers are
// addresses that it can reach, and nil for any other.
func (t *Transport) Fixed() *Destination {
	families := t.families()
	if len(t.Servers) == 0 || families == 0 {
		return nil
	}
	var hosts []dns.Host
	for i, s := range t.Servers {
		a, err := netip.ParseAddr(s)
		if err != nil || !families.Has(a.Unmap()) {
			return nil
		}
		hosts = append(hosts, dns.Host{Name: s, Addr: a.Unmap(), Preference: uint16(i)})
	}
	port := t.Port
	if port == 0 {
		port = 25
	}
	d := &Destination{}
	d.add(hosts, port)
	return d
}

// families returns what kinds of addresses can be reached: those allowed, and
// where there are sources, those of which there is one. Zero means none here.
func (t *Transport) families() dns.Families {
	f := t.Families
	if f == 0 {
		f = dns.IPv4 | dns.IPv6
	}
	if len(t.Sources) == 0 {
		return f
	}
	var have dns.Families
	for i := range t.Sources {
		have |= dns.FamilyOf(t.Sources[i].Addr)
	}
	return f & have
}

// dnsVerdicts say what to make of a domain that has no usable hosts (spec
// operations.md 9.3).
var dnsVerdicts = []struct {
	err   error
	cause DNSCause
	code  smtp.EnhancedCode
	text  string
}{
	{dns.ErrNXDomain, DNSNXDomain, codeBadDomain, "the domain does not exist"},
	{dns.ErrNullMX, DNSNullMX, codeNullMX, "the domain does not accept mail (null MX)"}, // RFC 7505 §4.1
	{dns.ErrNoData, DNSNoData, codeBadDomain, "the domain has no mail exchange and no address"},
	{dns.ErrFamily, DNSIPFamily, codeBadDomain, "the domain has no address of an address family that is enabled here"},
	{dns.ErrExcluded, DNSExcluded, codeBadDomain, "all mail exchanges of the domain are excluded here"},
	{dns.ErrLoop, DNSOther, codeLoop, "mail for the domain would loop back to this host"},
	{dns.ErrName, DNSOther, codeBadDomain, "the domain is not a valid name"},
}

// domainFailure is the outcome for a recipient domain without hosts, nil
// without error.
func domainFailure(err error) *Outcome {
	if err == nil {
		return nil
	}
	for _, v := range dnsVerdicts {
		if errors.Is(err, v.err) {
			out := verdict(StageResolve, KindDNS, v.code, v.text, err)
			out.DNS = v.cause
			if errors.Is(v.err, dns.ErrNullMX) {
				out.Reply.Code = 556 // RFC 7505 §4.1
			}
			return out
		}
	}
	out := verdict(StageResolve, KindDNS, codeDirectory, "the name servers could not be asked for the domain", err)
	out.DNS = DNSOther
	return out
}

// hostFailure is the outcome for a host that is configured and not found. That
// is more likely our mistake than the recipient's, so the mail waits.
func hostFailure(err error) *Outcome {
	out := domainFailure(err)
	if out != nil {
		out.Status = Deferred
		out.Reply = smtp.NewReply(451, codeConfig, "the next host cannot be found")
	}
	return out
}
