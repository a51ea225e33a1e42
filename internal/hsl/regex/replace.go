package regex

import "strings"

// Replace returns the subject with its matches replaced: all of them if limit is
// 0, else the first ones up to limit. For each, expand appends to dst what is to
// stand in its place. An error of expand ends it and is returned.
func (re *Pattern) Replace(b *Budget, subject string, limit int, expand func(dst []byte, caps []int) ([]byte, error)) (string, error) {
	var out []byte
	done, count := 0, 0
	m := re.Matches(b, subject)
	for (limit == 0 || count < limit) && m.Next() {
		caps := m.Caps()
		end := caps[1]
		start := min(max(caps[0], done), end)
		out = append(out, subject[done:start]...)
		var err error
		if out, err = expand(out, caps); err != nil {
			return "", err
		}
		done = end
		count++
	}
	if m.Err() != nil {
		return "", m.Err()
	}
	if count == 0 {
		return subject, nil
	}
	return string(append(out, subject[done:]...)), nil
}

// Template is the text that takes the place of a match. In it $0 to $99, ${0}
// and ${name} stand for what groups have captured, and for nothing if they have
// not, or if there is no such number. All else stands for itself, backslashes
// too.
type Template struct{ parts []templatePart }

// templatePart is a text and the groups behind it, of which the first that has
// captured counts.
type templatePart struct {
	text   string
	groups []int
}

// Template reads a replacement for matches of the pattern, which knows the names.
func (re *Pattern) Template(text string) Template {
	var t Template
	plain := 0
	for pos := 0; pos < len(text); {
		groups, size := re.templateGroups(text[pos:])
		if size == 0 {
			pos++
			continue
		}
		t.parts = append(t.parts, templatePart{text[plain:pos], groups})
		pos += size
		plain = pos
	}
	t.parts = append(t.parts, templatePart{text: text[plain:]})
	return t
}

// templateGroups reads one insertion at the start of text and returns the groups
// that it names and its length, 0 if there is none.
func (re *Pattern) templateGroups(text string) (groups []int, size int) {
	if len(text) < 2 || text[0] != '$' {
		return nil, 0
	}
	if n, digits := leadingNumber(text[1:]); digits > 0 {
		return []int{n}, 1 + digits
	}
	end := strings.IndexByte(text, '}')
	if text[1] != '{' || end < 0 {
		return nil, 0
	}
	name := text[2:end]
	if n, digits := leadingNumber(name); digits > 0 && digits == len(name) {
		return []int{n}, end + 1
	}
	for _, n := range re.tree.names {
		if n.Name == name {
			groups = append(groups, n.Number)
		}
	}
	if groups == nil {
		return nil, 0
	}
	return groups, end + 1
}

// leadingNumber reads at most two digits.
func leadingNumber(s string) (n, digits int) {
	for digits < 2 && digits < len(s) && isDigit(s[digits]) {
		n = n*10 + int(s[digits]-'0')
		digits++
	}
	return n, digits
}

// Append appends the template for one match, given by its offsets.
func (t Template) Append(dst []byte, subject string, caps []int) []byte {
	for _, part := range t.parts {
		dst = append(dst, part.text...)
		for _, g := range part.groups {
			if 2*g+1 < len(caps) && caps[2*g] >= 0 && caps[2*g] <= caps[2*g+1] {
				dst = append(dst, subject[caps[2*g]:caps[2*g+1]]...)
				break
			}
		}
	}
	return dst
}

// special are the characters that Quote escapes.
const special = `.\+*?[^]$(){}=!<>|:-#/`

// Quote returns a pattern that matches text and nothing else.
func Quote(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case c == 0:
			b.WriteString(`\000`)
		case strings.IndexByte(special, c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
