package dmarc

import (
	"context"
	"errors"
	"strings"
)

// maxWalk is how many names a walk up the tree may ask (RFC 9989 §4.10).
const maxWalk = 8

// Found is a record and the domain at which it stands.
type Found struct {
	Domain string
	Record *Record
}

// lookups are the records that one evaluation has asked for.
type lookups struct {
	resolver Resolver
	known    map[string]lookup
}

type lookup struct {
	record *Record
	err    error
}

// at returns the record of a domain, or nil. More than one are as none (RFC 7489
// §6.6.3 step 5).
func (l *lookups) at(ctx context.Context, domain string) (*Record, error) {
	if k, ok := l.known[domain]; ok {
		return k.record, k.err
	}
	var k lookup
	texts, err := l.resolver.TXT(ctx, "_dmarc."+domain)
	if k.err = temporary(err); k.err == nil {
		for _, text := range texts {
			r, ok := ParseRecord(text)
			if ok && k.record != nil {
				k.record = nil
				break
			} else if ok {
				k.record = r
			}
		}
	}
	l.known[domain] = k
	return k.record, k.err
}

// temporary returns the error if asking again may help. Otherwise there is no
// record, as far as anybody can tell.
func temporary(err error) error {
	var t interface{ Temporary() bool }
	if errors.As(err, &t) && !t.Temporary() {
		return nil
	}
	return err
}

// walk goes up the tree and returns the records on the way, the longest name first
// (RFC 9989 §4.10).
func (l *lookups) walk(ctx context.Context, domain string) ([]Found, error) {
	var found []Found
	for n := 0; domain != "" && n < maxWalk; n++ {
		r, err := l.at(ctx, domain)
		if err != nil {
			return found, err
		}
		if r != nil {
			found = append(found, Found{domain, r})
			if r.PSD != "u" {
				break
			}
		}
		domain = above(domain, n == 0)
	}
	return found, nil
}

// above returns the name to ask next, "" behind the last. The first step leaves no
// more labels than can still be asked for.
func above(domain string, first bool) string {
	_, domain, _ = strings.Cut(domain, ".")
	for first && strings.Count(domain, ".") >= maxWalk-1 {
		_, domain, _ = strings.Cut(domain, ".")
	}
	return domain
}

// chosen returns the organization that the records of a walk tell of (RFC 9989
// §4.10.2), for a walk that began at domain.
func chosen(domain string, found []Found) string {
	for _, f := range found {
		switch {
		case f.Record.PSD == "n":
			return f.Domain
		case f.Record.PSD == "y" && f.Domain != domain:
			below := strings.TrimSuffix(domain, "."+f.Domain)
			return domain[strings.LastIndexByte(below, '.')+1:]
		}
	}
	if len(found) == 0 {
		return domain
	}
	return found[len(found)-1].Domain
}

// organization returns the organization of a domain in the way of the options.
func (e *Evaluator) organization(ctx context.Context, l *lookups, domain string) (string, error) {
	if !e.options.Walk {
		return organization(e.options.Suffixes, domain), nil
	}
	found, err := l.walk(ctx, domain)
	return chosen(domain, found), err
}

// discover finds the record that applies to the author's domain.
func (e *Evaluator) discover(ctx context.Context, l *lookups, from string) (Found, error) {
	r, err := l.at(ctx, from)
	if r != nil || err != nil {
		return Found{from, r}, err
	}
	if !e.options.Walk {
		org := organization(e.options.Suffixes, from)
		r, err = l.at(ctx, org)
		return Found{org, r}, err
	}
	// RFC 9989 §4.10.1: of the organization, or else of the public suffix, which is
	// the only other one that a walk can end at.
	found, err := l.walk(ctx, from)
	if err != nil || len(found) == 0 {
		return Found{}, err
	}
	org := chosen(from, found)
	for _, f := range found {
		if f.Domain == org {
			return f, nil
		}
	}
	return found[len(found)-1], nil
}
