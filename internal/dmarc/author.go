package dmarc

import (
	"errors"
	"fmt"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/message"
)

// ErrAuthor says that a message has no single author's domain.
var ErrAuthor = errors.New("dmarc: no single author")

// AuthorDomain returns the domain of the From field of a header block, in
// A-labels and lower case. The error wraps ErrAuthor.
func AuthorDomain(header []byte) (string, error) {
	var from []byte
	n := 0
	for f := range message.Fields(header) {
		if f.Is("from") {
			from = f.AppendUnfolded(nil)
			n++
		}
	}
	if n != 1 { // RFC 5322 §3.6
		return "", fmt.Errorf("%w: %d From fields", ErrAuthor, n)
	}
	domain := ""
	for _, a := range mailboxes(string(from)) {
		d, err := mailboxDomain(a)
		switch {
		case err != nil:
			return "", err
		case domain != "" && domain != d:
			return "", fmt.Errorf("%w: both %s and %s", ErrAuthor, domain, d)
		}
		domain = d
	}
	if domain == "" {
		return "", fmt.Errorf("%w: no address in From", ErrAuthor)
	}
	return domain, nil
}

func mailboxDomain(a string) (string, error) {
	domain := strings.Trim(a[strings.LastIndexByte(a, '@')+1:], " \t")
	ascii, err := address.ASCIIDomain(strings.TrimSuffix(domain, "."))
	if err != nil || !address.ValidDomain(ascii) || ascii[0] == '[' {
		return "", fmt.Errorf("%w: %.80q has no domain", ErrAuthor, a)
	}
	return strings.ToLower(ascii), nil
}

// mailboxes returns the addresses of an address list: what stands in angle
// brackets, or for lack of those, what stands between separators and has an @.
// Quoted strings and comments are no place for an address.
func mailboxes(list string) []string {
	var out []string
	var bare strings.Builder
	angle := false // an address in brackets was found since the last separator
	end := func() {
		if s := strings.Trim(bare.String(), " \t"); !angle && strings.Contains(s, "@") {
			out = append(out, s)
		}
		bare.Reset()
		angle = false
	}
	for len(list) > 0 {
		n := 1
		switch c := list[0]; c {
		case '"', '(':
			n = enclosed(list)
		case '<':
			n = strings.IndexByte(list, '>') + 1
			if n == 0 {
				n = len(list) + 1
				list += ">"
			}
			if a := list[1 : n-1]; a != "" {
				out = append(out, a)
				angle = true
			}
		case ',', ';', ':':
			end()
		default:
			bare.WriteByte(c)
		}
		list = list[n:]
	}
	end()
	return out
}

// enclosed returns the length of the quoted string or the comment, which may nest,
// with which s begins. One that does not end takes all of s.
func enclosed(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case s[0] == '"' && c == '"' && i > 0:
			return i + 1
		case s[0] == '(' && c == '(':
			depth++
		case s[0] == '(' && c == ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}
