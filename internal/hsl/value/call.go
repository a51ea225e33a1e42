package value

import (
	"fmt"
	"strings"
)

// Call is one call of a builtin. It embeds the thread: builtins call script
// functions by c.Call, ask c.Alloc before they grow something, and block only
// on c.Context. A Call must not be kept after the builtin returns.
type Call struct {
	*Thread
	Builtin *Builtin
	This    *Object // the object of a method; nil otherwise
	Args    []Value // one per parameter, and more for a variadic one
	Given   int     // how many arguments the script gave

	absent uint64 // bits of the arguments that were given as none and defaulted
}

// Bind checks args against the parameters and makes them c.Args: counted,
// converted where the language is lenient, and defaulted. It may write to args,
// whose capacity it uses. done says that the builtin need not be called,
// because none was given where the function answers none to that.
func (c *Call) Bind(args []Value) (done bool, err error) {
	params := c.Builtin.Params
	c.Given, c.absent = len(args), 0
	for i := range args {
		p := params[len(params)-1:]
		if i < len(params) {
			p = params[i:]
		} else if len(p) == 0 || !p[0].Variadic {
			return false, c.countError()
		}
		if p[0].Type.Includes(args[i].Kind()) && p[0].Class == "" && p[0].Options == nil {
			continue // nearly always
		}
		if done, err := c.convert(&p[0], i, &args[i]); done || err != nil {
			return done, err
		}
	}
	for i := len(args); i < len(params); i++ {
		if params[i].Variadic {
			break
		}
		if !params[i].Optional {
			return false, c.countError()
		}
		args = append(args, params[i].Default)
	}
	c.Args = args
	return false, nil
}

// Release gives back the arrays among the arguments that the script gave. Were
// they not given back, a script that asks for the length of a list between two
// appends would copy the list with each.
func (c *Call) Release() {
	for i := range c.Args[:c.Given] {
		if a := c.Args[i].Array(); a != nil && c.absent>>i&1 == 0 {
			a.Release()
		}
	}
}

func (c *Call) countError() error {
	return CountError(c.Builtin.Name, c.Builtin.Params, c.Given)
}

// CountError says that a function got a wrong number of arguments.
func CountError(name string, params []Param, given int) error {
	least, most := (&Builtin{Params: params}).Arity()
	return ArityError(name, least, most, given)
}

// ArityError says that a function that takes least to most arguments (most is
// -1 without limit) was given another number.
func ArityError(name string, least, most, given int) error {
	if name == "" {
		name = "function"
	}
	if given < least {
		return Errorf("%s: %d too few: want %s, got %d", name, least-given, countText(least, most), given)
	}
	return Errorf("%s: too many arguments: want %s, got %d", name, countText(least, most), given)
}

func countText(least, most int) string {
	switch {
	case most < 0:
		return fmt.Sprintf("at least %d", least)
	case least == most:
		return fmt.Sprint(least)
	}
	return fmt.Sprintf("%d to %d", least, most)
}

// convert makes an argument what its parameter wants, or says why not.
func (c *Call) convert(p *Param, i int, v *Value) (done bool, err error) {
	if v.IsNone() && !p.Type.Includes(KindNone) {
		switch {
		case p.Optional || p.Variadic:
			*v = p.Default
			c.absent |= 1 << i
			return false, nil
		case c.Builtin.Returns.Includes(KindNone) && c.Builtin.Returns != NoneType:
			return true, nil
		case p.Type.Includes(KindString):
			*v = String("")
			return false, nil
		}
	}
	if !lenient(p.Type, p.Class, v) {
		return false, Errorf("%s: argument %d (%s): want %s, got %s", c.Builtin.Name, i+1, p.Name, p.Wants(), describe(*v))
	}
	if p.Options != nil && v.IsArray() {
		return false, c.checkOptions(p, v.Array())
	}
	return false, nil
}

// lenient converts *v to the type where the language allows it, and reports
// whether it belongs to the type then.
func lenient(t Type, class string, v *Value) bool {
	k := v.Kind()
	switch {
	case t.Includes(k):
		return class == "" || k != KindObject && k != KindResource || named(class, describe(*v))
	case t.Includes(KindString) && (k == KindNumber || k == KindBoolean):
		*v = String(v.Text())
		return true
	case t.Includes(KindNumber) && k == KindBoolean:
		*v = Number(v.ToNumber())
		return true
	case t.Includes(KindNumber) && k == KindString:
		f, ok := ParseNumber(v.Str())
		if ok {
			*v = Number(f)
		}
		return ok
	case t.Includes(KindBoolean) && k != KindObject && k != KindResource && k != KindFunction:
		*v = Boolean(v.Truth())
		return true
	}
	return false
}

// named reports whether name stands in a list separated by commas.
func named(list, name string) bool {
	for {
		one, rest, more := strings.Cut(list, ",")
		if one == name {
			return true
		}
		if !more {
			return false
		}
		list = rest
	}
}

// describe names the type of a value for messages: the class of an object, the
// kind of a resource, the kind of all else.
func describe(v Value) string {
	switch v.Kind() {
	case KindObject:
		return v.Object().Class.Name
	case KindResource:
		return v.Resource().ResourceKind()
	}
	return v.Kind().String()
}

func (c *Call) checkOptions(p *Param, given *Array) error {
	for i := range p.Options {
		o := &p.Options[i]
		v, ok := given.GetString(o.Name)
		if ok && !v.IsNone() && !lenient(o.Type, "", &v) {
			return Errorf("%s: option %s: want %s, got %s", c.Builtin.Name, o.Name, o.Type, describe(v))
		}
	}
	return nil
}

// Str returns argument i as a string; "" if it is none.
func (c *Call) Str(i int) string { return c.Args[i].Str() }

// Num returns argument i as a number; 0 if it is none.
func (c *Call) Num(i int) float64 { return c.Args[i].ToNumber() }

// Int returns argument i as a number truncated to an int, held within ±2^52.
func (c *Call) Int(i int) int { return clampInt(c.Args[i].ToNumber()) }

// Bool returns argument i as a boolean.
func (c *Call) Bool(i int) bool { return c.Args[i].Bool() }

// Array returns argument i as an array, which must not be written; nil if it is
// none.
func (c *Call) Array(i int) *Array { return c.Args[i].Array() }

// Has reports whether argument i was given and is not none.
func (c *Call) Has(i int) bool {
	return i < c.Given && c.absent>>i&1 == 0 && c.Args[i].IsSet()
}

// Native returns the Native of the object that argument i is; nil otherwise.
func (c *Call) Native(i int) any {
	if o := c.Args[i].Object(); o != nil {
		return o.Native
	}
	return nil
}

// Options returns the options array that argument i is, or stands for when it
// was not given.
func (c *Call) Options(i int) Options {
	return Options{declared: c.Builtin.Params[i].Options, given: c.Args[i].Array()}
}

// Options reads an options array by its declaration.
type Options struct {
	declared []Option
	given    *Array
}

// Get returns the option, or its default when it is absent or none. It panics
// when no such option was declared.
func (o Options) Get(name string) Value {
	for i := range o.declared {
		d := &o.declared[i]
		if d.Name != name {
			continue
		}
		v, _ := o.given.GetString(name)
		if v.IsNone() || !lenient(d.Type, "", &v) {
			return d.Default
		}
		return v
	}
	panic("value: option " + name + " is not declared")
}

// Has reports whether the option was given and is not none.
func (o Options) Has(name string) bool {
	v, _ := o.given.GetString(name)
	return v.IsSet()
}

// Str returns a string option.
func (o Options) Str(name string) string { return o.Get(name).Str() }

// Num returns a number option.
func (o Options) Num(name string) float64 { return o.Get(name).ToNumber() }

// Int returns a number option, truncated and held within ±2^52.
func (o Options) Int(name string) int { return clampInt(o.Get(name).ToNumber()) }

// Bool returns a boolean option.
func (o Options) Bool(name string) bool { return o.Get(name).Bool() }

// Array returns an array option; nil when absent.
func (o Options) Array(name string) *Array { return o.Get(name).Array() }

// CheckOptions returns an options array that is no argument of a builtin, after
// checking it against its declaration. name stands in messages.
func CheckOptions(name string, declared []Option, given *Array) (Options, error) {
	c := Call{Builtin: &Builtin{Name: name}}
	p := Param{Options: declared}
	if given != nil {
		if err := c.checkOptions(&p, given); err != nil {
			return Options{}, err
		}
	}
	return Options{declared: declared, given: given}, nil
}
