package vm

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/compile"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// undefined is the exception for reading a register that is not set.
func (m *Machine) undefined(code *compile.Code, r uint32) error {
	name := "?"
	if i := int(uint8(r)); i < len(code.Names) {
		name = code.Names[i]
	}
	return value.Errorf("undefined variable $%s", name)
}

// defined returns the exception if the register is not set.
func (m *Machine) defined(code *compile.Code, regs *[windowSize]value.Value, r uint32) error {
	if regs[uint8(r)].IsUndefined() {
		return m.undefined(code, r)
	}
	return nil
}

// operate computes R[a] = R[b] o y where the fast way of the loop does not do;
// y is R[c] or a constant.
func (m *Machine) operate(code *compile.Code, regs *[windowSize]value.Value, w uint32, o value.Operator, y value.Value) error {
	if err := m.defined(code, regs, w>>16); err != nil {
		return err
	}
	if y.IsUndefined() {
		return m.undefined(code, w>>24)
	}
	x := regs[uint8(w>>16)]
	v, err := value.Operate(&m.Thread, o, x, y)
	if err != nil {
		return err
	}
	if v.IsArray() && o == value.Add && (x.IsNone() || y.IsNone()) {
		v.Retain() // none is neutral: it is the other side itself
	}
	regs[uint8(w>>8)] = v
	return nil
}

// compare computes R[a] o y for a jump; y is R[b] or a constant.
func (m *Machine) compare(code *compile.Code, regs *[windowSize]value.Value, w uint32, o value.Operator, y value.Value) (bool, error) {
	x := regs[uint8(w>>8)]
	if x.IsUndefined() {
		return false, m.undefined(code, w>>8)
	}
	if y.IsUndefined() {
		return false, m.undefined(code, w>>16)
	}
	v, err := value.Operate(&m.Thread, o, x, y)
	return v.Bool(), err
}

// matches is =~. A pattern that is not compiled yet is compiled for its process.
func (m *Machine) matches(code *compile.Code, regs *[windowSize]value.Value, w uint32) (bool, error) {
	x, y := regs[uint8(w>>16)], regs[uint8(w>>24)]
	if x.IsUndefined() {
		return false, m.undefined(code, w>>16)
	}
	if y.IsUndefined() {
		return false, m.undefined(code, w>>24)
	}
	p, err := m.Pattern(y)
	if err != nil || x.IsNone() {
		return false, err
	}
	subject, err := m.AppendText(nil, x)
	if x.IsString() {
		return p.Match(&m.Thread, x.Str())
	}
	if err != nil {
		return false, err
	}
	return p.Match(&m.Thread, string(subject))
}

// loadCell loads a cell with the access flags in b.
func (m *Machine) loadCell(c *value.Cell, r *value.Value, w uint32) error {
	v := c.Load()
	access := w >> 16
	if v.IsUndefined() {
		if access&compile.Quiet == 0 {
			return errUndefined
		}
		v = value.None
	}
	if access&compile.Owned != 0 {
		v.Retain()
	}
	*r = v
	return nil
}

var errUndefined = value.Errorf("undefined variable")

// closure makes a function value with the cells it captures.
func closure(f *frame, code *compile.Code) value.Value {
	fn := &value.Function{Code: code, Cells: make([]*value.Cell, len(code.Captures))}
	for i, c := range code.Captures {
		if c.Global {
			fn.Cells[i] = f.globals[c.Index]
		} else {
			fn.Cells[i] = f.cells[c.Index]
		}
	}
	return value.FromFunction(fn)
}

// index computes R[a] = R[b][i] for what is no array.
func (m *Machine) index(code *compile.Code, regs *[windowSize]value.Value, w uint32, i value.Value) error {
	x := regs[uint8(w>>16)]
	if x.IsUndefined() {
		return m.undefined(code, w>>16)
	}
	if i.IsUndefined() {
		return m.undefined(code, w>>24)
	}
	var v value.Value
	if o := x.Object(); o != nil {
		name, err := m.AppendText(nil, i)
		if err != nil {
			return err
		}
		if v, err = m.property(code, o, string(name)); err != nil {
			return err
		}
	} else {
		v = value.Index(x, i)
	}
	regs[uint8(w>>8)] = v
	return nil
}

// loadProperty computes R[a] = R[b]->name with the access flags in c. On what is
// no object it is a subscript.
func (m *Machine) loadProperty(code *compile.Code, regs *[windowSize]value.Value, w uint32, name value.Value) error {
	access := w >> 24
	x := regs[uint8(w>>16)]
	if x.IsUndefined() {
		if access&compile.Quiet == 0 {
			return m.undefined(code, w>>16)
		}
		x = value.None
	}
	var v value.Value
	if o := x.Object(); o != nil {
		var err error
		if v, err = m.property(code, o, name.Str()); err != nil {
			return err
		}
	} else {
		v = value.Index(x, name)
	}
	if access&compile.Owned != 0 {
		v.Retain()
	}
	regs[uint8(w>>8)] = v
	return nil
}

// property returns a property of an object, or a method bound to it; none if
// there is neither.
func (m *Machine) property(code *compile.Code, o *value.Object, name string) (value.Value, error) {
	member := o.Class.Member(name)
	if member != nil {
		if err := private(code, o, member); err != nil {
			return value.None, err
		}
	}
	if v, ok := o.Property(name); ok {
		return v, nil
	}
	if member == nil || member.Function == nil || member.Static {
		return value.None, nil
	}
	fn := *member.Function
	fn.This = o
	return value.FromFunction(&fn), nil
}

// given returns the value that an instruction stores. A variable keeps what it
// has and counts an owner more; a temporary gives it away.
func (m *Machine) given(code *compile.Code, regs *[windowSize]value.Value, r uint8) (value.Value, error) {
	v := regs[r]
	if int(r) < code.Registers && !v.IsNumber() {
		if v.IsUndefined() {
			return v, m.undefined(code, uint32(r))
		}
		v.Retain()
	}
	return v, nil
}

// setIndex is R[a][i] = R[c].
func (m *Machine) setIndex(code *compile.Code, regs *[windowSize]value.Value, w uint32, i value.Value) error {
	if i.IsUndefined() {
		return m.undefined(code, w>>16)
	}
	v, err := m.given(code, regs, uint8(w>>24))
	if err != nil {
		return err
	}
	r := &regs[uint8(w>>8)]
	if o := r.Object(); o != nil {
		name, err := m.AppendText(nil, i)
		if err != nil {
			return err
		}
		return m.setProperty(code, o, string(name), v)
	}
	a, err := m.writable(r)
	if err != nil {
		return err
	}
	a.Put(i, v)
	return m.Alloc(elementBytes)
}

// elementBytes is what a new element of an array is charged, room to grow
// included.
const elementBytes = 24

// writable returns the array at r for writing. What is no array becomes one.
func (m *Machine) writable(r *value.Value) (*value.Array, error) {
	if a := r.Array(); a != nil && a.Shared() {
		if err := m.Alloc(a.Size()); err != nil {
			return nil, err
		}
		if err := m.Step(a.Len() / 16); err != nil {
			return nil, err
		}
	}
	return value.Writable(r), nil
}

// setProperty stores a property, if code may write it.
func (m *Machine) setProperty(code *compile.Code, o *value.Object, name string, v value.Value) error {
	if err := mayWrite(code, o, name); err != nil {
		return err
	}
	if err := m.Alloc(elementBytes); err != nil {
		return err
	}
	return o.SetProperty(name, v)
}

// mayWrite reports whether code may write a property of an object.
func mayWrite(code *compile.Code, o *value.Object, name string) error {
	member := o.Class.Member(name)
	if member == nil {
		if !o.Class.Script {
			if _, ok := o.Native.(value.Properties); !ok {
				return value.Errorf("class %s has no property %s", o.Class.Name, name)
			}
		}
		return nil
	}
	if err := private(code, o, member); err != nil {
		return err
	}
	if member.ReadOnly && code.Class != o.Class {
		return value.Errorf("%s::%s is read-only", o.Class.Name, name)
	}
	if member.Function != nil {
		return value.Errorf("%s::%s is a method", o.Class.Name, name)
	}
	return nil
}

// push is R[a][] = R[b].
func (m *Machine) push(code *compile.Code, regs *[windowSize]value.Value, w uint32) error {
	v, err := m.given(code, regs, uint8(w>>16))
	if err != nil {
		return err
	}
	a, err := m.writable(&regs[uint8(w>>8)])
	if err != nil {
		return err
	}
	a.Push(v)
	return m.Alloc(elementBytes)
}

// spread adds the elements of R[b] to the array that is being built in R[a].
func (m *Machine) spread(code *compile.Code, regs *[windowSize]value.Value, w uint32) error {
	if err := m.defined(code, regs, w>>16); err != nil {
		return err
	}
	v := regs[uint8(w>>16)]
	from := v.Array()
	switch {
	case v.IsNone():
		return nil
	case from == nil:
		return value.Errorf("cannot spread %s", article(v))
	}
	if err := m.Alloc(from.Size()); err != nil {
		return err
	}
	to := regs[uint8(w>>8)].Array()
	if compile.Op(w) == compile.Spread {
		return to.Splice(&m.Thread, from)
	}
	for v := range from.Values() {
		to.Append(v)
	}
	return m.Step(from.Len())
}

// restOf is R[a] = the values of R[b] from place n on.
func (m *Machine) restOf(regs *[windowSize]value.Value, w uint32, n int) error {
	list := value.NewArray(0)
	i := 0
	for v := range regs[uint8(w>>16)].Array().Values() {
		if i >= n {
			list.Append(v)
		}
		i++
	}
	regs[uint8(w>>8)] = value.FromArray(list)
	return m.Alloc(list.Size())
}

// echo prints R[a].
func (m *Machine) echo(code *compile.Code, regs *[windowSize]value.Value, w uint32) error {
	if err := m.defined(code, regs, w>>8); err != nil {
		return err
	}
	v := regs[uint8(w>>8)]
	if v.IsString() {
		return m.Print(v.Str())
	}
	text, err := m.AppendText(nil, v)
	if err != nil {
		return err
	}
	return m.Print(string(text))
}

// throw returns R[a] as an exception.
func (m *Machine) throw(code *compile.Code, regs *[windowSize]value.Value, w uint32) error {
	v, err := m.given(code, regs, uint8(w>>8))
	if err != nil {
		return err
	}
	return &value.Throw{Value: v, Trace: m.Where()}
}

// noMatch is the exception of a match that has no arm for its subject.
func (m *Machine) noMatch(v value.Value) error {
	const most = 60
	text, err := m.AppendText(nil, v)
	if err != nil {
		return err
	}
	if len(text) > most {
		text = append(text[:most], "..."...)
	}
	return value.Errorf("match has no arm for %s %q", v.Kind(), text)
}

// importModule runs a module unless it ran.
func (m *Machine) importModule(mod *compile.Module) error {
	inst := m.instance(mod)
	if inst.ran {
		return nil
	}
	inst.ran = true
	_, err := m.runModule(mod)
	return err
}

// barrier enters the barrier named R[a].
func (m *Machine) barrier(f *frame, code *compile.Code, regs *[windowSize]value.Value, w uint32, i int) error {
	if err := m.defined(code, regs, w>>8); err != nil {
		return err
	}
	return m.enterBarrier(f, regs[uint8(w>>8)], code.Barriers[i])
}
