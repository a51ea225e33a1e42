// Package bimi reads what the owner of a domain publishes about the logo that mail
// programs may show beside his messages (BIMI, draft-brand-indicators-for-message-identification).
//
// A record names a logo and the certificate that vouches for it. ParseRecord reads
// the record, CheckSVG holds a logo against the profile of SVG that is safe to
// show, and ParseMark takes the logo from a certificate, after it has proved the
// certificate. Fetching is the caller's business, and so is whom he trusts.
//
// All input is from strangers and bounded; nothing of a logo is rendered, resolved
// or expanded.
package bimi

import (
	"errors"
	"fmt"
	"strings"
)

// Record is what a domain publishes under a selector.
type Record struct {
	Tags       []Tag
	Location   string // l: where the logo is; "": nowhere
	Authority  string // a: where the certificate is; "": there is none
	Preference string // avp: "brand" or "personal"
}

// Tag is one element of a record.
type Tag struct{ Name, Value string }

// What is wrong with a record.
var (
	ErrNoRecord = errors.New("bimi: no record")
	ErrSyntax   = errors.New("bimi: malformed record")
	ErrDeclined = errors.New("bimi: the domain shows no logo") // draft §4.4
)

// DefaultSelector is the one for messages that name none.
const DefaultSelector = "default"

// ParseRecord reads a record. The error wraps ErrNoRecord for another text,
// ErrSyntax, or ErrDeclined for a record that says that there is no logo.
func ParseRecord(text string) (*Record, error) {
	r := &Record{Preference: "brand"}
	for i, spec := range strings.Split(strings.TrimRight(text, "; \t"), ";") {
		name, v, ok := strings.Cut(spec, "=")
		name, v = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(v)
		if i == 0 && (name != "v" || v != "BIMI1") {
			return nil, ErrNoRecord
		}
		if !ok || name == "" || r.has(name) {
			return nil, fmt.Errorf("%w: %.40q", ErrSyntax, spec)
		}
		r.Tags = append(r.Tags, Tag{name, v})
		switch name {
		case "l":
			r.Location = v
		case "a":
			r.Authority = v
		case "avp":
			r.Preference = v
		}
	}
	for _, uri := range []string{r.Location, r.Authority} {
		if uri != "" && !strings.HasPrefix(strings.ToLower(uri), "https://") {
			return nil, fmt.Errorf("%w: %.40q is not by HTTPS", ErrSyntax, uri)
		}
	}
	if r.Location == "" && r.Authority == "" {
		return r, ErrDeclined
	}
	return r, nil
}

func (r *Record) has(name string) bool {
	for _, t := range r.Tags {
		if t.Name == name {
			return true
		}
	}
	return false
}

// ParseSelector returns the selector that a BIMI-Selector field names; ok is false
// when it names none.
func ParseSelector(value string) (selector string, ok bool) {
	for i, spec := range strings.Split(value, ";") {
		name, v, _ := strings.Cut(spec, "=")
		name, v = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(v)
		if i == 0 && (name != "v" || v != "BIMI1") {
			return "", false
		}
		if name == "s" {
			selector = strings.ToLower(v)
		}
	}
	return selector, validSelector(selector)
}

// validSelector: labels of letters, digits, hyphens and underscores.
func validSelector(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return len(s) < 200
}
