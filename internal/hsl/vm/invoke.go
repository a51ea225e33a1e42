package vm

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/compile"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// The operations that call. Each leaves a new frame on top, or the result in
// R[c] of the frame f that was.

// call is the call of a function value.
func (m *Machine) call(f *frame, w uint32) error {
	if err := m.defined(f, w>>8); err != nil {
		return err
	}
	v := f.regs[uint8(w>>8)]
	fn := v.Function()
	if fn == nil {
		return value.Errorf("call of %s, which is no function", article(v))
	}
	return m.apply(fn, f, w)
}

// args returns the arguments of a call, with room behind them for what a
// builtin defaults.
func (f *frame) args(w uint32) []value.Value {
	a := int(uint8(w >> 8))
	return f.regs[a+1 : a+1+int(uint8(w>>16))]
}

// apply calls fn with the arguments of the instruction.
func (m *Machine) apply(fn *value.Function, f *frame, w uint32) error {
	args := f.args(w)
	at := f.base + int(uint8(w>>8))
	if fn.Code == nil && (fn.Class == nil || !fn.Class.Script) {
		v, err := m.callFunction(fn, at, args)
		return m.deliver(w, v, err)
	}
	v, pushed, err := m.invoke(fn, at, args, uint8(w>>24))
	if err != nil || pushed {
		return err
	}
	return m.deliver(w, v, nil)
}

// deliver puts a result into R[c] of the topmost frame.
func (m *Machine) deliver(w uint32, v value.Value, err error) error {
	if err == nil {
		m.frame.regs[w>>24] = v
	}
	return err
}

// callScript is the call of a named function.
func (m *Machine) callScript(f *frame, w uint32, code *compile.Code) error {
	return m.apply(code.Value.Function(), f, w)
}

// callBuiltin is the call of a named builtin.
func (m *Machine) callBuiltin(f *frame, w uint32, b *value.Builtin) error {
	v, err := m.callGo(b, nil, f.args(w))
	return m.deliver(w, v, err)
}

// callMethod is R[a]->name(…). The site remembers the class that it met last.
func (m *Machine) callMethod(f *frame, w uint32, site *compile.Site) error {
	r := &f.regs[uint8(w>>8)]
	if o := r.Object(); o != nil && !o.HasExtra() {
		if fn := site.Lookup(o.Class, f.code.Class); fn != nil {
			if fn.Builtin != nil {
				v, err := m.callGo(fn.Builtin, o, f.args(w))
				return m.deliver(w, v, err)
			}
			return m.apply(fn, f, w)
		}
	}
	fn, this, err := m.method(f.code, *r, site.Name)
	switch {
	case err != nil:
		return err
	case this == nil:
		return m.apply(fn, f, w)
	case fn.Builtin != nil:
		v, err := m.callGo(fn.Builtin, this, f.args(w))
		return m.deliver(w, v, err)
	}
	*r = value.FromObject(this) // where it is already, but for bound methods
	return m.apply(fn, f, w)
}

// callNew is Class(…).
func (m *Machine) callNew(f *frame, w uint32, class *value.Class) error {
	v, pushed, err := m.construct(class, f.base+int(uint8(w>>8)), f.args(w), uint8(w>>24))
	if err != nil || pushed {
		return err
	}
	return m.deliver(w, v, nil)
}

// callSpread is a call whose arguments are the array R[a+1].
func (m *Machine) callSpread(f *frame, w uint32) error {
	a := uint8(w >> 8)
	v := f.regs[a]
	var fn *value.Function
	var this *value.Object
	if uint8(w>>16) == compile.SpreadMethod {
		var err error
		if fn, this, err = m.method(f.code, v, f.regs[a+2].Str()); err != nil {
			return err
		}
	} else if fn = v.Function(); fn == nil {
		return value.Errorf("call of %s, which is no function", article(v))
	}
	if this != nil && fn.This == nil {
		bound := *fn
		bound.This = this
		fn = &bound
	}
	result, err := m.Call(value.FromFunction(fn), listOf(f.regs[a+1].Array())...)
	return m.deliver(w, result, err)
}

// listOf returns the values of an array.
func listOf(a *value.Array) []value.Value {
	list := make([]value.Value, 0, a.Len()+8)
	for v := range a.Values() {
		list = append(list, v)
	}
	return list
}

// callCached is a call through the cache of the process.
func (m *Machine) callCached(f *frame, w uint32, fn *value.Function) error {
	a := uint8(w >> 8)
	v, err := m.cached(fn, f.regs[a].Array(), listOf(f.regs[a+1].Array()))
	return m.deliver(w, v, err)
}

// cached makes a CacheCall of the options of the cache prefix.
func (m *Machine) cached(fn *value.Function, given *value.Array, args []value.Value) (value.Value, error) {
	o, err := cacheOptions(given)
	if err != nil {
		return value.None, err
	}
	call := &value.CacheCall{
		Namespace: o.Str("namespace"), Function: functionID(fn), Args: args,
		TTL: o.Num("ttl"), Force: o.Bool("force"), Size: o.Int("size"), LRU: o.Bool("lru"),
		Call: func() (value.Value, error) { return m.Call(value.FromFunction(fn), args...) },
	}
	if o.Bool("per_message") {
		call.Namespace += "\x00" + m.Transaction
	}
	if filter := o.Array("argv_filter"); filter != nil {
		if call.Args, err = filtered(args, filter); err != nil {
			return value.None, err
		}
	}
	call.Lifetime = m.lifetime(o, call.TTL)
	if o.Has("update_function") {
		call.Update = func(old, v value.Value) (value.Value, error) {
			return m.Call(o.Get("update_function"), old, v)
		}
	}
	v, err := m.Shared().Cache.Do(&m.Thread, call)
	v.Retain()
	return v, err
}

// lifetime returns how the options want to find out the time to live of a
// value, or nil if it is the same for all.
func (m *Machine) lifetime(o value.Options, ttl float64) func(value.Value) (value.Value, error) {
	override := o.Array("ttl_override")
	if override == nil && !o.Has("ttl_function") {
		return nil
	}
	return func(v value.Value) (value.Value, error) {
		if ttl, ok := override.Get(v); ok {
			return ttl, nil
		}
		if o.Has("ttl_function") {
			return m.Call(o.Get("ttl_function"), v)
		}
		return value.Number(ttl), nil
	}
}

// CacheOptions declares the options of the cache prefix.
var CacheOptions = []value.Option{
	{Name: "ttl", Type: value.NumberType, Default: value.Number(60), Doc: "Seconds to keep a new value; 0 stores nothing."},
	{Name: "ttl_override", Type: value.ArrayType, Doc: "Seconds to keep particular values, by value."},
	{Name: "ttl_function", Type: value.FunctionType, Doc: "Is given a new value and returns the seconds to keep it; none is for ever."},
	{Name: "update_function", Type: value.FunctionType, Doc: "Is given the old value or none, and the new one; what it returns is stored."},
	{Name: "argv_filter", Type: value.ArrayType, Doc: "Positions, from 1, of the arguments that tell entries apart."},
	{Name: "force", Type: value.BooleanType, Default: value.False, Doc: "Call even if a value is stored."},
	{Name: "size", Type: value.NumberType, Default: value.Number(32), Doc: "Greatest number of entries for the function."},
	{Name: "namespace", Type: value.StringType, Default: value.String(""), Doc: "Keeps caches of the same function apart."},
	{Name: "per_message", Type: value.BooleanType, Default: value.False, Doc: "Keep values for this message only."},
	{Name: "lru", Type: value.BooleanType, Default: value.True, Doc: "Drop the least recently used entry when full; otherwise store nothing."},
}

func cacheOptions(given *value.Array) (value.Options, error) {
	return value.CheckOptions("cache", CacheOptions, given)
}

// functionID names a function for the cache: module and name.
func functionID(fn *value.Function) string {
	if code, ok := fn.Code.(*compile.Code); ok {
		return code.Module.ID + "\x00" + code.Name
	}
	return "\x00" + fn.Name()
}

// filtered picks arguments by position, from 1.
func filtered(args []value.Value, filter *value.Array) ([]value.Value, error) {
	var picked []value.Value
	for v := range filter.Values() {
		i := int(v.ToNumber())
		if i < 1 || i > len(args) {
			return nil, value.Errorf("cache: argv_filter names argument %s of %d", v.Text(), len(args))
		}
		picked = append(picked, args[i-1])
	}
	return picked, nil
}
