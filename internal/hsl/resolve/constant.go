package resolve

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// constant computes an expression that has to be constant: literals, arrays and
// operators on them. It reports what is not, and returns none for it.
func (r *resolver) constant(x syntax.Expr) value.Value {
	v, bad, err := make(Folder).Fold(x)
	switch {
	case err != nil:
		r.errorf(x.Position(), "%s", err)
	case bad != nil:
		r.errorf(bad.Position(), "want a constant expression")
	}
	return v
}

// Operators maps tokens to the operators of values.
var Operators = map[syntax.Token]value.Operator{
	syntax.Plus: value.Add, syntax.Minus: value.Sub, syntax.Star: value.Mul, syntax.Slash: value.Div,
	syntax.Percent: value.Mod, syntax.StarStar: value.Pow, syntax.Dot: value.Concat, syntax.Ampersand: value.BitAnd,
	syntax.Pipe: value.BitOr, syntax.Caret: value.BitXor, syntax.ShiftLeft: value.ShiftLeft,
	syntax.ShiftRight: value.ShiftRight, syntax.ShiftRightZero: value.ShiftRightZero, syntax.EqualEqual: value.OpEqual,
	syntax.NotEqual: value.OpNotEqual, syntax.Identical: value.OpIdentical, syntax.NotIdentical: value.OpNotIdentical,
	syntax.Less: value.OpLess, syntax.LessEqual: value.OpLessOrEqual, syntax.Greater: value.OpGreater,
	syntax.GreaterEqual: value.OpGreaterOrEqual,
}

// Folder computes constant expressions. It remembers the parts it has seen, so
// that a pass may ask for each node of a tree in turn.
type Folder map[syntax.Expr]folded

type folded struct {
	v   value.Value
	bad syntax.Expr
	err error
}

// Fold computes an expression without variables and calls; arrays come frozen.
// If the expression is not of that sort, bad is the part that spoils it; err
// says why an operator failed.
func (f Folder) Fold(x syntax.Expr) (v value.Value, bad syntax.Expr, err error) {
	if l, ok := x.(*syntax.Literal); ok {
		return l.Value, nil, nil
	}
	if seen, ok := f[x]; ok {
		return seen.v, seen.bad, seen.err
	}
	v, bad, err = f.compute(x)
	f[x] = folded{v, bad, err}
	return v, bad, err
}

func (f Folder) compute(x syntax.Expr) (v value.Value, bad syntax.Expr, err error) {
	switch x := x.(type) {
	case *syntax.ArrayExpr:
		return f.array(x)
	case *syntax.Unary:
		v, bad, err := f.Fold(x.X)
		return Prefix(x.Op, v), bad, err
	case *syntax.Binary:
		return f.binary(x)
	case *syntax.Concat:
		return f.concat(x)
	case *syntax.Logical:
		return f.logical(x)
	case *syntax.Ternary:
		return f.ternary(x)
	case *syntax.CoalesceExpr:
		v, bad, err := f.Fold(x.X)
		if bad != nil || err != nil || v.IsSet() {
			return v, bad, err
		}
		return f.Fold(x.Y)
	}
	return value.None, x, nil
}

// Prefix computes a prefix operator.
func Prefix(op syntax.Token, v value.Value) value.Value {
	switch op {
	case syntax.Minus:
		return value.Number(-v.ToNumber())
	case syntax.Plus:
		return value.Number(v.ToNumber())
	case syntax.Tilde:
		return value.BitNot(v)
	}
	return value.Boolean(!v.Truth())
}

func (f Folder) binary(x *syntax.Binary) (v value.Value, bad syntax.Expr, err error) {
	op, ok := Operators[x.Op]
	if !ok {
		return value.None, x, nil
	}
	a, bad, err := f.Fold(x.X)
	if bad != nil || err != nil {
		return value.None, bad, err
	}
	b, bad, err := f.Fold(x.Y)
	if bad != nil || err != nil {
		return value.None, bad, err
	}
	v, err = value.Operate(nil, op, a, b)
	return value.Freeze(v), nil, err
}

func (f Folder) concat(x *syntax.Concat) (v value.Value, bad syntax.Expr, err error) {
	v = value.String("")
	for _, part := range x.Parts {
		p, bad, err := f.Fold(part)
		if bad != nil || err != nil {
			return value.None, bad, err
		}
		if v, err = value.Operate(nil, value.Concat, v, p); err != nil {
			return value.None, nil, err
		}
	}
	return v, nil, nil
}

func (f Folder) logical(x *syntax.Logical) (v value.Value, bad syntax.Expr, err error) {
	decisive := x.Op == syntax.Or
	result := !decisive
	for _, part := range x.Parts {
		p, bad, err := f.Fold(part)
		if bad != nil || err != nil {
			return value.None, bad, err
		}
		if p.Truth() == decisive {
			result = decisive
		}
	}
	return value.Boolean(result), nil, nil
}

func (f Folder) ternary(x *syntax.Ternary) (v value.Value, bad syntax.Expr, err error) {
	c, bad, err := f.Fold(x.Cond)
	switch {
	case bad != nil || err != nil:
		return value.None, bad, err
	case !c.Truth():
		return f.Fold(x.Y)
	case x.X == nil:
		return c, nil, nil
	}
	return f.Fold(x.X)
}

// foldArray builds a constant array.
func (f Folder) array(x *syntax.ArrayExpr) (v value.Value, bad syntax.Expr, err error) {
	a := value.NewArray(len(x.Elements))
	for _, e := range x.Elements {
		v, bad, err := f.Fold(e.Value)
		if bad != nil || err != nil {
			return value.None, bad, err
		}
		var k value.Value
		if e.Key != nil {
			if k, bad, err = f.Fold(e.Key); bad != nil || err != nil {
				return value.None, bad, err
			}
		}
		switch {
		case e.Spread && v.IsArray():
			err = a.Splice(nil, v.Array())
		case e.Spread && !v.IsNone():
			err = value.Errorf("cannot spread a %s", v.Kind())
		case e.Spread:
		case e.Key != nil:
			a.Set(k, v)
		default:
			a.Append(v)
		}
		if err != nil {
			return value.None, nil, err
		}
	}
	return value.Freeze(value.FromArray(a)), nil, nil
}
