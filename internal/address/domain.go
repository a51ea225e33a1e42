package address

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// lookup maps and validates internationalised names by UTS #46 without its
// transitional mappings, as browsers and registries do now.
var lookup = idna.New(
	idna.MapForLookup(),
	idna.Transitional(false),
	idna.BidiRule(),
	idna.StrictDomainName(false), // underscores occur
	idna.VerifyDNSLength(true),
)

// ValidDomain reports whether s can stand after the @ of an address: an ASCII
// or internationalised domain without final dot, or an address literal.
func ValidDomain(s string) bool {
	n, err := scanDomain(s)
	return err == nil && n == len(s)
}

// ASCIIDomain returns a domain in A-labels, as DNS wants it. An ASCII domain
// and an address literal are returned as they are.
func ASCIIDomain(s string) (string, error) {
	if isASCII(s) {
		return s, nil
	}
	if strings.ContainsRune(s, utf8.RuneError) { // idna lets broken UTF-8 pass
		return "", ErrDomain
	}
	t, err := lookup.ToASCII(s)
	// A label may map to dots or vanish, so the result is looked at again.
	if err != nil || !isASCII(t) || !ValidDomain(t) {
		return "", ErrDomain
	}
	return t, nil
}

// FoldDomain returns the form of a domain in which equal ones are equal strings:
// lower case, in A-labels. A name that has no such form is only lower-cased.
func FoldDomain(s string) string {
	if t, err := ASCIIDomain(s); err == nil {
		s = t
	}
	return strings.ToLower(s)
}

// Literal returns the address that an address literal such as [192.0.2.1] or
// [IPv6:2001:db8::1] stands for (RFC 5321 §4.1.3), and false for any other
// domain. An IPv4 address mapped into IPv6 is returned as IPv4.
func Literal(domain string) (netip.Addr, bool) {
	if len(domain) < 2 || domain[0] != '[' || domain[len(domain)-1] != ']' {
		return netip.Addr{}, false
	}
	s := domain[1 : len(domain)-1]
	const tag = "IPv6:"
	if len(s) > len(tag) && strings.EqualFold(s[:len(tag)], tag) {
		ip, err := netip.ParseAddr(s[len(tag):])
		ok := err == nil && ip.Is6() && ip.Zone() == ""
		return ip.Unmap(), ok
	}
	ip, err := netip.ParseAddr(s)
	return ip, err == nil && ip.Is4()
}

// scanDomain returns the length of the domain or address literal at the start
// of s.
func scanDomain(s string) (n int, err error) {
	if s != "" && s[0] == '[' {
		return scanLiteral(s)
	}
	start, ascii := 0, true
	for ; n < len(s) && class[s[n]]&(label|dot) != 0; n++ {
		if s[n] >= 0x80 {
			ascii = false
		}
		if s[n] == '.' {
			if !validLabel(s[start:n]) {
				return 0, ErrDomain
			}
			start = n + 1
		}
	}
	switch {
	case !validLabel(s[start:n]):
		return 0, ErrDomain
	case n > MaxDomain:
		return 0, ErrTooLong
	case !ascii:
		if _, err := ASCIIDomain(s[:n]); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// validLabel checks one label. The length of one in Unicode is checked when it
// is converted.
func validLabel(s string) bool {
	return s != "" && class[s[0]]&letDig != 0 && class[s[len(s)-1]]&letDig != 0 &&
		(len(s) <= 63 || !isASCII(s))
}

// scanLiteral returns the length of the address literal at the start of s.
func scanLiteral(s string) (int, error) {
	n := strings.IndexByte(s, ']') + 1
	switch {
	case n == 0:
		return 0, ErrDomain
	case n > MaxDomain:
		return 0, ErrTooLong
	}
	if _, ok := Literal(s[:n]); ok {
		return n, nil
	}
	return n, generalLiteral(s[1 : n-1])
}

// generalLiteral checks tag:content (RFC 5321 §4.1.3, General-address-literal).
func generalLiteral(s string) error {
	tag, content, ok := strings.Cut(s, ":")
	if !ok || content == "" || tag == "" || strings.EqualFold(tag, "IPv6") {
		return ErrDomain
	}
	for i := range len(tag) {
		if tag[i] >= 0x80 || class[tag[i]]&label == 0 || tag[i] == '_' {
			return ErrDomain
		}
	}
	if tag[len(tag)-1] == '-' {
		return ErrDomain
	}
	for i := range len(content) { // dcontent
		if c := content[i]; c < '!' || c > '~' || c == '[' || c == '\\' {
			return ErrDomain
		}
	}
	return nil
}
