package config

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// NodeKind is the type of a value, after the YAML 1.2 core schema.
type NodeKind uint8

const (
	Null NodeKind = iota
	Bool
	Int
	Float
	String
	List
	Map
	Deferred // a scalar with !Env whose value only the running program knows
)

var kindNames = [...]string{"null", "true or false", "an integer", "a number", "a string", "a list", "a mapping", "a scalar"}

// String names the kind for a sentence: "a list".
func (k NodeKind) String() string { return kindNames[k] }

// Node is one value of a file and the place where it stands.
type Node struct {
	Kind    NodeKind
	Text    string  // a scalar as it was written, without quotes
	Items   []*Node // of a List
	Entries []Entry // of a Map, in the order of the file
	Line    int
	Column  int

	fromEnv bool // Text comes from the environment, and Kind is a guess
}

// Entry is one key of a mapping and its value.
type Entry struct {
	Key    string
	Line   int
	Column int
	Value  *Node
}

// Get returns the value of a key of a mapping, or nil.
func (n *Node) Get(key string) *Node {
	if e := n.entry(key); e != nil {
		return e.Value
	}
	return nil
}

func (n *Node) entry(key string) *Entry {
	if n == nil {
		return nil
	}
	for i := range n.Entries {
		if n.Entries[i].Key == key {
			return &n.Entries[i]
		}
	}
	return nil
}

// Value returns the node as a plain Go value: nil, bool, int64, float64,
// string, []any or map[string]any.
func (n *Node) Value() any {
	switch n.Kind {
	case Null:
		return nil
	case Bool:
		return strings.EqualFold(n.Text, "true")
	case Int:
		i, _ := n.Int()
		return i
	case Float:
		return n.float()
	case List:
		list := make([]any, len(n.Items))
		for i, item := range n.Items {
			list[i] = item.Value()
		}
		return list
	case Map:
		m := make(map[string]any, len(n.Entries))
		for _, e := range n.Entries {
			m[e.Key] = e.Value.Value()
		}
		return m
	default:
		return n.Text
	}
}

// Int returns the value of an Int, and whether it fits.
func (n *Node) Int() (int64, bool) {
	text := strings.TrimPrefix(n.Text, "+")
	if digits, ok := strings.CutPrefix(text, "0x"); ok {
		i, err := strconv.ParseInt(digits, 16, 64)
		return i, err == nil
	}
	if digits, ok := strings.CutPrefix(text, "0o"); ok {
		i, err := strconv.ParseInt(digits, 8, 64)
		return i, err == nil
	}
	i, err := strconv.ParseInt(text, 10, 64)
	return i, err == nil
}

func (n *Node) float() float64 {
	switch strings.ToLower(strings.TrimPrefix(n.Text, "+")) {
	case ".inf":
		return math.Inf(1)
	case "-.inf":
		return math.Inf(-1)
	case ".nan":
		return math.NaN()
	}
	f, _ := strconv.ParseFloat(n.Text, 64) // out of range gives an infinity
	return f
}

// scalarPatterns resolve a plain scalar as YAML 1.2.2 §10.3.2 says. YAML 1.1
// forms, such as yes, 0660 for octal and 1_000, are not numbers or booleans of
// YAML 1.2; a leading zero is decimal.
var scalarPatterns = []struct {
	kind    NodeKind
	pattern func() *regexp.Regexp
}{
	{Int, lazyRegexp(`^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$`)},
	{Float, lazyRegexp(`^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)},
}

// lazyRegexp compiles at first use, so that no program pays for it at start.
func lazyRegexp(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// resolve tells the kind of a plain scalar.
func resolve(text string) NodeKind {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return Null
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return Bool
	}
	if !strings.ContainsRune("0123456789+-.", rune(text[0])) {
		return String
	}
	for _, p := range scalarPatterns {
		if p.pattern().MatchString(text) {
			return p.kind
		}
	}
	return String
}
