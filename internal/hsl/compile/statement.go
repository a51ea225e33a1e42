package compile

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func (a *assembler) statements(list []syntax.Stmt) {
	for _, s := range list {
		a.tick()
		a.markStatement(s)
		a.at(s)
		mark := a.free
		a.statement(s)
		a.free = mark
	}
}

func (a *assembler) statement(s syntax.Stmt) {
	switch s := s.(type) {
	case *syntax.ExprStmt:
		a.discard(s.X)
	case *syntax.EchoStmt:
		r := a.operand(s.X)
		a.at(s)
		a.emit(Echo, r, 0, 0)
	case *syntax.Block:
		a.statements(s.Statements)
	case *syntax.IncludeStmt:
		a.statements(s.Body)
	case *syntax.IfStmt:
		a.ifStmt(s)
	case *syntax.ForStmt:
		a.forStmt(s)
	case *syntax.ForeachStmt:
		a.foreachStmt(s)
	case *syntax.SwitchStmt:
		a.switchStmt(s)
	case *syntax.BranchStmt:
		a.branchStmt(s)
	case *syntax.ReturnStmt:
		a.returnStmt(s)
	case *syntax.ThrowStmt:
		r := a.owned(s.X)
		a.at(s)
		a.emit(Throw, r, 0, 0)
	case *syntax.YieldStmt:
		a.yieldStmt(s)
	case *syntax.BarrierStmt:
		a.barrierStmt(s)
	case *syntax.TryStmt:
		a.tryStmt(s)
	case *syntax.DebugStmt:
		a.code.Points = append(a.code.Points, Point{s.Debug, s.Breakpoint})
		a.emitWide(Break, 0, 0, 0, len(a.code.Points)-1)
		a.statements([]syntax.Stmt{s.Body})
	}
}

// discard computes an expression for its effects.
func (a *assembler) discard(x syntax.Expr) {
	switch x := x.(type) {
	case *syntax.AssignExpr:
		a.assign(x, -1)
	case *syntax.Destructure:
		a.destructure(x, -1)
	case *syntax.IncDec:
		a.incDec(x, -1)
	case *syntax.Literal:
	default:
		a.operand(x)
	}
}

// ifStmt follows chains of else if in a loop.
func (a *assembler) ifStmt(s *syntax.IfStmt) {
	var ends []int
	for {
		a.at(s)
		no := a.cond(s.Cond, false)
		a.branch(func() { a.statements([]syntax.Stmt{s.Then}) })
		if s.Else == nil {
			a.patch(no...)
			break
		}
		ends = append(ends, a.jump(Jump, 0, 0, 0))
		a.patch(no...)
		following, ok := s.Else.(*syntax.IfStmt)
		if !ok {
			a.branch(func() { a.statements([]syntax.Stmt{s.Else}) })
			break
		}
		s = following
		a.markStatement(s)
	}
	a.patch(ends...)
}

// forStmt writes the condition behind the body, so that a round costs one jump.
func (a *assembler) forStmt(s *syntax.ForStmt) {
	for _, x := range s.Init {
		a.discard(x)
	}
	if counter, limit := a.counted(s); counter != nil {
		a.countedLoop(s, counter, limit)
		return
	}
	var test int
	if s.Cond != nil {
		test = a.jump(Jump, 0, 0, 0)
	}
	start := a.here()
	a.loopBody(s.Body)
	a.branch(func() {
		for _, x := range s.Post {
			mark := a.free
			a.at(x)
			a.discard(x)
			a.free = mark
		}
	})
	if s.Cond == nil {
		a.jumpTo(start)
	} else {
		a.patch(test)
		a.at(s)
		mark := a.free
		a.branch(func() { a.patchTo(start, a.cond(s.Cond, true)...) })
		a.free = mark
	}
	a.pop()
}

// loopBody writes the body of a loop, which pop ends; continue leads behind it.
func (a *assembler) loopBody(body syntax.Stmt) {
	a.ticked = a.here()
	a.push(false)
	a.branch(func() { a.statements([]syntax.Stmt{body}) })
	a.patch(a.top().continues...)
}

// counted recognises loops such as for (…; $i < $n; $i++), and returns variable
// and limit.
func (a *assembler) counted(s *syntax.ForStmt) (counter *resolve.Var, limit syntax.Expr) {
	less, ok := s.Cond.(*syntax.Binary)
	if !ok || less.Op != syntax.Less || len(s.Post) != 1 {
		return nil, nil
	}
	inc, ok := s.Post[0].(*syntax.IncDec)
	if !ok || inc.Op != syntax.PlusPlus {
		return nil, nil
	}
	v := localTarget(inc.X)
	if v == nil || v.ReadOnly || localTarget(less.X) != v {
		return nil, nil
	}
	if _, constant := a.fold(less.Y); !constant && localTarget(less.Y) == nil {
		return nil, nil
	}
	return v, less.Y
}

// countedLoop tests the condition once before the first round; after each one
// instruction counts and tests.
func (a *assembler) countedLoop(s *syntax.ForStmt, counter *resolve.Var, limit syntax.Expr) {
	a.at(s)
	out := a.cond(s.Cond, false)
	start := a.here()
	a.loopBody(s.Body)
	a.at(s)
	mark := a.free
	op, r := IncJLt, 0
	if v, ok := a.fold(limit); ok && a.constant(v) < 256 {
		op, r = IncJLtK, a.constant(v)
	} else {
		r = a.operand(limit)
	}
	a.patchTo(start, a.jump(op, counter.Index, r, 1))
	a.free = mark
	a.pop()
	a.patch(out...)
}

func (a *assembler) push(isSwitch bool) {
	a.loops = append(a.loops, loop{isSwitch: isSwitch, barriers: a.barriers})
}

func (a *assembler) top() *loop { return &a.loops[len(a.loops)-1] }

// pop makes the breaks of the innermost loop lead here.
func (a *assembler) pop() {
	a.patch(a.top().breaks...)
	a.loops = a.loops[:len(a.loops)-1]
}

func (a *assembler) foreachStmt(s *syntax.ForeachStmt) {
	iter := a.temps(2)
	mark := a.free
	r := a.operand(s.X)
	a.at(s)
	a.emit(ForIter, iter, r, 0)
	a.free = mark
	key, keyStore := 0, false
	if s.Key != nil {
		key, keyStore = a.loopRegister(s.Key)
	}
	val, valueStore := a.loopRegister(s.Value)
	next := a.jump(Jump, 0, 0, 0)
	start := a.here()
	a.ticked = start
	a.push(false)
	a.branch(func() {
		if keyStore {
			a.store(s.Key, key)
		}
		if valueStore {
			a.store(s.Value, val)
		}
		a.setTarget(s.Key)
		a.setTarget(s.Value)
		a.statements([]syntax.Stmt{s.Body})
	})
	a.patch(a.top().continues...)
	a.patch(next)
	a.at(s)
	a.patchTo(start, a.jump(ForNext, iter, key, val))
	a.pop()
	a.emit(ForEnd, iter, 0, 0)
}

// loopRegister returns the register that takes a key or value of foreach: that of
// the variable, or a temporary that has to be stored.
func (a *assembler) loopRegister(target syntax.Expr) (r int, store bool) {
	if v := localTarget(target); v != nil && !v.ReadOnly {
		return v.Index, false
	}
	return a.temp(), true
}

func (a *assembler) setTarget(x syntax.Expr) {
	if v := localTarget(x); v != nil {
		a.set(v)
	}
}

// switchStmt writes all comparisons first, then the bodies one after the other.
func (a *assembler) switchStmt(s *syntax.SwitchStmt) {
	subject := a.temp()
	a.expr(s.Subject, subject)
	hits := make([]int, len(s.Cases))
	otherwise := -1
	for i, c := range s.Cases {
		if c.Value == nil {
			otherwise = i
			continue
		}
		hits[i] = a.equals(subject, c.Value)
	}
	rest := a.jump(Jump, 0, 0, 0)
	a.push(true)
	for i, c := range s.Cases {
		if i == otherwise {
			a.patch(rest)
		} else {
			a.patch(hits[i])
		}
		a.branch(func() { a.statements(c.Body) })
	}
	if otherwise < 0 {
		a.patch(rest)
	}
	continues := a.top().continues
	a.pop()
	if len(continues) > 0 {
		l := a.top()
		l.continues = append(l.continues, continues...)
	}
}

func (a *assembler) branchStmt(s *syntax.BranchStmt) {
	i := len(a.loops) - 1
	if s.Op == syntax.Continue {
		for a.loops[i].isSwitch {
			i--
		}
	}
	l := &a.loops[i]
	a.leaveBarriers(l.barriers)
	at := a.jump(Jump, 0, 0, 0)
	if s.Op == syntax.Continue {
		l.continues = append(l.continues, at)
	} else {
		l.breaks = append(l.breaks, at)
	}
}

// leaveBarriers leaves barriers until n are entered.
func (a *assembler) leaveBarriers(n int) {
	for range a.barriers - n {
		a.emit(BarrierLeave, 0, 0, 0)
	}
}

func (a *assembler) returnStmt(s *syntax.ReturnStmt) {
	if s.X == nil {
		a.leaveBarriers(0)
		a.emit(ReturnNone, 0, 0, 0)
		return
	}
	r := a.owned(s.X)
	if a.barriers > 0 && a.isVariable(r) { // the barrier may write it back and unset it
		t := a.temp()
		a.emit(Move, t, r, 0)
		r = t
	}
	a.leaveBarriers(0)
	a.at(s)
	a.emit(Return, r, 0, 0)
}

func (a *assembler) yieldStmt(s *syntax.YieldStmt) {
	if s.Key == nil {
		r := a.owned(s.Value)
		a.at(s)
		a.emit(YieldNext, 0, r, 0)
		return
	}
	k := a.temp()
	a.expr(s.Key, k)
	r := a.owned(s.Value)
	a.at(s)
	a.emit(Yield, k, r, 0)
}

func (a *assembler) barrierStmt(s *syntax.BarrierStmt) {
	b := Barrier{}
	if s.Variable != nil {
		v := s.Variable.Binding.(*resolve.Var)
		b = Barrier{Shared: true, Storage: v.Storage, Index: v.Index, ReadOnly: v.ReadOnly}
	}
	name := a.operand(s.Name)
	a.at(s)
	a.code.Barriers = append(a.code.Barriers, b)
	a.emitWide(BarrierEnter, name, 0, 0, len(a.code.Barriers)-1)
	a.barriers++
	a.statements(s.Body.Statements)
	a.barriers--
	a.pos = s.Body.End
	a.emit(BarrierLeave, 0, 0, 0)
}

func (a *assembler) tryStmt(s *syntax.TryStmt) {
	caught := a.temp()
	from := a.here()
	a.branch(func() { a.statements(s.Body.Statements) })
	to := a.here()
	end := a.jump(Jump, 0, 0, 0)
	a.code.Handlers = append(a.code.Handlers, Handler{
		From: from, To: to, Target: a.here(), Register: uint8(caught), Barriers: a.barriers,
	})
	a.branch(func() {
		a.at(s.Variable)
		a.storeVar(s.Variable.Binding.(*resolve.Var), caught, false)
		a.statements(s.Catch.Statements)
	})
	a.patch(end)
}

// imports writes the import statements of a module, which come before all
// else.
func (a *assembler) imports(list []syntax.Stmt) {
	for _, s := range list {
		a.at(s)
		switch s := s.(type) {
		case *syntax.IncludeStmt:
			a.imports(s.Body)
		case *syntax.ImportStmt:
			switch b := s.Binding.(type) {
			case *resolve.Module:
				a.emitWide(Import, 0, 0, 0, index(&a.code.Modules, a.program.Modules[b.Index]))
			case *value.Data:
				a.data(s.Data.Binding.(*resolve.Var), b)
			}
		}
	}
}

// data gives the variable of a data file its value.
func (a *assembler) data(v *resolve.Var, d *value.Data) {
	mark := a.free
	r := a.temp()
	if d.Fresh != nil {
		a.code.Data = append(a.code.Data, d)
		a.emitWide(Fresh, r, 0, 0, len(a.code.Data)-1)
	} else {
		a.load(r, d.Value)
	}
	a.storeVar(v, r, false)
	a.free = mark
}
