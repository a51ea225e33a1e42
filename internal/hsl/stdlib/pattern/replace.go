package pattern

import (
	"strings"
	"unicode/utf8"

	"github.com/posthaste-mta/posthaste/internal/hsl/regex"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// advance returns the place behind the character at i.
func (re *Regex) advance(subject string, i int) int {
	if re.pattern.Flags()&regex.UTF8 == 0 {
		return i + 1
	}
	_, size := utf8.DecodeRuneInString(subject[i:])
	return i + max(size, 1)
}

func replace(c *value.Call) (value.Value, error) {
	re, err := patternOf(c)
	if err != nil {
		return value.None, err
	}
	subject, limit := c.Str(2), c.Int(3)
	expand := callback
	if c.Args[1].IsString() {
		expand = template(c.Str(1))
	}
	var b []byte
	var growth value.Growth
	done, count := 0, 0 // bytes of the subject, matches
	err = re.each(c.Thread, subject, func(caps []int) (bool, error) {
		b = append(b, subject[done:max(caps[0], done)]...)
		done = max(caps[1], done)
		if b, err = expand(c, re, b, subject, caps); err != nil {
			return false, err
		}
		count++
		return count != limit, growth.To(c.Thread, len(b))
	})
	if err != nil {
		return value.None, err
	}
	if count == 0 {
		return c.Args[2], nil
	}
	return declare.Bytes(c, append(b, subject[done:]...))
}

// expander appends what takes the place of a match.
type expander func(c *value.Call, re *Regex, b []byte, subject string, caps []int) ([]byte, error)

// callback asks the function of the script.
func callback(c *value.Call, re *Regex, b []byte, subject string, caps []int) ([]byte, error) {
	v, err := c.Call(c.Args[1], value.FromArray(re.groups(subject, caps)))
	if err != nil {
		return nil, err
	}
	if !v.IsString() {
		return nil, value.Errorf("%s: argument 2 (replace): want a function that returns a string, got %s", c.Builtin.Name, v.Kind())
	}
	return append(b, v.Str()...), nil
}

// part is a piece of a template: text, or the number of a group.
type part struct {
	text  string
	group int // -1 for text
}

// template returns what fills in a template.
func template(s string) expander {
	parts := parseTemplate(s)
	return func(_ *value.Call, _ *Regex, b []byte, subject string, caps []int) ([]byte, error) {
		for _, p := range parts {
			switch i := 2 * p.group; {
			case p.group < 0:
				b = append(b, p.text...)
			case i < len(caps) && caps[i] >= 0:
				b = append(b, subject[caps[i]:caps[i+1]]...)
			}
		}
		return b, nil
	}
}

// parseTemplate finds $n and ${n}, with one digit or two. All else is text, also
// a backslash.
func parseTemplate(s string) (parts []part) {
	for {
		text, rest, found := strings.Cut(s, "$")
		if !found {
			return append(parts, part{s, -1})
		}
		group, length := reference(rest)
		if length == 0 {
			text += "$"
		}
		parts = append(parts, part{text, -1})
		if length > 0 {
			parts = append(parts, part{"", group})
		}
		s = rest[length:]
	}
}

// reference reads what follows a dollar sign; length is 0 if that is no group.
func reference(s string) (group, length int) {
	braced := strings.HasPrefix(s, "{")
	if braced {
		length = 1
	}
	digits := 0
	for digits < 2 && length < len(s) && s[length]-'0' <= 9 {
		group = group*10 + int(s[length]-'0')
		digits, length = digits+1, length+1
	}
	if digits == 0 {
		return 0, 0
	}
	if braced {
		if length == len(s) || s[length] != '}' {
			return 0, 0
		}
		length++
	}
	return group, length
}
