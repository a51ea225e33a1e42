package resolve

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Storage says where a variable lives.
type Storage uint8

// Where variables live.
const (
	Register Storage = iota // of the function's frame
	Boxed                   // in a cell of the function, shared with closures
	Global                  // in a cell of the module
)

// Var is one variable of a function or module.
type Var struct {
	Name    string
	Storage Storage
	// Index is the register, the cell of the function, or the cell of the
	// module.
	Index int
	// Param is the register in which the argument of a parameter arrives, also
	// when the variable is boxed; 0 for other variables.
	Param int
	// ReadOnly is set for variables that scripts must not write.
	ReadOnly bool
	// Module owns a variable of a module; nil for those of functions.
	Module *Module
	// Of is the variable of another module that this one is a name for.
	Of *Var
	// Unset is set for variables that somebody may unset.
	Unset bool
	// Static is set for static variables of classes, which begin with Initial.
	Static  bool
	Initial value.Value

	assigned bool
	read     syntax.Pos // first plain read
}

// share moves the variable to a cell.
func (v *Var) share() {
	v.assigned = true
	switch {
	case v.Module != nil:
		v.Storage = Global
	case v.Storage == Register:
		v.Storage = Boxed
	}
}

// Function is a function, method or module body.
type Function struct {
	Name     string // as stack traces show it; "" for anonymous ones and bodies
	Index    int    // in Module.Functions
	Pos      syntax.Pos
	Module   *Module
	Class    *Class // whose private members it may touch; nil outside classes
	Method   bool   // has $this
	Params   []*Var
	Defaults []value.Value // of the last parameters
	Rest     bool          // the last parameter collects what is left
	Body     []syntax.Stmt
	Yields   bool
	Captures []Capture
	// Registers counts the registers of variables, including number 0, which
	// holds $this or the function called; Boxes the cells, captured ones first.
	Registers int
	Boxes     int
	This      *Var // $this of a method, if it is used

	vars    map[string]*Var
	order   []*Var // those of vars that belong to the function, by appearance
	symbols map[string]any
	globals map[string]bool // names that a global statement binds
	outer   *Function
	loops   int // around the statement under way
	breaks  int // loops and switches around it
}

// Capture is a variable that a closure takes over: From of the function
// around, Var of the closure.
type Capture struct{ From, Var *Var }

// Arity returns how few and how many arguments the function takes; most is -1
// without limit.
func (f *Function) Arity() (least, most int) {
	most = len(f.Params)
	least = most - len(f.Defaults)
	if f.Rest {
		return least - 1, -1
	}
	return least, most
}

// Class is a class of a script.
type Class struct {
	Name        string
	Module      *Module
	Constructor *Function // nil when there is none
	Members     []*Member
	members     map[string]*Member
}

// Member is a variable or method of a class.
type Member struct {
	Name                      string
	Private, Static, ReadOnly bool
	Function                  *Function   // of a method
	Initial                   value.Value // of an instance variable
	Variable                  *Var        // of a static variable
}

// maxRegisters is how many variables of a function live in registers. The
// operands of the machine have eight bits, and temporary values need some too.
const maxRegisters = 128

// variable returns the variable that the name means in the function under way.
func (r *resolver) variable(name string) *Var {
	f := r.fn
	if v := f.vars[name]; v != nil {
		return v
	}
	if f.outer == nil && f == f.Module.Body {
		return r.moduleVariable(name)
	}
	v := &Var{Name: name}
	f.vars[name] = v
	f.order = append(f.order, v)
	if f.Method && name == "this" {
		v.assigned, f.This = true, v
	}
	return v
}

// moduleVariable returns a variable of the module under way. The main module
// has those that the library predeclares.
func (r *resolver) moduleVariable(name string) *Var {
	m := r.module
	if v := m.vars[name]; v != nil {
		return v
	}
	v := &Var{Name: name, Module: m}
	m.vars[name] = v
	m.Body.order = append(m.Body.order, v)
	if d := r.Library.Variable(name); d != nil && m.main {
		v.ReadOnly = d.ReadOnly
		v.share()
	}
	return v
}

// symbol returns what the name of a function or class means in the function
// under way: a *Function, *Class, *Namespace or *value.Function; nil if nothing.
func (r *resolver) symbol(name string) any {
	for f := r.fn; f != nil; f = f.outer {
		if s := f.symbols[name]; s != nil {
			return s
		}
	}
	if s := r.module.symbols[name]; s != nil {
		return s
	}
	return r.libraryFunction(r.Library, name)
}

// libraryFunction returns a builtin or class of the library, or an untyped nil.
func (r *resolver) libraryFunction(l *value.Library, name string) any {
	if f := l.Function(name); f != nil {
		return f
	}
	return nil
}

// number gives every variable its place, now that all uses are known.
func (r *resolver) number() {
	for _, m := range r.program.Modules {
		r.numberFunction(m.Body)
		for _, f := range m.Functions {
			r.numberFunction(f)
		}
	}
}

func (r *resolver) numberFunction(f *Function) {
	next := 1 + len(f.Params)
	for i, p := range f.Params {
		p.Param = i + 1
	}
	for _, c := range f.Captures {
		c.Var.Index = f.Boxes
		f.Boxes++
	}
	for _, v := range f.order {
		if v.Storage == Register && v.Param == 0 && v != f.This && next >= maxRegisters {
			v.share()
		}
		switch {
		case v.Storage == Global:
			v.Index = len(v.Module.Globals)
			v.Module.Globals = append(v.Module.Globals, v)
		case v.Storage == Boxed && !f.captured(v):
			v.Index = f.Boxes
			f.Boxes++
		case v.Storage == Boxed, v == f.This: // numbered above, and 0
		case v.Param > 0:
			v.Index = v.Param
		default:
			v.Index = next
			next++
		}
	}
	f.Registers = next
}

func (f *Function) captured(v *Var) bool {
	for _, c := range f.Captures {
		if c.Var == v {
			return true
		}
	}
	return false
}

// Vars returns the variables that belong to the function, or to the module if
// it is the body of one, in order of appearance.
func (f *Function) Vars() []*Var { return f.order }
