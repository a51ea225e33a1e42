package vm

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/compile"
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// place is where a path ends: a value that can be written where it stands, or
// what has to be read and set: a property of an object that others see, or a
// slice.
type place struct {
	at     *value.Value
	object *value.Object
	name   string
	parent *value.Value // of a slice
	step   *compile.Step
}

// rootPlace returns where the variable at the root of a path stands. A cell
// that other threads see is changed in scratch, from where the caller stores it
// if shared is not nil.
func (m *Machine) rootPlace(f *frame, regs *[windowSize]value.Value, p *compile.Path, scratch *value.Value) (at *value.Value, shared *value.Cell) {
	var c *value.Cell
	switch p.Root {
	case resolve.Register:
		return &regs[uint8(p.Index)], nil
	case resolve.Boxed:
		c = f.cells[p.Index]
	default:
		c = f.globals[p.Index]
	}
	if at := c.Place(); at != nil {
		return at, nil
	}
	*scratch = c.Load()
	return scratch, c
}

// descend walks down a path for writing: arrays are made where there are none,
// and copied where they have other owners.
func (m *Machine) descend(f *frame, regs *[windowSize]value.Value, p *compile.Path, at *value.Value) (place, error) {
	if p.ReadOnly != "" {
		return place{}, value.Errorf("$%s is read-only", p.ReadOnly)
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		last := i == len(p.Steps)-1
		if o := at.Object(); o != nil {
			where, err := m.objectStep(f.code, regs, o, s, last)
			if where.at == nil || err != nil {
				return where, err
			}
			at = where.at
			continue
		}
		if s.Kind == compile.StepSlice {
			if !last {
				return place{}, value.Errorf("cannot assign below a slice")
			}
			return place{parent: at, step: s}, nil
		}
		a, err := m.writable(at)
		if err != nil {
			return place{}, err
		}
		if err := m.Alloc(elementBytes); err != nil {
			return place{}, err
		}
		if s.Kind == compile.StepAppend {
			at = a.PushSlot()
			continue
		}
		key, err := m.key(f.code, regs, s)
		if err != nil {
			return place{}, err
		}
		at = a.Slot(key)
	}
	return place{at: at}, nil
}

// key returns the subscript of a step.
func (m *Machine) key(code *compile.Code, regs *[windowSize]value.Value, s *compile.Step) (value.Value, error) {
	if s.Kind != compile.StepIndex {
		return code.Consts[s.Const], nil
	}
	return regs[s.Register], m.defined(code, regs, uint32(s.Register))
}

// objectStep steps to a property of an object. Below the last step the
// property is one that can be written where it stands, or is read: an object in
// it is what counts then.
func (m *Machine) objectStep(code *compile.Code, regs *[windowSize]value.Value, o *value.Object, s *compile.Step, last bool) (place, error) {
	if s.Kind == compile.StepAppend || s.Kind == compile.StepSlice {
		return place{}, value.Errorf("an object is no array")
	}
	key, err := m.key(code, regs, s)
	if err != nil {
		return place{}, err
	}
	text, err := m.AppendText(nil, key)
	if err != nil {
		return place{}, err
	}
	name := string(text)
	if !last {
		// What is written below an object in the property is not the property.
		if v, ok := o.Property(name); ok && v.IsObject() {
			v, err := m.property(code, o, name)
			return place{at: &v}, err
		}
	}
	if err := mayWrite(code, o, name); err != nil {
		return place{}, err
	}
	if err := m.Alloc(elementBytes); err != nil {
		return place{}, err
	}
	if at := o.Place(name); at != nil {
		return place{at: at}, nil
	}
	if !last {
		return place{}, value.Errorf("property %s is shared between scripts: assign it as a whole", name)
	}
	return place{object: o, name: name}, nil
}

// get reads the place.
func (pl *place) get() value.Value {
	if pl.at != nil {
		return *pl.at
	}
	if pl.object != nil {
		v, _ := pl.object.Property(pl.name)
		return v
	}
	return value.None
}

// set stores v, which the place owns then.
func (m *Machine) set(regs *[windowSize]value.Value, pl *place, v value.Value) error {
	switch {
	case pl.at != nil:
		*pl.at = v
		return nil
	case pl.object != nil:
		return pl.object.SetProperty(pl.name, v)
	}
	list := v.Array()
	if list == nil {
		return value.Errorf("a slice takes an array, not %s", article(v))
	}
	a, err := m.writable(pl.parent)
	if err != nil {
		return err
	}
	return a.ReplaceSlice(&m.Thread, regs[pl.step.Register], regs[pl.step.Register+1], list)
}

// storePath is: path = R[a].
func (m *Machine) storePath(f *frame, regs *[windowSize]value.Value, w uint32, p *compile.Path) error {
	v, err := m.given(f.code, regs, uint8(w>>8))
	if err != nil {
		return err
	}
	var scratch value.Value
	root, shared := m.rootPlace(f, regs, p, &scratch)
	pl, err := m.descend(f, regs, p, root)
	if err != nil {
		return err
	}
	if err := m.set(regs, &pl, v); err != nil {
		return err
	}
	if shared != nil {
		shared.Store(scratch)
	}
	return nil
}

// change replaces what stands at a path by what f makes of it.
func (m *Machine) change(fr *frame, regs *[windowSize]value.Value, p *compile.Path, f func(old value.Value) (value.Value, error)) error {
	var scratch value.Value
	root, shared := m.rootPlace(fr, regs, p, &scratch)
	pl, err := m.descend(fr, regs, p, root)
	if err != nil {
		return err
	}
	old := pl.get()
	if old.IsUndefined() {
		old = value.None
	}
	v, err := f(old)
	if err != nil {
		return err
	}
	if err := m.set(regs, &pl, v); err != nil {
		return err
	}
	if shared != nil {
		shared.Store(scratch)
	}
	return nil
}

// opPath is: R[c] = path = path, operator b, R[a].
func (m *Machine) opPath(f *frame, regs *[windowSize]value.Value, w uint32, p *compile.Path) error {
	y := regs[uint8(w>>8)]
	if y.IsUndefined() {
		return m.undefined(f.code, w>>8)
	}
	return m.change(f, regs, p, func(old value.Value) (value.Value, error) {
		if value.BothNumbers(old, y) && value.Operator(uint8(w>>16)) == value.Add {
			v := value.Number(old.Float() + y.Float())
			regs[w>>24] = v
			return v, nil
		}
		v, err := value.Operate(&m.Thread, value.Operator(uint8(w>>16)), old, y)
		if err == nil {
			v.Retain() // here and in R[c], and perhaps it is a side itself
			v.Retain()
			regs[w>>24] = v
		}
		return v, err
	})
}

// incPath is ++ and --.
func (m *Machine) incPath(f *frame, regs *[windowSize]value.Value, w uint32, p *compile.Path) error {
	flags := w >> 16
	return m.change(f, regs, p, func(old value.Value) (value.Value, error) {
		n := old.ToNumber()
		changed := n + 1
		if flags&compile.Down != 0 {
			changed = n - 1
		}
		if flags&compile.Old == 0 {
			n = changed
		}
		regs[uint8(w>>8)].SetFloat(n)
		return value.Number(changed), nil
	})
}

// loadRoot returns the value of the variable of a barrier.
func (m *Machine) loadRoot(f *frame, b compile.Barrier) value.Value {
	switch b.Storage {
	case resolve.Register:
		return m.window(f.base)[uint8(b.Index)]
	case resolve.Boxed:
		return f.cells[b.Index].Load()
	}
	return f.globals[b.Index].Load()
}

// storeRoot sets the variable of a barrier.
func (m *Machine) storeRoot(f *frame, b compile.Barrier, v value.Value) {
	switch b.Storage {
	case resolve.Register:
		m.window(f.base)[uint8(b.Index)] = v
	case resolve.Boxed:
		f.cells[b.Index].Store(v)
	default:
		f.globals[b.Index].Store(v)
	}
}

// rootValue returns the value of the variable at the root of a path.
func (m *Machine) rootValue(f *frame, regs *[windowSize]value.Value, p *compile.Path) value.Value {
	switch p.Root {
	case resolve.Register:
		return regs[uint8(p.Index)]
	case resolve.Boxed:
		return f.cells[p.Index].Load()
	}
	return f.globals[p.Index].Load()
}

// look walks down a path for reading, all steps but the last n. ok is false
// when something on the way is missing.
func (m *Machine) look(f *frame, regs *[windowSize]value.Value, p *compile.Path, n int) (v value.Value, ok bool, err error) {
	v = m.rootValue(f, regs, p)
	if v.IsUndefined() {
		return value.None, false, nil
	}
	for i := range len(p.Steps) - n {
		if v, ok, err = m.lookStep(f.code, regs, v, &p.Steps[i]); err != nil || !ok {
			return value.None, false, err
		}
	}
	return v, true, nil
}

func (m *Machine) lookStep(code *compile.Code, regs *[windowSize]value.Value, v value.Value, s *compile.Step) (value.Value, bool, error) {
	switch s.Kind {
	case compile.StepAppend:
		return value.None, false, nil
	case compile.StepSlice:
		v, err := value.Slice(&m.Thread, v, regs[s.Register], regs[s.Register+1], value.None)
		return v, err == nil && !v.IsNone(), err
	}
	key, err := m.key(code, regs, s)
	if err != nil {
		return value.None, false, err
	}
	o := v.Object()
	if o == nil {
		return value.Index(v, key), value.HasIndex(v, key), nil
	}
	text, err := m.AppendText(nil, key)
	if err != nil {
		return value.None, false, err
	}
	_, exists := o.Property(string(text))
	p, err := m.property(code, o, string(text))
	return p, err == nil && (exists || !p.IsNone()), err
}

// loadPath reads a path, none for what is missing.
func (m *Machine) loadPath(f *frame, regs *[windowSize]value.Value, p *compile.Path) (value.Value, error) {
	v, _, err := m.look(f, regs, p, 0)
	return v, err
}

// issetPath reports whether a path leads somewhere. It never fails.
func (m *Machine) issetPath(f *frame, regs *[windowSize]value.Value, p *compile.Path) bool {
	_, ok, err := m.look(f, regs, p, 0)
	return ok && err == nil
}

// unsetPath removes what a path leads to, and reports whether it was there.
func (m *Machine) unsetPath(f *frame, regs *[windowSize]value.Value, p *compile.Path) (bool, error) {
	if p.ReadOnly != "" {
		return false, value.Errorf("$%s is read-only", p.ReadOnly)
	}
	var scratch value.Value
	root, shared := m.rootPlace(f, regs, p, &scratch)
	if len(p.Steps) == 0 {
		had := !root.IsUndefined()
		root.Release()
		root.SetUndefined()
		if shared != nil {
			shared.Store(scratch)
		}
		return had, nil
	}
	// Nothing must come into being on the way.
	v, ok, err := m.look(f, regs, p, 1)
	if err != nil || !ok {
		return false, err
	}
	s := &p.Steps[len(p.Steps)-1]
	if s.Kind != compile.StepSlice {
		if _, ok, err = m.lookStep(f.code, regs, v, s); err != nil || !ok {
			return false, err
		}
	}
	if o := v.Object(); o != nil {
		return m.unsetProperty(f.code, regs, o, s)
	}
	if !v.IsArray() {
		return false, nil
	}
	had, err := m.unsetElement(f, regs, p, root, s)
	if shared != nil {
		shared.Store(scratch)
	}
	return had, err
}

func (m *Machine) unsetProperty(code *compile.Code, regs *[windowSize]value.Value, o *value.Object, s *compile.Step) (bool, error) {
	key, err := m.key(code, regs, s)
	if err != nil {
		return false, err
	}
	text, err := m.AppendText(nil, key)
	if err != nil {
		return false, err
	}
	if err := mayWrite(code, o, string(text)); err != nil {
		return false, err
	}
	return o.DeleteProperty(string(text)), nil
}

// unsetElement removes an element or slice of the array that the path leads to
// without its last step.
func (m *Machine) unsetElement(f *frame, regs *[windowSize]value.Value, p *compile.Path, root *value.Value, s *compile.Step) (bool, error) {
	shorter := *p
	shorter.Steps = p.Steps[:len(p.Steps)-1]
	pl, err := m.descend(f, regs, &shorter, root)
	if err != nil || pl.at == nil {
		return false, err
	}
	a, err := m.writable(pl.at)
	if err != nil {
		return false, err
	}
	if s.Kind == compile.StepSlice {
		before := a.Len()
		err := a.ReplaceSlice(&m.Thread, regs[s.Register], regs[s.Register+1], value.NewArray(0))
		return a.Len() < before, err
	}
	key, err := m.key(f.code, regs, s)
	if err != nil {
		return false, err
	}
	return a.Delete(key), nil
}
