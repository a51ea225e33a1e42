package value

import "sync"

// Object is an instance of a class. Objects are shared references; their
// identity is the pointer.
type Object struct {
	Class *Class
	// Native is the state of an object of a class written in Go.
	Native any
	slots  []Value     // declared properties, in order of the class; Undefined when removed
	extra  *Array      // properties that the class does not declare
	mu     *sync.Mutex // stands above slots and extra once the object is published
}

// Properties is implemented by a Native whose object has properties. Objects
// that do not implement it keep properties like those of script classes.
type Properties interface {
	GetProperty(name string) (Value, bool)
	SetProperty(name string, v Value) error
}

// Holder is implemented by a Native that keeps Values, so that they can be
// measured and shared. Once the object is published (Object.Published) it has
// to Publish what it is given to keep, and EachValue may be called by any thread
// at any time, while a method runs, too. It stops when f returns an error.
type Holder interface {
	EachValue(f func(Value) error) error
}

// Iterator is implemented by a Native that foreach can go through. Next returns
// ok false at the end.
type Iterator interface {
	Next(t *Thread) (key, v Value, ok bool, err error)
}

// New returns an object of the class around the native state.
func (c *Class) New(native any) *Object {
	return &Object{Class: c, Native: native}
}

// NewInstance returns an object with the declared properties at their initial
// values.
func (c *Class) NewInstance() *Object {
	o := &Object{Class: c}
	if len(c.initial) > 0 {
		o.slots = append(make([]Value, 0, len(c.initial)), c.initial...)
	}
	return o
}

// Property returns the value of a property. The caller owns no reference.
func (o *Object) Property(name string) (Value, bool) {
	if o.mu != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
	}
	if p, ok := o.Native.(Properties); ok {
		return p.GetProperty(name)
	}
	if i, ok := o.Class.slot(name); ok {
		return o.slots[i], !o.slots[i].IsUndefined()
	}
	if o.extra == nil {
		return None, false
	}
	return o.extra.Get(String(name))
}

// Slot returns the declared property i as it is; the machine uses it where it
// knows the class. The object must not be published.
func (o *Object) Slot(i int) *Value { return &o.slots[i] }

// HasExtra reports whether the object has properties that its class does not
// declare.
func (o *Object) HasExtra() bool {
	_, own := o.Native.(Properties)
	return own || o.extra.Len() > 0
}

// Published reports whether other threads may see the object.
func (o *Object) Published() bool { return o.mu != nil }

// SetProperty stores a property, which the object then owns.
func (o *Object) SetProperty(name string, v Value) error {
	if o.mu != nil {
		if err := Publish(v); err != nil {
			return err
		}
		o.mu.Lock()
		defer o.mu.Unlock()
	}
	if p, ok := o.Native.(Properties); ok {
		return p.SetProperty(name, v)
	}
	*o.place(name) = v
	return nil
}

// Place returns where a property stands, for changing it there, adding it if it
// is new. It returns nil for objects whose properties have to be read and set.
func (o *Object) Place(name string) *Value {
	if _, ok := o.Native.(Properties); ok || o.mu != nil {
		return nil
	}
	return o.place(name)
}

func (o *Object) place(name string) *Value {
	if i, ok := o.Class.slot(name); ok {
		if o.slots[i].IsUndefined() {
			o.slots[i] = None
		}
		return &o.slots[i]
	}
	if o.extra == nil {
		o.extra = NewArray(0)
	}
	return o.extra.Slot(String(name))
}

// DeleteProperty removes a property and reports whether it was there.
func (o *Object) DeleteProperty(name string) bool {
	if o.mu != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
	}
	if i, ok := o.Class.slot(name); ok && i < len(o.slots) {
		had := !o.slots[i].IsUndefined()
		o.slots[i] = Undefined
		return had
	}
	return o.extra != nil && o.extra.Delete(String(name))
}

// Class is a class of a script or of Go. It is immutable once it is in use and
// may then be shared by any number of threads.
type Class struct {
	Name string
	Doc  string
	// Constructor makes an object from the arguments of a call of the class's
	// name; none says that it could not. Without it scripts cannot construct.
	Constructor *Builtin
	Methods     []*Builtin // called with the object as Call.This
	Statics     []*Builtin // called as Class::name

	// Script marks a class of a script; Init is its constructor, if it has one,
	// called with the new object as $this.
	Script bool
	Init   *Function

	once    sync.Once
	members map[string]*Member
	statics map[string]*Function // of Statics, which may have the name of a method
	initial []Value              // of the declared properties
}

// Member is one thing that a class declares: a property or a method.
type Member struct {
	Name     string
	Function *Function // of a method; nil for a property
	Slot     int       // of a property
	Static   bool
	Private  bool // only functions of the class may touch it
	ReadOnly bool // only functions of the class may write it
}

// Member returns what the class declares under the name, or nil.
func (c *Class) Member(name string) *Member {
	c.once.Do(c.index)
	return c.members[name]
}

// Method returns the method of that name as a function, or nil.
func (c *Class) Method(name string) *Function {
	if m := c.Member(name); m != nil && !m.Static {
		return m.Function
	}
	return nil
}

// Static returns the static method of that name as a function, or nil.
func (c *Class) Static(name string) *Function {
	if m := c.Member(name); m != nil && m.Static {
		return m.Function
	}
	return c.statics[name]
}

func (c *Class) index() {
	if c.members == nil {
		c.members = make(map[string]*Member, len(c.Methods)+len(c.Statics))
	}
	c.statics = make(map[string]*Function, len(c.Statics))
	for _, b := range c.Statics {
		c.statics[b.Name] = &Function{Builtin: b}
		c.members[b.Name] = &Member{Name: b.Name, Function: c.statics[b.Name], Static: true}
	}
	for _, b := range c.Methods {
		c.members[b.Name] = &Member{Name: b.Name, Function: &Function{Builtin: b}}
	}
}

// Declare adds a member, and returns its slot if it is a property with that
// initial value. It is for who builds the class, before it is in use.
func (c *Class) Declare(m *Member, initial Value) int {
	if c.members == nil {
		c.members = make(map[string]*Member)
	}
	c.members[m.Name] = m
	if m.Function == nil && !m.Static {
		m.Slot = len(c.initial)
		c.initial = append(c.initial, initial)
	}
	return m.Slot
}

// slot returns the place of a declared property.
func (c *Class) slot(name string) (int, bool) {
	if len(c.initial) == 0 {
		return 0, false
	}
	m := c.members[name]
	if m == nil || m.Function != nil || m.Static {
		return 0, false
	}
	return m.Slot, true
}
