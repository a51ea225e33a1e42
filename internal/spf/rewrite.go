package spf

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The library stumbles over two things that the grammar allows: a slash in a
// domain, and the macro p. So a record is given to it with the slashes replaced by
// a character that no name has, which the look-ups put back, and with what the
// macro stands for in its place. A slash among the delimiters of a macro, which
// nobody has a use for, remains a permanent error.

// slash stands for a slash in a domain. It is for private use in Unicode, and a
// record with bytes beyond ASCII does not come this far.
const slash = "\ue000"

func restore(name string) string { return strings.ReplaceAll(name, slash, "/") }

// rewrite returns a well-formed record as the library takes it.
func (a *adaptor) rewrite(ctx context.Context, record, domain string) string {
	if !strings.Contains(record, "/") && !strings.Contains(strings.ToLower(record), "%{p") {
		return record // nearly always
	}
	terms := strings.Split(record, " ")
	for i, term := range terms[1:] {
		terms[i+1] = a.expandP(ctx, hideSlashes(term), domain)
	}
	return strings.Join(terms, " ")
}

// hideSlashes replaces the slashes of a term that belong to its domain.
func hideSlashes(term string) string {
	at := strings.IndexAny(term, ":=")
	if at < 0 || !strings.Contains(term, "/") {
		return term
	}
	head, rest := term[:at+1], term[at+1:]
	switch strings.ToLower(strings.TrimLeft(term[:at], "+-?~")) {
	case "ip4", "ip6":
		return term
	case "a", "mx":
		domain, err := cutLengths(rest)
		if err != nil {
			return term
		}
		return head + hideIn(domain) + rest[len(domain):]
	}
	return head + hideIn(rest)
}

// hideIn replaces the slashes outside of macros, in which they part labels.
func hideIn(domain string) string {
	var b strings.Builder
	inside := false
	for i := range len(domain) {
		switch c := domain[i]; {
		case c == '/' && !inside:
			b.WriteString(slash)
			continue
		case c == '{':
			inside = true
		case c == '}':
			inside = false
		}
		b.WriteByte(domain[i])
	}
	return b.String()
}

// expandP puts the validated name of the client in place of the macro p.
func (a *adaptor) expandP(ctx context.Context, term, domain string) string {
	for from := 0; ; {
		at := strings.Index(strings.ToLower(term[from:]), "%{p")
		if at < 0 {
			return term
		}
		at += from
		end := at + strings.IndexByte(term[at:], '}')
		if escapes := len(term[:at]) - len(strings.TrimRight(term[:at], "%")); escapes%2 == 1 {
			from = end // %%{p is a percent sign and a brace
			continue
		}
		name := transform(a.clientName(ctx, domain), term[at+3:end])
		if term[at+2] == 'P' { // RFC 7208 §7.3
			name = strings.ReplaceAll(url.QueryEscape(name), "%", "%%")
		}
		term = term[:at] + name + term[end+1:]
		from = at + len(name)
	}
}

// transform does what stands behind the letter of a macro: parts a name, turns it
// round, takes labels from the right (RFC 7208 §7.1).
func transform(name, transformers string) string {
	rest := strings.TrimLeft(transformers, "0123456789")
	most, _ := strconv.Atoi(transformers[:len(transformers)-len(rest)]) // 0 without digits
	reverse := rest != "" && rest[0]|0x20 == 'r'
	if reverse {
		rest = rest[1:]
	}
	if rest == "" {
		rest = "."
	}
	labels := strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune(rest, r) })
	if reverse {
		slices.Reverse(labels)
	}
	if most > 0 && most < len(labels) {
		labels = labels[len(labels)-most:]
	}
	return strings.Join(labels, ".")
}

// mostNames is how many names of the client are looked at (RFC 7208 §4.6.4).
const mostNames = 10

// clientName is what the macro p stands for: of the names of the client that have
// its address the domain, failing that one below it, failing that any, and else
// "unknown" (RFC 7208 §7.3).
func (a *adaptor) clientName(ctx context.Context, domain string) string {
	if !a.named {
		a.named = true
		a.names = a.validNames(ctx)
	}
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	best := "unknown"
	for _, name := range a.names {
		switch {
		case name == domain:
			return name
		case strings.HasSuffix(name, "."+domain) && !strings.HasSuffix(best, "."+domain), best == "unknown":
			best = name
		}
	}
	return best
}

func (a *adaptor) validNames(ctx context.Context) (valid []string) {
	names, err := a.Names(ctx, a.ip)
	if err != nil {
		return nil // RFC 7208 §7.3: then it is unknown
	}
	for _, name := range names[:min(len(names), mostNames)] {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
			continue // strangers must not write macros
		}
		addrs, err := a.Addresses(ctx, name, a.ip.Is4())
		if err == nil && slices.Contains(addrs, a.ip) {
			valid = append(valid, name)
		}
	}
	return valid
}
