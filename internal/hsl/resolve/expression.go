package resolve

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func (r *resolver) expr(x syntax.Expr) {
	switch x := x.(type) {
	case *syntax.Literal:
	case *syntax.RegexExpr:
		r.regex(x)
	case *syntax.Variable:
		v := r.bind(x)
		if v.read == 0 {
			v.read = x.Pos
		}
	case *syntax.Name:
		r.nameExpr(x)
	case *syntax.Scoped:
		r.scoped(x, false)
	case *syntax.Interpolation:
		r.exprs(x.Parts)
	case *syntax.Concat:
		r.exprs(x.Parts)
	case *syntax.Logical:
		r.exprs(x.Parts)
	case *syntax.ArrayExpr:
		r.array(x)
	case *syntax.Unary:
		r.expr(x.X)
	case *syntax.Binary:
		r.expr(x.X)
		r.expr(x.Y)
	case *syntax.CoalesceExpr:
		r.quiet(x.X)
		r.expr(x.Y)
	case *syntax.Ternary:
		r.expr(x.Cond)
		r.optional(x.X)
		r.expr(x.Y)
	case *syntax.AssignExpr:
		r.target(x.Target)
		r.expr(x.Value)
	case *syntax.Destructure:
		r.target(x.Pattern)
		r.expr(x.Value)
	case *syntax.IncDec:
		r.target(x.X)
	default:
		r.postfix(x)
	}
}

// postfix resolves the expressions that apply something to another.
func (r *resolver) postfix(x syntax.Expr) {
	switch x := x.(type) {
	case *syntax.Index:
		r.expr(x.X)
		r.expr(x.I)
	case *syntax.Slice:
		r.expr(x.X)
		r.optional(x.First)
		r.optional(x.Last)
		r.optional(x.Step)
	case *syntax.Property:
		r.expr(x.X)
	case *syntax.Call:
		r.call(x)
	case *syntax.CacheCall:
		r.array(x.Options)
		r.call(x.Call)
	case *syntax.MatchExpr:
		r.expr(x.Subject)
		for _, arm := range x.Arms {
			r.exprs(arm.Values)
			r.expr(arm.Result)
		}
	case *syntax.IssetExpr:
		for _, e := range x.Xs {
			r.quiet(e)
		}
	case *syntax.UnsetExpr:
		r.quiet(x.X)
		r.writable(x.X)
		if v, ok := x.X.(*syntax.Variable); ok {
			v.Binding.(*Var).Unset = true
		}
	case *syntax.FunctionExpr:
		r.newFunction(x)
		r.resolveFunction(x)
	}
}

func (r *resolver) bind(x *syntax.Variable) *Var {
	v := r.variable(x.Name)
	x.Binding = v
	return v
}

func (r *resolver) array(x *syntax.ArrayExpr) {
	for _, e := range x.Elements {
		r.optional(e.Key)
		r.expr(e.Value)
	}
}

// regex compiles the pattern here for nothing but its mistakes.
func (r *resolver) regex(x *syntax.RegexExpr) {
	if _, err := r.Library.Pattern(x.Pattern, x.Modifiers); err != nil {
		r.errorf(x.Pos, "%s", err)
	}
}

// quiet resolves an expression whose variables need not be set.
func (r *resolver) quiet(x syntax.Expr) {
	switch x := x.(type) {
	case *syntax.Variable:
		r.bind(x)
	case *syntax.Index:
		r.quiet(x.X)
		r.expr(x.I)
	case *syntax.Slice:
		r.quiet(x.X)
		r.optional(x.First)
		r.optional(x.Last)
		r.optional(x.Step)
	case *syntax.Property:
		r.quiet(x.X)
	default:
		r.expr(x)
	}
}

// write binds a variable that is assigned.
func (r *resolver) write(x *syntax.Variable) {
	r.bind(x).assigned = true
	r.writable(x)
}

// target resolves what is assigned to.
func (r *resolver) target(x syntax.Expr) {
	switch x := x.(type) {
	case *syntax.Variable:
		r.write(x)
	case *syntax.Pattern:
		for _, e := range x.Elements {
			r.optional(e.Key)
			r.target(e.Target)
			r.optional(e.Default)
		}
	case *syntax.Scoped:
		r.scoped(x, true)
	default:
		r.container(x)
		r.writable(x)
	}
}

// container resolves a target that is part of something, which comes into
// being when it is not there.
func (r *resolver) container(x syntax.Expr) {
	switch x := x.(type) {
	case *syntax.Variable:
		r.bind(x).assigned = true
	case *syntax.Index:
		r.container(x.X)
		r.expr(x.I)
	case *syntax.Append:
		r.container(x.X)
	case *syntax.Slice:
		r.container(x.X)
		r.optional(x.First)
		r.optional(x.Last)
		if x.Step != nil {
			r.errorf(x.Step.Position(), "a slice with a step cannot be assigned to")
		}
	case *syntax.Property:
		r.expr(x.X)
	default:
		r.expr(x)
	}
}

// Root returns the variable that is written when a target is: the variable
// under the subscripts. It is nil where a property or call lies between, which
// refer to something else.
func Root(x syntax.Expr) *Var {
	for {
		switch t := x.(type) {
		case *syntax.Index:
			x = t.X
		case *syntax.Append:
			x = t.X
		case *syntax.Slice:
			x = t.X
		case *syntax.Variable:
			v, _ := t.Binding.(*Var)
			return v
		default:
			return nil
		}
	}
}

// writable reports targets in variables that are read-only, at top level. In
// functions it is the machine that throws.
func (r *resolver) writable(x syntax.Expr) {
	if v := Root(x); v != nil && v.ReadOnly && r.fn == r.module.Body {
		r.errorf(x.Position(), "$%s is read-only", v.Name)
	}
}

// call resolves a call, and counts the arguments when it is known what is
// called.
func (r *resolver) call(x *syntax.Call) {
	r.expr(x.Fn)
	spread := false
	for _, a := range x.Args {
		r.expr(a.Value)
		spread = spread || a.Spread
	}
	name, least, most, ok := signature(x.Fn)
	if n := len(x.Args); ok && !spread && (n < least || most >= 0 && n > most) {
		r.errorf(x.Fn.Position(), "%s", value.ArityError(name, least, most, n))
	}
}

// signature returns name and arity of what an expression calls, if that is
// known.
func signature(fn syntax.Expr) (name string, least, most int, ok bool) {
	var binding any
	switch fn := fn.(type) {
	case *syntax.Name:
		name, binding = fn.Name, fn.Binding
	case *syntax.Scoped:
		name, binding = fn.Member, fn.Binding
	case *syntax.FunctionExpr:
		binding = fn.Binding
	}
	switch b := binding.(type) {
	case *Function:
		least, most = b.Arity()
	case *Class:
		if b.Constructor != nil {
			least, most = b.Constructor.Arity()
		}
	case *value.Function:
		builtin := b.Builtin
		if b.Class != nil {
			builtin = b.Class.Constructor
		}
		if builtin == nil {
			return "", 0, 0, false
		}
		least, most = builtin.Arity()
	default:
		return "", 0, 0, false
	}
	return name, least, most, true
}

func (r *resolver) nameExpr(x *syntax.Name) {
	var s any
	if x.Builtin {
		s = r.libraryFunction(r.Library, x.Name)
	} else {
		s = r.symbol(x.Name)
	}
	switch s := s.(type) {
	case nil:
		r.errorf(x.Pos, "unknown function %s", x.Name)
	case *Namespace:
		r.errorf(x.Pos, "%s is a namespace", x.Name)
	case *value.Function:
		if s.Class != nil && s.Class.Constructor == nil {
			r.errorf(x.Pos, "class %s cannot be constructed", x.Name)
		}
	}
	x.Binding = s
}

// scoped resolves Class::member and its longer forms.
func (r *resolver) scoped(x *syntax.Scoped, write bool) {
	var s any
	if x.Path[0] == "static" {
		if r.fn.Class == nil {
			r.errorf(x.Pos, "static outside a class")
			return
		}
		s = r.fn.Class
	} else {
		s = r.symbol(x.Path[0])
	}
	for i := 1; i < len(x.Path); i++ {
		ns, ok := s.(*Namespace)
		if !ok {
			r.errorf(x.Pos, "%s is no namespace", x.Path[i-1])
			return
		}
		s = r.symbolOf(ns.Module, x.Path[i])
	}
	scope := x.Path[len(x.Path)-1]
	switch s := s.(type) {
	case *Namespace:
		r.inNamespace(x, s)
	case *Class:
		r.inClass(x, s, write)
	case *value.Function:
		if s.Class != nil && !x.Variable && s.Class.Static(x.Member) != nil {
			x.Binding = s.Class.Static(x.Member)
			return
		}
		r.errorf(x.Pos, "%s has no static member %s", scope, x.Member)
	default:
		r.errorf(x.Pos, "unknown class or namespace %s", scope)
	}
}

func (r *resolver) inNamespace(x *syntax.Scoped, ns *Namespace) {
	if !x.Variable {
		if x.Binding = r.symbolOf(ns.Module, x.Member); x.Binding == nil {
			r.errorf(x.Pos, "%s has no function or class %s", ns.Name, x.Member)
		}
		return
	}
	of := ns.Module.vars[x.Member]
	if of == nil {
		r.errorf(x.Pos, "%s has no variable $%s", ns.Name, x.Member)
		return
	}
	x.Binding = r.alias(of)
}

func (r *resolver) inClass(x *syntax.Scoped, c *Class, write bool) {
	m := c.members[x.Member]
	inside := r.fn.Class == c
	switch {
	case m == nil || x.Variable != (m.Function == nil):
		r.errorf(x.Pos, "class %s has no member %s", c.Name, x.Member)
	case !m.Static:
		r.errorf(x.Pos, "%s::%s is not static", c.Name, x.Member)
	case m.Private && !inside:
		r.errorf(x.Pos, "%s::%s is private", c.Name, x.Member)
	case write && m.ReadOnly && !inside:
		r.errorf(x.Pos, "%s::%s is read-only", c.Name, x.Member)
	case x.Variable:
		x.Binding = r.alias(m.Variable)
	default:
		x.Binding = m.Function
	}
}
