package compile

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// cond writes jumps that are taken when the truth of x is when, and returns
// them; otherwise what follows is reached.
func (a *assembler) cond(x syntax.Expr, when bool) (jumps []int) {
	if v, ok := a.fold(x); ok {
		if v.Truth() == when {
			jumps = append(jumps, a.jump(Jump, 0, 0, 0))
		}
		return jumps
	}
	switch x := x.(type) {
	case *syntax.Unary:
		if x.Op == syntax.Bang {
			return a.cond(x.X, !when)
		}
	case *syntax.Logical:
		return a.logical(x, when)
	case *syntax.Binary:
		if at, ok := a.comparison(x, when); ok {
			return append(jumps, at)
		}
	}
	mark := a.free
	r := a.operand(x)
	a.at(x)
	jumps = append(jumps, a.jump(JBool, r, 0, flag(when)))
	a.free = mark
	return jumps
}

// logical writes the jumps of a chain of and, or of or. The first part that
// decides the chain ends it.
func (a *assembler) logical(x *syntax.Logical, when bool) (jumps []int) {
	decisive := x.Op == syntax.Or // the truth of a part that decides
	var out []int                 // jumps to behind the chain
	for i, part := range x.Parts {
		last := i == len(x.Parts)-1
		write := func() {
			if last || decisive == when {
				jumps = append(jumps, a.cond(part, when)...)
			} else {
				out = append(out, a.cond(part, decisive)...)
			}
		}
		if i == 0 {
			write()
		} else {
			a.branch(write)
		}
	}
	a.patch(out...)
	return jumps
}

// jumpOp is a comparison that jumps: with two registers, and with a constant on
// the right. not says that the comparison is the opposite of the operator.
type jumpOp struct {
	registers, constant Op
	swap, not           bool
}

var jumpOps = map[syntax.Token]jumpOp{
	syntax.EqualEqual:   {JEq, JEqK, false, false},
	syntax.NotEqual:     {JEq, JEqK, false, true},
	syntax.Identical:    {JId, JIdK, false, false},
	syntax.NotIdentical: {JId, JIdK, false, true},
	syntax.Less:         {JLt, JLtK, false, false},
	syntax.LessEqual:    {JLe, JLeK, false, false},
	syntax.Greater:      {JLt, JGtK, true, false},
	syntax.GreaterEqual: {JLe, JGeK, true, false},
}

// comparison writes a comparison and its jump as one instruction.
func (a *assembler) comparison(x *syntax.Binary, when bool) (jump int, ok bool) {
	op, ok := jumpOps[x.Op]
	if !ok {
		return 0, false
	}
	mark := a.free
	defer func() { a.free = mark }()
	want := flag(when != op.not)
	l := a.left(x.X, x.Effects, -1)
	if v, ok := a.fold(x.Y); ok {
		if k := a.constant(v); k < 256 {
			a.at(x)
			return a.jump(op.constant, l, k, want), true
		}
	}
	r := a.operand(x.Y)
	if op.swap {
		l, r = r, l
	}
	a.at(x)
	return a.jump(op.registers, l, r, want), true
}

// truth computes a chain of and, or of or, as a boolean.
func (a *assembler) truth(x syntax.Expr, dst int) {
	jumps := a.cond(x, false)
	a.load(dst, value.True)
	end := a.jump(Jump, 0, 0, 0)
	a.patch(jumps...)
	a.load(dst, value.False)
	a.patch(end)
}

func (a *assembler) ternary(x *syntax.Ternary, dst int) {
	if x.X == nil {
		a.expr(x.Cond, dst)
		a.at(x)
		end := a.jump(JBool, dst, 0, 1)
		a.branch(func() { a.expr(x.Y, dst) })
		a.patch(end)
		return
	}
	no := a.cond(x.Cond, false)
	a.branch(func() { a.expr(x.X, dst) })
	end := a.jump(Jump, 0, 0, 0)
	a.patch(no...)
	a.branch(func() { a.expr(x.Y, dst) })
	a.patch(end)
}

func (a *assembler) coalesce(x *syntax.CoalesceExpr, dst int) {
	a.quiet(x.X, dst)
	a.at(x)
	end := a.jump(JSet, dst, 0, 1)
	a.branch(func() { a.expr(x.Y, dst) })
	a.patch(end)
}

// quiet computes x into a temporary that owns it. Variables that are not set
// count as none, wherever in a chain of subscripts they are.
func (a *assembler) quiet(x syntax.Expr, dst int) {
	switch x := x.(type) {
	case *syntax.Variable:
		a.loadVariable(x, dst, Owned|Quiet)
	case *syntax.Scoped:
		if v, ok := x.Binding.(*resolve.Var); ok {
			a.loadVar(v, dst, Owned|Quiet)
			return
		}
		a.expr(x, dst)
	case *syntax.Index:
		mark := a.free
		base := a.quietOperand(x.X)
		a.subscript(x, dst, base, Fetch, FetchK)
		a.free = mark
	case *syntax.Property:
		mark := a.free
		base := a.quietOperand(x.X)
		a.at(x)
		a.loadProperty(x, dst, base, Owned|Quiet)
		a.free = mark
	case *syntax.Slice:
		mark := a.free
		a.quiet(x.X, dst)
		a.sliceBounds(x, dst)
		a.free = mark
	default:
		a.expr(x, dst)
	}
}

// quietOperand computes the base of a quiet chain for looking at. A variable
// that is certainly set is looked at where it is.
func (a *assembler) quietOperand(x syntax.Expr) int {
	if v := localTarget(x); v != nil && a.sets[v] {
		return v.Index
	}
	r := a.temp()
	switch x := x.(type) {
	case *syntax.Variable:
		a.loadVariable(x, r, Quiet)
	case *syntax.Index:
		base := a.quietOperand(x.X)
		a.subscript(x, r, base, Index, IndexK)
	case *syntax.Property:
		base := a.quietOperand(x.X)
		a.at(x)
		a.loadProperty(x, r, base, Quiet)
	default:
		a.quiet(x, r)
	}
	return r
}

// match writes the arms in order: comparisons first, results where they jump.
func (a *assembler) match(x *syntax.MatchExpr, dst int) {
	mark := a.free
	subject := a.temp()
	a.expr(x.Subject, subject)
	var ends []int
	var otherwise syntax.Expr
	for _, arm := range x.Arms {
		if arm.Values == nil {
			otherwise = arm.Result
			continue
		}
		a.branch(func() { ends = append(ends, a.arm(arm, subject, dst)) })
	}
	if otherwise != nil {
		a.branch(func() {
			a.mark(otherwise.Position(), "")
			a.expr(otherwise, dst)
		})
	} else {
		a.at(x)
		a.emit(MatchFail, subject, 0, 0)
	}
	a.patch(ends...)
	a.free = mark
}

// arm writes one arm and returns the jump to the end of the match.
func (a *assembler) arm(arm syntax.MatchArm, subject, dst int) (end int) {
	var hits []int
	for _, v := range arm.Values {
		hits = append(hits, a.equals(subject, v))
	}
	next := a.jump(Jump, 0, 0, 0)
	a.patch(hits...)
	a.mark(arm.Values[0].Position(), "")
	a.expr(arm.Result, dst)
	end = a.jump(Jump, 0, 0, 0)
	a.patch(next)
	return end
}

// equals writes a jump that is taken when the register == x.
func (a *assembler) equals(subject int, x syntax.Expr) (jump int) {
	mark := a.free
	defer func() { a.free = mark }()
	if v, ok := a.fold(x); ok {
		if k := a.constant(v); k < 256 {
			a.at(x)
			return a.jump(JEqK, subject, k, 1)
		}
	}
	r := a.operand(x)
	a.at(x)
	return a.jump(JEq, subject, r, 1)
}

// isset writes the tests one after the other; all must hold.
func (a *assembler) isset(x *syntax.IssetExpr, dst int) {
	var no []int
	for i, e := range x.Xs {
		a.issetOne(e, dst)
		if i < len(x.Xs)-1 {
			no = append(no, a.jump(JBool, dst, 0, 0))
		}
	}
	a.patch(no...)
}

func (a *assembler) issetOne(x syntax.Expr, dst int) {
	mark := a.free
	a.at(x)
	path := a.path(x, true)
	a.at(x)
	a.emitWide(IssetPath, dst, 0, 0, path)
	a.free = mark
}
