package reference_test

import (
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/reference"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func function(signature, doc, example string, options ...value.Option) *value.Builtin {
	return declare.Function(signature, doc, example, nil, options...)
}

// book has a function of one form, one of two, a class, and an old name.
func book() *reference.Book {
	find := function(`find(string text, [number from = 1], [array options]) number or none`, "Finds <text>. At once.", `echo find("x"); // 0`,
		declare.Option(`string how = "a|b"`, "How it looks."))
	end := func(signature, example string) *value.Builtin {
		b := function(signature, "Ends it.", example)
		b.Terminates = true
		return b
	}
	return &reference.Book{
		Chapters: []reference.Chapter{
			{Title: "Text", Functions: []*value.Builtin{find}, Classes: []*value.Class{{
				Name: "Box", Doc: "Holds a thing.", Constructor: function("Box() Box", "Makes one.", "$b = Box();"),
				Methods: []*value.Builtin{function("open(...any keys)", "Opens it.", "")}, Statics: []*value.Builtin{function("of(any thing) Box", "Makes one.", "")},
			}}},
			{Title: "Phase a", Where: "phase a", Functions: []*value.Builtin{end("Stop()", "one")}},
			{Title: "Phase b", Where: "phase b", Functions: []*value.Builtin{end("Stop()", "two")}},
			{Title: "Phase c", Where: "phase c", Functions: []*value.Builtin{end("Stop(string why)", "three")}},
		},
		Old: []*value.Builtin{declare.Alias("search", find)},
	}
}

func TestPages(t *testing.T) {
	pages := book().Pages()
	if len(pages) != 5 {
		t.Errorf("%d pages", len(pages))
	}
	for name, parts := range map[string][]string{
		"find.md": {
			"find(string text, [number from = 1], [array options]) → number or none", `Finds \<text>. At once. It returns none, too, when`,
			"| `text` | string |  |\n| `from` | number | default `1` |\n| `options` | array | optional |", "| `how` | string | `\"a\\|b\"` | How it looks. |",
			"```hsl\necho find(\"x\"); // 0\n```",
		},
		"Stop.md": {
			"## phase a, phase b\n", "## phase c\n", "\nEnds the script.\n",
			"\nExample, phase a:\n\n```hsl\none\n```\n\nExample, phase b:\n\n```hsl\ntwo\n```\n", "\nExample:\n\n```hsl\nthree\n```\n",
		},
		"Box.md":       {"# class Box\n\nHolds a thing.\n", "\n## Box\n", "\n## ->open\n", "| `keys` | any | any number |", "\n## Box::of\n", "of(any thing) → Box"},
		"README.md":    {"## Text\n", "| [Box](Box.md) | Class. Holds a thing. |\n| [find](find.md) | Finds \\<text>. |\n", "Available in: phase c."},
		"old-names.md": {"| `search(string text, [number from = 1], [array options]) → number or none` | Use find. |"},
	} {
		for _, part := range parts {
			if !strings.Contains(pages[name], part) {
				t.Errorf("%s: no %s in\n%s", name, part, pages[name])
			}
		}
	}
}
