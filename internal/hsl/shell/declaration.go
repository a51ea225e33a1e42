package shell

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
)

// declaration is a function, class or import of an earlier input. It is
// compiled again with each input that follows.
type declaration struct {
	names   []string // that it gives a meaning; variables with the dollar sign
	members []string // of a class, without private ones
	text    string
	from    string // file whose relative paths it contains
}

// maxIncludes bounds how many files one input may include, those included by
// them counted too.
const maxIncludes = 1000

// reader collects what an input and the files that it includes declare.
type reader struct {
	loader   resolve.Loader
	found    []declaration
	mentions map[string]bool // names of variables
	includes int
}

// mention matches whatever may be a variable. It finds some in comments too,
// which does no harm.
var mention = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)

func (r *reader) mention(text string) {
	for _, m := range mention.FindAllStringSubmatch(text, -1) {
		r.mentions[m[1]] = true
	}
}

// read parses a text. Mistakes are left to the compiler.
func (r *reader) read(name, text string) *parsed {
	r.mention(text)
	p, err := parse(name, text)
	if err != nil {
		return p
	}
	for i, s := range p.statements {
		switch s := s.(type) {
		case *syntax.FunctionDecl:
			r.declare(name, p.span(i), s.Function.Name)
		case *syntax.ClassDecl:
			r.declare(name, p.span(i), s.Name)
			r.found[len(r.found)-1].members = members(s)
		case *syntax.ImportStmt:
			r.declare(name, p.span(i), imported(s)...)
		case *syntax.IncludeStmt:
			r.include(name, s)
		}
	}
	return p
}

func (r *reader) declare(from, text string, names ...string) {
	r.found = append(r.found, declaration{names: names, text: text, from: from})
}

// members returns the names that other code can write behind an arrow.
func members(c *syntax.ClassDecl) []string {
	var names []string
	for _, m := range c.Members {
		if !m.Private && !m.Static && !m.Constructor {
			names = append(names, m.Name)
		}
	}
	return names
}

func (r *reader) include(from string, s *syntax.IncludeStmt) {
	if r.includes++; r.loader == nil || r.includes > maxIncludes {
		return
	}
	if f, err := r.loader.Load(s.Path, from); err == nil {
		r.read(f.ID, f.Text)
	}
}

// imported returns the names that an import makes.
func imported(s *syntax.ImportStmt) []string {
	var names []string
	if s.Namespace != "" {
		names = append(names, s.Namespace)
	}
	if s.Data != nil {
		names = append(names, "$"+s.Data.Name)
	}
	for _, sym := range s.Symbols {
		if sym.Variable {
			names = append(names, "$"+sym.Alias)
		} else {
			names = append(names, sym.Alias)
		}
	}
	return names
}

// without returns the declarations that give none of the names a meaning.
func without(list []declaration, names []string) []declaration {
	return slices.DeleteFunc(slices.Clone(list), func(d declaration) bool {
		return slices.ContainsFunc(d.names, func(n string) bool { return slices.Contains(names, n) })
	})
}

// parsed is one text with its statements.
type parsed struct {
	text       string
	sources    *syntax.Sources
	statements []syntax.Stmt
	errors     syntax.Errors
}

func parse(name, text string) (*parsed, error) {
	p := &parsed{text: text, sources: &syntax.Sources{}}
	file, err := p.sources.Add(name, text, nil)
	if err != nil {
		return p, err
	}
	script, errs := syntax.Parse(p.sources, file)
	p.statements, p.errors = script.Statements, errs
	if len(errs) > 0 {
		return p, errs
	}
	return p, nil
}

// offset returns where statement i begins in the text.
func (p *parsed) offset(i int) int {
	at := p.sources.Position(p.statements[i].Position())
	return offsetOf(p.text, at)
}

func offsetOf(text string, at syntax.Position) int {
	offset := 0
	for range at.Line - 1 {
		offset += strings.IndexByte(text[offset:], '\n') + 1
	}
	return offset + at.Column - 1
}

// span returns the text of statement i with what stands between it and the next.
func (p *parsed) span(i int) string {
	end := len(p.text)
	if i+1 < len(p.statements) {
		end = p.offset(i + 1)
	}
	return p.text[p.offset(i):end]
}

// fragments is the Loader of the program that is made of an input: it knows the
// input and the declarations before it, and asks the session's Loader for all
// else.
type fragments struct {
	loader resolve.Loader
	texts  map[string]string // by ID
	from   map[string]string // what relative paths in a fragment are relative to
}

// fragmentName names the text of declaration i in messages.
func fragmentName(i int) string { return fmt.Sprintf("declaration %d", i+1) }

// Load implements resolve.Loader.
func (f *fragments) Load(path, from string) (*resolve.File, error) {
	if from == programName {
		return &resolve.File{ID: path, Text: f.texts[path]}, nil
	}
	if real, ok := f.from[from]; ok {
		from = real
	}
	if f.loader == nil {
		return nil, errMissing
	}
	return f.loader.Load(path, from)
}
