// Package reference writes the reference of what scripts can call, a page for
// each function and class, from the declarations that also check the arguments.
//
// A Chapter is a theme of the library, a module, or what a phase adds. The same
// function of several chapters, such as Accept of most phases, has one page that
// tells its forms apart.
package reference

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Chapter is a group of functions and classes.
type Chapter struct {
	Title string
	// Where says where the names can be used; "" is everywhere.
	Where     string
	Functions []*value.Builtin
	Classes   []*value.Class
}

// Book is what the pages are made of.
type Book struct {
	Chapters []Chapter
	// Old are the names of older versions, which get no pages of their own.
	Old []*value.Builtin
}

const written = "<!-- Written by `make docs` from the declarations in the code. -->\n\n"

// Pages returns the text of each page by its file name.
func (b *Book) Pages() map[string]string {
	pages := map[string]string{"README.md": b.index(), "old-names.md": b.old()}
	for name, forms := range b.forms() {
		pages[name+".md"] = functionPage(name, forms)
	}
	for _, c := range b.Chapters {
		for _, class := range c.Classes {
			pages[class.Name+".md"] = classPage(c, class)
		}
	}
	return pages
}

// form is a function as some chapters have it.
type form struct {
	*value.Builtin
	where    []string
	examples []string // one for each where, or one alone
}

// forms returns the functions of all chapters by name. Forms that read the same
// are one.
func (b *Book) forms() map[string][]form {
	all := make(map[string][]form)
	for _, c := range b.Chapters {
		for _, f := range c.Functions {
			list := all[f.Name]
			i := slices.IndexFunc(list, func(have form) bool { return have.Doc == f.Doc && have.String() == f.String() })
			if i < 0 {
				i, list = len(list), append(list, form{Builtin: f})
			}
			if c.Where != "" {
				list[i].where = append(list[i].where, c.Where)
			}
			list[i].examples = append(list[i].examples, f.Example)
			all[f.Name] = list
		}
	}
	return all
}

func functionPage(name string, forms []form) string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s# %s\n", written, name)
	for _, f := range forms {
		if len(forms) > 1 {
			fmt.Fprintf(&w, "\n## %s\n", strings.Join(f.where, ", "))
		}
		describe(&w, f.Builtin)
		if f.Terminates && !strings.Contains(f.Doc, "Ends the script.") {
			w.WriteString("\nEnds the script.\n")
		}
		if len(f.where) > 0 && len(forms) == 1 {
			fmt.Fprintf(&w, "\nAvailable in: %s.\n", strings.Join(f.where, ", "))
		}
		f.show(&w)
	}
	return w.String()
}

// show writes the examples: that of each chapter, if they differ.
func (f *form) show(w *strings.Builder) {
	if len(f.where) != len(f.examples) || len(slices.Compact(slices.Clone(f.examples))) == 1 {
		example(w, "Example", f.Example)
		return
	}
	for i, text := range f.examples {
		example(w, "Example, "+f.where[i], text)
	}
}

func classPage(c Chapter, class *value.Class) string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s# class %s\n\n%s\n", written, class.Name, prose(class.Doc))
	if c.Where != "" {
		fmt.Fprintf(&w, "\nAvailable in: %s.\n", c.Where)
	}
	if class.Constructor != nil {
		fmt.Fprintf(&w, "\n## %s\n", class.Name)
		describe(&w, class.Constructor)
		example(&w, "Example", class.Constructor.Example)
	} else {
		w.WriteString("\nScripts cannot construct objects of this class.\n")
	}
	for _, m := range class.Methods {
		fmt.Fprintf(&w, "\n## ->%s\n", m.Name)
		describe(&w, m)
		example(&w, "Example", m.Example)
	}
	for _, m := range class.Statics {
		fmt.Fprintf(&w, "\n## %s::%s\n", class.Name, m.Name)
		describe(&w, m)
		example(&w, "Example", m.Example)
	}
	return w.String()
}

// describe writes signature, text and tables of a function.
func describe(w *strings.Builder, b *value.Builtin) {
	fmt.Fprintf(w, "\n```\n%s → %s\n```\n\n%s%s\n", b, returns(b), prose(b.Doc), failure(b))
	if len(b.Params) > 0 {
		w.WriteString("\n| parameter | takes | |\n|---|---|---|\n")
	}
	for i := range b.Params {
		p := &b.Params[i]
		fmt.Fprintf(w, "| `%s` | %s | %s |\n", p.Name, cell(p.Wants()), cell(presence(p)))
	}
	for i := range b.Params {
		options(w, &b.Params[i])
	}
}

// returns names the result of a function.
func returns(b *value.Builtin) string {
	if b.ReturnsClass == "" {
		return b.Returns.String()
	}
	rest := b.Returns &^ (value.ObjectType | value.ResourceType)
	if rest == 0 {
		return b.ReturnsClass
	}
	return b.ReturnsClass + " or " + rest.String()
}

// failure says what becomes of arguments that are none.
func failure(b *value.Builtin) string {
	wanted := slices.ContainsFunc(b.Params, func(p value.Param) bool { return !p.Optional && !p.Type.Includes(value.KindNone) })
	if !wanted || b.Returns == value.NoneType || b.Returns == value.AnyType || !b.Returns.Includes(value.KindNone) {
		return ""
	}
	return " It returns none, too, when an argument that must be there is none."
}

func presence(p *value.Param) string {
	switch {
	case p.Variadic:
		return "any number"
	case p.Optional && p.Default.IsSet():
		return "default " + literal(p.Default)
	case p.Optional:
		return "optional"
	}
	return ""
}

func options(w *strings.Builder, p *value.Param) {
	if len(p.Options) == 0 {
		return
	}
	fmt.Fprintf(w, "\n| option in `%s` | type | default | meaning |\n|---|---|---|---|\n", p.Name)
	for _, o := range p.Options {
		fallback := ""
		if o.Default.IsSet() {
			fallback = literal(o.Default)
		}
		fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", o.Name, cell(o.Type.String()), cell(fallback), cell(prose(o.Doc)))
	}
}

// literal is a value as a script writes it.
func literal(v value.Value) string {
	text := v.Text()
	if v.IsString() {
		text = string(value.AppendQuoted(nil, v.Str()))
	}
	return "`" + text + "`"
}

func example(w *strings.Builder, title, text string) {
	if text != "" {
		fmt.Fprintf(w, "\n%s:\n\n```hsl\n%s\n```\n", title, strings.TrimSpace(text))
	}
}

// prose keeps text from being read as markup.
func prose(text string) string { return strings.NewReplacer("<", `\<`, "*", `\*`).Replace(text) }

func cell(text string) string { return strings.NewReplacer("|", `\|`, "\n", " ").Replace(text) }

func (b *Book) index() string {
	var w strings.Builder
	w.WriteString(written + preface)
	for _, c := range b.Chapters {
		fmt.Fprintf(&w, "\n## %s\n\n", c.Title)
		if c.Where != "" {
			fmt.Fprintf(&w, "Available in: %s.\n\n", c.Where)
		}
		w.WriteString("| | |\n|---|---|\n")
		for _, row := range c.rows() {
			fmt.Fprintf(&w, "| [%s](%s.md) | %s |\n", row.name, row.name, cell(prose(firstSentence(row.doc))))
		}
	}
	if len(b.Old) > 0 {
		w.WriteString("\n## Older names\n\nNames that scripts of older versions use stand on [a page of their own](old-names.md).\n")
	}
	return w.String()
}

type row struct{ name, doc string }

// rows returns functions and classes of a chapter by name.
func (c *Chapter) rows() []row {
	var rows []row
	for _, f := range c.Functions {
		rows = append(rows, row{f.Name, f.Doc})
	}
	for _, class := range c.Classes {
		rows = append(rows, row{class.Name, "Class. " + class.Doc})
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.name, b.name) })
	return rows
}

func firstSentence(text string) string {
	rest, _ := strings.CutPrefix(text, "Class. ")
	if i := strings.Index(rest, ". "); i >= 0 {
		return text[:len(text)-len(rest)+i+1]
	}
	return text
}

func (b *Book) old() string {
	var w strings.Builder
	w.WriteString(written + "# Older names\n\nThey work, and `hsh lint` says nothing of them; new scripts use what stands beside them.\n\n| name | |\n|---|---|\n")
	old := slices.SortedFunc(slices.Values(b.Old), func(a, b *value.Builtin) int { return cmp.Compare(a.Name, b.Name) })
	for _, f := range old {
		fmt.Fprintf(&w, "| `%s → %s` | %s |\n", cell(f.String()), returns(f), cell(prose(f.Deprecated)))
	}
	return w.String()
}

const preface = `# Functions and classes of scripts

A page for each, with its options and an example; the examples are run as tests. In signatures, what stands in brackets may be left out, and
"..." takes any number of arguments.

What holds for all of them:

- Strings are strings of bytes; positions and lengths count bytes. Times are in seconds, with fractions, unless a page says otherwise.
- Options are an array by name. Unknown names are ignored, one that is none counts as not given, and one of a wrong type throws.
- A number or boolean is taken where a string is wanted, and a string that spells a number where a number is. Any other type throws an
  exception, and so does a wrong number of arguments; where that is plain from the text, the script does not compile.
- Where none is given for an argument that must be there, a function that can return none does; one that wants a string takes it for an empty one.
- ` + "`array()`, `isset()` and `unset()`" + ` are constructs of the language.
`
