package sink

import (
	"cmp"
	"slices"
	"sync"
)

// maxDomains bounds the memory of domainCounts: the peer chooses the names.
const maxDomains = 10000

// otherDomains counts those that came after maxDomains different ones.
const otherDomains = "(other)"

// DomainCount is what came for one recipient domain.
type DomainCount struct {
	Domain   string `json:"domain"`
	Accepted int64  `json:"accepted"` // recipients
	Rejected int64  `json:"rejected"` // recipients
}

// domainCounts counts recipients by domain. It is safe for concurrent use.
type domainCounts struct {
	mu       sync.Mutex
	byDomain map[string]*DomainCount
}

func (d *domainCounts) add(domain string, accepted, rejected int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.byDomain[domain]
	if c == nil {
		c = d.newLocked(domain)
	}
	c.Accepted += accepted
	c.Rejected += rejected
}

func (d *domainCounts) newLocked(domain string) *DomainCount {
	if d.byDomain == nil {
		d.byDomain = make(map[string]*DomainCount)
	}
	if len(d.byDomain) >= maxDomains {
		domain = otherDomains
		if c := d.byDomain[domain]; c != nil {
			return c
		}
	}
	c := &DomainCount{Domain: domain}
	d.byDomain[domain] = c
	return c
}

// top returns the n busiest domains, and how many there are.
func (d *domainCounts) top(n int) (busiest []DomainCount, all int) {
	d.mu.Lock()
	counts := make([]DomainCount, 0, len(d.byDomain))
	for _, c := range d.byDomain {
		counts = append(counts, *c)
	}
	d.mu.Unlock()
	slices.SortFunc(counts, func(a, b DomainCount) int {
		return cmp.Or(cmp.Compare(b.Accepted+b.Rejected, a.Accepted+a.Rejected), cmp.Compare(a.Domain, b.Domain))
	})
	return counts[:min(n, len(counts))], len(counts)
}
