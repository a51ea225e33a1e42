package source

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/address"
)

// Pattern makes addresses out of a number. In its text "%d" in the local part
// stands for the number, "%d" in the domain for the number modulo the count of
// domains, and "%%" for a percent sign. The empty pattern is the null sender.
type Pattern struct {
	text          string
	local, domain []string // the texts between numbers
	domains       uint64
}

// ParsePattern reads a pattern that spreads over the given number of domains,
// at least 1.
func ParsePattern(text string, domains int) (Pattern, error) {
	p := Pattern{text: text, domains: uint64(max(domains, 1))}
	if text == "" || text == "<>" {
		return p, nil
	}
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return p, fmt.Errorf("source: address pattern %q has no domain", text)
	}
	var err error
	if p.local, err = splitNumbers(text[:at]); err == nil {
		p.domain, err = splitNumbers(text[at+1:])
	}
	if err == nil {
		_, err = address.Parse(string(p.Append(nil, 0)))
	}
	if err != nil {
		return p, fmt.Errorf("source: address pattern %q: %w", text, err)
	}
	return p, nil
}

// splitNumbers returns the texts around each "%d".
func splitNumbers(s string) ([]string, error) {
	parts := []string{""}
	for {
		text, rest, found := strings.Cut(s, "%")
		parts[len(parts)-1] += text
		switch {
		case !found:
			return parts, nil
		case strings.HasPrefix(rest, "d"):
			parts = append(parts, "")
		case strings.HasPrefix(rest, "%"):
			parts[len(parts)-1] += "%"
		default:
			return nil, fmt.Errorf("want %%d or %%%% at %q", "%"+rest)
		}
		s = rest[1:]
	}
}

// String returns the text that was parsed.
func (p Pattern) String() string { return p.text }

// Append appends address number n.
func (p Pattern) Append(b []byte, n uint64) []byte {
	if p.local == nil {
		return b
	}
	b = append(appendNumbered(b, p.local, n), '@')
	return appendNumbered(b, p.domain, n%p.domains)
}

func appendNumbered(b []byte, parts []string, n uint64) []byte {
	for i, text := range parts {
		if i > 0 {
			b = strconv.AppendUint(b, n, 10)
		}
		b = append(b, text...)
	}
	return b
}

// endsInNumber reports whether the local part ends in the number, by which a
// receiver can tell the recipients of one message apart.
func (p Pattern) endsInNumber() bool {
	return len(p.local) > 1 && p.local[len(p.local)-1] == ""
}

// needsUTF8 reports whether the addresses can only be sent with SMTPUTF8.
func (p Pattern) needsUTF8() bool {
	return strings.ContainsFunc(p.text, func(r rune) bool { return r >= 0x80 })
}
