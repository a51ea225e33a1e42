// Package compile turns resolved scripts into code for the virtual machine: the
// third pass.
//
// # The machine
//
// The machine has registers. A call has a window of up to 256 of them on one
// long stack of values; number 0 holds $this or the function that was called,
// then come the parameters, then the other variables, then temporary values.
// The window of a function called begins at the register of its caller that
// held the function, so that arguments are computed where the callee expects
// them as its parameters and are never copied.
//
//	caller   … │ variables │ temporaries │ f │ x │ y │
//	callee                                │0  │1  │2  │ variables │ temporaries │
//
// Instructions are words of 32 bits: an operation and three operands a, b and c
// of eight bits, mostly registers. Some have a second word for what is larger: a
// jump distance, or an index into one of the tables of the function. Opcode.go
// lists all operations, each with the picture of what it does.
//
// Variables are read where they are, without moving them to a temporary; so an
// operation finds out by itself that its operand is undefined, always on the
// slow way that begins where its operands are no numbers.
//
// # Owners of arrays
//
// Arrays count their owners (package value). A variable owns what it holds, and
// so does an element of an array. A temporary either owns its value, and gives
// it away when it is stored, or has only borrowed it for looking at. The code
// tells which: storing an array from a variable's register counts an owner, from
// a temporary's it does not, and what is to be stored is computed by expr, which
// owns, while operands come from operand, which may borrow.
//
// # Assignment
//
// A target deeper than a[i] is a Path: a variable and the steps down from it,
// each with the register of its subscript. One operation walks the path, copies
// what is shared on the way, and stores, adds, counts or unsets at its end.
//
// Code is immutable and is shared by all threads that run it.
package compile

import (
	"sync/atomic"

	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Program is a compiled script with its modules.
type Program struct {
	Sources *syntax.Sources
	Library *value.Library
	Main    *Module
	Modules []*Module
	// Predeclared maps the names of the library's variables that the script
	// uses to cells of the main module.
	Predeclared map[string]int
	// Marks are those of all functions, if they were asked for.
	Marks []*Mark
}

// Options choose what code is written.
type Options struct {
	// Marks has visits of statements and functions counted.
	Marks bool
}

// Module is a global scope.
type Module struct {
	ID      string
	Index   int // in Program.Modules
	Sources *syntax.Sources
	Body    *Code
	Globals []GlobalCell
}

// GlobalCell says what a cell of a module is when an execution begins.
type GlobalCell struct {
	Name string
	// Of and Cell are module and cell that this one is another name for; Of is
	// nil for cells of their own.
	Of      *Module
	Cell    int
	Initial value.Value // of static variables; undefined for all others
}

// Code is one compiled function.
type Code struct {
	Name     string
	Pos      syntax.Pos
	Module   *Module
	Class    *value.Class // whose private members it may touch, or nil
	Words    []uint32
	Places   []syntax.Pos // of each word
	Consts   []value.Value
	Names    []string // of the variables in registers
	Cells    []string // names of the variables in cells
	Handlers []Handler
	Paths    []Path
	Scripts  []*Code          // targets of CallScript and Closure
	Builtins []*value.Builtin // targets of CallGo
	Sites    []Site           // targets of CallMethod
	Classes  []*value.Class   // targets of New
	Modules  []*Module        // targets of Import
	Data     []*value.Data    // sources of Fresh
	Barriers []Barrier
	Marks    []*Mark // targets of Visit
	Points   []Point // targets of Break

	Registers int // of variables, including number 0
	Window    int // all registers that are used
	Params    int
	Least     int // number of arguments
	Rest      bool
	Defaults  []value.Value // of the last parameters, without the rest
	Boxes     int           // cells, captured ones first
	Boxed     []BoxedParam
	Captures  []Capture
	Yields    bool

	// Simple says that a call with Params arguments needs nothing but a frame.
	Simple bool

	// Value is the function as a value, for functions that capture nothing.
	Value value.Value
}

// FunctionName implements value.Code.
func (c *Code) FunctionName() string { return c.Name }

// Sources returns the files that Places are in.
func (c *Code) Sources() *syntax.Sources { return c.Module.Sources }

// Most returns how many arguments the function takes at most, -1 without limit.
func (c *Code) Most() int {
	if c.Rest {
		return -1
	}
	return c.Params
}

// Site is one call of a method. It remembers what it last called, for the class
// of the object; being of a function that all threads share, it does so
// atomically.
type Site struct {
	Name string
	last atomic.Pointer[found]
}

// found is a method of a class, for code of another.
type found struct {
	of, from *value.Class
	fn       *value.Function
	code     *Code // of fn; nil for a builtin
}

// Known returns the code of the method that Lookup returned last, if it was for
// the same classes.
func (s *Site) Known(of, from *value.Class) *Code {
	if l := s.last.Load(); l != nil && l.of == of && l.from == from {
		return l.code
	}
	return nil
}

// Lookup returns the method of an object of class of that code of class from may
// call, or nil when there is none.
func (s *Site) Lookup(of, from *value.Class) *value.Function {
	if l := s.last.Load(); l != nil && l.of == of && l.from == from {
		return l.fn
	}
	m := of.Member(s.Name)
	if m == nil || m.Function == nil || m.Static || m.Private && of != from {
		return nil
	}
	code, _ := m.Function.Code.(*Code)
	s.last.Store(&found{of, from, m.Function, code})
	return m.Function
}

// BoxedParam is a parameter that lives in a cell.
type BoxedParam struct{ Register, Cell int }

// Capture says which cell of the function around becomes the next cell of a
// closure: one of its own, or a global.
type Capture struct {
	Global bool
	Index  int
}

// Handler catches exceptions between two words.
type Handler struct {
	From, To, Target int
	Register         uint8 // takes the thrown value
	Barriers         int   // entered in this function around the try
}

// Barrier is the variable of a barrier: what to read and write back.
type Barrier struct {
	Shared   bool // has a variable
	Storage  resolve.Storage
	Index    int
	ReadOnly bool
}

// Point is a break point, by the two words of its prefix.
type Point struct{ Debugger, Name string }

// Path is a target of assignments below a variable or value.
type Path struct {
	Root  resolve.Storage
	Index int // of the root: register, cell or global
	// Const says that the root must not be written: its name.
	ReadOnly string
	Steps    []Step
}

// StepKind says what a step of a path does.
type StepKind uint8

// The steps.
const (
	StepIndex    StepKind = iota // [R[Register]]
	StepConst                    // [K[Const]]
	StepAppend                   // []
	StepSlice                    // [R[Register]:R[Register+1]]
	StepProperty                 // ->K[Const]
)

// Step is one step down a path.
type Step struct {
	Kind     StepKind
	Register uint8
	Const    int
}

// Compile compiles a resolved program. Errors are of expressions that need more
// registers than there are.
func Compile(p *resolve.Program, o Options) (*Program, syntax.Errors) {
	c := &compiler{
		resolved: p, marks: o.Marks, strings: make(map[string]value.Value), constructors: make(map[*resolve.Class]value.Value),
		codes: make(map[*resolve.Function]*Code), classes: make(map[*resolve.Class]*value.Class),
		program: &Program{Sources: p.Sources, Library: p.Library, Predeclared: make(map[string]int)},
	}
	for _, m := range p.Modules {
		c.declare(m)
	}
	for i, m := range p.Modules {
		c.globals(c.program.Modules[i], m)
		for _, f := range m.Functions {
			c.function(f)
		}
		c.function(m.Body)
	}
	if len(c.errors) > 0 {
		return nil, c.errors.Sort()
	}
	return c.program, nil
}

// compiler holds what the functions of one program share.
type compiler struct {
	resolved     *resolve.Program
	program      *Program
	marks        bool
	codes        map[*resolve.Function]*Code
	classes      map[*resolve.Class]*value.Class
	strings      map[string]value.Value // equal strings of the program are one
	constructors map[*resolve.Class]value.Value
	errors       syntax.Errors
}

// declare makes modules, functions and classes, still empty, so that code can
// refer to them in any order.
func (c *compiler) declare(m *resolve.Module) {
	module := &Module{ID: m.ID, Index: m.Index, Sources: c.resolved.Sources}
	c.program.Modules = append(c.program.Modules, module)
	c.program.Main = module
	module.Body = &Code{Module: module}
	c.codes[m.Body] = module.Body
	for _, class := range m.Classes {
		c.classes[class] = &value.Class{Name: class.Name}
	}
	for _, f := range m.Functions {
		code := &Code{Name: f.Name, Pos: f.Pos, Module: module, Class: c.classes[f.Class]}
		code.Value = value.FromFunction(&value.Function{Code: code})
		c.codes[f] = code
	}
	for _, class := range m.Classes {
		c.class(class)
	}
}

// class fills in the members of a class.
func (c *compiler) class(from *resolve.Class) {
	class := c.classes[from]
	class.Script = true
	if from.Constructor != nil {
		class.Init = c.codes[from.Constructor].Value.Function()
	}
	for _, m := range from.Members {
		member := &value.Member{Name: m.Name, Static: m.Static, Private: m.Private, ReadOnly: m.ReadOnly}
		if m.Function != nil {
			member.Function = c.codes[m.Function].Value.Function()
		}
		class.Declare(member, m.Initial)
	}
}

// globals describes the cells of a module.
func (c *compiler) globals(to *Module, m *resolve.Module) {
	for _, v := range m.Globals {
		cell := GlobalCell{Name: v.Name, Initial: value.Undefined}
		if v.Static {
			cell.Initial = v.Initial
		}
		if v.Of != nil {
			cell.Of, cell.Cell = c.program.Modules[v.Of.Module.Index], v.Of.Index
		}
		if m == c.resolved.Main && v.Of == nil && c.resolved.Library.Variable(v.Name) != nil {
			c.program.Predeclared[v.Name] = v.Index
		}
		to.Globals = append(to.Globals, cell)
	}
}
