package script

import (
	"fmt"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/address"
)

// domains finds the script for a recipient domain: one for the domain itself
// wins over one for "*." and a domain above it, the nearest first. The nil
// domains have none.
type domains struct {
	exact map[string]*Program
	below map[string]*Program // of "*.domain", without the asterisk and dot
}

func newDomains(byPattern map[string]*Program) (*domains, error) {
	if len(byPattern) == 0 {
		return nil, nil
	}
	d := &domains{exact: map[string]*Program{}, below: map[string]*Program{}}
	for pattern, p := range byPattern {
		name, wild := strings.CutPrefix(pattern, "*.")
		if !address.ValidDomain(name) {
			return nil, fmt.Errorf("script: recipientdomains: %q is neither a domain nor *.domain", pattern)
		}
		if name = address.FoldDomain(name); wild {
			d.below[name] = p
		} else {
			d.exact[name] = p
		}
	}
	return d, nil
}

func (d *domains) find(domain string) *Program {
	if d == nil {
		return nil
	}
	domain = address.FoldDomain(domain)
	if p := d.exact[domain]; p != nil {
		return p
	}
	for rest := domain; ; {
		_, parent, more := strings.Cut(rest, ".")
		if !more {
			return nil
		}
		if p := d.below[parent]; p != nil {
			return p
		}
		rest = parent
	}
}
