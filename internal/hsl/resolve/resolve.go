// Package resolve says what every name of a script means: the second pass.
//
// It starts with the main file of a script and reads what that includes and
// imports. An include is textual: the statements of the other file stand where
// the include stood. An import is not: the other file is a Module with
// functions, classes and global variables of its own.
//
// Names of functions and classes are hoisted: they are collected from a scope
// before anything in it is resolved, so that a call finds what is declared
// behind it. A name is looked for in the enclosing functions, innermost first,
// then in the module, then in the Library that the program was given.
//
// Variables have two scopes, function and module; blocks make none. Each
// distinct variable becomes one Var, to which all its uses in the tree point. A
// Var lives in a register of its function as long as nobody else can see it.
// When a closure captures it, it moves to a cell that the function shares with
// the closure. Variables of a module that functions, closures or other modules
// see, and those that the host sets, are cells of the module. Which of the three
// it is, is known when the last use was seen; Resolve then numbers them.
//
// The pass also checks what can be checked without running: constants where
// they are demanded, numbers of arguments, read-only variables, break outside a
// loop, names that clash. It goes on after a mistake and reports all of them,
// and warnings too.
package resolve

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// File is what a Loader finds.
type File struct {
	// ID names the file in messages and tells whether two paths mean the same
	// file. Relative paths in the file are resolved against it.
	ID   string
	Text string
	// Library holds the functions and classes of a module that is not written
	// in HSL, or that a script module wants besides its own; nil otherwise.
	Library *value.Library
}

// Loader finds files that scripts include or import. It must be safe for
// concurrent use when compilations are.
type Loader interface {
	// Load resolves a path as it stands in the file from. Errors should not
	// repeat the path.
	Load(path, from string) (*File, error)
}

// Options are what a script is resolved against.
type Options struct {
	Library *value.Library
	Loader  Loader // nil: nothing can be included or imported
}

// Program is a script with all its modules, resolved.
type Program struct {
	Sources  *syntax.Sources
	Main     *Module
	Modules  []*Module // Main is the last
	Library  *value.Library
	Warnings syntax.Errors
}

// Module is a global scope: the main script, or an imported file.
type Module struct {
	ID      string
	Index   int       // in Program.Modules
	Body    *Function // the statements at top level
	Globals []*Var    // the variables that are cells, in order of their Index
	Classes []*Class
	// Functions are all functions of the module, methods and anonymous ones
	// included; Body is not among them.
	Functions []*Function

	file    *syntax.File
	vars    map[string]*Var
	symbols map[string]any
	library *value.Library // of symbols that are not written in HSL
	aliases map[*Var]*Var  // of variables of other modules
	once    map[string]bool
	main    bool
}

// resolver is one run over one program.
type resolver struct {
	Options
	sources *syntax.Sources
	program *Program
	errors  syntax.Errors
	modules map[string]*Module // by ID; nil while being resolved
	module  *Module            // under way
	fn      *Function          // under way
	files   int                // included so far
}

// Resolve reads and resolves a script. The tree is usable only when there are
// no errors.
func Resolve(name, text string, opts Options) (*Program, syntax.Errors) {
	r := &resolver{Options: opts, sources: &syntax.Sources{}, modules: make(map[string]*Module)}
	r.program = &Program{Sources: r.sources, Library: opts.Library}
	file, err := r.sources.Add(name, text, nil)
	if err != nil {
		return nil, syntax.Errors{{Position: syntax.Position{File: name}, Message: err.Error()}}
	}
	r.modules[name] = nil
	r.program.Main = r.resolveModule(file, nil, true)
	if len(r.errors) > 0 {
		return nil, r.errors.Sort()
	}
	r.number()
	r.program.Warnings = r.program.Warnings.Sort()
	return r.program, nil
}

// errorf reports a mistake, unless there is one on that line already: the second
// is usually a consequence of the first.
func (r *resolver) errorf(at syntax.Pos, format string, args ...any) {
	e := r.sources.Errorf(at, format, args...)
	for _, old := range r.errors {
		if old.Line == e.Line && old.File == e.File {
			return
		}
	}
	if len(r.errors) < maxErrors {
		r.errors = append(r.errors, e)
	}
}

// maxErrors is how many mistakes of one program are worth reading.
const maxErrors = 100

func (r *resolver) warnf(at syntax.Pos, format string, args ...any) {
	e := r.sources.Errorf(at, format, args...)
	e.Warning = true
	r.program.Warnings = append(r.program.Warnings, e)
}

// resolveModule reads a file as a module of its own.
func (r *resolver) resolveModule(file *syntax.File, library *value.Library, main bool) *Module {
	outer, outerFn := r.module, r.fn
	m := &Module{
		ID: file.Name, file: file, library: library, main: main,
		vars: make(map[string]*Var), symbols: make(map[string]any),
		aliases: make(map[*Var]*Var), once: make(map[string]bool),
	}
	m.Body = &Function{Module: m, vars: m.vars, symbols: m.symbols}
	r.module, r.fn = m, m.Body
	m.Body.Body = r.parse(file)
	r.declare(m.Body)
	r.imports(m.Body.Body)
	r.statements(m.Body.Body)
	r.neverAssigned(m.Body)
	r.module, r.fn = outer, outerFn
	m.Index = len(r.program.Modules)
	r.program.Modules = append(r.program.Modules, m)
	return m
}

// parse reads a file and puts what it includes in place.
func (r *resolver) parse(file *syntax.File) []syntax.Stmt {
	script, errors := syntax.Parse(r.sources, file)
	r.errors = append(r.errors, errors...)
	for _, inc := range script.Includes {
		r.include(file, inc)
	}
	return script.Statements
}
