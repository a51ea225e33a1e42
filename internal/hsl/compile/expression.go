package compile

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// operand computes x for looking at, and returns the register where it is: that
// of a variable, or a temporary.
func (a *assembler) operand(x syntax.Expr) int { return a.operandIn(x, -1) }

// operandIn is operand, and uses the temporary scratch where it needs one;
// scratch may be a variable or -1, and is left alone then. With it a chain of
// operators needs one register, however long it is.
func (a *assembler) operandIn(x syntax.Expr, scratch int) int {
	switch x := x.(type) {
	case *syntax.Variable:
		if v := x.Binding.(*resolve.Var); v.Storage == resolve.Register {
			return v.Index
		}
	case *syntax.AssignExpr:
		if v := localTarget(x.Target); v != nil && !v.ReadOnly {
			a.assign(x, -1)
			return v.Index
		}
	}
	r := a.scratch(scratch)
	a.borrow(x, r)
	return r
}

// scratch returns the register r if it is a temporary, or a new one.
func (a *assembler) scratch(r int) int {
	if r >= 0 && !a.isVariable(r) {
		return r
	}
	return a.temp()
}

// localTarget returns the variable in a register that a target is, or nil.
func localTarget(x syntax.Expr) *resolve.Var {
	if v, ok := x.(*syntax.Variable); ok {
		if b := v.Binding.(*resolve.Var); b.Storage == resolve.Register {
			return b
		}
	}
	return nil
}

// borrow computes x into a temporary for looking at.
func (a *assembler) borrow(x syntax.Expr, dst int) {
	switch x := x.(type) {
	case *syntax.Variable:
		a.loadVariable(x, dst, 0)
	case *syntax.Scoped:
		if v, ok := x.Binding.(*resolve.Var); ok {
			a.at(x)
			a.loadVar(v, dst, 0)
			return
		}
		a.expr(x, dst)
	case *syntax.Index:
		a.index(x, dst, Index, IndexK)
	case *syntax.Property:
		a.property(x, dst, 0)
	default:
		a.expr(x, dst)
	}
}

func (a *assembler) at(x syntax.Node) { a.pos = x.Position() }

// loadVariable loads a variable into a temporary, or moves it.
func (a *assembler) loadVariable(x *syntax.Variable, dst, access int) {
	a.at(x)
	a.loadVar(x.Binding.(*resolve.Var), dst, access)
}

func (a *assembler) loadVar(v *resolve.Var, dst, access int) {
	switch {
	case v.Storage == resolve.Boxed:
		a.emitWide(LoadCell, dst, access, 0, v.Index)
	case v.Storage == resolve.Global:
		a.emitWide(LoadGlobal, dst, access, 0, v.Index)
	case access&Quiet != 0:
		a.emit(MoveQuiet, dst, v.Index, 0)
	default:
		a.emit(Move, dst, v.Index, 0)
	}
}

// expr computes x into dst, which owns the result then. It writes dst only when
// everything else is computed.
func (a *assembler) expr(x syntax.Expr, dst int) {
	if v, ok := a.fold(x); ok {
		a.load(dst, v)
		return
	}
	switch x := x.(type) {
	case *syntax.Variable:
		a.loadVariable(x, dst, Owned)
	case *syntax.RegexExpr:
		a.regex(x, dst)
	case *syntax.Name:
		a.load(dst, a.functionValue(x.Binding))
	case *syntax.Scoped:
		if v, ok := x.Binding.(*resolve.Var); ok {
			a.at(x)
			a.loadVar(v, dst, Owned)
			return
		}
		a.load(dst, a.functionValue(x.Binding))
	case *syntax.Unary:
		a.unary(x, dst)
	case *syntax.Binary:
		a.binary(x, dst)
	case *syntax.Concat:
		a.concat(x.Parts, dst, x)
	case *syntax.Interpolation:
		a.concat(x.Parts, dst, x)
	case *syntax.AssignExpr:
		a.assign(x, dst)
	case *syntax.Destructure:
		a.destructure(x, dst)
	case *syntax.IncDec:
		a.incDec(x, dst)
	case *syntax.Call:
		a.call(x, dst)
	case *syntax.CacheCall:
		a.cacheCall(x, dst)
	case *syntax.FunctionExpr:
		a.closure(x, dst)
	case *syntax.UnsetExpr:
		a.unset(x, dst)
	case *syntax.Property:
		a.property(x, dst, Owned)
	case *syntax.Index:
		a.index(x, dst, Fetch, FetchK)
	default:
		a.staged(x, dst)
	}
}

// staged computes the expressions that write their result in parts: into a
// temporary first, when dst is a variable that the expression may read.
func (a *assembler) staged(x syntax.Expr, dst int) {
	mark, target := a.free, dst
	if a.isVariable(dst) && !atOnce(x) {
		target = a.temp()
	}
	switch x := x.(type) {
	case *syntax.ArrayExpr:
		a.array(x, target)
	case *syntax.Slice:
		a.slice(x, target)
	case *syntax.Logical:
		a.truth(x, target)
	case *syntax.CoalesceExpr:
		a.coalesce(x, target)
	case *syntax.Ternary:
		a.ternary(x, target)
	case *syntax.MatchExpr:
		a.match(x, target)
	case *syntax.IssetExpr:
		a.isset(x, target)
	}
	if target != dst {
		a.emit(Take, dst, target, 0)
	}
	a.free = mark
}

// atOnce reports whether each way through x writes the result once, at its end.
func atOnce(x syntax.Expr) bool {
	switch x := x.(type) {
	case *syntax.Ternary:
		return x.X != nil
	case *syntax.MatchExpr, *syntax.Logical:
		return true
	}
	return false
}

// functionValue returns what a name of a function or class is as a value.
func (a *assembler) functionValue(binding any) value.Value {
	switch b := binding.(type) {
	case *resolve.Function:
		return a.codes[b].Value
	case *resolve.Class:
		return a.constructorValue(b)
	case *value.Function:
		return value.FromFunction(b)
	}
	return value.None
}

// constructorValue returns the function value that constructs a class, always
// the same.
func (a *assembler) constructorValue(c *resolve.Class) value.Value {
	v, ok := a.constructors[c]
	if !ok {
		v = value.FromFunction(&value.Function{Class: a.classes[c]})
		a.constructors[c] = v
	}
	return v
}

func (a *assembler) regex(x *syntax.RegexExpr, dst int) {
	p, err := a.resolved.Library.Pattern(x.Pattern, x.Modifiers)
	if err != nil {
		a.errors = append(a.errors, a.resolved.Sources.Errorf(x.Pos, "%s", err))
		return
	}
	a.load(dst, value.FromResource(p))
}

func (a *assembler) unary(x *syntax.Unary, dst int) {
	mark := a.free
	r := a.operandIn(x.X, dst)
	a.at(x)
	op := map[syntax.Token]Op{syntax.Minus: Neg, syntax.Plus: Plus, syntax.Tilde: BitNot, syntax.Bang: Not}[x.Op]
	a.emit(op, dst, r, 0)
	a.free = mark
}

// binaryOp is how an operator is coded: with two registers, and with a constant
// on the right if that has a form of its own.
type binaryOp struct{ registers, constant Op }

var binaryOps = map[syntax.Token]binaryOp{
	syntax.Plus: {Add, AddK}, syntax.Minus: {Sub, SubK}, syntax.Star: {Mul, MulK}, syntax.Slash: {Div, DivK},
	syntax.Percent: {Mod, ModK}, syntax.StarStar: {Pow, 0}, syntax.Ampersand: {BitAnd, 0}, syntax.Pipe: {BitOr, 0},
	syntax.Caret: {BitXor, 0}, syntax.ShiftLeft: {Shl, 0}, syntax.ShiftRight: {Shr, 0}, syntax.ShiftRightZero: {Ushr, 0},
	syntax.EqualEqual: {Eq, 0}, syntax.NotEqual: {Ne, 0}, syntax.Identical: {Id, 0}, syntax.NotIdentical: {Nid, 0},
	syntax.Less: {Lt, 0}, syntax.LessEqual: {Le, 0}, syntax.Matches: {Matches, 0}, syntax.NotMatches: {Matches, 0},
}

func (a *assembler) binary(x *syntax.Binary, dst int) {
	mark := a.free
	op := x.Op
	l, r, constant := a.operands(x, dst)
	switch op {
	case syntax.Greater:
		op, l, r = syntax.Less, r, l
	case syntax.GreaterEqual:
		op, l, r = syntax.LessEqual, r, l
	}
	a.at(x)
	coded := binaryOps[op]
	if constant {
		a.emit(coded.constant, dst, l, r)
	} else {
		a.emit(coded.registers, dst, l, r)
	}
	if op == syntax.NotMatches {
		a.emit(Not, dst, dst, 0)
	}
	a.free = mark
}

// operands computes both sides. If the right side is a constant for which the
// operator has a form, r is its index.
func (a *assembler) operands(x *syntax.Binary, dst int) (l, r int, constant bool) {
	l = a.left(x.X, x.Effects, dst)
	if binaryOps[x.Op].constant != 0 {
		if v, ok := a.fold(x.Y); ok {
			if k := a.constant(v); k < 256 {
				return l, k, true
			}
		}
	}
	return l, a.operand(x.Y), false
}

// left computes the left side of an operator. When computing the right side may
// change what it refers to, it is kept safe.
func (a *assembler) left(x syntax.Expr, effects syntax.Effects, scratch int) int {
	if !effects.Writes && (!effects.Calls || localTarget(x) != nil) {
		return a.operandIn(x, scratch)
	}
	r := a.scratch(scratch)
	a.expr(x, r)
	return r
}

// inRow takes the next register for what f computes into it. One after the other
// they make the rows that operations with many operands want, while each part
// has all the room behind its own register.
func (a *assembler) inRow(f func(r int)) {
	r := a.temp()
	inner := a.free
	f(r)
	a.free = inner
}

// concat joins parts.
func (a *assembler) concat(parts []syntax.Expr, dst int, at syntax.Node) {
	mark := a.free
	for _, part := range parts {
		a.inRow(func(r int) { a.borrow(part, r) })
	}
	a.at(at)
	a.emit(Concat, dst, mark, len(parts))
	a.free = mark
}

func (a *assembler) index(x *syntax.Index, dst int, op, opK Op) {
	mark := a.free
	base := a.left(x.X, x.Effects, dst)
	a.subscript(x, dst, base, op, opK)
	a.free = mark
}

// subscript writes the access to a base that is computed.
func (a *assembler) subscript(x *syntax.Index, dst, base int, op, opK Op) {
	if v, ok := a.fold(x.I); ok {
		if k := a.constant(v); k < 256 {
			a.at(x)
			a.emit(opK, dst, base, k)
			return
		}
	}
	i := a.operand(x.I)
	a.at(x)
	a.emit(op, dst, base, i)
}

func (a *assembler) property(x *syntax.Property, dst, access int) {
	mark := a.free
	base := a.operandIn(x.X, dst)
	a.at(x)
	a.loadProperty(x, dst, base, access)
	a.free = mark
}

// loadProperty reads a property of a base that is computed. Where the class
// declares the property of its own $this, the slot is known.
func (a *assembler) loadProperty(x *syntax.Property, dst, base, access int) {
	name := a.text(x.Name)
	if slot, ok := a.slotOfThis(x); ok {
		a.emitWide(PropThis, dst, slot, access, name)
		return
	}
	a.emitWide(Prop, dst, base, access, name)
}

// slotOfThis returns where in $this a property is that its class declares.
func (a *assembler) slotOfThis(x syntax.Expr) (slot int, ok bool) {
	p, ok := x.(*syntax.Property)
	if !ok || a.code.Class == nil || a.fn.This == nil || localTarget(p.X) != a.fn.This {
		return 0, false
	}
	m := a.code.Class.Member(p.Name)
	if m == nil || m.Function != nil || m.Static || m.Slot > 255 {
		return 0, false
	}
	return m.Slot, true
}

func (a *assembler) slice(x *syntax.Slice, dst int) {
	mark := a.free
	a.expr(x.X, dst)
	a.sliceBounds(x, dst)
	a.free = mark
}

// sliceBounds cuts what is in dst.
func (a *assembler) sliceBounds(x *syntax.Slice, dst int) {
	first := a.temps(3)
	for i, part := range []syntax.Expr{x.First, x.Last, x.Step} {
		if part == nil {
			a.load(first+i, value.None)
			continue
		}
		inner := a.free
		a.borrow(part, first+i)
		a.free = inner
	}
	a.at(x)
	a.emit(Slice, dst, first, 0)
}

// array builds an array literal that is not constant.
func (a *assembler) array(x *syntax.ArrayExpr, dst int) {
	a.at(x)
	op := NewArray
	if a.keyed(x) {
		op = NewKeyed
	}
	a.emit16(op, dst, min(len(x.Elements), 1<<16-1))
	for i := range x.Elements {
		mark := a.free
		a.element(&x.Elements[i], dst)
		a.free = mark
	}
}

// keyed reports whether a literal is certainly no list.
func (a *assembler) keyed(x *syntax.ArrayExpr) bool {
	if len(x.Elements) == 0 || x.Elements[0].Key == nil {
		return false
	}
	v, constant := a.fold(x.Elements[0].Key)
	return constant && value.Key(v).IsString()
}

func (a *assembler) element(e *syntax.Element, dst int) {
	switch {
	case e.Spread:
		r := a.operand(e.Value)
		a.at(e.Value)
		a.emit(Spread, dst, r, 0)
	case e.Key == nil:
		r := a.owned(e.Value)
		a.at(e.Value)
		a.emit(Push, dst, r, 0)
	default:
		if v, ok := a.fold(e.Key); ok {
			if k := a.constant(v); k < 256 {
				r := a.owned(e.Value)
				a.at(e.Value)
				a.emit(SetIndexK, dst, k, r)
				return
			}
		}
		k := a.temp()
		a.expr(e.Key, k)
		r := a.owned(e.Value)
		a.at(e.Value)
		a.emit(SetIndex, dst, k, r)
	}
}

// owned computes x for being stored: in the register of a variable, from which
// storing counts an owner, or in a temporary that owns it.
func (a *assembler) owned(x syntax.Expr) int {
	if v := localTarget(x); v != nil {
		return v.Index
	}
	r := a.temp()
	a.expr(x, r)
	return r
}

func (a *assembler) closure(x *syntax.FunctionExpr, dst int) {
	a.at(x)
	code := a.codes[x.Binding.(*resolve.Function)]
	if len(x.Captures) == 0 {
		a.load(dst, code.Value)
		return
	}
	a.emitWide(Closure, dst, 0, 0, index(&a.code.Scripts, code))
}
