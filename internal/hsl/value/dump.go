package value

import (
	"strings"
)

// maxNesting bounds how deep arrays are looked into, so that an array that a
// script nested a million times cannot use up the stack of the process.
const maxNesting = 2000

// dumper writes arrays as HSL source, which reads back as the same array.
type dumper struct {
	b      []byte
	thread *Thread // whose memory the text is charged to; may be nil
	growth Growth
	err    error
}

// unlimitedDump bounds texts that are made for nobody's account.
const unlimitedDump = 64 << 20

func (d *dumper) array(a *Array, depth int) {
	if d.err != nil {
		return
	}
	if depth == maxNesting {
		d.b = append(d.b, "[...]"...)
		return
	}
	d.b = append(d.b, '[')
	first := true
	for k, v := range a.All() {
		if !first {
			d.b = append(d.b, ',')
		}
		first = false
		d.element(k, depth)
		d.b = append(d.b, "=>"...)
		d.element(v, depth)
		if d.charge(); d.err != nil {
			return
		}
	}
	d.b = append(d.b, ']')
}

func (d *dumper) element(v Value, depth int) {
	switch v.Kind() {
	case KindArray:
		d.array(v.Array(), depth+1)
	case KindString:
		d.b = AppendQuoted(d.b, v.Str())
	default:
		d.b = appendScalar(d.b, v)
	}
}

// charge accounts for the text now and then. An array that holds itself many
// times over through shared parts has a text that no memory would hold.
func (d *dumper) charge() {
	switch {
	case d.err != nil:
	case d.thread != nil:
		d.err = d.growth.To(d.thread, len(d.b))
	case len(d.b) > unlimitedDump:
		d.err = Errorf("array is too large to print")
	}
}

// AppendQuoted appends s as a string literal: in double quotes, or raw when it
// holds what would need escaping.
func AppendQuoted(b []byte, s string) []byte {
	if !needsRaw(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	delimiter := "''"
	for n := 1; strings.Contains(s, delimiter) || strings.HasSuffix(s, delimiter[:len(delimiter)-1]); n++ {
		delimiter = "'" + strings.Repeat("#", n) + "'"
	}
	b = append(b, delimiter...)
	b = append(b, s...)
	return append(b, delimiter...)
}

func needsRaw(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f || c == '"' || c == '\\' || c == '$' {
			return true
		}
	}
	return false
}
