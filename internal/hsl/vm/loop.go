package vm

import (
	"math"

	"github.com/posthaste-mta/posthaste/internal/hsl/compile"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// loop carries out instructions from the topmost frame on, until a function
// returns and stop frames are left, or something fails.
//
// Its variables are those of the frame under way; after whatever may push or pop
// a frame, or move the stack, it continues at reload.
func (m *Machine) loop(stop int) (value.Value, error) {
	var (
		f      *frame
		code   *compile.Code
		words  []uint32
		consts []value.Value
		regs   *[windowSize]value.Value
		pc     int
		w      uint32
		taken  bool
		err    error
	)
reload:
	f = &m.frames[len(m.frames)-1]
	code = f.code
	words, consts = code.Words, code.Consts
	regs = m.window(f.base)
	pc = f.pc
	for {
		w = words[pc]
		pc++
		switch compile.Op(w) {
		case compile.Nop:
			if m.Fuel -= 256; m.Fuel < 0 {
				goto poll
			}

		case compile.LoadK:
			regs[uint8(w>>8)] = consts[w>>16]
		case compile.LoadKX:
			regs[uint8(w>>8)] = consts[words[pc]]
			pc++
		case compile.LoadInt:
			regs[uint8(w>>8)].SetFloat(float64(int16(w >> 16)))
		case compile.Move:
			v := regs[uint8(w>>16)]
			if !v.IsNumber() {
				if v.IsUndefined() {
					err = m.undefined(code, w>>16)
					goto fail
				}
				v.Retain()
			}
			regs[uint8(w>>8)] = v
		case compile.MoveQuiet:
			v := regs[uint8(w>>16)]
			if v.IsUndefined() {
				v = value.None
			}
			v.Retain()
			regs[uint8(w>>8)] = v
		case compile.Take:
			regs[uint8(w>>8)] = regs[uint8(w>>16)]
		case compile.Own:
			regs[uint8(w>>8)].Retain()
		case compile.Touch:
			if r := &regs[uint8(w>>8)]; r.IsUndefined() {
				*r = value.None
			}
		case compile.LoadCell:
			if err = m.loadCell(f.cells[words[pc]], &regs[uint8(w>>8)], w); err != nil {
				err = value.Errorf("undefined variable $%s", code.Cells[words[pc]])
				goto fail
			}
			pc++
		case compile.LoadGlobal:
			if err = m.loadCell(f.globals[words[pc]], &regs[uint8(w>>8)], w); err != nil {
				err = value.Errorf("undefined variable $%s", code.Module.Globals[words[pc]].Name)
				goto fail
			}
			pc++
		case compile.StoreCell:
			f.cells[words[pc]].Store(regs[uint8(w>>8)])
			pc++
		case compile.StoreGlob:
			f.globals[words[pc]].Store(regs[uint8(w>>8)])
			pc++
		case compile.Closure:
			if err = m.Alloc(128); err != nil {
				goto fail
			}
			regs[uint8(w>>8)] = closure(f, code.Scripts[words[pc]])
			pc++
		case compile.Fresh:
			var v value.Value
			if v, err = code.Data[words[pc]].Fresh(); err != nil {
				goto fail
			}
			regs[uint8(w>>8)] = v
			pc++

		case compile.Add:
			x, y := regs[uint8(w>>16)], regs[uint8(w>>24)]
			if value.BothNumbers(x, y) {
				regs[uint8(w>>8)].SetFloat(x.Float() + y.Float())
			} else if err = m.operate(code, regs, w, value.Add, y); err != nil {
				goto fail
			}
		case compile.Sub:
			x, y := regs[uint8(w>>16)], regs[uint8(w>>24)]
			if value.BothNumbers(x, y) {
				regs[uint8(w>>8)].SetFloat(x.Float() - y.Float())
			} else if err = m.operate(code, regs, w, value.Sub, y); err != nil {
				goto fail
			}
		case compile.Mul:
			x, y := regs[uint8(w>>16)], regs[uint8(w>>24)]
			if value.BothNumbers(x, y) {
				regs[uint8(w>>8)].SetFloat(x.Float() * y.Float())
			} else if err = m.operate(code, regs, w, value.Mul, y); err != nil {
				goto fail
			}
		case compile.Div:
			x, y := regs[uint8(w>>16)], regs[uint8(w>>24)]
			if value.BothNumbers(x, y) {
				regs[uint8(w>>8)].SetFloat(x.Float() / y.Float())
			} else if err = m.operate(code, regs, w, value.Div, y); err != nil {
				goto fail
			}
		case compile.Mod:
			x, y := regs[uint8(w>>16)], regs[uint8(w>>24)]
			if value.BothNumbers(x, y) {
				regs[uint8(w>>8)].SetFloat(value.Remainder(x.Float(), y.Float()))
			} else if err = m.operate(code, regs, w, value.Mod, y); err != nil {
				goto fail
			}
		case compile.Pow:
			x, y := regs[uint8(w>>16)], regs[uint8(w>>24)]
			if value.BothNumbers(x, y) {
				regs[uint8(w>>8)].SetFloat(math.Pow(x.Float(), y.Float()))
			} else if err = m.operate(code, regs, w, value.Pow, y); err != nil {
				goto fail
			}
		case compile.AddK:
			x, y := regs[uint8(w>>16)], consts[w>>24]
			if value.BothNumbers(x, y) {
				regs[uint8(w>>8)].SetFloat(x.Float() + y.Float())
			} else if err = m.operate(code, regs, w, value.Add, y); err != nil {
				goto fail
			}
		case compile.SubK:
			x, y := regs[uint8(w>>16)], consts[w>>24]
			if value.BothNumbers(x, y) {
				regs[uint8(w>>8)].SetFloat(x.Float() - y.Float())
			} else if err = m.operate(code, regs, w, value.Sub, y); err != nil {
				goto fail
			}
		case compile.MulK:
			x, y := regs[uint8(w>>16)], consts[w>>24]
			if value.BothNumbers(x, y) {
				regs[uint8(w>>8)].SetFloat(x.Float() * y.Float())
			} else if err = m.operate(code, regs, w, value.Mul, y); err != nil {
				goto fail
			}
		case compile.DivK:
			x, y := regs[uint8(w>>16)], consts[w>>24]
			if value.BothNumbers(x, y) {
				regs[uint8(w>>8)].SetFloat(x.Float() / y.Float())
			} else if err = m.operate(code, regs, w, value.Div, y); err != nil {
				goto fail
			}
		case compile.ModK:
			x, y := regs[uint8(w>>16)], consts[w>>24]
			if value.BothNumbers(x, y) {
				regs[uint8(w>>8)].SetFloat(value.Remainder(x.Float(), y.Float()))
			} else if err = m.operate(code, regs, w, value.Mod, y); err != nil {
				goto fail
			}
		case compile.BitAnd:
			x, y := regs[uint8(w>>16)], regs[uint8(w>>24)]
			if value.BothNumbers(x, y) {
				regs[uint8(w>>8)].SetFloat(float64(int32(value.Int32(x.Float()) & value.Int32(y.Float()))))
			} else if err = m.operate(code, regs, w, value.BitAnd, y); err != nil {
				goto fail
			}
		case compile.BitOr:
			x, y := regs[uint8(w>>16)], regs[uint8(w>>24)]
			if value.BothNumbers(x, y) {
				regs[uint8(w>>8)].SetFloat(float64(int32(value.Int32(x.Float()) | value.Int32(y.Float()))))
			} else if err = m.operate(code, regs, w, value.BitOr, y); err != nil {
				goto fail
			}
		case compile.BitXor:
			x, y := regs[uint8(w>>16)], regs[uint8(w>>24)]
			if value.BothNumbers(x, y) {
				regs[uint8(w>>8)].SetFloat(float64(int32(value.Int32(x.Float()) ^ value.Int32(y.Float()))))
			} else if err = m.operate(code, regs, w, value.BitXor, y); err != nil {
				goto fail
			}
		case compile.Shl:
			if err = m.operate(code, regs, w, value.ShiftLeft, regs[uint8(w>>24)]); err != nil {
				goto fail
			}
		case compile.Shr:
			if err = m.operate(code, regs, w, value.ShiftRight, regs[uint8(w>>24)]); err != nil {
				goto fail
			}
		case compile.Ushr:
			if err = m.operate(code, regs, w, value.ShiftRightZero, regs[uint8(w>>24)]); err != nil {
				goto fail
			}
		case compile.Join:
			if err = m.operate(code, regs, w, value.Concat, regs[uint8(w>>24)]); err != nil {
				goto fail
			}
		case compile.Concat:
			first := int(uint8(w >> 16))
			var v value.Value
			if v, err = m.Join(regs[first : first+int(w>>24)]); err != nil {
				goto fail
			}
			regs[uint8(w>>8)] = v
		case compile.Neg:
			x := regs[uint8(w>>16)]
			if x.IsUndefined() {
				err = m.undefined(code, w>>16)
				goto fail
			}
			regs[uint8(w>>8)].SetFloat(-x.ToNumber())
		case compile.Plus:
			x := regs[uint8(w>>16)]
			if x.IsUndefined() {
				err = m.undefined(code, w>>16)
				goto fail
			}
			regs[uint8(w>>8)].SetFloat(x.ToNumber())
		case compile.Not:
			x := regs[uint8(w>>16)]
			if x.IsUndefined() {
				err = m.undefined(code, w>>16)
				goto fail
			}
			regs[uint8(w>>8)].SetBool(!x.Truth())
		case compile.BitNot:
			x := regs[uint8(w>>16)]
			if x.IsUndefined() {
				err = m.undefined(code, w>>16)
				goto fail
			}
			regs[uint8(w>>8)] = value.BitNot(x)
		case compile.Inc:
			if r := &regs[uint8(w>>8)]; r.IsNumber() {
				r.SetFloat(r.Float() + 1)
			} else {
				r.SetFloat(r.ToNumber() + 1)
			}
		case compile.Dec:
			if r := &regs[uint8(w>>8)]; r.IsNumber() {
				r.SetFloat(r.Float() - 1)
			} else {
				r.SetFloat(r.ToNumber() - 1)
			}
		case compile.Number:
			r := &regs[uint8(w>>8)]
			r.SetFloat(r.ToNumber())
		case compile.Eq:
			if err = m.operate(code, regs, w, value.OpEqual, regs[uint8(w>>24)]); err != nil {
				goto fail
			}
		case compile.Ne:
			if err = m.operate(code, regs, w, value.OpNotEqual, regs[uint8(w>>24)]); err != nil {
				goto fail
			}
		case compile.Id:
			if err = m.operate(code, regs, w, value.OpIdentical, regs[uint8(w>>24)]); err != nil {
				goto fail
			}
		case compile.Nid:
			if err = m.operate(code, regs, w, value.OpNotIdentical, regs[uint8(w>>24)]); err != nil {
				goto fail
			}
		case compile.Lt:
			if err = m.operate(code, regs, w, value.OpLess, regs[uint8(w>>24)]); err != nil {
				goto fail
			}
		case compile.Le:
			if err = m.operate(code, regs, w, value.OpLessOrEqual, regs[uint8(w>>24)]); err != nil {
				goto fail
			}
		case compile.Matches:
			f.pc = pc
			if taken, err = m.matches(code, regs, w); err != nil {
				goto fail
			}
			regs[uint8(w>>8)].SetBool(taken)

		case compile.Jump:
			d := int(int32(words[pc]))
			pc += d + 1
			if d < 0 {
				if m.Fuel += int64(d); m.Fuel < 0 {
					goto poll
				}
			}
		case compile.JBool:
			x := regs[uint8(w>>8)]
			if x.IsUndefined() {
				err = m.undefined(code, w>>8)
				goto fail
			}
			taken = x.Truth()
			goto jump
		case compile.JSet:
			taken = regs[uint8(w>>8)].IsSet()
			goto jump
		case compile.JDef:
			if regs[uint8(w>>8)].IsUndefined() {
				pc++
			} else {
				pc += int(int32(words[pc])) + 1
			}
		case compile.JEq:
			x, y := regs[uint8(w>>8)], regs[uint8(w>>16)]
			if value.BothNumbers(x, y) {
				taken = x.Float() == y.Float()
			} else if taken, err = m.compare(code, regs, w, value.OpEqual, y); err != nil {
				goto fail
			}
			goto jump
		case compile.JId:
			x, y := regs[uint8(w>>8)], regs[uint8(w>>16)]
			if value.BothNumbers(x, y) {
				taken = x.Float() == y.Float()
			} else if taken, err = m.compare(code, regs, w, value.OpIdentical, y); err != nil {
				goto fail
			}
			goto jump
		case compile.JLt:
			x, y := regs[uint8(w>>8)], regs[uint8(w>>16)]
			if value.BothNumbers(x, y) {
				taken = x.Float() < y.Float()
			} else if taken, err = m.compare(code, regs, w, value.OpLess, y); err != nil {
				goto fail
			}
			goto jump
		case compile.JLe:
			x, y := regs[uint8(w>>8)], regs[uint8(w>>16)]
			if value.BothNumbers(x, y) {
				taken = x.Float() <= y.Float()
			} else if taken, err = m.compare(code, regs, w, value.OpLessOrEqual, y); err != nil {
				goto fail
			}
			goto jump
		case compile.JEqK:
			x, y := regs[uint8(w>>8)], consts[uint8(w>>16)]
			if value.BothNumbers(x, y) {
				taken = x.Float() == y.Float()
			} else if taken, err = m.compare(code, regs, w, value.OpEqual, y); err != nil {
				goto fail
			}
			goto jump
		case compile.JIdK:
			x, y := regs[uint8(w>>8)], consts[uint8(w>>16)]
			if value.BothNumbers(x, y) {
				taken = x.Float() == y.Float()
			} else if taken, err = m.compare(code, regs, w, value.OpIdentical, y); err != nil {
				goto fail
			}
			goto jump
		case compile.JLtK:
			x, y := regs[uint8(w>>8)], consts[uint8(w>>16)]
			if value.BothNumbers(x, y) {
				taken = x.Float() < y.Float()
			} else if taken, err = m.compare(code, regs, w, value.OpLess, y); err != nil {
				goto fail
			}
			goto jump
		case compile.JLeK:
			x, y := regs[uint8(w>>8)], consts[uint8(w>>16)]
			if value.BothNumbers(x, y) {
				taken = x.Float() <= y.Float()
			} else if taken, err = m.compare(code, regs, w, value.OpLessOrEqual, y); err != nil {
				goto fail
			}
			goto jump
		case compile.JGtK:
			x, y := regs[uint8(w>>8)], consts[uint8(w>>16)]
			if value.BothNumbers(x, y) {
				taken = x.Float() > y.Float()
			} else if taken, err = m.compare(code, regs, w, value.OpGreater, y); err != nil {
				goto fail
			}
			goto jump
		case compile.JGeK:
			x, y := regs[uint8(w>>8)], consts[uint8(w>>16)]
			if value.BothNumbers(x, y) {
				taken = x.Float() >= y.Float()
			} else if taken, err = m.compare(code, regs, w, value.OpGreaterOrEqual, y); err != nil {
				goto fail
			}
			goto jump

		case compile.Index:
			x, y := regs[uint8(w>>16)], regs[uint8(w>>24)]
			if a := x.Array(); a != nil && y.IsSet() {
				regs[uint8(w>>8)], _ = a.Get(y)
			} else if err = m.index(code, regs, w, y); err != nil {
				goto fail
			}
		case compile.IndexK:
			x, y := regs[uint8(w>>16)], consts[w>>24]
			if a := x.Array(); a != nil {
				regs[uint8(w>>8)], _ = a.Get(y)
			} else if err = m.index(code, regs, w, y); err != nil {
				goto fail
			}
		case compile.Fetch:
			x, y := regs[uint8(w>>16)], regs[uint8(w>>24)]
			if a := x.Array(); a != nil && y.IsSet() {
				v, _ := a.Get(y)
				v.Retain()
				regs[uint8(w>>8)] = v
			} else if err = m.index(code, regs, w, y); err != nil {
				goto fail
			} else {
				regs[uint8(w>>8)].Retain()
			}
		case compile.FetchK:
			x, y := regs[uint8(w>>16)], consts[w>>24]
			if a := x.Array(); a != nil {
				v, _ := a.Get(y)
				v.Retain()
				regs[uint8(w>>8)] = v
			} else if err = m.index(code, regs, w, y); err != nil {
				goto fail
			} else {
				regs[uint8(w>>8)].Retain()
			}
		case compile.Slice:
			b := uint8(w >> 16)
			var v value.Value
			if v, err = value.Slice(&m.Thread, regs[uint8(w>>8)], regs[b], regs[b+1], regs[b+2]); err != nil {
				goto fail
			}
			regs[uint8(w>>8)] = v
		case compile.Prop:
			f.pc = pc
			if err = m.loadProperty(code, regs, w, consts[words[pc]]); err != nil {
				goto fail
			}
			pc++
		case compile.PropThis:
			if o := regs[0].Object(); o != nil && o.Class == code.Class && !o.Published() {
				v := *o.Slot(int(uint8(w >> 16)))
				if v.IsUndefined() {
					v = value.None
				}
				if w>>24&compile.Owned != 0 {
					v.Retain()
				}
				regs[uint8(w>>8)] = v
			} else if err = m.loadProperty(code, regs, w&^0xff0000, consts[words[pc]]); err != nil {
				goto fail
			}
			pc++
		case compile.NewArray:
			n := int(w >> 16)
			if err = m.Alloc(64 + 16*n); err != nil {
				goto fail
			}
			regs[uint8(w>>8)] = value.FromArray(value.NewArray(n))
		case compile.SetIndex:
			if err = m.setIndex(code, regs, w, regs[uint8(w>>16)]); err != nil {
				goto fail
			}
		case compile.SetIndexK:
			if err = m.setIndex(code, regs, w, consts[uint8(w>>16)]); err != nil {
				goto fail
			}
		case compile.Push:
			if err = m.push(code, regs, w); err != nil {
				goto fail
			}
		case compile.Spread, compile.SpreadArgs:
			if err = m.spread(code, regs, w); err != nil {
				goto fail
			}
		case compile.StorePath:
			if err = m.storePath(f, regs, w, &code.Paths[words[pc]]); err != nil {
				goto fail
			}
			pc++
		case compile.OpPath:
			if err = m.opPath(f, regs, w, &code.Paths[words[pc]]); err != nil {
				goto fail
			}
			pc++
		case compile.IncPath:
			if err = m.incPath(f, regs, w, &code.Paths[words[pc]]); err != nil {
				goto fail
			}
			pc++
		case compile.IssetPath:
			regs[uint8(w>>8)].SetBool(m.issetPath(f, regs, &code.Paths[words[pc]]))
			pc++
		case compile.UnsetPath:
			if taken, err = m.unsetPath(f, regs, &code.Paths[words[pc]]); err != nil {
				goto fail
			}
			regs[uint8(w>>8)].SetBool(taken)
			pc++
		case compile.LoadPath:
			var v value.Value
			if v, err = m.loadPath(f, regs, &code.Paths[words[pc]]); err != nil {
				goto fail
			}
			v.Retain()
			regs[uint8(w>>8)] = v
			pc++
		case compile.Item:
			v, ok := regs[uint8(w>>16)].Array().At(int(words[pc]))
			if !ok {
				v = value.Undefined
			}
			v.Retain()
			regs[uint8(w>>8)] = v
			pc++
		case compile.Element:
			v, ok := regs[uint8(w>>16)].Array().Get(regs[w>>24])
			if !ok {
				v = value.Undefined
			}
			v.Retain()
			regs[uint8(w>>8)] = v
		case compile.Rest:
			if err = m.restOf(regs, w, int(words[pc])); err != nil {
				goto fail
			}
			pc++

		case compile.Call:
			f.pc = pc
			if err = m.call(f, regs, w, stop); err != nil {
				goto fail
			}
			goto reload
		case compile.CallScript:
			callee := code.Scripts[words[pc]]
			pc++
			f.pc = pc
			base := f.base + int(uint8(w>>8))
			n := int(uint8(w >> 16))
			if callee.Yields {
				if err = m.callScript(f, callee, w); err != nil {
					goto fail
				}
				goto reload
			}
			if err = m.enter(callee, nil, base, regs[uint8(w>>8)+1:int(uint8(w>>8))+1+n]); err != nil {
				goto fail
			}
			m.frames[len(m.frames)-1].dst = uint8(w >> 24)
			goto reload
		case compile.CallGo:
			b := code.Builtins[words[pc]]
			pc++
			f.pc = pc
			a := int(uint8(w >> 8))
			var v value.Value
			if v, err = m.callGo(b, nil, regs[a+1:a+1+int(uint8(w>>16))]); err != nil {
				goto fail
			}
			f = &m.frames[len(m.frames)-1]
			regs = m.window(f.base)
			regs[w>>24] = v
		case compile.CallMethod:
			name := consts[words[pc]].Str()
			pc++
			f.pc = pc
			if err = m.callMethod(f, regs, w, name); err != nil {
				goto fail
			}
			goto reload
		case compile.New:
			class := code.Classes[words[pc]]
			pc++
			f.pc = pc
			if err = m.callNew(f, regs, w, class); err != nil {
				goto fail
			}
			goto reload
		case compile.CallSpread:
			f.pc = pc
			if err = m.callSpread(f, regs, w); err != nil {
				goto fail
			}
			goto reload
		case compile.Cached:
			fn := consts[words[pc]].Function()
			pc++
			f.pc = pc
			if err = m.callCached(regs, w, fn); err != nil {
				goto fail
			}
			goto reload

		case compile.Return, compile.ReturnNone:
			var v value.Value
			if compile.Op(w) == compile.Return {
				a := uint8(w >> 8)
				v = regs[a]
				if int(a) < code.Registers {
					if v.IsUndefined() {
						err = m.undefined(code, w>>8)
						goto fail
					}
					v.Retain()
				}
			}
			for i := 1; i < code.Registers; i++ {
				if a := regs[i&0xff].Array(); a != nil {
					a.Release()
				}
			}
			if f.makes {
				v = regs[0]
			}
			if f.gen != nil {
				f.gen.state = finished
			}
			n := len(m.frames) - 1
			dst := f.dst
			if f.cells != nil || f.gen != nil {
				f.cells, f.gen = nil, nil
			}
			m.frames = m.frames[:n]
			if n == stop {
				return v, nil
			}
			f = &m.frames[n-1]
			code = f.code
			words, consts = code.Words, code.Consts
			regs = m.window(f.base)
			pc = f.pc
			regs[dst] = v
		case compile.Yield, compile.YieldNext:
			f.pc = pc
			return m.yield(f, regs, w), nil

		case compile.ForIter:
			if err = m.iterate(code, regs, w); err != nil {
				goto fail
			}
		case compile.ForNext:
			a := uint8(w >> 8)
			if list := regs[a].Array(); list != nil {
				k, v, at := list.Next(int(regs[a+1].Float()))
				if at < 0 {
					pc++
					continue
				}
				v.Retain()
				regs[w>>24] = v
				if b := uint8(w >> 16); b > 0 {
					regs[b] = k
				}
				regs[a+1].SetFloat(float64(at + 1))
			} else {
				f.pc = pc
				if taken, err = m.next(f.base, w); err != nil {
					goto fail
				}
				f = &m.frames[len(m.frames)-1]
				regs = m.window(f.base)
				if !taken {
					pc++
					continue
				}
			}
			d := int(int32(words[pc]))
			pc += d + 1
			if m.Fuel += int64(d); m.Fuel < 0 {
				goto poll
			}
		case compile.ForEnd:
			r := &regs[uint8(w>>8)]
			r.Release()
			*r = value.None

		case compile.Echo:
			if err = m.echo(code, regs, w); err != nil {
				goto fail
			}
		case compile.Throw:
			f.pc = pc
			if err = m.throw(code, regs, w); err != nil {
				goto fail
			}
		case compile.Fail:
			err = value.Errorf("%s", consts[words[pc]].Str())
			goto fail
		case compile.MatchFail:
			err = m.noMatch(regs[uint8(w>>8)])
			goto fail
		case compile.Import:
			mod := code.Modules[words[pc]]
			pc++
			f.pc = pc
			if err = m.importModule(mod); err != nil {
				goto fail
			}
			goto reload
		case compile.BarrierEnter:
			f.pc = pc
			if err = m.barrier(f, code, regs, w, int(words[pc])); err != nil {
				goto fail
			}
			pc++
		case compile.BarrierLeave:
			f.pc = pc
			if err = m.leaveBarrier(); err != nil {
				goto fail
			}
		}
		continue

	jump:
		if taken == (w>>24 != 0) {
			d := int(int32(words[pc]))
			pc += d + 1
			if d < 0 {
				if m.Fuel += int64(d); m.Fuel < 0 {
					goto poll
				}
			}
		} else {
			pc++
		}
		continue

	poll:
		if err = m.Poll(); err == nil {
			continue
		}

	fail:
		m.frames[len(m.frames)-1].pc = pc
		return value.None, err
	}
}
