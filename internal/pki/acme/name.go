package acme

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
)

// CanonicalName brings a name into the form that certificates have: lower case,
// A-labels, no final dot, perhaps with "*." before it. What can never have a
// certificate of a public authority is an error.
func CanonicalName(name string) (string, error) {
	plain := strings.TrimSuffix(strings.TrimSpace(name), ".")
	rest, wild := strings.CutPrefix(plain, "*.")
	if _, err := netip.ParseAddr(strings.Trim(rest, "[]")); err == nil {
		return "", fmt.Errorf("acme: %q is an address; certificates are obtained for names", name)
	}
	ascii, err := address.ASCIIDomain(rest)
	if err != nil {
		return "", fmt.Errorf("acme: %q is no host name: %w", name, err)
	}
	ascii = strings.ToLower(ascii)
	if len(ascii) > 253 || strings.Contains(ascii, "_") || !address.ValidDomain(ascii) {
		return "", fmt.Errorf("acme: %q is no host name", name)
	}
	if wild {
		ascii = "*." + ascii
	}
	return ascii, nil
}

// reserved are domains that no public authority knows (RFC 6761, RFC 8375, RFC
// 6762 and the reserved .internal).
var reserved = []string{"localhost", "local", "internal", "test", "example", "invalid", "onion", "home.arpa", "lan"}

// notPublic says why a public authority cannot know the name.
func notPublic(name string) error {
	if !strings.Contains(strings.TrimPrefix(name, "*."), ".") {
		return fmt.Errorf("acme: %s has no domain; a public authority gives no certificate for it", name)
	}
	for _, domain := range reserved {
		if name == domain || strings.HasSuffix(name, "."+domain) {
			return fmt.Errorf("acme: %s is below .%s, which is reserved; a public authority gives no certificate for it", name, domain)
		}
	}
	return nil
}

// Want is a name that is to have a certificate, and what for.
type Want struct {
	Name   string
	UsedBy []string // such as "pki.default.hostname"
	// Manual says that a configured certificate serves it, so that none is
	// obtained (spec tls.md 4, TLS-06).
	Manual bool
	Until  time.Time // end of a manual one
}

// MergeWants joins wants of the same name in the order of the first, with names
// in canonical form. It returns what is wrong with those that it leaves out.
func MergeWants(all []Want) (merged []Want, errs []error) {
	index := map[string]int{}
	for _, w := range all {
		name, err := CanonicalName(w.Name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		i, known := index[name]
		if !known {
			i = len(merged)
			index[name] = i
			merged = append(merged, Want{Name: name})
		}
		m := &merged[i]
		if w.Manual {
			m.Manual, m.Until = true, w.Until
		}
		for _, use := range w.UsedBy {
			if !slices.Contains(m.UsedBy, use) {
				m.UsedBy = append(m.UsedBy, use)
			}
		}
	}
	return merged, errs
}
