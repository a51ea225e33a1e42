package vm

import (
	"errors"

	"github.com/posthaste-mta/posthaste/internal/hsl/compile"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// callSteps is how many steps a call counts.
const callSteps = 8

// enter pushes the frame of a script function at base, whose $this or function
// is there already. The arguments may be in place behind it or anywhere else;
// the callee owns them. The loop does the same for simple functions by itself.
func (m *Machine) enter(code *compile.Code, fn *value.Function, base int, args []value.Value) error {
	if len(args) < code.Least || len(args) > code.Params && !code.Rest {
		return value.ArityError(code.Name, code.Least, code.Most(), len(args))
	}
	if len(m.frames) >= m.Limits.Depth {
		return value.Errorf("calls nest deeper than %d", m.Limits.Depth)
	}
	if m.Fuel -= callSteps; m.Fuel < 0 {
		if err := m.poll(); err != nil {
			return err
		}
	}
	f := m.pushFrame(code, base)
	f.globals = m.instance(code.Module).cells
	if err := m.bind(f, args); err != nil {
		m.pop()
		return err
	}
	if fn != nil && fn.This != nil {
		f.regs[0] = value.FromObject(fn.This)
	}
	if code.Boxes > 0 {
		m.box(f, fn)
	}
	return nil
}

// poll looks at limits, and lets other threads go first after a long turn.
func (m *Machine) poll() error {
	if err := m.Poll(); err != nil {
		return err
	}
	return m.Yield()
}

// bind puts arguments, defaults and rest where the parameters are, and makes
// the other variables undefined.
func (m *Machine) bind(f *frame, args []value.Value) error {
	code, regs := f.code, f.regs
	given := copy(regs[1:code.Params+1], args)
	for i := given; i < code.Params; i++ {
		regs[i+1] = code.Defaults[i-code.Least]
	}
	next := code.Params + 1
	if code.Rest {
		rest, err := m.rest(args[given:])
		if err != nil {
			return err
		}
		regs[next] = value.FromArray(rest)
		next++
	}
	for i := next; i < code.Registers; i++ {
		regs[i].SetUndefined()
	}
	return nil
}

// rest collects what is left of the arguments.
func (m *Machine) rest(args []value.Value) (*value.Array, error) {
	list := value.NewArray(len(args))
	if err := m.Alloc(list.Size()); err != nil {
		return nil, err
	}
	for _, v := range args {
		list.Push(v)
	}
	return list, nil
}

// box gives a frame its cells.
func (m *Machine) box(f *frame, fn *value.Function) {
	code := f.code
	if fn != nil && len(fn.Cells) == code.Boxes {
		f.cells = fn.Cells // captured ones only, which never change
		return
	}
	f.cells = make([]*value.Cell, code.Boxes)
	n := 0
	if fn != nil {
		n = copy(f.cells, fn.Cells)
	}
	own := make([]value.Cell, code.Boxes-n)
	for i := range own {
		own[i].Store(value.Undefined)
		f.cells[n+i] = &own[i]
	}
	for _, p := range code.Boxed {
		f.cells[p.Cell].Store(f.regs[p.Register])
		if p.Register > 0 {
			f.regs[p.Register].SetUndefined()
		}
	}
}

// Call implements value.Caller.
func (m *Machine) Call(fn value.Value, args ...value.Value) (value.Value, error) {
	f := fn.Function()
	if f == nil {
		return value.None, value.Errorf("call of a %s", fn.Kind())
	}
	if err := m.Resume(); err != nil {
		return value.None, err
	}
	base := m.reserve(len(args))
	defer func(top int) { m.top = top }(m.top)
	m.top = base + windowSize + len(args)
	m.grow(m.top)
	place := m.stack[base+1 : base+1+len(args)]
	for i, v := range args {
		v.Retain() // the builtin keeps its own
		place[i] = v
	}
	return m.callFunction(f, base, place)
}

// callFunction calls a function with arguments in place at base, and waits for
// its result.
func (m *Machine) callFunction(f *value.Function, base int, args []value.Value) (value.Value, error) {
	switch {
	case f.Builtin != nil:
		return m.callGo(f.Builtin, f.This, args)
	case f.Class != nil && !f.Class.Script:
		if f.Class.Constructor == nil {
			return value.None, value.Errorf("class %s cannot be constructed", f.Class.Name)
		}
		return m.callGo(f.Class.Constructor, nil, args)
	}
	n := len(m.frames)
	v, entered, err := m.invoke(f, base, args, 0)
	if err != nil || !entered {
		return v, err
	}
	return m.run(n)
}

// invoke begins a call of a script function or class: it pushes a frame, or has
// the result at once.
func (m *Machine) invoke(f *value.Function, base int, args []value.Value, dst uint8) (v value.Value, entered bool, err error) {
	if f.Class != nil {
		return m.construct(f.Class, base, args, dst)
	}
	code := f.Code.(*compile.Code)
	if err := m.enter(code, f, base, args); err != nil {
		return value.None, false, err
	}
	if code.Yields {
		return m.suspend(), false, nil
	}
	m.frame.dst = dst
	return value.None, true, nil
}

// construct makes an object of a script's class and begins the call of its
// constructor.
func (m *Machine) construct(class *value.Class, base int, args []value.Value, dst uint8) (v value.Value, entered bool, err error) {
	object := value.FromObject(class.NewInstance())
	if err := m.Alloc(128); err != nil {
		return value.None, false, err
	}
	if class.Init == nil {
		if len(args) > 0 {
			return value.None, false, value.ArityError(class.Name, 0, 0, len(args))
		}
		return object, false, nil
	}
	m.stack[base] = object
	if err := m.enter(class.Init.Code.(*compile.Code), nil, base, args); err != nil {
		return value.None, false, err
	}
	m.frame.dst, m.frame.makes, m.frame.special = dst, true, true
	return value.None, true, nil
}

// callGo calls a builtin, which owns args until it returns: whoever kept one of
// them has counted that. It may use the places behind args for defaults.
func (m *Machine) callGo(b *value.Builtin, this *value.Object, args []value.Value) (value.Value, error) {
	if m.depth == len(m.calls) {
		m.calls = append(m.calls, &value.Call{Thread: &m.Thread})
	}
	c := m.calls[m.depth]
	c.Builtin, c.This = b, this
	done, err := c.Bind(args)
	if err != nil || done {
		return value.None, err
	}
	m.depth++
	held := m.Held()
	v, err := m.callNative(b, this, c)
	if again := m.Resume(); again != nil {
		err = again
	}
	if m.Held() > held {
		m.Unhold(held)
	}
	m.depth--
	if err != nil {
		return value.None, err
	}
	v.Retain() // it may be one of the arguments, or part of one
	c.Release()
	return v, m.Step(4)
}

// callNative runs the Go function. A method of an object that several threads
// can see is run by one at a time.
func (m *Machine) callNative(b *value.Builtin, this *value.Object, c *value.Call) (value.Value, error) {
	if this == nil {
		return b.Func(c)
	}
	if m.Method != nil {
		if v, answered, err := m.Method(c); answered || err != nil {
			return v, err
		}
	}
	if !this.Published() {
		return b.Func(c)
	}
	p := m.Shared()
	if err := p.Lock(&m.Thread, this); err != nil {
		return value.None, err
	}
	defer p.Unlock(&m.Thread, this)
	return b.Func(c)
}

// method finds what $object->name calls: a property that holds a function, or a
// method, for which bound is the receiver.
func (m *Machine) method(code *compile.Code, v value.Value, name string) (f *value.Function, bound *value.Object, err error) {
	o := v.Object()
	if o == nil {
		return nil, nil, value.Errorf("call of method %s on %s", name, article(v))
	}
	member := o.Class.Member(name)
	if member != nil && member.Function != nil && !member.Static && !o.HasExtra() {
		return member.Function, o, private(code, o, member)
	}
	p, err := m.property(code, o, name)
	if err != nil {
		return nil, nil, err
	}
	if f = p.Function(); f == nil {
		return nil, nil, value.Errorf("class %s has no method %s", o.Class.Name, name)
	}
	return f, f.This, nil
}

// private reports whether code may touch a member.
func private(code *compile.Code, o *value.Object, member *value.Member) error {
	if member.Private && code.Class != o.Class {
		return value.Errorf("%s::%s is private", o.Class.Name, member.Name)
	}
	return nil
}

// article names the kind of a value for messages.
func article(v value.Value) string {
	switch v.Kind() {
	case value.KindNone, value.KindUndefined:
		return "none"
	case value.KindArray, value.KindObject:
		return "an " + v.Kind().String()
	}
	return "a " + v.Kind().String()
}

func asExit(err error, exit **value.Exit) bool { return errors.As(err, exit) }
