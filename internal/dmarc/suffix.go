package dmarc

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/posthaste-mta/posthaste/internal/address"
)

// Suffixes knows below which names organizations register theirs. It must be safe
// for concurrent use.
type Suffixes interface {
	// PublicSuffix returns the public suffix of a domain in A-labels and lower
	// case.
	PublicSuffix(domain string) string
}

// BuiltIn is the list of publicsuffix.org as it was when the program was built.
var BuiltIn Suffixes = publicsuffix.List

// organization returns the domain one label below its public suffix (RFC 7489
// §3.2), or the domain itself if it is a public suffix.
func organization(s Suffixes, domain string) string {
	above, ok := strings.CutSuffix(domain, "."+s.PublicSuffix(domain))
	if !ok {
		return domain
	}
	return domain[strings.LastIndexByte(above, '.')+1:]
}

// list is a list read from a file: what follows each rule.
type list map[string]rule

type rule uint8

const (
	suffix    rule = 1 << iota
	wildcard       // any name one label below is one
	exception      // the name is not one, although a wildcard says so
)

// ReadSuffixes reads a list in the format of publicsuffix.org.
func ReadSuffixes(r io.Reader) (Suffixes, error) {
	l := list{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), " ")
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "//") {
			continue
		}
		kind := suffix
		if name, ok := strings.CutPrefix(line, "!"); ok {
			kind, line = exception, name
		} else if name, ok := strings.CutPrefix(line, "*."); ok {
			kind, line = wildcard, name
		}
		if !address.ValidDomain(line) {
			return nil, fmt.Errorf("dmarc: public suffix list, line %d: %.80q is no domain", n, line)
		}
		l[address.FoldDomain(line)] |= kind
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("dmarc: public suffix list: %w", err)
	}
	if len(l) == 0 {
		return nil, fmt.Errorf("dmarc: public suffix list is empty")
	}
	return l, nil
}

// PublicSuffix finds the longest rule that matches. Without one the last label is
// the suffix.
func (l list) PublicSuffix(domain string) string {
	for rest := domain; ; {
		_, parent, more := strings.Cut(rest, ".")
		switch kind := l[rest]; {
		case kind&exception != 0:
			return parent
		case kind&suffix != 0, more && l[parent]&wildcard != 0, !more:
			return rest
		}
		rest = parent
	}
}
