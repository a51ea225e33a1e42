package vm

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/compile"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// loop carries out instructions from the topmost frame on, until a function
// returns and stop frames are left, or something fails.
//
// It is written for the registers of the processor. Its few variables stay in
// them as long as no function is called that is not inlined; so what happens
// nearly always is done here, and everything else by a method that is given the
// instruction and finds the rest in the frame. Whoever calls one stores pc
// before and goes to reload after, which reads the variables again: then none of
// them lives across a call, and none has to be spilled for each instruction.
func (m *Machine) loop(stop int) (value.Value, error) {
	var (
		f    *frame
		code *compile.Code
		regs *[windowSize]value.Value
		pc   int
		w    uint32
		err  error

		callee *compile.Code
		cells  []*value.Cell
		next   int
	)
reload:
	f = m.frame
	code = f.code
	regs = f.regs
	pc = f.pc
	for {
		w = code.Words[pc]
		pc++
		switch compile.Op(w) {
		case compile.Nop:
			if m.Fuel -= 256; m.Fuel < 0 {
				goto poll
			}
			continue
		case compile.LoadK:
			regs[uint8(w>>8)] = code.Consts[w>>16]
			continue
		case compile.LoadKX:
			regs[uint8(w>>8)] = code.Consts[code.Words[pc]]
			pc++
			continue
		case compile.LoadInt:
			regs[uint8(w>>8)].SetFloat(float64(int16(w >> 16)))
			continue
		case compile.Move:
			if x := &regs[uint8(w>>16)]; x.IsNumber() {
				regs[uint8(w>>8)].SetNumber(x)
				continue
			} else if x.IsPlain() {
				regs[uint8(w>>8)] = *x
				continue
			}
		case compile.MoveQuiet:
			v := regs[uint8(w>>16)]
			if v.IsUndefined() {
				v = value.None
			}
			v.Retain()
			regs[uint8(w>>8)] = v
			continue
		case compile.Take:
			regs[uint8(w>>8)] = regs[uint8(w>>16)]
			continue
		case compile.Own:
			regs[uint8(w>>8)].Retain()
			continue
		case compile.Touch:
			if r := &regs[uint8(w>>8)]; r.IsUndefined() {
				*r = value.None
			}
			continue
		case compile.LoadCell:
			if p := f.cells[code.Words[pc]].Place(); p != nil && p.IsNumber() {
				regs[uint8(w>>8)].SetNumber(p)
				pc++
				continue
			}
		case compile.LoadGlobal:
			if p := f.globals[code.Words[pc]].Place(); p != nil && p.IsNumber() {
				regs[uint8(w>>8)].SetNumber(p)
				pc++
				continue
			}
		case compile.StoreCell:
			if p := f.cells[code.Words[pc]].Place(); p != nil {
				*p = regs[uint8(w>>8)]
				pc++
				continue
			}
		case compile.StoreGlob:
			if p := f.globals[code.Words[pc]].Place(); p != nil {
				*p = regs[uint8(w>>8)]
				pc++
				continue
			}
		case compile.Add:
			if x, y := &regs[uint8(w>>16)], &regs[w>>24]; value.BothNumbers(*x, *y) {
				regs[uint8(w>>8)].SetFloat(x.Float() + y.Float())
				continue
			}
		case compile.Sub:
			if x, y := &regs[uint8(w>>16)], &regs[w>>24]; value.BothNumbers(*x, *y) {
				regs[uint8(w>>8)].SetFloat(x.Float() - y.Float())
				continue
			}
		case compile.Mul:
			if x, y := &regs[uint8(w>>16)], &regs[w>>24]; value.BothNumbers(*x, *y) {
				regs[uint8(w>>8)].SetFloat(x.Float() * y.Float())
				continue
			}
		case compile.Div:
			if x, y := &regs[uint8(w>>16)], &regs[w>>24]; value.BothNumbers(*x, *y) {
				regs[uint8(w>>8)].SetFloat(x.Float() / y.Float())
				continue
			}
		case compile.AddK:
			if x, y := &regs[uint8(w>>16)], &code.Consts[w>>24]; value.BothNumbers(*x, *y) {
				regs[uint8(w>>8)].SetFloat(x.Float() + y.Float())
				continue
			}
		case compile.SubK:
			if x, y := &regs[uint8(w>>16)], &code.Consts[w>>24]; value.BothNumbers(*x, *y) {
				regs[uint8(w>>8)].SetFloat(x.Float() - y.Float())
				continue
			}
		case compile.MulK:
			if x, y := &regs[uint8(w>>16)], &code.Consts[w>>24]; value.BothNumbers(*x, *y) {
				regs[uint8(w>>8)].SetFloat(x.Float() * y.Float())
				continue
			}
		case compile.DivK:
			if x, y := &regs[uint8(w>>16)], &code.Consts[w>>24]; value.BothNumbers(*x, *y) {
				regs[uint8(w>>8)].SetFloat(x.Float() / y.Float())
				continue
			}
		case compile.Mod:
			if x, y := &regs[uint8(w>>16)], &regs[w>>24]; value.BothNumbers(*x, *y) {
				if r, ok := value.SmallRemainder(x.Float(), y.Float()); ok {
					regs[uint8(w>>8)].SetFloat(r)
					continue
				}
			}
		case compile.ModK:
			if x, y := &regs[uint8(w>>16)], &code.Consts[w>>24]; value.BothNumbers(*x, *y) {
				if r, ok := value.SmallRemainder(x.Float(), y.Float()); ok {
					regs[uint8(w>>8)].SetFloat(r)
					continue
				}
			}
		case compile.BitAnd:
			if x, y := &regs[uint8(w>>16)], &regs[w>>24]; value.BothInts(*x, *y) {
				regs[uint8(w>>8)].SetFloat(float64(int32(int64(x.Float())) & int32(int64(y.Float()))))
				continue
			}
		case compile.BitOr:
			if x, y := &regs[uint8(w>>16)], &regs[w>>24]; value.BothInts(*x, *y) {
				regs[uint8(w>>8)].SetFloat(float64(int32(int64(x.Float())) | int32(int64(y.Float()))))
				continue
			}
		case compile.BitXor:
			if x, y := &regs[uint8(w>>16)], &regs[w>>24]; value.BothInts(*x, *y) {
				regs[uint8(w>>8)].SetFloat(float64(int32(int64(x.Float())) ^ int32(int64(y.Float()))))
				continue
			}
		case compile.Neg:
			if x := &regs[uint8(w>>16)]; x.IsNumber() {
				regs[uint8(w>>8)].SetFloat(-x.Float())
				continue
			}
		case compile.Inc:
			if r := &regs[uint8(w>>8)]; r.IsNumber() {
				r.SetFloat(r.Float() + 1)
				continue
			}
		case compile.Dec:
			if r := &regs[uint8(w>>8)]; r.IsNumber() {
				r.SetFloat(r.Float() - 1)
				continue
			}
		case compile.Jump:
			goto jump
		case compile.JBool:
			x := &regs[uint8(w>>8)]
			if x.IsBoolean() {
				if x.Bool() == (w>>24 != 0) {
					goto jump
				}
				pc++
				continue
			}
		case compile.JSet:
			if regs[uint8(w>>8)].IsSet() == (w>>24 != 0) {
				goto jump
			}
			pc++
			continue
		case compile.JDef:
			if !regs[uint8(w>>8)].IsUndefined() {
				goto jump
			}
			pc++
			continue
		case compile.JEq:
			if x, y := &regs[uint8(w>>8)], &regs[uint8(w>>16)]; value.BothNumbers(*x, *y) {
				if (x.Float() == y.Float()) == (w>>24 != 0) {
					goto jump
				}
				pc++
				continue
			}
		case compile.JId:
			if x, y := &regs[uint8(w>>8)], &regs[uint8(w>>16)]; value.BothNumbers(*x, *y) {
				if (x.Float() == y.Float()) == (w>>24 != 0) {
					goto jump
				}
				pc++
				continue
			}
		case compile.JLt:
			if x, y := &regs[uint8(w>>8)], &regs[uint8(w>>16)]; value.BothNumbers(*x, *y) {
				if (x.Float() < y.Float()) == (w>>24 != 0) {
					goto jump
				}
				pc++
				continue
			}
		case compile.JLe:
			if x, y := &regs[uint8(w>>8)], &regs[uint8(w>>16)]; value.BothNumbers(*x, *y) {
				if (x.Float() <= y.Float()) == (w>>24 != 0) {
					goto jump
				}
				pc++
				continue
			}
		case compile.JEqK:
			if x, y := &regs[uint8(w>>8)], &code.Consts[uint8(w>>16)]; value.BothNumbers(*x, *y) {
				if (x.Float() == y.Float()) == (w>>24 != 0) {
					goto jump
				}
				pc++
				continue
			}
		case compile.JIdK:
			if x, y := &regs[uint8(w>>8)], &code.Consts[uint8(w>>16)]; value.BothNumbers(*x, *y) {
				if (x.Float() == y.Float()) == (w>>24 != 0) {
					goto jump
				}
				pc++
				continue
			}
		case compile.JLtK:
			if x, y := &regs[uint8(w>>8)], &code.Consts[uint8(w>>16)]; value.BothNumbers(*x, *y) {
				if (x.Float() < y.Float()) == (w>>24 != 0) {
					goto jump
				}
				pc++
				continue
			}
		case compile.JLeK:
			if x, y := &regs[uint8(w>>8)], &code.Consts[uint8(w>>16)]; value.BothNumbers(*x, *y) {
				if (x.Float() <= y.Float()) == (w>>24 != 0) {
					goto jump
				}
				pc++
				continue
			}
		case compile.JGtK:
			if x, y := &regs[uint8(w>>8)], &code.Consts[uint8(w>>16)]; value.BothNumbers(*x, *y) {
				if (x.Float() > y.Float()) == (w>>24 != 0) {
					goto jump
				}
				pc++
				continue
			}
		case compile.JGeK:
			if x, y := &regs[uint8(w>>8)], &code.Consts[uint8(w>>16)]; value.BothNumbers(*x, *y) {
				if (x.Float() >= y.Float()) == (w>>24 != 0) {
					goto jump
				}
				pc++
				continue
			}
		case compile.IncJLt:
			if x, y := &regs[uint8(w>>8)], &regs[uint8(w>>16)]; value.BothNumbers(*x, *y) {
				x.SetFloat(x.Float() + 1)
				if x.Float() < y.Float() {
					goto jump
				}
				pc++
				continue
			}
		case compile.IncJLtK:
			if x, y := &regs[uint8(w>>8)], &code.Consts[uint8(w>>16)]; value.BothNumbers(*x, *y) {
				x.SetFloat(x.Float() + 1)
				if x.Float() < y.Float() {
					goto jump
				}
				pc++
				continue
			}
		case compile.Index:
			if x, y := &regs[uint8(w>>16)], &regs[w>>24]; x.IsArray() && y.IsNumber() {
				if v, ok := x.Array().Nth(y.Float()); ok {
					regs[uint8(w>>8)] = v
					continue
				}
			}
		case compile.Fetch:
			if x, y := &regs[uint8(w>>16)], &regs[w>>24]; x.IsArray() && y.IsNumber() {
				if v, ok := x.Array().Nth(y.Float()); ok {
					v.Retain()
					regs[uint8(w>>8)] = v
					continue
				}
			}
		case compile.PropThis:
			if o := regs[0].Object(); o != nil && o.Class == code.Class && !o.Published() {
				if v := *o.Slot(int(uint8(w >> 16))); !v.IsUndefined() {
					if w>>24&compile.Owned != 0 {
						v.Retain()
					}
					regs[uint8(w>>8)] = v
					pc++
					continue
				}
			}
		case compile.StoreThis:
			if o := regs[0].Object(); o != nil && o.Class == code.Class && !o.Published() {
				if r := uint8(w >> 8); regs[r].IsPlain() || int(r) >= code.Registers {
					*o.Slot(int(uint8(w >> 16))) = regs[r]
					pc++
					continue
				}
			}
		case compile.SetIndex:
			if x, y := &regs[uint8(w>>8)], &regs[uint8(w>>16)]; x.IsArray() && y.IsNumber() {
				if v := &regs[w>>24]; v.IsPlain() || int(w>>24) >= code.Registers {
					if at := x.Array().NthSlot(y.Float()); at != nil {
						*at = *v
						continue
					}
				}
			}
		case compile.Push:
			if x, v := &regs[uint8(w>>8)], &regs[uint8(w>>16)]; x.IsArray() {
				if (v.IsPlain() || int(uint8(w>>16)) >= code.Registers) && x.Array().PushFits(*v) {
					continue
				}
			}
		case compile.Call:
			if fn := regs[uint8(w>>8)].Function(); fn != nil && fn.This == nil {
				if c, ok := fn.Code.(*compile.Code); ok {
					callee, cells, next = c, fn.Cells, pc
					goto call
				}
			}
		case compile.CallScript:
			callee, cells, next = code.Scripts[code.Words[pc]], nil, pc+1
			goto call
		case compile.CallMethod:
			if o := regs[uint8(w>>8)].Object(); o != nil && !o.HasExtra() {
				if callee = code.Sites[code.Words[pc]].Known(o.Class, code.Class); callee != nil {
					cells, next = nil, pc+1
					goto call
				}
			}
		case compile.CallGo:
			f.pc = pc + 1
			if err = m.callBuiltin(f, w, code.Builtins[code.Words[pc]]); err != nil {
				return value.None, err
			}
			goto reload
		case compile.Return, compile.ReturnNone:
			n := len(m.frames) - 1
			v := value.None
			if compile.Op(w) == compile.Return {
				r := uint8(w >> 8)
				v = regs[r]
				if int(r) < code.Registers && !v.IsNumber() {
					if v.IsUndefined() {
						f.pc = pc
						return value.None, m.undefined(f, uint32(r))
					}
					v.Retain()
				}
			}
			for i := 1; i < code.Registers; i++ {
				if r := &regs[uint8(i)]; r.IsArray() {
					r.Array().Release()
				}
			}
			if f.special || n == stop {
				v = m.leave(f, v)
				if n == stop {
					return v, nil
				}
				goto reload
			}
			dst := f.dst
			m.frames = m.frames[:n]
			f = &m.frames[n-1]
			m.frame = f
			code = f.code
			regs = f.regs
			pc = f.pc
			regs[dst] = v
			continue
		case compile.Yield, compile.YieldNext:
			f.pc = pc
			return m.yield(f, w), nil
		case compile.ForNext:
			if it, at := &regs[uint8(w>>8)], &regs[uint8(w>>8)+1]; it.IsArray() {
				if v, ok := it.Array().Nth(at.Float()); ok {
					if b := uint8(w >> 16); b > 0 {
						regs[b].SetNumber(at)
					}
					at.SetFloat(at.Float() + 1)
					v.Retain()
					regs[w>>24] = v
					goto jump
				}
			}
		case compile.ForEnd:
			r := &regs[uint8(w>>8)]
			r.Release()
			*r = value.None
			continue
		}

	slow:
		f.pc = pc
		if err = m.slow(f, w); err != nil {
			return value.None, err
		}
		goto reload

	call: // callee with the arguments in place, if all that takes is a frame
		if n, base := len(m.frames), f.base+int(uint8(w>>8)); callee.Simple && int(uint8(w>>16)) == callee.Params &&
			callee.Module == code.Module && n < cap(m.frames) && n < m.Limits.Depth && base+windowSize <= len(m.stack) {
			globals := f.globals
			f.pc = next
			m.frames = m.frames[:n+1]
			f = &m.frames[n]
			m.frame = f
			regs = (*[windowSize]value.Value)(m.stack[base:])
			code = callee
			pc = 0
			f.code, f.globals, f.regs, f.base, f.dst, f.special = code, globals, regs, base, uint8(w>>24), false
			if cells != nil {
				f.cells = cells
			}
			for i := code.Params + 1; i < code.Registers; i++ {
				regs[uint8(i)].SetUndefined()
			}
			if m.Fuel -= callSteps; m.Fuel < 0 {
				goto poll
			}
			continue
		}
		goto slow

	jump:
		{
			d := int(int32(code.Words[pc]))
			pc += d + 1
			if d >= 0 {
				continue
			}
			if m.Fuel += int64(d); m.Fuel >= 0 {
				continue
			}
		}

	poll:
		f.pc = pc
		if err = m.poll(); err != nil {
			return value.None, err
		}
		goto reload
	}
}
