package vm

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/compile"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// binaryOperators are the operators of instructions whose operands are two
// registers, or a register and a constant.
var binaryOperators = [...]value.Operator{
	compile.Add: value.Add, compile.Sub: value.Sub, compile.Mul: value.Mul, compile.Div: value.Div, compile.Mod: value.Mod,
	compile.Pow: value.Pow, compile.AddK: value.Add, compile.SubK: value.Sub, compile.MulK: value.Mul,
	compile.DivK: value.Div, compile.ModK: value.Mod, compile.BitAnd: value.BitAnd, compile.BitOr: value.BitOr,
	compile.BitXor: value.BitXor, compile.Shl: value.ShiftLeft, compile.Shr: value.ShiftRight,
	compile.Ushr: value.ShiftRightZero, compile.Join: value.Concat, compile.Eq: value.OpEqual, compile.Ne: value.OpNotEqual,
	compile.Id: value.OpIdentical, compile.Nid: value.OpNotIdentical, compile.Lt: value.OpLess,
	compile.Le: value.OpLessOrEqual, compile.JEq: value.OpEqual, compile.JId: value.OpIdentical, compile.JLt: value.OpLess,
	compile.JLe: value.OpLessOrEqual, compile.JEqK: value.OpEqual, compile.JIdK: value.OpIdentical,
	compile.JLtK: value.OpLess, compile.JLeK: value.OpLessOrEqual, compile.JGtK: value.OpGreater,
	compile.JGeK: value.OpGreaterOrEqual,
}

// slow carries out an instruction of the topmost frame that the loop did not.
// When it returns without an error, m.frame is where to go on.
func (m *Machine) slow(f *frame, w uint32) error {
	op := compile.Op(w)
	var x uint32 // the second word
	if op.Wide() {
		x = f.code.Words[f.pc]
		f.pc++
	}
	switch op {
	case compile.Move:
		return m.move(f, w)
	case compile.LoadCell:
		return m.loadCell(f, w, f.cells[x], f.code.Cells[x])
	case compile.LoadGlobal:
		return m.loadCell(f, w, f.globals[x], f.code.Module.Globals[x].Name)
	case compile.StoreCell:
		f.cells[x].Store(f.regs[uint8(w>>8)])
		return nil
	case compile.StoreGlob:
		f.globals[x].Store(f.regs[uint8(w>>8)])
		return nil
	case compile.Closure:
		return m.closure(f, w, f.code.Scripts[x])
	case compile.Fresh:
		return m.fresh(f, w, f.code.Data[x])

	case compile.Add, compile.Sub, compile.Mul, compile.Div, compile.Mod, compile.Pow, compile.BitAnd, compile.BitOr,
		compile.BitXor, compile.Shl, compile.Shr, compile.Ushr, compile.Join, compile.Eq, compile.Ne, compile.Id,
		compile.Nid, compile.Lt, compile.Le:
		return m.operate(f, w, binaryOperators[op])
	case compile.AddK, compile.SubK, compile.MulK, compile.DivK, compile.ModK:
		return m.operateOn(f, w, binaryOperators[op], f.code.Consts[w>>24])
	case compile.Concat:
		return m.concat(f, w)
	case compile.Neg, compile.Plus, compile.Not, compile.BitNot:
		return m.prefix(f, w)
	case compile.Inc:
		f.count(w, 1)
		return nil
	case compile.Dec:
		f.count(w, -1)
		return nil
	case compile.Number:
		f.count(w, 0)
		return nil
	case compile.Matches:
		return m.matches(f, w)

	case compile.JBool:
		return m.jumpTruth(f, w, x)
	case compile.JEq, compile.JId, compile.JLt, compile.JLe:
		return m.compare(f, w, x, binaryOperators[op])
	case compile.IncJLt:
		f.count(w, 1)
		return m.compare(f, w, x, value.OpLess)
	case compile.IncJLtK:
		f.count(w, 1)
		return m.compareWith(f, w, x, value.OpLess, f.code.Consts[uint8(w>>16)])
	case compile.JEqK, compile.JIdK, compile.JLtK, compile.JLeK, compile.JGtK, compile.JGeK:
		return m.compareWith(f, w, x, binaryOperators[op], f.code.Consts[uint8(w>>16)])

	case compile.Index, compile.Fetch:
		return m.index(f, w)
	case compile.IndexK, compile.FetchK:
		return m.indexWith(f, w, f.code.Consts[w>>24])
	case compile.Slice:
		return m.slice(f, w)
	case compile.Prop:
		return m.loadProperty(f, w, f.regs[uint8(w>>16)], f.code.Consts[x])
	case compile.PropThis:
		return m.loadProperty(f, w, f.regs[0], f.code.Consts[x])
	case compile.StoreThis:
		return m.storeThis(f, w, f.code.Consts[x])
	case compile.NewArray:
		return m.newArray(f, w)
	case compile.NewKeyed:
		return m.newKeyed(f, w)
	case compile.SetIndex:
		return m.setIndex(f, w, f.regs[uint8(w>>16)])
	case compile.SetIndexK:
		return m.setIndex(f, w, f.code.Consts[uint8(w>>16)])
	case compile.Push:
		return m.push(f, w)
	case compile.Spread, compile.SpreadArgs:
		return m.spread(f, w)
	case compile.StorePath:
		return m.storePath(f, w, &f.code.Paths[x])
	case compile.OpPath:
		return m.opPath(f, w, &f.code.Paths[x])
	case compile.IncPath:
		return m.incPath(f, w, &f.code.Paths[x])
	case compile.IssetPath:
		return m.issetPath(f, w, &f.code.Paths[x])
	case compile.UnsetPath:
		return m.unsetPath(f, w, &f.code.Paths[x])
	case compile.LoadPath:
		return m.loadPath(f, w, &f.code.Paths[x])
	case compile.Item:
		return m.item(f, w, int(x))
	case compile.Element:
		return m.element(f, w)
	case compile.Rest:
		return m.restOf(f, w, int(x))

	case compile.Call:
		return m.call(f, w)
	case compile.CallScript:
		return m.callScript(f, w, f.code.Scripts[x])
	case compile.CallGo:
		return m.callBuiltin(f, w, f.code.Builtins[x])
	case compile.CallMethod:
		return m.callMethod(f, w, &f.code.Sites[x])
	case compile.New:
		return m.callNew(f, w, f.code.Classes[x])
	case compile.CallSpread:
		return m.callSpread(f, w)
	case compile.Cached:
		return m.callCached(f, w, f.code.Consts[x].Function())

	case compile.ForIter:
		return m.iterate(f, w)
	case compile.ForNext:
		return m.next(f, w, x)
	case compile.Echo:
		return m.echo(f, w)
	case compile.Throw:
		return m.throw(f, w)
	case compile.Fail:
		return value.Errorf("%s", f.code.Consts[x].Str())
	case compile.MatchFail:
		return m.noMatch(f.regs[uint8(w>>8)])
	case compile.Import:
		return m.importModule(f.code.Modules[x])
	case compile.BarrierEnter:
		return m.barrier(f, w, f.code.Barriers[x])
	case compile.BarrierLeave:
		return m.leaveBarrier()
	case compile.Break:
		return m.stopAt(f, f.code.Points[x])
	case compile.Visit:
		f.code.Marks[x].Count.Add(1)
		return nil
	}
	return value.Errorf("internal error: no way to carry out %s", op)
}

// jump goes on x words further if it is to be taken.
func (m *Machine) jump(f *frame, x uint32, taken bool) error {
	if !taken {
		return nil
	}
	d := int(int32(x))
	f.pc += d
	if d >= 0 {
		return nil
	}
	return m.Step(-d)
}
