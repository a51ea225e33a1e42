package spf

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// errSyntax says that a record is not well formed.
var errSyntax = errors.New("record syntax error")

const version = "v=spf1"

// isRecord reports whether a text is an SPF record (RFC 7208 §4.5).
func isRecord(text string) bool {
	return len(text) >= len(version) && strings.EqualFold(text[:len(version)], version) &&
		(len(text) == len(version) || text[len(version)] == ' ')
}

// checkSyntax holds a record against the grammar of RFC 7208 §12.
func checkSyntax(record string) error {
	seen := map[string]bool{}
	for term := range strings.SplitSeq(record[len(version):], " ") {
		if term == "" {
			continue
		}
		name, err := checkTerm(term)
		if err != nil {
			return fmt.Errorf("%w: %.60q", errSyntax, term)
		}
		// RFC 7208 §6: these two at most once.
		if name = strings.ToLower(name); name == "redirect=" || name == "exp=" {
			if seen[name] {
				return fmt.Errorf("%w: %s twice", errSyntax, name)
			}
			seen[name] = true
		}
	}
	return nil
}

var errTerm = errors.New("bad term")

// checkTerm checks one term and returns the name of a modifier with its equals
// sign, or "".
func checkTerm(term string) (modifier string, err error) {
	for i := range len(term) {
		if term[i] <= ' ' || term[i] >= 0x7f { // RFC 7208 §3.1
			return "", errTerm
		}
	}
	if n := strings.IndexAny(term, "=:/"); n >= 0 && term[n] == '=' {
		return term[:n+1], checkModifier(strings.ToLower(term[:n]), term[n+1:])
	}
	return "", checkMechanism(strings.TrimLeft(term[:1], "+-?~") + term[1:])
}

func checkModifier(name, value string) error {
	if !validModifier(name) {
		return errTerm
	}
	if name == "redirect" || name == "exp" {
		return checkDomain(value)
	}
	return checkMacros(value)
}

func validModifier(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !('a' <= c && c <= 'z' || i > 0 && ('0' <= c && c <= '9' || c == '-' || c == '_' || c == '.')) {
			return false
		}
	}
	return name != ""
}

func checkMechanism(s string) error {
	name, rest := s, ""
	if n := strings.IndexAny(s, ":/"); n >= 0 {
		name, rest = s[:n], s[n:]
	}
	switch strings.ToLower(name) {
	case "all":
		return okIf(rest == "")
	case "include", "exists":
		return checkArgument(rest, true)
	case "ptr":
		return checkArgument(rest, false)
	case "a", "mx":
		host, err := cutLengths(rest)
		if err != nil {
			return err
		}
		return checkArgument(host, false)
	case "ip4":
		return checkNetwork(rest, netip.Addr.Is4, 32)
	case "ip6":
		return checkNetwork(rest, netip.Addr.Is6, 128)
	}
	return errTerm
}

func okIf(ok bool) error {
	if ok {
		return nil
	}
	return errTerm
}

// checkArgument checks the colon and the domain-spec behind it.
func checkArgument(s string, needed bool) error {
	if s == "" && !needed {
		return nil
	}
	domain, ok := strings.CutPrefix(s, ":")
	if !ok {
		return errTerm
	}
	return checkDomain(domain)
}

// cutLengths cuts off the dual-cidr-length (RFC 7208 §5.6). A slash that does not
// begin one belongs to the domain.
func cutLengths(s string) (string, error) {
	for _, l := range []struct {
		mark string
		most int
	}{{"//", 128}, {"/", 32}} {
		n := strings.LastIndex(s, l.mark)
		if n < 0 || n+len(l.mark) < len(s) && !isDigit(s[len(s)-1]) || strings.Contains(s[n:], "}") {
			continue
		}
		if !validLength(s[n+len(l.mark):], l.most) {
			return "", errTerm
		}
		s = s[:n]
	}
	return s, nil
}

// validLength checks a number without leading zeros.
func validLength(s string, most int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n <= most && s == strconv.Itoa(n) && n >= 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func checkNetwork(s string, family func(netip.Addr) bool, most int) error {
	text, ok := strings.CutPrefix(s, ":")
	text, length, long := strings.Cut(text, "/")
	ip, err := netip.ParseAddr(text)
	return okIf(ok && err == nil && family(ip) && ip.Zone() == "" && (!long || validLength(length, most)))
}

// checkDomain checks a domain-spec: macros, ending in one or in a top label
// (RFC 7208 §7.1).
func checkDomain(s string) error {
	if err := checkMacros(s); err != nil {
		return err
	}
	if strings.HasSuffix(s, "}") || strings.HasSuffix(s, "%%") || strings.HasSuffix(s, "%_") || strings.HasSuffix(s, "%-") {
		return nil
	}
	s = strings.TrimSuffix(s, ".")
	dot := strings.LastIndexByte(s, '.')
	return okIf(dot >= 0 && validTop(s[dot+1:]))
}

// validTop checks a top label: letters, digits and inner hyphens, and not only
// digits.
func validTop(s string) bool {
	digits := true
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z':
			digits = false
		case c == '-' && i > 0 && i < len(s)-1:
			digits = false
		case !isDigit(c):
			return false
		}
	}
	return s != "" && !digits
}

// checkMacros checks a macro-string (RFC 7208 §7.1).
func checkMacros(s string) error {
	for {
		n := strings.IndexByte(s, '%')
		if n < 0 {
			return nil
		}
		s = s[n+1:]
		switch {
		case s == "":
			return errTerm
		case s[0] == '%' || s[0] == '_' || s[0] == '-':
			s = s[1:]
			continue
		case s[0] != '{':
			return errTerm
		}
		macro, rest, ok := strings.Cut(s[1:], "}")
		if !ok || !validMacro(macro) {
			return errTerm
		}
		s = rest
	}
}

// validMacro checks what stands between the braces: a letter, a number of labels
// that is not zero, an r, delimiters. The letters c, r and t are for explanations
// only (RFC 7208 §7.2).
func validMacro(s string) bool {
	if s == "" || !strings.ContainsRune("slodiphv", rune(s[0]|0x20)) {
		return false
	}
	digits := s[1:]
	rest := strings.TrimLeft(digits, "0123456789")
	digits = digits[:len(digits)-len(rest)]
	if digits != "" && strings.Trim(digits, "0") == "" {
		return false
	}
	if rest != "" && rest[0]|0x20 == 'r' {
		rest = rest[1:]
	}
	return strings.Trim(rest, ".-+,/_=") == ""
}
