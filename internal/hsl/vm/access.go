package vm

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/compile"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// undefined is the exception for reading a register that is not set.
func (m *Machine) undefined(f *frame, r uint32) error {
	name := "?"
	if i := int(uint8(r)); i < len(f.code.Names) {
		name = f.code.Names[i]
	}
	return value.Errorf("undefined variable $%s", name)
}

// defined returns the exception if the register is not set.
func (m *Machine) defined(f *frame, r uint32) error {
	if f.regs[uint8(r)].IsUndefined() {
		return m.undefined(f, r)
	}
	return nil
}

// move is R[a] = R[b].
func (m *Machine) move(f *frame, w uint32) error {
	v := f.regs[uint8(w>>16)]
	if v.IsUndefined() {
		return m.undefined(f, w>>16)
	}
	v.Retain()
	r := &f.regs[uint8(w>>8)]
	if int(uint8(w>>8)) < f.code.Registers {
		r.Release() // a variable owns what it held, which a temporary may not
	}
	*r = v
	return nil
}

// loadCell is R[a] = c with the access flags in b.
func (m *Machine) loadCell(f *frame, w uint32, c *value.Cell, name string) error {
	v := c.Load()
	access := w >> 16
	if v.IsUndefined() {
		if access&compile.Quiet == 0 {
			return value.Errorf("undefined variable $%s", name)
		}
		v = value.None
	}
	if access&compile.Owned != 0 {
		v.Retain()
	}
	f.regs[uint8(w>>8)] = v
	return nil
}

// closure makes R[a] a function with the cells it captures.
func (m *Machine) closure(f *frame, w uint32, code *compile.Code) error {
	fn := &value.Function{Code: code, Cells: make([]*value.Cell, len(code.Captures))}
	for i, c := range code.Captures {
		if c.Global {
			fn.Cells[i] = f.globals[c.Index]
		} else {
			fn.Cells[i] = f.cells[c.Index]
		}
	}
	f.regs[uint8(w>>8)] = value.FromFunction(fn)
	return m.Alloc(64 + 8*len(fn.Cells))
}

// fresh makes R[a] what a data file gives to this execution.
func (m *Machine) fresh(f *frame, w uint32, d *value.Data) error {
	v, err := d.Fresh()
	f.regs[uint8(w>>8)] = v
	return err
}

// index is R[a] = R[b][R[c]], for Index and Fetch.
func (m *Machine) index(f *frame, w uint32) error {
	if err := m.defined(f, w>>24); err != nil {
		return err
	}
	return m.indexWith(f, w, f.regs[w>>24])
}

// indexWith is R[a] = R[b][i].
func (m *Machine) indexWith(f *frame, w uint32, i value.Value) error {
	x := f.regs[uint8(w>>16)]
	var v value.Value
	switch x.Kind() {
	case value.KindUndefined:
		return m.undefined(f, w>>16)
	case value.KindArray:
		v, _ = x.Array().Get(i)
	case value.KindObject:
		name, err := m.name(i)
		if err != nil {
			return err
		}
		if v, err = m.property(f.code, x.Object(), name); err != nil {
			return err
		}
	default:
		v = value.Index(x, i)
	}
	if op := compile.Op(w); op == compile.Fetch || op == compile.FetchK {
		v.Retain()
	}
	f.regs[uint8(w>>8)] = v
	return nil
}

// name returns the text of a subscript that names a property.
func (m *Machine) name(v value.Value) (string, error) {
	if v.IsString() {
		return v.Str(), nil
	}
	b, err := m.AppendText(nil, v)
	return string(b), err
}

// slice is R[a] = R[a][R[b]:R[b+1]:R[b+2]].
func (m *Machine) slice(f *frame, w uint32) error {
	b := uint8(w >> 16)
	v, err := value.Slice(&m.Thread, f.regs[uint8(w>>8)], f.regs[b], f.regs[b+1], f.regs[b+2])
	f.regs[uint8(w>>8)] = v
	return err
}

// loadProperty is R[a] = x->name with the access flags in c. On what is no
// object it is a subscript.
func (m *Machine) loadProperty(f *frame, w uint32, x, name value.Value) error {
	access := w >> 24
	if x.IsUndefined() {
		if access&compile.Quiet == 0 {
			return m.undefined(f, w>>16)
		}
		x = value.None
	}
	var v value.Value
	if o := x.Object(); o != nil {
		var err error
		if v, err = m.property(f.code, o, name.Str()); err != nil {
			return err
		}
	} else {
		v = value.Index(x, name)
	}
	if access&compile.Owned != 0 {
		v.Retain()
	}
	f.regs[uint8(w>>8)] = v
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
	return value.FromFunction(&fn), m.Alloc(64)
}

// given returns the value that an instruction stores. A variable keeps what it
// has and counts an owner more; a temporary gives it away.
func (m *Machine) given(f *frame, r uint8) (value.Value, error) {
	v := f.regs[r]
	if int(r) < f.code.Registers && !v.IsNumber() {
		if v.IsUndefined() {
			return v, m.undefined(f, uint32(r))
		}
		v.Retain()
	}
	return v, nil
}

// newArray is R[a] = [].
func (m *Machine) newArray(f *frame, w uint32) error {
	n := int(w >> 16)
	if err := m.Alloc(64 + 16*n); err != nil {
		return err
	}
	f.regs[uint8(w>>8)] = value.FromArray(value.NewArray(n))
	return nil
}

// newKeyed is R[a] = [] with room for elements with keys.
func (m *Machine) newKeyed(f *frame, w uint32) error {
	a := value.NewKeyed(int(w >> 16))
	f.regs[uint8(w>>8)] = value.FromArray(a)
	return m.Alloc(a.Size())
}

// setIndex is R[a][i] = R[c].
func (m *Machine) setIndex(f *frame, w uint32, i value.Value) error {
	if i.IsUndefined() {
		return m.undefined(f, w>>16)
	}
	v, err := m.given(f, uint8(w>>24))
	if err != nil {
		return err
	}
	r := &f.regs[uint8(w>>8)]
	if o := r.Object(); o != nil {
		name, err := m.name(i)
		if err != nil {
			return err
		}
		return m.setProperty(f.code, o, name, v)
	}
	a, err := m.writable(r)
	if err != nil {
		return err
	}
	a.Put(i, v)
	return nil
}

// writable returns the array at r for writing an element, for which it charges.
// What is no array becomes one.
func (m *Machine) writable(r *value.Value) (*value.Array, error) {
	a := r.Array()
	switch {
	case a == nil:
		if err := m.Alloc(64); err != nil {
			return nil, err
		}
		return value.Writable(r), nil
	case a.Shared():
		if err := m.Alloc(a.Size()); err != nil {
			return nil, err
		}
		if err := m.Step(a.Len() / 16); err != nil {
			return nil, err
		}
		a = value.Writable(r)
	}
	if n := a.Room(); n > 0 {
		return a, m.Alloc(n)
	}
	return a, nil
}

// setProperty stores a property, if code may write it.
func (m *Machine) setProperty(code *compile.Code, o *value.Object, name string, v value.Value) error {
	if err := mayWrite(code, o, name); err != nil {
		return err
	}
	if err := m.Alloc(propertyBytes); err != nil {
		return err
	}
	return o.SetProperty(name, v)
}

// propertyBytes is what writing a property is charged, because it may be new.
const propertyBytes = 32

// storeThis is $this->name = R[a], of a property that the class declares.
func (m *Machine) storeThis(f *frame, w uint32, name value.Value) error {
	v, err := m.given(f, uint8(w>>8))
	if err != nil {
		return err
	}
	o := f.regs[0].Object()
	if o == nil {
		return value.Errorf("$this is not set")
	}
	return m.setProperty(f.code, o, name.Str(), v)
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
func (m *Machine) push(f *frame, w uint32) error {
	v, err := m.given(f, uint8(w>>16))
	if err != nil {
		return err
	}
	a, err := m.writable(&f.regs[uint8(w>>8)])
	if err != nil {
		return err
	}
	a.Push(v)
	return nil
}

// spread adds the elements of R[b] to the array that is being built in R[a].
func (m *Machine) spread(f *frame, w uint32) error {
	if err := m.defined(f, w>>16); err != nil {
		return err
	}
	v := f.regs[uint8(w>>16)]
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
	to := f.regs[uint8(w>>8)].Array()
	if compile.Op(w) == compile.Spread {
		return to.Splice(&m.Thread, from)
	}
	for v := range from.Values() {
		to.Append(v)
	}
	return m.Step(from.Len())
}

// item is R[a] = the value at place n of R[b].
func (m *Machine) item(f *frame, w uint32, n int) error {
	v, ok := f.regs[uint8(w>>16)].Array().At(n)
	return f.found(w, v, ok)
}

// element is R[a] = R[b][R[c]], undefined if there is none.
func (m *Machine) element(f *frame, w uint32) error {
	v, ok := f.regs[uint8(w>>16)].Array().Get(f.regs[w>>24])
	return f.found(w, v, ok)
}

func (f *frame) found(w uint32, v value.Value, ok bool) error {
	if !ok {
		v = value.Undefined
	}
	v.Retain()
	f.regs[uint8(w>>8)] = v
	return nil
}

// restOf is R[a] = the values of R[b] from place n on.
func (m *Machine) restOf(f *frame, w uint32, n int) error {
	list := value.NewArray(0)
	i := 0
	for v := range f.regs[uint8(w>>16)].Array().Values() {
		if i >= n {
			list.Append(v)
		}
		i++
	}
	f.regs[uint8(w>>8)] = value.FromArray(list)
	return m.Alloc(list.Size())
}

// echo prints R[a].
func (m *Machine) echo(f *frame, w uint32) error {
	if err := m.defined(f, w>>8); err != nil {
		return err
	}
	text, err := m.name(f.regs[uint8(w>>8)])
	if err != nil {
		return err
	}
	return m.Print(text)
}

// throw returns R[a] as an exception.
func (m *Machine) throw(f *frame, w uint32) error {
	v, err := m.given(f, uint8(w>>8))
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
