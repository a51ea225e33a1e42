// Package vm runs compiled scripts.
//
// A Machine is one execution: a stack of values that the windows of registers
// lie on, a stack of frames, and the cells of the modules. Package compile
// describes the instructions; Machine.loop carries them out. A call from script
// to script pushes a frame and goes on in the same loop, so that recursion of a
// script is not recursion here and its depth is counted. A builtin that calls
// back comes in through Call, which runs a loop of its own until the function
// called returns.
//
// Errors travel as Go errors. The loop returns them, and catch looks for a
// handler in the frames above the one where the loop began; if there is none
// the error goes on to whoever called, perhaps through a builtin, to the loop
// below. Exceptions are value.Throw; an error that scripts must not catch (see
// value.Uncatchable) passes all handlers.
//
// Limits are looked at when Thread.Fuel runs out: it is spent by jumps
// backwards, calls, and long stretches without either. Machines are kept for
// further use, so that a short script allocates next to nothing.
package vm

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/posthaste-mta/posthaste/internal/hsl/compile"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Machine is one execution of a program.
type Machine struct {
	value.Thread
	program   *compile.Program
	stack     []value.Value
	top       int // first place of the stack above all windows, for calls by builtins
	frames    []frame
	frame     *frame      // the topmost of frames
	instances []*instance // of the program's modules, by index
	strangers map[*compile.Module]*instance
	calls     []*value.Call // one for each builtin under way, and used ones
	depth     int           // builtins under way
	barriers  []entered
}

// frame is one call under way.
type frame struct {
	code    *compile.Code
	regs    *[windowSize]value.Value // the window at base
	pc      int                      // of the next word; kept up to date only where the loop is left
	base    int
	globals []*value.Cell // of the code's module
	cells   []*value.Cell
	gen     *generator // whose body this is, or nil
	dst     uint8      // register of the caller that takes the result
	makes   bool       // a constructor: the result is $this
	special bool       // makes, or has a gen
}

// instance is a module within one execution.
type instance struct {
	cells []*value.Cell
	ran   bool
}

// Options are what an execution begins with.
type Options struct {
	value.Setup
	// Variables are the predeclared variables that are set.
	Variables map[string]value.Value
	// Keep, if given, is called when the script has ended, however it ended,
	// with a way to read the predeclared variables. Undefined stands for those
	// that are not set or that the script does not mention.
	Keep func(get func(name string) value.Value)
}

// Result is how an execution ended without an error.
type Result struct {
	Value value.Value // returned at top level
	Exit  *value.Exit // the function that ended the script, or nil
}

const (
	windowSize = 256
	firstStack = 2 * windowSize
	// keptStack is how large a stack may be to be kept for another script.
	keptStack = 1 << 14
)

var machines = sync.Pool{New: func() any {
	return &Machine{stack: make([]value.Value, firstStack), frames: make([]frame, 0, 8)}
}}

// Run runs a program. The error is a *value.Throw for an exception that nobody
// caught, or one for which value.Uncatchable holds.
func Run(ctx context.Context, p *compile.Program, opts Options) (result Result, err error) {
	m := machines.Get().(*Machine)
	m.begin(ctx, p, opts)
	defer m.end(&err)
	v, err := m.runModule(p.Main)
	if opts.Keep != nil {
		opts.Keep(m.predeclared)
	}
	var exit *value.Exit
	if err != nil && asExit(err, &exit) {
		return Result{Exit: exit}, nil
	}
	return Result{Value: v}, err
}

func (m *Machine) begin(ctx context.Context, p *compile.Program, opts Options) {
	m.Begin(ctx, m, opts.Setup)
	m.program, m.Library = p, p.Library
	if len(p.Modules) > 1 {
		m.instances = make([]*instance, len(p.Modules))
	} else {
		m.instances = append(m.instances[:0], nil)
	}
	if len(p.Predeclared) == 0 {
		return
	}
	main := m.instance(p.Main)
	for name, cell := range p.Predeclared {
		if v, ok := opts.Variables[name]; ok {
			v.Retain()
			main.cells[cell].Store(v)
		}
	}
}

// end lets go of everything, and keeps the machine for another script. A panic
// of a builtin ends the script and nothing else; the machine is not used again.
func (m *Machine) end(err *error) {
	if r := recover(); r != nil {
		*err = m.broken(r)
		m.releaseBarriers(0)
		m.End()
		return
	}
	m.End()
	m.program, m.strangers = nil, nil
	clear(m.instances)
	clear(m.frames[:cap(m.frames)])
	m.frames, m.frame = m.frames[:0], nil
	if len(m.stack) > keptStack {
		m.stack = make([]value.Value, firstStack)
	} else {
		clear(m.stack[:min(m.top+windowSize, len(m.stack))])
	}
	m.top, m.depth = 0, 0
	machines.Put(m)
}

// broken makes an error of a panic, which is a mistake of ours.
func (m *Machine) broken(r any) error {
	return &value.Throw{
		Value: value.NewException(fmt.Sprintf("internal error: %v", r), value.Place{}),
		Trace: append(m.Where(), value.Place{Function: "internal", File: string(debug.Stack())}),
	}
}

// predeclared returns the value of a predeclared variable.
func (m *Machine) predeclared(name string) value.Value {
	cell, ok := m.program.Predeclared[name]
	if !ok {
		return value.Undefined
	}
	v := m.instance(m.program.Main).cells[cell].Load()
	v.Retain()
	return v
}

// instance returns the module within this execution. A function that another
// script left in the cache brings modules of another program along.
func (m *Machine) instance(mod *compile.Module) *instance {
	if mod.Index < len(m.program.Modules) && m.program.Modules[mod.Index] == mod {
		if m.instances[mod.Index] == nil {
			m.instances[mod.Index] = m.instantiate(mod)
		}
		return m.instances[mod.Index]
	}
	inst := m.strangers[mod]
	if inst == nil {
		inst = m.instantiate(mod)
		if m.strangers == nil {
			m.strangers = make(map[*compile.Module]*instance)
		}
		m.strangers[mod] = inst
	}
	return inst
}

var noCells = &instance{}

func (m *Machine) instantiate(mod *compile.Module) *instance {
	if len(mod.Globals) == 0 && mod == m.program.Main {
		return noCells // of which nobody will ask whether it ran
	}
	inst := &instance{cells: make([]*value.Cell, len(mod.Globals))}
	own := make([]value.Cell, len(mod.Globals))
	for i := range mod.Globals {
		g := &mod.Globals[i]
		if g.Of != nil {
			inst.cells[i] = m.instance(g.Of).cells[g.Cell]
			continue
		}
		inst.cells[i] = &own[i]
		own[i].Store(g.Initial)
	}
	return inst
}

// runModule runs the statements of a module.
func (m *Machine) runModule(mod *compile.Module) (value.Value, error) {
	inst := m.instance(mod)
	base := m.reserve(0)
	defer func(top int) { m.top = top }(m.top)
	m.top = base + windowSize
	if err := m.enter(mod.Body, nil, base, nil); err != nil {
		return value.None, err
	}
	m.frame.globals = inst.cells
	return m.run(len(m.frames) - 1)
}

// reserve returns a base above everything in use, with room for a window and n
// values more.
func (m *Machine) reserve(n int) int {
	base := m.top
	if m.frame != nil {
		base = max(base, m.frame.base+windowSize)
	}
	m.grow(base + n + 1)
	return base
}

// grow makes sure that a window at base lies on the stack.
func (m *Machine) grow(base int) {
	if base+windowSize <= len(m.stack) {
		return
	}
	larger := make([]value.Value, 2*(base+windowSize))
	copy(larger, m.stack)
	m.stack = larger
	for i := range m.frames {
		m.frames[i].regs = m.window(m.frames[i].base)
	}
}

func (m *Machine) window(base int) *[windowSize]value.Value {
	return (*[windowSize]value.Value)(m.stack[base:])
}

// Where implements value.Caller.
func (m *Machine) Where() []value.Place {
	const most = 100
	var places []value.Place
	for i := len(m.frames) - 1; i >= 0 && len(places) < most; i-- {
		places = append(places, m.frames[i].place())
	}
	return places
}

// place says where a frame is.
func (f *frame) place() value.Place {
	p := value.Place{Function: f.code.Name}
	if f.code.Pos != 0 && p.Function == "" {
		p.Function = "{closure}"
	}
	if f.pc <= len(f.code.Places) { // a jump to the first word leaves 0
		at := f.code.Sources().Position(f.code.Places[max(f.pc-1, 0)])
		p.File, p.Line, p.Column = at.File, at.Line, at.Column
	}
	return p
}

// Roots implements value.Caller.
func (m *Machine) Roots(f func(value.Value)) {
	end := m.top
	for i := range m.frames {
		fr := &m.frames[i]
		end = max(end, fr.base+windowSize)
		if fr.code.Boxes == 0 {
			continue // cells may be those of an earlier call
		}
		for _, c := range fr.cells {
			f(c.Load())
		}
	}
	for _, v := range m.stack[:min(end, len(m.stack))] {
		f(v)
	}
	for _, inst := range m.instances {
		if inst == nil {
			continue
		}
		for _, c := range inst.cells {
			f(c.Load())
		}
	}
}
