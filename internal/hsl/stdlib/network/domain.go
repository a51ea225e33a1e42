package network

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func domainIncludes(c *value.Call) (value.Value, error) {
	sub := strings.TrimSuffix(c.Str(0), ".")
	domain := strings.TrimSuffix(c.Str(1), ".")
	below, strictly := strings.CutPrefix(domain, ".")
	if below == "" {
		return value.Boolean(sub == "" && !strictly), nil
	}
	if len(sub) == len(below) {
		return value.Boolean(!strictly && strings.EqualFold(sub, below)), nil
	}
	at := len(sub) - len(below)
	return value.Boolean(at > 1 && sub[at-1] == '.' && strings.EqualFold(sub[at:], below)), nil
}

// labels is the profile for one label: as browsers look domains up (UTS #46),
// but names with underscores, which the DNS is full of, are fine.
var labels = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.VerifyDNSLength(false))

// dots are the characters that part labels (RFC 3490 §3.1).
var dots = strings.NewReplacer("\u3002", ".", "\uff0e", ".", "\uff61", ".")

// eachLabel converts the labels for which is holds.
func eachLabel(domain string, is func(string) bool, convert func(string) (string, error)) (string, bool) {
	if !utf8.ValidString(domain) {
		return "", false
	}
	parts := strings.Split(dots.Replace(domain), ".")
	for i, label := range parts {
		if !is(label) {
			continue
		}
		converted, err := convert(label)
		if err != nil {
			return "", false
		}
		parts[i] = converted
	}
	return strings.Join(parts, "."), true
}

func notASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) >= 0
}

func punycode(s string) bool { return len(s) > 4 && strings.EqualFold(s[:4], "xn--") }

func idnaEncode(c *value.Call) (value.Value, error) {
	return domainResult(c, notASCII, labels.ToASCII)
}

func idnaDecode(c *value.Call) (value.Value, error) {
	return domainResult(c, punycode, labels.ToUnicode)
}

func domainResult(c *value.Call, is func(string) bool, convert func(string) (string, error)) (value.Value, error) {
	if err := c.Step(len(c.Str(0))); err != nil {
		return value.None, err
	}
	domain, ok := eachLabel(c.Str(0), is, convert)
	if !ok {
		return value.None, nil
	}
	return declare.Text(c, domain)
}

// publicSuffix returns the suffix in the form in which the domain was given.
func publicSuffix(c *value.Call) (value.Value, error) {
	domain := strings.ToLower(strings.Trim(dots.Replace(c.Str(0)), "."))
	ascii, ok := eachLabel(domain, notASCII, labels.ToASCII)
	if !ok || ascii == "" {
		return value.None, nil
	}
	suffix, icann := publicsuffix.PublicSuffix(ascii)
	if !icann && !strings.Contains(suffix, ".") {
		return value.None, nil // the rule for what no rule is about
	}
	parts := strings.Split(domain, ".")
	parts = parts[len(parts)-strings.Count(suffix, ".")-1:]
	return value.String(strings.Join(parts, ".")), nil
}
