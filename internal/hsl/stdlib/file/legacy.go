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
			func(c *value.Call) (value.Value, error) { return readAll(c, s, c.Str(0)) }),
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

func fileLines(c *value.Call, s Store) (value.Value, error) {
	text, err := readAll(c, s, c.Str(0))
	if err != nil || text.IsNone() {
		return value.None, err
	}
	lines := data.Lines(text.Str())
	if err := c.Alloc(text.StrLen() + 16*len(lines)); err != nil {
		return value.None, err
	}
	list := value.NewArray(len(lines))
	for _, line := range lines {
		list.Push(value.Part(text.Str(), line))
	}
	return value.FromArray(list), nil
}

func inFile(c *value.Call, s Store) (value.Value, error) {
	delimiter := c.Options(2).Str("delimiter")
	if delimiter == "" {
		return value.None, declare.UnwantedOption(c, "delimiter", "a string that is not empty", value.String(""))
	}
	text, err := readAll(c, s, c.Str(1))
	if err != nil || text.IsNone() {
		return value.None, err
	}
	fields := value.NewArray(0)
	for _, line := range data.Lines(text.Str()) {
		if first, _, _ := strings.Cut(line, delimiter); first != c.Str(0) {
			continue
		}
		for field := range strings.SplitSeq(line, delimiter) {
			fields.Push(value.Part(text.Str(), field))
		}
		break
	}
	return declare.Array(c, fields)
}
