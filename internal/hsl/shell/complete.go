package shell

import (
	"slices"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// keywords are the words of the language that begin something.
var keywords = strings.Fields(`echo if else for break continue foreach while forever switch case default include
	include_once import function return global builtin class constructor static private readonly cache barrier try
	catch throw match and or not true false none as from with closure array isset unset yield`)

// Complete returns what the word before the cursor could become, in order, and
// where in the line it begins.
func (s *Session) Complete(line string) (candidates []string, start int) {
	start = len(line)
	for start > 0 && isWord(line[start-1]) {
		start--
	}
	word := line[start:]
	switch {
	case start > 0 && line[start-1] == '$':
		return withPrefix(s.Variables(), word), start
	case strings.HasSuffix(line[:start], "->"):
		return withPrefix(s.methods(), word), start
	case strings.HasSuffix(line[:start], "::"):
		return withPrefix(s.statics(line[:start-2]), word), start
	case word == "":
		return nil, start
	}
	return withPrefix(s.names(), word), start
}

func isWord(c byte) bool {
	return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
}

func withPrefix(names []string, prefix string) []string {
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, prefix) })
}

func (s *Session) names() []string {
	names := append(slices.Clone(keywords), s.Declared()...)
	for b := range s.options.Library.Builtins() {
		names = append(names, b.Name)
	}
	for c := range s.options.Library.Classes() {
		names = append(names, c.Name)
	}
	return names
}

// methods returns the methods of all classes, because nobody knows what an
// expression will be.
func (s *Session) methods() []string {
	var names []string
	for c := range s.options.Library.Classes() {
		names = append(names, builtinNames(c.Methods)...)
	}
	for _, d := range s.declared {
		names = append(names, d.members...)
	}
	return names
}

func (s *Session) statics(before string) []string {
	start := len(before)
	for start > 0 && isWord(before[start-1]) {
		start--
	}
	if c := s.options.Library.Class(before[start:]); c != nil {
		return builtinNames(c.Statics)
	}
	return nil
}

func builtinNames(list []*value.Builtin) []string {
	names := make([]string, len(list))
	for i, b := range list {
		names[i] = b.Name
	}
	return names
}

// common returns the prefix that all names share.
func common(names []string) string {
	prefix := names[0]
	for _, n := range names[1:] {
		for !strings.HasPrefix(n, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return prefix
}
