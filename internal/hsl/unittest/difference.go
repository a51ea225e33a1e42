package unittest

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// show returns a value as a script could spell it, on one line.
func show(v value.Value) string {
	switch {
	case v.IsNone():
		return "none"
	case v.IsString():
		return string(value.AppendQuoted(nil, v.Str()))
	}
	return v.Text()
}

// pretty returns a value as a script could spell it: an array with a line for
// each element, a string of several lines with a line for each.
func pretty(v value.Value) string {
	var b strings.Builder
	spell(&b, v, "")
	return b.String()
}

// deepest bounds how deep arrays are spelt out; what lies below is on one line.
const deepest = 50

func spell(b *strings.Builder, v value.Value, indent string) {
	if !v.IsArray() || v.Array().Len() == 0 || len(indent) > 2*deepest {
		b.WriteString(show(v))
		return
	}
	list := v.Array().IsList()
	b.WriteString("[\n")
	for k, e := range v.Array().All() {
		b.WriteString(indent + "  ")
		if !list {
			b.WriteString(show(k) + " => ")
		}
		spell(b, e, indent+"  ")
		b.WriteString(",\n")
	}
	b.WriteString(indent + "]")
}

// mostCompared bounds the lines that are compared; of longer texts only the
// lines that both begin and end with are left out.
const mostCompared = 2000

// contextLines is how many common lines are shown around a difference.
const contextLines = 3

// Diff returns the lines of two texts: with a minus those only the first has,
// with a plus those only the second has, with a blank those around that both
// have.
func Diff(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	start := 0
	for start < len(x) && start < len(y) && x[start] == y[start] {
		start++
	}
	end := 0
	for end < len(x)-start && end < len(y)-start && x[len(x)-1-end] == y[len(y)-1-end] {
		end++
	}
	var out []string
	for _, l := range x[max(0, start-contextLines):start] {
		out = append(out, "  "+l)
	}
	out = append(out, middle(x[start:len(x)-end], y[start:len(y)-end])...)
	for _, l := range x[len(x)-end : len(x)-max(0, end-contextLines)] {
		out = append(out, "  "+l)
	}
	return strings.Join(out, "\n")
}

// middle compares lines by their longest common subsequence.
func middle(x, y []string) []string {
	var out []string
	if len(x) > mostCompared || len(y) > mostCompared {
		x, y = x[:min(len(x), mostCompared)], y[:min(len(y), mostCompared)]
	}
	length := make([][]int, len(x)+1) // of the common subsequence of x[i:] and y[j:]
	for i := range length {
		length[i] = make([]int, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			length[i][j] = max(length[i+1][j], length[i][j+1])
			if x[i] == y[j] {
				length[i][j] = length[i+1][j+1] + 1
			}
		}
	}
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			out = append(out, "  "+x[i])
			i, j = i+1, j+1
		case i < len(x) && (j == len(y) || length[i+1][j] >= length[i][j+1]):
			out = append(out, "- "+x[i])
			i++
		default:
			out = append(out, "+ "+y[j])
			j++
		}
	}
	return out
}
