package network

import (
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func urlParse(c *value.Call) (value.Value, error) {
	parts, ok := parseURL(c.Str(0))
	if !ok {
		return value.None, nil
	}
	return value.FromArray(parts), c.Alloc(parts.Size())
}

// parseURL takes a URL apart as RFC 3986, appendix B does, and decodes nothing.
func parseURL(whole string) (*value.Array, bool) {
	s := whole
	if s == "" || strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) >= 0 {
		return nil, false
	}
	parts := value.NewArray(0)
	s, fragment, hasFragment := strings.Cut(s, "#")
	s, query, hasQuery := strings.Cut(s, "?")
	if scheme, rest, found := strings.Cut(s, ":"); found && isScheme(scheme) {
		parts.SetString("schema", value.Part(whole, strings.ToLower(scheme)))
		s = rest
	}
	if authority, found := strings.CutPrefix(s, "//"); found {
		end := strings.IndexByte(authority+"/", '/')
		if !parseAuthority(parts, whole, authority[:end]) {
			return nil, false
		}
		s = authority[end:]
	}
	if s != "" {
		parts.SetString("path", value.Part(whole, s))
	}
	if hasQuery {
		parts.SetString("query", value.Part(whole, query))
	}
	if hasFragment {
		parts.SetString("fragment", value.Part(whole, fragment))
	}
	return parts, true
}

func isScheme(s string) bool {
	for i := range len(s) {
		letter := s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z'
		if !letter && (i == 0 || s[i]-'0' > 9 && strings.IndexByte("+-.", s[i]) < 0) {
			return false
		}
	}
	return s != ""
}

// parseAuthority reads user, host and port. An IPv6 address keeps its brackets.
func parseAuthority(parts *value.Array, whole, s string) bool {
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		name, password, found := strings.Cut(s[:at], ":")
		parts.SetString("username", value.Part(whole, name))
		if found {
			parts.SetString("password", value.Part(whole, password))
		}
		s = s[at+1:]
	}
	host, port := s, ""
	if colon := strings.LastIndexByte(s, ':'); colon > strings.LastIndexByte(s, ']') {
		host, port = s[:colon], s[colon+1:]
	}
	if strings.HasPrefix(host, "[") != strings.HasSuffix(host, "]") || strings.Contains(strings.Trim(host, "[]"), "]") {
		return false
	}
	if host != "" {
		parts.SetString("hostname", value.Part(whole, host))
	}
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	parts.SetString("port", value.Number(float64(n)))
	return err == nil
}
