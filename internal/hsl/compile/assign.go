package compile

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

var assignOps = map[syntax.Token]syntax.Token{
	syntax.PlusAssign: syntax.Plus, syntax.MinusAssign: syntax.Minus, syntax.StarAssign: syntax.Star,
	syntax.SlashAssign: syntax.Slash, syntax.PercentAssign: syntax.Percent, syntax.PowerAssign: syntax.StarStar,
	syntax.DotAssign: syntax.Dot,
}

// assign writes an assignment. The value goes to dst as well, unless dst is -1.
func (a *assembler) assign(x *syntax.AssignExpr, dst int) {
	mark, writes := a.free, a.writes
	defer func() { a.free, a.writes = mark, writes }()
	a.writes = x.Effects.Writes
	if v := variableTarget(x.Target); v != nil {
		a.at(x)
		a.assignVariable(v, x, dst)
		return
	}
	if slot, ok := a.slotOfThis(x.Target); ok && x.Op != syntax.CoalesceAssign {
		a.assignThis(x, slot, dst)
		return
	}
	switch x.Op {
	case syntax.Assign:
		a.assignPath(x, dst)
	case syntax.CoalesceAssign:
		a.coalescePath(x, dst)
	default:
		path := a.path(x.Target, false)
		r := a.owned(x.Value)
		a.at(x)
		result := dst
		if dst < 0 {
			result = a.temp()
		}
		a.emit(OpPath, r, int(resolve.Operators[assignOps[x.Op]]), result)
		a.word(uint32(path))
	}
}

// variableTarget returns the variable that is assigned as a whole, or nil.
func variableTarget(x syntax.Expr) *resolve.Var {
	switch x := x.(type) {
	case *syntax.Variable:
		return x.Binding.(*resolve.Var)
	case *syntax.Scoped:
		v, _ := x.Binding.(*resolve.Var)
		return v
	}
	return nil
}

func (a *assembler) assignVariable(v *resolve.Var, x *syntax.AssignExpr, dst int) {
	if v.ReadOnly {
		a.readOnly(v)
		return
	}
	if v.Storage != resolve.Register {
		a.assignCell(v, x, dst)
		return
	}
	switch x.Op {
	case syntax.Assign:
		a.expr(x.Value, v.Index)
	case syntax.CoalesceAssign:
		a.at(x)
		set := a.jump(JSet, v.Index, 0, 1)
		a.branch(func() { a.expr(x.Value, v.Index) })
		a.patch(set)
	default:
		a.augmentVariable(v, x)
	}
	a.set(v)
	if dst >= 0 && dst != v.Index {
		a.emit(Move, dst, v.Index, 0)
	}
}

// augmentVariable computes target op value for a variable in a register.
func (a *assembler) augmentVariable(v *resolve.Var, x *syntax.AssignExpr) {
	if !x.Effects.Writes {
		a.augment(x, v.Index, !a.sets[v])
		return
	}
	// Perhaps it writes the target, whose value before is what counts.
	r := a.temp()
	a.emit(MoveQuiet, r, v.Index, 0)
	a.augment(x, r, false)
	a.emit(Take, v.Index, r, 0)
}

// augment computes target op value into the register of the target, which has
// to be touched if it may be undefined.
func (a *assembler) augment(x *syntax.AssignExpr, target int, touch bool) {
	op := assignOps[x.Op]
	if op == syntax.Dot {
		a.appendText(x, target, touch)
		return
	}
	coded := binaryOps[op]
	if v, ok := a.fold(x.Value); ok && coded.constant != 0 {
		if k := a.constant(v); k < 256 {
			a.at(x)
			a.touch(target, touch)
			a.emit(coded.constant, target, target, k)
			return
		}
	}
	r := a.augmenting(x, target, touch)
	a.emit(coded.registers, target, target, r)
}

// augmenting computes the right side of an augmented assignment, and then touches
// the target. A variable is looked at first, because it may be undefined, and
// the target stays as it is then.
func (a *assembler) augmenting(x *syntax.AssignExpr, target int, touch bool) int {
	r := a.operand(x.Value)
	a.at(x)
	if !touch || r == target {
		return r
	}
	if a.isVariable(r) {
		t := a.temp()
		a.emit(Move, t, r, 0)
		r = t
	}
	a.touch(target, true)
	return r
}

func (a *assembler) touch(r int, needed bool) {
	if needed {
		a.emit(Touch, r, 0, 0)
	}
}

// appendText writes .=, which joins a chain of dots on its right at once.
func (a *assembler) appendText(x *syntax.AssignExpr, target int, touch bool) {
	var parts []syntax.Expr
	switch v := x.Value.(type) {
	case *syntax.Concat:
		parts = v.Parts
	case *syntax.Interpolation:
		parts = v.Parts
	}
	if _, ok := a.fold(x.Value); ok || parts == nil {
		r := a.augmenting(x, target, touch)
		a.emit(Join, target, target, r)
		return
	}
	first := a.temp()
	for _, part := range parts {
		a.inRow(func(r int) { a.borrow(part, r) })
	}
	a.at(x)
	a.emit(MoveQuiet, first, target, 0)
	a.emit(Concat, target, first, 1+len(parts))
}

// assignCell assigns a variable that lives in a cell.
func (a *assembler) assignCell(v *resolve.Var, x *syntax.AssignExpr, dst int) {
	r := a.temp()
	switch x.Op {
	case syntax.Assign:
		a.expr(x.Value, r)
	case syntax.CoalesceAssign:
		a.loadVar(v, r, Owned|Quiet)
		set := a.jump(JSet, r, 0, 1)
		a.branch(func() {
			a.expr(x.Value, r)
			a.storeVar(v, r, dst >= 0)
		})
		a.patch(set)
		if dst >= 0 {
			a.emit(Take, dst, r, 0)
		}
		return
	default:
		access := Quiet
		if x.Effects.Any() {
			access |= Owned
		}
		a.loadVar(v, r, access)
		a.augment(x, r, false)
	}
	a.at(x)
	a.storeVar(v, r, dst >= 0)
	if dst >= 0 {
		a.emit(Take, dst, r, 0)
	}
}

// storeVar stores a temporary into a variable, which takes it over, or shares
// it if it is needed further.
func (a *assembler) storeVar(v *resolve.Var, r int, needed bool) {
	if v.ReadOnly {
		a.readOnly(v)
		return
	}
	if needed {
		a.emit(Own, r, 0, 0)
	}
	switch v.Storage {
	case resolve.Register:
		a.emit(Take, v.Index, r, 0)
		a.set(v)
	case resolve.Boxed:
		a.emitWide(StoreCell, r, 0, 0, v.Index)
	case resolve.Global:
		a.emitWide(StoreGlob, r, 0, 0, v.Index)
	}
}

// readOnly writes the exception of an assignment in a function to a variable
// that must not be written.
func (a *assembler) readOnly(v *resolve.Var) {
	a.emitWide(Fail, 0, 0, 0, a.text("$"+v.Name+" is read-only"))
}

// assignPath assigns below a variable or value.
func (a *assembler) assignPath(x *syntax.AssignExpr, dst int) {
	if a.assignElement(x, dst) {
		return
	}
	path := a.path(x.Target, false)
	r := a.owned(x.Value)
	a.at(x)
	a.storing(r, dst, func(r int) { a.emitWide(StorePath, r, 0, 0, path) })
}

// storing writes a store of r, and puts the value into dst as well, unless that
// is -1. It does so after the store, because dst may be what is stored into, as
// may be a variable that r is.
func (a *assembler) storing(r, dst int, store func(r int)) {
	if dst < 0 {
		store(r)
		return
	}
	if a.isVariable(r) {
		t := a.temp()
		a.emit(Move, t, r, 0)
		r = t
	}
	a.emit(Own, r, 0, 0)
	store(r)
	a.emit(Take, dst, r, 0)
}

// assignThis assigns a property that the class of $this declares.
func (a *assembler) assignThis(x *syntax.AssignExpr, slot, dst int) {
	p := x.Target.(*syntax.Property)
	var r int
	if x.Op == syntax.Assign {
		r = a.owned(x.Value)
	} else {
		r = a.temp()
		a.loadProperty(p, r, a.fn.This.Index, 0)
		a.augment(x, r, false)
	}
	a.at(p)
	a.storing(r, dst, func(r int) { a.emitWide(StoreThis, r, slot, 0, a.text(p.Name)) })
}

// assignElement assigns $v[i] or $v[], for a variable in a register, without a
// path.
func (a *assembler) assignElement(x *syntax.AssignExpr, dst int) bool {
	switch t := x.Target.(type) {
	case *syntax.Append:
		if v := localTarget(t.X); v != nil && !v.ReadOnly {
			r := a.owned(x.Value)
			a.at(x)
			a.storing(r, dst, func(r int) { a.emit(Push, v.Index, r, 0) })
			a.set(v)
			return true
		}
	case *syntax.Index:
		v := localTarget(t.X)
		if v == nil || v.ReadOnly {
			return false
		}
		k, constant := a.key(t.I, v)
		r := a.owned(x.Value)
		a.at(x)
		op := SetIndex
		if constant {
			op = SetIndexK
		}
		a.storing(r, dst, func(r int) { a.emit(op, v.Index, k, r) })
		a.set(v)
		return true
	}
	return false
}

// key computes a subscript for an assignment to an element of target: an index
// of a constant, or a register that the assignment does not change.
func (a *assembler) key(x syntax.Expr, target *resolve.Var) (k int, constant bool) {
	if v, ok := a.fold(x); ok {
		if k := a.constant(v); k < 256 {
			return k, true
		}
	}
	if v := localTarget(x); v != nil && v != target && a.sets[v] && !a.writes {
		return v.Index, false
	}
	r := a.temp()
	a.expr(x, r)
	return r, false
}

// coalescePath is target ??= value below a variable.
func (a *assembler) coalescePath(x *syntax.AssignExpr, dst int) {
	path := a.path(x.Target, false)
	r := a.temp()
	a.at(x)
	a.emitWide(LoadPath, r, 0, 0, path)
	set := a.jump(JSet, r, 0, 1)
	a.branch(func() { a.expr(x.Value, r) })
	a.at(x)
	a.emit(Own, r, 0, 0)
	a.emitWide(StorePath, r, 0, 0, path)
	a.patch(set)
	if dst >= 0 {
		a.emit(Take, dst, r, 0)
	}
}

// path computes the subscripts of a target and returns the index of its Path.
// For isset the base may be any expression.
func (a *assembler) path(x syntax.Expr, reading bool) int {
	p := Path{}
	a.descend(x, &p, reading)
	a.code.Paths = append(a.code.Paths, p)
	return len(a.code.Paths) - 1
}

func (a *assembler) descend(x syntax.Expr, p *Path, reading bool) {
	if v := variableTarget(x); v != nil {
		p.Root, p.Index = v.Storage, v.Index
		if v.ReadOnly && !reading {
			p.ReadOnly = v.Name
		}
		return
	}
	switch x := x.(type) {
	case *syntax.Index:
		a.descend(x.X, p, reading)
		p.Steps = append(p.Steps, a.indexStep(x.I, base(x.X)))
	case *syntax.Append:
		a.descend(x.X, p, reading)
		p.Steps = append(p.Steps, Step{Kind: StepAppend})
	case *syntax.Slice:
		a.descend(x.X, p, reading)
		p.Steps = append(p.Steps, a.sliceStep(x))
	case *syntax.Property:
		a.descend(x.X, p, reading)
		p.ReadOnly = "" // what the property belongs to is another thing
		p.Steps = append(p.Steps, Step{Kind: StepProperty, Const: a.text(x.Name)})
	default:
		p.Root, p.Index = resolve.Register, a.temp()
		a.expr(x, p.Index)
	}
}

// base returns the variable in a register under subscripts and properties, or
// nil.
func base(x syntax.Expr) *resolve.Var {
	for {
		switch t := x.(type) {
		case *syntax.Index:
			x = t.X
		case *syntax.Append:
			x = t.X
		case *syntax.Slice:
			x = t.X
		case *syntax.Property:
			x = t.X
		default:
			return localTarget(x)
		}
	}
}

// indexStep computes a subscript of a path that begins at root.
func (a *assembler) indexStep(i syntax.Expr, root *resolve.Var) Step {
	if v, ok := a.fold(i); ok {
		return Step{Kind: StepConst, Const: a.constant(v)}
	}
	if v := localTarget(i); v != nil && v != root && a.sets[v] && !a.writes {
		return Step{Kind: StepIndex, Register: uint8(v.Index)}
	}
	r := a.temp()
	a.expr(i, r)
	return Step{Kind: StepIndex, Register: uint8(r)}
}

func (a *assembler) sliceStep(x *syntax.Slice) Step {
	first := a.temps(2)
	for i, part := range []syntax.Expr{x.First, x.Last} {
		if part == nil {
			a.load(first+i, value.None)
			continue
		}
		inner := a.free
		a.borrow(part, first+i)
		a.free = inner
	}
	return Step{Kind: StepSlice, Register: uint8(first)}
}

// incDec writes ++ and --. The result goes to dst unless that is -1.
func (a *assembler) incDec(x *syntax.IncDec, dst int) {
	mark := a.free
	defer func() { a.free = mark }()
	a.at(x)
	v := variableTarget(x.X)
	if v == nil {
		a.incPath(x, dst)
		return
	}
	if v.ReadOnly {
		a.readOnly(v)
		return
	}
	op := Inc
	if x.Op == syntax.MinusMinus {
		op = Dec
	}
	r := v.Index
	if v.Storage != resolve.Register {
		r = a.temp()
		a.loadVar(v, r, Quiet)
	}
	old := dst >= 0 && !x.Prefix
	if old {
		target := dst
		if dst == r { // $i = $i++ keeps what was there before
			target = a.temp()
		}
		a.emit(MoveQuiet, target, r, 0)
		a.emit(Number, target, 0, 0)
		a.emit(op, r, 0, 0)
		a.storeInc(v, r)
		if target != dst {
			a.emit(Take, dst, target, 0)
		}
		return
	}
	a.emit(op, r, 0, 0)
	a.storeInc(v, r)
	if dst >= 0 && dst != r {
		a.emit(Move, dst, r, 0)
	}
}

func (a *assembler) storeInc(v *resolve.Var, r int) {
	if v.Storage != resolve.Register {
		a.storeVar(v, r, false)
	}
}

func (a *assembler) incPath(x *syntax.IncDec, dst int) {
	path := a.path(x.X, false)
	flags := 0
	if x.Op == syntax.MinusMinus {
		flags |= Down
	}
	if !x.Prefix {
		flags |= Old
	}
	if dst < 0 {
		dst = a.temp()
	}
	a.at(x)
	a.emitWide(IncPath, dst, flags, 0, path)
}

func (a *assembler) unset(x *syntax.UnsetExpr, dst int) {
	mark := a.free
	a.at(x)
	path := a.path(x.X, false)
	a.at(x)
	a.emitWide(UnsetPath, dst, 0, 0, path)
	a.free = mark
}

// destructure writes pattern = value; the result is the value.
func (a *assembler) destructure(x *syntax.Destructure, dst int) {
	mark := a.free
	r := a.temp()
	a.expr(x.Value, r)
	a.pattern(x.Pattern, r)
	if dst >= 0 {
		a.emit(Take, dst, r, 0)
	}
	a.free = mark
}

// pattern takes the value in a temporary apart.
func (a *assembler) pattern(p *syntax.Pattern, r int) {
	for i := range p.Elements {
		mark := a.free
		e := &p.Elements[i]
		item := a.temp()
		a.at(p)
		switch {
		case e.Rest:
			a.emitWide(Rest, item, r, 0, i)
		case e.Key != nil:
			key := a.temp()
			a.borrow(e.Key, key)
			a.emit(Element, item, r, key)
		default:
			a.emitWide(Item, item, r, 0, i)
		}
		a.defaulted(e, item)
		a.store(e.Target, item)
		a.free = mark
	}
}

// defaulted replaces an element that is missing.
func (a *assembler) defaulted(e *syntax.PatternElement, item int) {
	switch {
	case e.Rest:
	case e.Default == nil:
		a.emit(Touch, item, 0, 0)
	default:
		found := a.jump(JDef, item, 0, 0)
		a.branch(func() { a.expr(e.Default, item) })
		a.patch(found)
	}
}

// store assigns a temporary to a target or takes it apart.
func (a *assembler) store(target syntax.Expr, r int) {
	if p, ok := target.(*syntax.Pattern); ok {
		a.pattern(p, r)
		return
	}
	a.at(target)
	if v := variableTarget(target); v != nil {
		a.storeVar(v, r, false)
		return
	}
	path := a.path(target, false)
	a.at(target)
	a.emitWide(StorePath, r, 0, 0, path)
}
