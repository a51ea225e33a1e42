package resolve

import (
	"path"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// maxFiles bounds how many files one program is made of, so that files that
// include each other twice end.
const maxFiles = 10000

// load finds a file and reports when it cannot.
func (r *resolver) load(at syntax.Pos, name, from string) *File {
	if r.Loader == nil {
		r.errorf(at, "%q: there are no files here", name)
		return nil
	}
	f, err := r.Loader.Load(name, from)
	if err != nil {
		r.errorf(at, "%q: %s", name, err)
		return nil
	}
	return f
}

// include puts the statements of the included file in place.
func (r *resolver) include(file *syntax.File, inc *syntax.IncludeStmt) {
	found := r.load(inc.Pos, inc.Path, file.Name)
	if found == nil || inc.Once && r.module.once[found.ID] {
		return
	}
	r.module.once[found.ID] = true
	within := append([]syntax.Pos{inc.Pos}, file.Within...)
	for _, at := range within {
		if r.sources.File(at).Name == found.ID {
			r.errorf(inc.Pos, "%q includes itself", inc.Path)
			return
		}
	}
	if r.files++; r.files > maxFiles {
		r.errorf(inc.Pos, "more than %d files", maxFiles)
		return
	}
	f, err := r.sources.Add(found.ID, found.Text, within)
	if err != nil {
		r.errorf(inc.Pos, "%s", err)
		return
	}
	inc.Body = r.parse(f)
}

// imports carries out the import statements of the module under way. Those of
// included files count as its own.
func (r *resolver) imports(list []syntax.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *syntax.IncludeStmt:
			r.imports(s.Body)
		case *syntax.ImportStmt:
			s.Binding = s // found at top level, whatever becomes of it
			if s.Data != nil {
				r.importData(s)
			} else {
				r.importModule(s)
			}
		}
	}
}

// Namespace is what import * as name makes.
type Namespace struct {
	Name   string
	Module *Module
}

func (r *resolver) importModule(s *syntax.ImportStmt) {
	from := r.sources.File(s.Pos)
	found := r.load(s.PathPos, s.Path, from.Name)
	if found == nil {
		return
	}
	m := r.moduleOf(s, from, found)
	if m == nil {
		return
	}
	s.Binding = m
	if s.Namespace != "" {
		r.name(r.module.Body, s.Pos, s.Namespace, &Namespace{s.Namespace, m})
	}
	for _, sym := range s.Symbols {
		if sym.Variable {
			r.importVariable(m, sym, s.Path)
		} else if symbol := r.symbolOf(m, sym.Name); symbol != nil {
			r.name(r.module.Body, sym.Pos, sym.Alias, symbol)
		} else {
			r.errorf(sym.Pos, "%q has no function or class %s", s.Path, sym.Name)
		}
	}
}

// moduleOf returns the module of a file, resolving it when it is met first.
func (r *resolver) moduleOf(s *syntax.ImportStmt, from *syntax.File, found *File) *Module {
	m, known := r.modules[found.ID]
	switch {
	case m != nil:
		return m
	case known:
		r.errorf(s.PathPos, "%q imports itself", s.Path)
		return nil
	}
	r.modules[found.ID] = nil
	file, err := r.sources.Add(found.ID, found.Text, append([]syntax.Pos{s.Pos}, from.Within...))
	if err != nil {
		r.errorf(s.Pos, "%s", err)
		return nil
	}
	m = r.resolveModule(file, found.Library, false)
	r.modules[found.ID] = m
	return m
}

// symbolOf returns what a module offers under a name: all its functions and
// classes, those it imported included.
func (r *resolver) symbolOf(m *Module, name string) any {
	if s := m.symbols[name]; s != nil {
		return s
	}
	return r.libraryFunction(m.library, name)
}

// alias returns the name that a variable of some module has in the module under
// way, making one for those of others.
func (r *resolver) alias(of *Var) *Var {
	if of.Module == r.module {
		return of
	}
	v := r.module.aliases[of]
	if v == nil {
		of.share() // a cell, because two modules see it
		v = &Var{Name: of.Name, Module: r.module, Storage: Global, Of: of, ReadOnly: of.ReadOnly, assigned: true}
		r.module.aliases[of] = v
		r.module.Body.order = append(r.module.Body.order, v)
	}
	return v
}

func (r *resolver) importVariable(m *Module, sym syntax.ImportSymbol, from string) {
	of := m.vars[sym.Name]
	if of == nil {
		r.errorf(sym.Pos, "%q has no variable $%s", from, sym.Name)
		return
	}
	r.bindImport(sym.Binding, r.alias(of))
}

// bindImport gives an imported variable its name in the module.
func (r *resolver) bindImport(at *syntax.Variable, v *Var) {
	at.Binding = v
	if r.module.vars[at.Name] != nil || r.module.main && r.Library.Variable(at.Name) != nil {
		r.errorf(at.Pos, "$%s exists already", at.Name)
		return
	}
	r.module.vars[at.Name] = v
}

// importData loads a data file.
func (r *resolver) importData(s *syntax.ImportStmt) {
	loader, name, forced := strings.Cut(s.Path, "!")
	if !forced {
		loader, name = strings.TrimPrefix(path.Ext(s.Path), "."), s.Path
	}
	load := r.Library.Loader(loader)
	if load == nil {
		r.errorf(s.PathPos, "no loader reads %q files", loader)
		return
	}
	found := r.load(s.PathPos, name, r.sources.File(s.Pos).Name)
	if found == nil {
		return
	}
	options := value.NewArray(0)
	if s.Options != nil {
		if v := r.constant(s.Options); v.IsArray() {
			options = v.Array()
		}
	}
	data, err := load(found.ID, []byte(found.Text), options)
	if err == nil && data.Fresh == nil {
		err = value.Publish(data.Value)
	}
	if err != nil {
		r.errorf(s.PathPos, "%q: %s", s.Path, err)
		return
	}
	s.Binding = &data
	v := &Var{Name: s.Data.Name, Module: r.module, assigned: true}
	r.module.Body.order = append(r.module.Body.order, v)
	r.bindImport(s.Data, v)
}
