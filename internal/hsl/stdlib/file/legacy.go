package file

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/data"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Legacy returns the functions of older versions for the files of a store.
func Legacy(s Store) []*value.Builtin {
	all := []*value.Builtin{
		declare.Function("file(string name) array or none", "Returns the lines of a file without their ends, or none if it cannot be read.", "",
			func(c *value.Call) (value.Value, error) { return fileLines(c, s) }),
		declare.Function("file_get_contents(string name) string or none", "Returns all of a file, or none if it cannot be read.", "",
			func(c *value.Call) (value.Value, error) { return readAll(c, s) }),
		declare.Function("in_file(string needle, string name, [array options]) array or none",
			"Returns the first line of a file whose first field is the needle, as a list of its fields; an empty list if there is none, and none if it cannot be read.", "",
			func(c *value.Call) (value.Value, error) { return inFile(c, s) },
			declare.Option(`string delimiter = ","`, "What parts the fields of a line.")),
	}
	for _, b := range all {
		b.Deprecated = "Use File."
	}
	return all
}

// linesOf returns the lines of a file; ok is false if it cannot be read.
func linesOf(c *value.Call, s Store, name value.Value) (lines []string, ok bool, err error) {
	inner := value.Call{Thread: c.Thread, Builtin: c.Builtin, Args: []value.Value{name}, Given: 1}
	text, err := readAll(&inner, s)
	if err != nil || text.IsNone() {
		return nil, false, err
	}
	lines = data.Lines(text.Str())
	return lines, true, c.Alloc(32 * len(lines))
}

func fileLines(c *value.Call, s Store) (value.Value, error) {
	lines, ok, err := linesOf(c, s, c.Args[0])
	if !ok || err != nil {
		return value.None, err
	}
	return value.FromArray(value.Strings(lines)), nil
}

func inFile(c *value.Call, s Store) (value.Value, error) {
	delimiter := c.Options(2).Str("delimiter")
	if delimiter == "" {
		return value.None, declare.UnwantedOption(c, "delimiter", "a string that is not empty", value.String(""))
	}
	lines, ok, err := linesOf(c, s, c.Args[1])
	if !ok || err != nil {
		return value.None, err
	}
	for _, line := range lines {
		if first, _, _ := strings.Cut(line, delimiter); first == c.Str(0) {
			return value.FromArray(value.Strings(strings.Split(line, delimiter))), nil
		}
	}
	return value.FromArray(value.NewArray(0)), nil
}
