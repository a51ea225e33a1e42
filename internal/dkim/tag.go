package dkim

import (
	"fmt"
	"strings"
)

// Tag is one element of a tag list. White space around the value is gone, white
// space and folds inside it are as they came.
type Tag struct {
	Name, Value string

	start, end int // of all that stands between the "=" and the ";"
}

// Tags is a tag list as signatures, keys and policies have it (RFC 6376 §3.2),
// in the order of the text. No name occurs twice.
type Tags []Tag

// ParseTags parses a tag list. Names are case-sensitive. Bytes outside ASCII may
// stand in values (RFC 8616 §5).
func ParseTags(s string) (Tags, error) {
	tags := make(Tags, 0, 12)
	for at := 0; ; {
		end := len(s)
		if n := strings.IndexByte(s[at:], ';'); n >= 0 {
			end = at + n
		}
		spec := s[at:end]
		if end == len(s) && len(tags) > 0 && trim(spec) == "" {
			return tags, nil // a final semicolon
		}
		tag, err := parseTag(spec)
		if err != nil {
			return nil, err
		}
		if _, twice := tags.Get(tag.Name); twice {
			return nil, fmt.Errorf("tag %.20q occurs twice", tag.Name)
		}
		tag.start, tag.end = tag.start+at, end
		tags = append(tags, tag)
		if end == len(s) {
			return tags, nil
		}
		at = end + 1
	}
}

func parseTag(spec string) (Tag, error) {
	eq := strings.IndexByte(spec, '=')
	if eq < 0 {
		return Tag{}, fmt.Errorf("%.20q is no tag", trim(spec))
	}
	t := Tag{Name: trim(spec[:eq]), Value: trim(spec[eq+1:]), start: eq + 1}
	if !validTagName(t.Name) {
		return Tag{}, fmt.Errorf("%.20q is no name of a tag", t.Name)
	}
	for i := range len(t.Value) {
		if c := t.Value[i]; c < ' ' && !isSpace(c) || c == 0x7f {
			return Tag{}, fmt.Errorf("control character in tag %.20q", t.Name)
		}
	}
	return t, nil
}

// Get returns the value of the tag with that name and whether there is one.
func (t Tags) Get(name string) (value string, ok bool) {
	for i := range t {
		if t[i].Name == name {
			return t[i].Value, true
		}
	}
	return "", false
}

// String returns the list in the usual form, with one space behind semicolons.
func (t Tags) String() string {
	var b strings.Builder
	for i, tag := range t {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(tag.Name + "=" + tag.Value)
	}
	return b.String()
}

func validTagName(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if 'a' <= c && c <= 'z' || i > 0 && (s[i] == '_' || '0' <= s[i] && s[i] <= '9') {
			continue
		}
		return false
	}
	return s != ""
}

// isSpace reports whether c can be part of folding white space.
func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func trim(s string) string { return strings.Trim(s, " \t\r\n") }

// compact returns s without any white space, as base64 in tags is read.
func compact(s string) string {
	if !strings.ContainsAny(s, " \t\r\n") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if !isSpace(s[i]) {
			b = append(b, s[i])
		}
	}
	return string(b)
}
