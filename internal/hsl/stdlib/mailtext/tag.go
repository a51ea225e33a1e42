package mailtext

import (
	"slices"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func decodeTags(c *value.Call) (value.Value, error) {
	text := c.Str(0)
	if c.Options(1).Bool("field") {
		_, text, _ = strings.Cut(text, ":")
	}
	tags, ok := parseTags(text)
	if !ok {
		return value.None, nil
	}
	slices.SortFunc(tags, func(a, b tag) int { return strings.Compare(a.name, b.name) })
	list := value.NewArray(0)
	for _, t := range tags {
		if _, twice := list.GetString(t.name); twice {
			return value.None, nil
		}
		list.Set(value.Part(text, t.name), value.Part(text, t.value))
	}
	return value.FromArray(list), c.Alloc(list.Size())
}

type tag struct{ name, value string }

const whiteSpace = " \t\r\n"

// parseTags reads a list of tags (RFC 6376 §3.2) in its order.
func parseTags(text string) (tags []tag, ok bool) {
	text = strings.TrimRight(text, whiteSpace)
	text = strings.TrimSuffix(text, ";")
	for spec := range strings.SplitSeq(text, ";") {
		name, v, found := strings.Cut(spec, "=")
		name = strings.Trim(name, whiteSpace)
		if !found || !isTagName(name) {
			return nil, false
		}
		if name == "v" && len(tags) > 0 {
			return nil, false
		}
		tags = append(tags, tag{name, strings.Trim(v, whiteSpace)})
	}
	return tags, true
}

// isTagName: letters, digits and underscores, beginning with a letter.
func isTagName(s string) bool {
	for i := range len(s) {
		letter := s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z'
		if !letter && (i == 0 || s[i]-'0' > 9 && s[i] != '_') {
			return false
		}
	}
	return s != ""
}
