package value

import (
	"iter"
	"maps"
	"slices"
)

// Library is the set of names that a script can see before it declares any:
// builtins, classes and predeclared variables, and how patterns and data files
// are read. It is immutable and safe for concurrent use.
type Library struct {
	parent    *Library
	builtins  map[string]*Builtin
	functions map[string]*Function
	classes   map[string]*Class
	variables map[string]*Variable
	loaders   map[string]DataLoader
	pattern   PatternCompiler
}

// Declarations are what a Library is made of.
type Declarations struct {
	Builtins  []*Builtin
	Classes   []*Class
	Variables []*Variable
	// Loaders read data files, by the name of the loader, which is the
	// extension of the file or stands before a "!" in its path.
	Loaders map[string]DataLoader
	// Pattern compiles regular expressions.
	Pattern PatternCompiler
}

// Variable is a predeclared global variable, set by whoever runs the script.
type Variable struct {
	Name     string // without the dollar sign
	ReadOnly bool
	Type     Type
	Doc      string
}

// DataLoader turns a data file into a value at compile time. The value is then
// published, to be a constant of all executions. Functions of class constants
// that must be fresh in each execution come as a Data with Fresh.
type DataLoader func(name string, data []byte, options *Array) (Data, error)

// Data is what a data file holds: the same Value for everyone, or, if Fresh is
// given, one that is made anew for each execution.
type Data struct {
	Value Value
	Fresh func() (Value, error)
}

// NewLibrary returns a library of the declarations on top of those of parent,
// which may be nil. Names of the parent are hidden by the same names.
func NewLibrary(parent *Library, d Declarations) *Library {
	l := &Library{
		parent:    parent,
		builtins:  make(map[string]*Builtin, len(d.Builtins)),
		functions: make(map[string]*Function, len(d.Builtins)),
		classes:   make(map[string]*Class, len(d.Classes)),
		variables: make(map[string]*Variable, len(d.Variables)),
		loaders:   d.Loaders,
		pattern:   d.Pattern,
	}
	for _, b := range d.Builtins {
		l.builtins[b.Name] = b
		l.functions[b.Name] = &Function{Builtin: b}
	}
	for _, c := range d.Classes {
		l.classes[c.Name] = c
		l.functions[c.Name] = &Function{Class: c}
	}
	for _, v := range d.Variables {
		l.variables[v.Name] = v
	}
	return l
}

// Builtin returns the builtin of that name, or nil.
func (l *Library) Builtin(name string) *Builtin {
	for ; l != nil; l = l.parent {
		if b := l.builtins[name]; b != nil {
			return b
		}
	}
	return nil
}

// Class returns the class of that name, or nil.
func (l *Library) Class(name string) *Class {
	for ; l != nil; l = l.parent {
		if c := l.classes[name]; c != nil {
			return c
		}
	}
	return nil
}

// Function returns the builtin or constructor of that name as a value that is
// always the same, or nil.
func (l *Library) Function(name string) *Function {
	for ; l != nil; l = l.parent {
		if f := l.functions[name]; f != nil {
			return f
		}
	}
	return nil
}

// Variable returns the predeclared variable of that name, or nil.
func (l *Library) Variable(name string) *Variable {
	for ; l != nil; l = l.parent {
		if v := l.variables[name]; v != nil {
			return v
		}
	}
	return nil
}

// Loader returns the data loader of that name, or nil.
func (l *Library) Loader(name string) DataLoader {
	for ; l != nil; l = l.parent {
		if d := l.loaders[name]; d != nil {
			return d
		}
	}
	return nil
}

// Builtins ranges over all builtins by name.
func (l *Library) Builtins() iter.Seq[*Builtin] {
	return ranged(l, func(l *Library) map[string]*Builtin { return l.builtins })
}

// Classes ranges over all classes by name.
func (l *Library) Classes() iter.Seq[*Class] {
	return ranged(l, func(l *Library) map[string]*Class { return l.classes })
}

// Variables ranges over all predeclared variables by name.
func (l *Library) Variables() iter.Seq[*Variable] {
	return ranged(l, func(l *Library) map[string]*Variable { return l.variables })
}

// ranged merges what the library and its parents declare.
func ranged[T any](l *Library, declared func(*Library) map[string]T) iter.Seq[T] {
	all := make(map[string]T)
	for ; l != nil; l = l.parent {
		for name, d := range declared(l) {
			if _, hidden := all[name]; !hidden {
				all[name] = d
			}
		}
	}
	return func(yield func(T) bool) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if !yield(all[name]) {
				return
			}
		}
	}
}
