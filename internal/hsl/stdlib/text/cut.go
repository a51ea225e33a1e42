package text

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// whiteSpace is what is stripped unless a script says what to strip.
const whiteSpace = " \t\r\n"

func find(c *value.Call) (value.Value, error) {
	s, offset := c.Str(0), c.Int(2)
	if offset < 0 {
		offset = max(offset+len(s), 0)
	}
	if offset > len(s) {
		return value.Int(-1), nil
	}
	i := strings.Index(s[offset:], c.Str(1))
	if i >= 0 {
		i += offset
	}
	return value.Int(i), c.Step(len(s) / 64)
}

func rfind(c *value.Call) (value.Value, error) {
	s, omit := c.Str(0), max(c.Int(2), 0)
	if omit > len(s) {
		return value.Int(-1), nil
	}
	return value.Int(strings.LastIndex(s[:len(s)-omit], c.Str(1))), c.Step(len(s) / 64)
}

func slice(c *value.Call) (value.Value, error) {
	s := c.Str(0)
	first, last := c.Int(1), len(s)
	if first < 0 {
		first = max(first+len(s), 0)
	}
	if c.Has(2) {
		if n := c.Int(2); n < 0 {
			last += n
		} else {
			last = min(first+n, last)
		}
	}
	if first >= last {
		return value.String(""), nil
	}
	return value.Part(s, s[first:last]), nil
}

// strip returns a builtin that strips bytes, not characters, at either end.
func strip(left, right bool) declare.Func {
	return func(c *value.Call) (value.Value, error) {
		s, set := c.Str(0), whiteSpace
		if c.Has(1) {
			set = c.Str(1)
		}
		first, last := 0, len(s)
		for left && first < last && strings.IndexByte(set, s[first]) >= 0 {
			first++
		}
		for right && last > first && strings.IndexByte(set, s[last-1]) >= 0 {
			last--
		}
		return value.Part(s, s[first:last]), nil
	}
}

func split(c *value.Call) (value.Value, error) {
	s, delimiter, limit := c.Str(0), c.Str(1), c.Int(2)
	n := strings.Count(s, delimiter)
	if delimiter == "" {
		n = len(s)
	}
	if limit != 0 {
		n = min(n, max(limit, -limit))
	}
	if err := c.Alloc((n+1)*16 + len(s)); err != nil {
		return value.None, err
	}
	parts := value.NewArray(n + 1)
	switch {
	case delimiter == "":
		splitBytes(parts, s, limit)
	case limit < 0:
		splitRight(parts, s, delimiter, -limit)
	default:
		splitLeft(parts, s, delimiter, limit)
	}
	return value.FromArray(parts), c.Step(n)
}

func splitLeft(parts *value.Array, s, delimiter string, limit int) {
	whole := s
	for limit == 0 || parts.Len() < limit-1 {
		part, rest, found := strings.Cut(s, delimiter)
		if !found {
			break
		}
		parts.Append(value.Part(whole, part))
		s = rest
	}
	parts.Append(value.Part(whole, s))
}

func splitRight(parts *value.Array, s, delimiter string, limit int) {
	var cuts []int // where delimiters begin, from the right
	end := len(s)
	for len(cuts) < limit-1 {
		i := strings.LastIndex(s[:end], delimiter)
		if i < 0 {
			break
		}
		cuts, end = append(cuts, i), i
	}
	first := 0
	for i := len(cuts) - 1; i >= 0; i-- {
		parts.Append(value.Part(s, s[first:cuts[i]]))
		first = cuts[i] + len(delimiter)
	}
	parts.Append(value.Part(s, s[first:]))
}

func splitBytes(parts *value.Array, s string, limit int) {
	first, last := 0, len(s)
	if limit > 0 {
		last = min(last, limit-1)
	} else if limit < 0 && len(s) > -limit {
		first = len(s) + limit + 1
		parts.Append(value.Part(s, s[:first]))
	}
	for _, b := range []byte(s[first:last]) {
		parts.Append(value.Byte(b))
	}
	if last < len(s) {
		parts.Append(value.Part(s, s[last:]))
	}
}

func chunk(c *value.Call) (value.Value, error) {
	s, length := c.Str(0), c.Int(1)
	if length < 1 {
		return value.None, declare.Unwanted(c, 1, "a number above 0")
	}
	next := length
	if c.Has(2) {
		if next = c.Int(2); next < 1 {
			return value.None, declare.Unwanted(c, 2, "a number above 0")
		}
	}
	if err := c.Alloc((len(s)/length+2)*16 + len(s)); err != nil {
		return value.None, err
	}
	parts, whole := value.NewArray(0), s
	for s != "" {
		n := min(next, len(s))
		parts.Append(value.Part(whole, s[:n]))
		s, next = s[n:], length
	}
	return value.FromArray(parts), c.Step(parts.Len())
}
