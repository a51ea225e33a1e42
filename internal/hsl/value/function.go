package value

import "sync"

// Code is a compiled function of a script. The machine knows what is inside.
type Code interface {
	// FunctionName is the name for stack traces.
	FunctionName() string
}

// Function is a function value: of a script, of Go, or a class that constructs.
// It is immutable and may be shared, apart from what its cells hold.
type Function struct {
	Code    Code     // function of a script, or nil
	Builtin *Builtin // function of Go, or nil
	Class   *Class   // calling it constructs an object, or nil
	This    *Object  // receiver of a bound method, or nil
	Cells   []*Cell  // captured variables of a closure
}

// Name returns the name of the function, "" for anonymous ones.
func (f *Function) Name() string {
	switch {
	case f.Class != nil:
		return f.Class.Name
	case f.Builtin != nil:
		return f.Builtin.Name
	}
	return f.Code.FunctionName()
}

// same reports identity: two references to a named function are the same, two
// evaluations of a function expression that captures are not.
func (f *Function) same(g *Function) bool {
	return f == g || f.Code == g.Code && f.Builtin == g.Builtin && f.Class == g.Class && f.This == g.This &&
		len(f.Cells) == 0 && len(g.Cells) == 0
}

// Cell is a variable with more than one name: captured by a closure, or a
// global that functions and importers see.
type Cell struct {
	v  Value
	mu *sync.Mutex // stands above v once the cell is published
}

// Load returns the value, Undefined when the variable is not set. The caller
// owns no reference to it.
func (c *Cell) Load() Value {
	if c.mu == nil {
		return c.v
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.v
}

// Store makes v the value. The caller gives its reference away.
func (c *Cell) Store(v Value) {
	if c.mu == nil {
		c.v = v
		return
	}
	if Publish(v) != nil {
		v = None // what cannot be shared is not
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.v = v
}

// Place returns where the value stands, for changing it there, or nil if the
// cell is published and must be changed by Load and Store.
func (c *Cell) Place() *Value {
	if c.mu == nil {
		return &c.v
	}
	return nil
}
