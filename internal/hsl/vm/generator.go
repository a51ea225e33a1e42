package vm

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/compile"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// generator is a function that yields, between two of its values: its frame,
// off the stack.
type generator struct {
	m       *Machine
	code    *compile.Code
	globals []*value.Cell
	cells   []*value.Cell
	regs    []value.Value
	pc      int
	next    float64 // key of the next value without one
	state   generatorState
	yielded bool // the last run ended in yield
	key     value.Value
}

type generatorState uint8

const (
	suspended generatorState = iota
	running
	finished
)

// GeneratorClass is the class of what functions that yield return.
var GeneratorClass = &value.Class{Name: "Generator", Doc: "What a function that yields returns; foreach runs it."}

// PrivateToThread implements value.Private.
func (g *generator) PrivateToThread() {}

// EachValue implements value.Holder.
func (g *generator) EachValue(f func(value.Value) error) error {
	for _, v := range g.regs {
		if err := f(v); err != nil {
			return err
		}
	}
	for _, c := range g.cells {
		if err := f(c.Load()); err != nil {
			return err
		}
	}
	return nil
}

// suspend takes the topmost frame, which has not begun, off the stack and
// returns its generator.
func (m *Machine) suspend() value.Value {
	f := &m.frames[len(m.frames)-1]
	g := &generator{m: m, code: f.code, globals: f.globals, cells: f.cells}
	g.save(f.regs)
	m.pop()
	return value.FromObject(GeneratorClass.New(g))
}

func (g *generator) save(regs *[windowSize]value.Value) {
	g.regs = append(g.regs[:0], regs[:g.code.Window]...)
}

// Next implements value.Iterator: it runs the body up to the next yield.
func (g *generator) Next(*value.Thread) (key, v value.Value, ok bool, err error) {
	switch g.state {
	case finished:
		return value.None, value.None, false, nil
	case running:
		return value.None, value.None, false, value.Errorf("the generator is running already")
	}
	m := g.m
	if len(m.frames) >= m.Limits.Depth {
		return value.None, value.None, false, value.Errorf("calls nest deeper than %d", m.Limits.Depth)
	}
	base := m.reserve(0)
	defer func(top int) { m.top = top }(m.top)
	m.top = base + windowSize
	f := m.pushFrame(g.code, base)
	f.globals, f.cells, f.gen, f.pc, f.special = g.globals, g.cells, g, g.pc, true
	copy(f.regs[:], g.regs)
	g.state, g.yielded = running, false
	v, err = m.run(len(m.frames) - 1)
	if err != nil || !g.yielded {
		g.state = finished
		g.regs = nil
		return value.None, value.None, false, err
	}
	g.state = suspended
	return g.key, v, true, nil
}

// yield takes the frame of a generator off the stack, and returns the value.
func (m *Machine) yield(f *frame, w uint32) value.Value {
	g := f.gen
	r := uint8(w >> 16)
	v := f.regs[r]
	if int(r) < f.code.Registers {
		if v.IsUndefined() {
			v = value.None
		}
		v.Retain()
	}
	if compile.Op(w) == compile.Yield {
		g.key = f.regs[uint8(w>>8)]
	} else {
		g.key = value.Number(g.next)
		g.next++
	}
	g.yielded, g.pc = true, f.pc
	g.save(f.regs)
	m.pop()
	return v
}

// iterate makes R[a] an iteration of R[b].
func (m *Machine) iterate(f *frame, w uint32) error {
	if err := m.defined(f, w>>16); err != nil {
		return err
	}
	v := f.regs[uint8(w>>16)]
	a := uint8(w >> 8)
	switch {
	case v.IsArray():
		v.Retain()
	case v.IsNone():
		v = value.FromArray(value.NewArray(0))
	case v.IsObject():
		if _, ok := v.Object().Native.(value.Iterator); ok {
			break
		}
		fallthrough
	default:
		return value.Errorf("foreach over %s", article(v))
	}
	f.regs[a] = v
	f.regs[a+1] = value.Number(0)
	return nil
}

// next advances the iteration R[a], and jumps if there is a next element.
func (m *Machine) next(f *frame, w, x uint32) error {
	a := uint8(w >> 8)
	var k, v value.Value
	if list := f.regs[a].Array(); list != nil {
		var at int
		if k, v, at = list.Next(int(f.regs[a+1].Float())); at < 0 {
			return nil
		}
		v.Retain()
		f.regs[a+1].SetFloat(float64(at + 1))
	} else {
		var ok bool
		var err error
		k, v, ok, err = f.regs[a].Object().Native.(value.Iterator).Next(&m.Thread)
		if err != nil || !ok {
			return err
		}
		f = m.frame
	}
	f.regs[w>>24] = v
	if b := uint8(w >> 16); b > 0 {
		f.regs[b] = k
	}
	return m.jump(f, x, true)
}
