package policy

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/regex"
)

// What the first character of a matcher says of it (spec config.md 1.5).
const (
	listSign   = "@" // the name of a list
	rollupSign = "#" // a name that a policy's fields give to several values
	regexSign  = "/"
)

// Lists finds the members of a list of a field by name: lists.<field>.<name> of
// the configuration.
type Lists func(f Field, name string) (members []string, ok bool)

// Matcher is the alternatives for one field. Exact values, the domains of
// "*.domain" and networks are looked up in tables; expressions are tried in
// order. It is not changed once it is made.
type Matcher struct {
	field    Field
	exact    map[string]struct{}
	suffixes map[string]struct{} // without "*."
	networks networks
	patterns []*regex.Pattern
}

// maxNested bounds lists within lists.
const maxNested = 8

// NewMatcher compiles alternatives for the values of f. lists may be nil where
// there are none.
func NewMatcher(f Field, alternatives []string, lists Lists) (*Matcher, error) {
	m := &Matcher{field: f, exact: map[string]struct{}{}, suffixes: map[string]struct{}{}}
	return m, m.addAll(alternatives, lists, 0)
}

func (m *Matcher) addAll(alternatives []string, lists Lists, depth int) error {
	for _, a := range alternatives {
		if err := m.add(a, lists, depth); err != nil {
			return err
		}
	}
	return nil
}

func (m *Matcher) add(text string, lists Lists, depth int) error {
	if name, ok := strings.CutPrefix(text, listSign); ok {
		return m.addList(name, lists, depth)
	}
	if strings.HasPrefix(text, rollupSign) {
		m.exact[text] = struct{}{}
		return nil
	}
	if m.field.isIP() {
		return m.networks.add(m.field, text)
	}
	if pattern, flags := regex.Delimited(text); len(text) > 1 && strings.HasPrefix(text, regexSign) && strings.HasSuffix(text, regexSign) || flags != 0 {
		return m.addPattern(pattern, flags)
	}
	if m.field.isDomain() {
		text = strings.ToLower(strings.TrimSuffix(text, "."))
	}
	// A grouping may be a domain, where that is the default.
	if domain, ok := strings.CutPrefix(text, "*."); ok && (m.field.isDomain() || m.field == Grouping) {
		m.suffixes[domain] = struct{}{}
		return nil
	}
	m.exact[text] = struct{}{}
	return nil
}

func (m *Matcher) addList(name string, lists Lists, depth int) error {
	if lists == nil || depth >= maxNested {
		return fmt.Errorf("policy: list %q of %s cannot be used here", name, m.field)
	}
	members, ok := lists(m.field, name)
	if !ok {
		return fmt.Errorf("policy: no list %q in lists.%s", name, m.field)
	}
	return m.addAll(members, lists, depth+1)
}

func (m *Matcher) addPattern(pattern string, flags regex.Flags) error {
	if m.field.isDomain() {
		flags |= regex.Caseless
	}
	p, err := regex.Compile(pattern, flags)
	if err != nil {
		return fmt.Errorf("policy: %s /%s/: %w", m.field, pattern, err)
	}
	m.patterns = append(m.patterns, p)
	return nil
}

// Match reports whether the value of its field in t is one of the alternatives.
// A pattern that goes beyond the bounds of package regex does not match.
func (m *Matcher) Match(t *Tuple) bool {
	text := t.Values[m.field]
	if _, ok := m.exact[text]; ok {
		return true
	}
	if m.field.isIP() {
		return m.networks.has(t.addr(m.field))
	}
	if len(m.suffixes) > 0 && anySuffix(text, func(s string) bool { _, ok := m.suffixes[s]; return ok }) {
		return true
	}
	for _, p := range m.patterns {
		if ok, err := p.Match(nil, text); err == nil && ok {
			return true
		}
	}
	return false
}

// tabled reports whether everything about m is in tables of texts.
func (m *Matcher) tabled() bool { return len(m.patterns) == 0 && m.networks.empty() }

// anySuffix calls yield for every domain above the one given until it returns
// true, and reports whether it has.
func anySuffix(domain string, yield func(string) bool) bool {
	for {
		_, rest, ok := strings.Cut(domain, ".")
		if !ok {
			return false
		}
		if yield(rest) {
			return true
		}
		domain = rest
	}
}

// networks is a set of addresses and networks, by length of prefix.
type networks struct {
	lengths  [129]bool // those in use, for both families
	some     bool
	prefixes map[netip.Prefix]struct{}
}

func (n *networks) empty() bool { return !n.some }

func (n *networks) add(f Field, text string) error {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, aerr := netip.ParseAddr(text)
		if aerr != nil {
			return fmt.Errorf(`policy: %s: want an address, a network such as 192.0.2.0/24 or "@list", got %q`, f, text)
		}
		p = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
	}
	if n.prefixes == nil {
		n.prefixes = map[netip.Prefix]struct{}{}
	}
	n.some, n.lengths[p.Bits()] = true, true
	n.prefixes[p.Masked()] = struct{}{}
	return nil
}

func (n *networks) has(a netip.Addr) bool {
	if !n.some || !a.IsValid() {
		return false
	}
	for bits := a.BitLen(); bits >= 0; bits-- {
		if !n.lengths[bits] {
			continue
		}
		p, err := a.Prefix(bits)
		if err != nil {
			return false
		}
		if _, ok := n.prefixes[p]; ok {
			return true
		}
	}
	return false
}
