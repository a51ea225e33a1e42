package smtp

import (
	"strings"
)

// Extensions are what a server announces in reply to EHLO or LHLO: keywords in
// upper case with their parameters.
type Extensions map[string]string

// ParseExtensions reads the reply to EHLO. Its first line is a greeting, lines
// that are no extensions are passed over (RFC 5321 §4.1.1.1). The spelling
// "AUTH=LOGIN" of old servers counts as AUTH.
func ParseExtensions(lines []string) Extensions {
	x := make(Extensions, len(lines))
	for i, line := range lines {
		keyword, params, _ := strings.Cut(line, " ")
		if old, ok := cutPrefixFold(keyword, "AUTH="); ok {
			keyword, params = "AUTH", strings.TrimSpace(old+" "+params)
		}
		if i == 0 || !isKeyword(keyword) {
			continue
		}
		keyword = strings.ToUpper(keyword)
		if known := x[keyword]; known != "" {
			params = known + " " + params
		}
		x[keyword] = params
	}
	return x
}

// Has reports whether the extension keyword, in upper case, is there.
func (x Extensions) Has(keyword string) bool {
	_, ok := x[keyword]
	return ok
}

// Size returns the largest message that the server takes (RFC 1870 §4), 0 when
// it does not say or knows no limit.
func (x Extensions) Size() int64 {
	size, _ := parseSize(x["SIZE"])
	return size
}
