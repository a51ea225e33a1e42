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

// rootPlace returns where the variable at the root of a path stands. If that is a
// cell that other threads see, at is a copy, which the caller stores in the cell
// shared when it has changed it.
func (m *Machine) rootPlace(f *frame, p *compile.Path) (at *value.Value, shared *value.Cell) {
	var c *value.Cell
	switch p.Root {
	case resolve.Register:
		return &f.regs[uint8(p.Index)], nil
	case resolve.Boxed:
		c = f.cells[p.Index]
	default:
		c = f.globals[p.Index]
	}
	if at := c.Place(); at != nil {
		return at, nil
	}
	v := c.Load()
	return &v, c
}

// descend walks down a path for writing: arrays are made where there are none,
// and copied where they have other owners.
func (m *Machine) descend(f *frame, p *compile.Path, at *value.Value) (place, error) {
	if p.ReadOnly != "" {
		return place{}, value.Errorf("$%s is read-only", p.ReadOnly)
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		last := i == len(p.Steps)-1
		if o := at.Object(); o != nil && s.Kind != compile.StepAppend && s.Kind != compile.StepSlice {
			where, err := m.objectStep(f, o, s, last)
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
		if s.Kind == compile.StepAppend {
			at = a.PushSlot()
			continue
		}
		key, err := m.key(f, s)
		if err != nil {
			return place{}, err
		}
		at = a.Slot(key)
	}
	return place{at: at}, nil
}

// key returns the subscript of a step.
func (m *Machine) key(f *frame, s *compile.Step) (value.Value, error) {
	if s.Kind != compile.StepIndex {
		return f.code.Consts[s.Const], nil
	}
	return f.regs[s.Register], m.defined(f, uint32(s.Register))
}

// objectStep steps to a property of an object. Below the last step the
// property is one that can be written where it stands, or is read: an object in
// it is what counts then.
func (m *Machine) objectStep(f *frame, o *value.Object, s *compile.Step, last bool) (place, error) {
	key, err := m.key(f, s)
	if err != nil {
		return place{}, err
	}
	name, err := m.name(key)
	if err != nil {
		return place{}, err
	}
	if !last {
		// What is written below an object in the property is not the property.
		if v, ok := o.Property(name); ok && v.IsObject() {
			v, err := m.property(f.code, o, name)
			return place{at: &v}, err
		}
	}
	if err := mayWrite(f.code, o, name); err != nil {
		return place{}, err
	}
	if err := m.Alloc(propertyBytes); err != nil {
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

// get reads the place; none stands for what is not set.
func (pl *place) get() value.Value {
	if pl.at != nil {
		if pl.at.IsUndefined() {
			return value.None
		}
		return *pl.at
	}
	if pl.object != nil {
		v, _ := pl.object.Property(pl.name)
		return v
	}
	return value.None
}

// set stores v, which the place owns then.
func (m *Machine) set(f *frame, pl *place, v value.Value) error {
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
	return a.ReplaceSlice(&m.Thread, f.regs[pl.step.Register], f.regs[pl.step.Register+1], list)
}

// storePath is: path = R[a].
func (m *Machine) storePath(f *frame, w uint32, p *compile.Path) error {
	v, err := m.given(f, uint8(w>>8))
	if err != nil {
		return err
	}
	root, shared := m.rootPlace(f, p)
	pl, err := m.descend(f, p, root)
	if err != nil {
		return err
	}
	if err := m.set(f, &pl, v); err != nil {
		return err
	}
	if shared != nil {
		shared.Store(*root)
	}
	return nil
}

// opPath is: R[c] = path = path, operator b, R[a].
func (m *Machine) opPath(f *frame, w uint32, p *compile.Path) error {
	y := f.regs[uint8(w>>8)]
	if y.IsUndefined() {
		return m.undefined(f, w>>8)
	}
	op := value.Operator(uint8(w >> 16))
	y.Retain() // where it comes from may be what is written
	root, shared := m.rootPlace(f, p)
	pl, err := m.descend(f, p, root)
	if err != nil {
		return err
	}
	if op == value.Add && pl.at != nil && value.BothNumbers(*pl.at, y) { // nearly always
		pl.at.SetFloat(pl.at.Float() + y.Float())
		f.regs[w>>24].SetNumber(pl.at)
	} else {
		v, err := value.Operate(&m.Thread, op, pl.get(), y)
		if err != nil {
			return err
		}
		v.Retain() // here and in R[c], and perhaps it is a side itself
		v.Retain()
		f.regs[w>>24] = v
		if err := m.set(f, &pl, v); err != nil {
			return err
		}
	}
	if shared != nil {
		shared.Store(*root)
	}
	return nil
}

// incPath is ++ and --.
func (m *Machine) incPath(f *frame, w uint32, p *compile.Path) error {
	root, shared := m.rootPlace(f, p)
	pl, err := m.descend(f, p, root)
	if err != nil {
		return err
	}
	flags := w >> 16
	n := pl.get().ToNumber()
	changed := n + 1
	if flags&compile.Down != 0 {
		changed = n - 1
	}
	if flags&compile.Old == 0 {
		n = changed
	}
	f.regs[uint8(w>>8)].SetFloat(n)
	if err := m.set(f, &pl, value.Number(changed)); err != nil {
		return err
	}
	if shared != nil {
		shared.Store(*root)
	}
	return nil
}

// loadRoot returns the value of the variable of a barrier.
func (m *Machine) loadRoot(f *frame, b compile.Barrier) value.Value {
	switch b.Storage {
	case resolve.Register:
		return f.regs[uint8(b.Index)]
	case resolve.Boxed:
		return f.cells[b.Index].Load()
	}
	return f.globals[b.Index].Load()
}

// storeRoot sets the variable of a barrier.
func (m *Machine) storeRoot(f *frame, b compile.Barrier, v value.Value) {
	switch b.Storage {
	case resolve.Register:
		f.regs[uint8(b.Index)] = v
	case resolve.Boxed:
		f.cells[b.Index].Store(v)
	default:
		f.globals[b.Index].Store(v)
	}
}

// rootValue returns the value of the variable at the root of a path.
func (m *Machine) rootValue(f *frame, p *compile.Path) value.Value {
	switch p.Root {
	case resolve.Register:
		return f.regs[uint8(p.Index)]
	case resolve.Boxed:
		return f.cells[p.Index].Load()
	}
	return f.globals[p.Index].Load()
}

// look walks down a path for reading, all steps but the last n. ok is false
// when something on the way is missing.
func (m *Machine) look(f *frame, p *compile.Path, n int) (v value.Value, ok bool, err error) {
	v = m.rootValue(f, p)
	if v.IsUndefined() {
		return value.None, false, nil
	}
	for i := range len(p.Steps) - n {
		if v, ok, err = m.lookStep(f, v, &p.Steps[i]); err != nil || !ok {
			return value.None, false, err
		}
	}
	return v, true, nil
}

func (m *Machine) lookStep(f *frame, v value.Value, s *compile.Step) (value.Value, bool, error) {
	switch s.Kind {
	case compile.StepAppend:
		return value.None, false, nil
	case compile.StepSlice:
		v, err := value.Slice(&m.Thread, v, f.regs[s.Register], f.regs[s.Register+1], value.None)
		return v, err == nil && !v.IsNone(), err
	}
	key, err := m.key(f, s)
	if err != nil {
		return value.None, false, err
	}
	o := v.Object()
	if o == nil {
		return value.Index(v, key), value.HasIndex(v, key), nil
	}
	name, err := m.name(key)
	if err != nil {
		return value.None, false, err
	}
	_, exists := o.Property(name)
	p, err := m.property(f.code, o, name)
	return p, err == nil && (exists || !p.IsNone()), err
}

// loadPath is R[a] = path, none for what is missing.
func (m *Machine) loadPath(f *frame, w uint32, p *compile.Path) error {
	v, _, err := m.look(f, p, 0)
	v.Retain()
	f.regs[uint8(w>>8)] = v
	return err
}

// issetPath is R[a] = whether a path leads somewhere. It fails only when the
// script has to end.
func (m *Machine) issetPath(f *frame, w uint32, p *compile.Path) error {
	_, ok, err := m.look(f, p, 0)
	f.regs[uint8(w>>8)].SetBool(ok && err == nil)
	if err != nil && value.Uncatchable(err) {
		return err
	}
	return nil
}

// unsetPath removes what a path leads to; R[a] = whether it was there.
func (m *Machine) unsetPath(f *frame, w uint32, p *compile.Path) error {
	had, err := m.unset(f, p)
	f.regs[uint8(w>>8)].SetBool(had)
	return err
}

// unset removes what a path leads to, and reports whether it was there.
func (m *Machine) unset(f *frame, p *compile.Path) (bool, error) {
	if p.ReadOnly != "" {
		return false, value.Errorf("$%s is read-only", p.ReadOnly)
	}
	root, shared := m.rootPlace(f, p)
	if len(p.Steps) == 0 {
		had := !root.IsUndefined()
		root.Release()
		root.SetUndefined()
		if shared != nil {
			shared.Store(*root)
		}
		return had, nil
	}
	// Nothing must come into being on the way.
	v, ok, err := m.look(f, p, 1)
	if err != nil || !ok {
		return false, err
	}
	s := &p.Steps[len(p.Steps)-1]
	if s.Kind != compile.StepSlice {
		if _, ok, err = m.lookStep(f, v, s); err != nil || !ok {
			return false, err
		}
	}
	if o := v.Object(); o != nil {
		return m.unsetProperty(f, o, s)
	}
	if !v.IsArray() {
		return false, nil
	}
	had, err := m.unsetElement(f, p, root, s)
	if shared != nil {
		shared.Store(*root)
	}
	return had, err
}

func (m *Machine) unsetProperty(f *frame, o *value.Object, s *compile.Step) (bool, error) {
	key, err := m.key(f, s)
	if err != nil {
		return false, err
	}
	name, err := m.name(key)
	if err != nil {
		return false, err
	}
	if err := mayWrite(f.code, o, name); err != nil {
		return false, err
	}
	return o.DeleteProperty(name), nil
}

// unsetElement removes an element or slice of the array that the path leads to
// without its last step.
func (m *Machine) unsetElement(f *frame, p *compile.Path, root *value.Value, s *compile.Step) (bool, error) {
	shorter := *p
	shorter.Steps = p.Steps[:len(p.Steps)-1]
	pl, err := m.descend(f, &shorter, root)
	if err != nil || pl.at == nil {
		return false, err
	}
	a, err := m.writable(pl.at)
	if err != nil {
		return false, err
	}
	if s.Kind == compile.StepSlice {
		before := a.Len()
		err := a.ReplaceSlice(&m.Thread, f.regs[s.Register], f.regs[s.Register+1], value.NewArray(0))
		return a.Len() < before, err
	}
	key, err := m.key(f, s)
	if err != nil {
		return false, err
	}
	return a.Delete(key), nil
}
