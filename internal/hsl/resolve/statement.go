package resolve

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// statements resolves a list, and warns when the end of it cannot be reached.
func (r *resolver) statements(list []syntax.Stmt) {
	ended := false
	for _, s := range list {
		if ended && !declares(s) {
			r.warnf(s.Position(), "this is never reached")
			ended = false
		}
		r.statement(s)
		ended = ended || r.ends(s)
	}
}

// declares reports whether a statement has its effect without being reached.
func declares(s syntax.Stmt) bool {
	switch s := s.(type) {
	case *syntax.FunctionDecl, *syntax.ClassDecl, *syntax.BranchStmt:
		return true
	case *syntax.Block:
		return len(s.Statements) == 0
	}
	return false
}

// ends reports whether what follows a statement is not reached.
func (r *resolver) ends(s syntax.Stmt) bool {
	switch s := s.(type) {
	case *syntax.ReturnStmt, *syntax.ThrowStmt, *syntax.BranchStmt:
		return true
	case *syntax.ExprStmt:
		call, ok := s.X.(*syntax.Call)
		if !ok {
			return false
		}
		name, ok := call.Fn.(*syntax.Name)
		if !ok {
			return false
		}
		f, ok := name.Binding.(*value.Function)
		return ok && f.Builtin != nil && f.Builtin.Terminates
	}
	return false
}

func (r *resolver) statement(s syntax.Stmt) {
	switch s := s.(type) {
	case *syntax.ExprStmt:
		r.expr(s.X)
	case *syntax.EchoStmt:
		r.expr(s.X)
	case *syntax.Block:
		r.statements(s.Statements)
	case *syntax.IncludeStmt:
		r.statements(s.Body)
	case *syntax.ImportStmt:
		if s.Binding == nil {
			r.errorf(s.Pos, "import is only allowed at top level")
		}
	case *syntax.IfStmt:
		r.ifStmt(s)
	case *syntax.ForStmt:
		r.forStmt(s)
	case *syntax.ForeachStmt:
		r.foreachStmt(s)
	case *syntax.SwitchStmt:
		r.switchStmt(s)
	case *syntax.BranchStmt:
		r.branchStmt(s)
	case *syntax.ReturnStmt:
		r.optional(s.X)
	case *syntax.ThrowStmt:
		r.expr(s.X)
	case *syntax.YieldStmt:
		r.optional(s.Key)
		r.expr(s.Value)
	case *syntax.FunctionDecl:
		r.resolveFunction(s.Function)
	case *syntax.ClassDecl:
		r.class(s)
	case *syntax.BarrierStmt:
		r.expr(s.Name)
		if s.Variable != nil {
			r.write(s.Variable)
			r.bind(s.Variable).Unset = true // when nothing is stored
		}
		r.statements(s.Body.Statements)
	case *syntax.TryStmt:
		r.statements(s.Body.Statements)
		r.write(s.Variable)
		r.statements(s.Catch.Statements)
	case *syntax.DebugStmt:
		r.statement(s.Body)
	}
}

// optional resolves an expression that may be absent.
func (r *resolver) optional(x syntax.Expr) {
	if x != nil {
		r.expr(x)
	}
}

func (r *resolver) exprs(list []syntax.Expr) {
	for _, x := range list {
		r.expr(x)
	}
}

// ifStmt follows chains of else if in a loop.
func (r *resolver) ifStmt(s *syntax.IfStmt) {
	for {
		r.expr(s.Cond)
		r.statement(s.Then)
		if s.Else == nil {
			return
		}
		following, ok := s.Else.(*syntax.IfStmt)
		if !ok {
			r.statement(s.Else)
			return
		}
		s = following
	}
}

func (r *resolver) forStmt(s *syntax.ForStmt) {
	r.exprs(s.Init)
	r.optional(s.Cond)
	r.loop(s.Body)
	r.exprs(s.Post)
}

func (r *resolver) loop(body syntax.Stmt) {
	r.fn.loops++
	r.fn.breaks++
	r.statement(body)
	r.fn.loops--
	r.fn.breaks--
}

func (r *resolver) foreachStmt(s *syntax.ForeachStmt) {
	r.expr(s.X)
	if s.Key != nil {
		r.target(s.Key)
	}
	r.target(s.Value)
	r.loop(s.Body)
}

func (r *resolver) switchStmt(s *syntax.SwitchStmt) {
	r.expr(s.Subject)
	r.fn.breaks++
	for _, c := range s.Cases {
		r.optional(c.Value)
		r.statements(c.Body)
	}
	r.fn.breaks--
}

func (r *resolver) branchStmt(s *syntax.BranchStmt) {
	switch {
	case s.Op == syntax.Break && r.fn.breaks == 0:
		r.errorf(s.Pos, "break outside a loop or switch")
	case s.Op == syntax.Continue && r.fn.loops == 0:
		r.errorf(s.Pos, "continue outside a loop")
	}
}

func (r *resolver) class(s *syntax.ClassDecl) {
	for _, m := range s.Members {
		if m.Function != nil {
			r.resolveFunction(m.Function)
		}
	}
}
