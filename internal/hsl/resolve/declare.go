package resolve

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// declare collects the functions and classes that stand in the body of f, and
// the names that its global statements bind, wherever in the body they are.
func (r *resolver) declare(f *Function) {
	f.globals = make(map[string]bool)
	eachStatement(f.Body, func(s syntax.Stmt) {
		switch s := s.(type) {
		case *syntax.FunctionDecl:
			fn := r.newFunction(s.Function)
			fn.Name = s.Function.Name
			r.name(f, s.Function.Pos, fn.Name, fn)
		case *syntax.ClassDecl:
			c := r.declareClass(s)
			r.name(f, s.Pos, c.Name, c)
		case *syntax.GlobalStmt:
			for _, v := range s.Variables {
				f.globals[v.Name] = true
			}
		}
	})
}

// name puts a symbol into the scope of f.
func (r *resolver) name(f *Function, at syntax.Pos, name string, symbol any) {
	if f.symbols == nil {
		f.symbols = make(map[string]any)
	}
	if _, taken := f.symbols[name]; taken {
		r.errorf(at, "%s is declared twice", name)
		return
	}
	f.symbols[name] = symbol
}

// eachStatement calls visit for all statements, those within others too, but
// not those of functions declared there.
func eachStatement(list []syntax.Stmt, visit func(syntax.Stmt)) {
	for _, s := range list {
		eachWithin(s, visit)
	}
}

func eachWithin(s syntax.Stmt, visit func(syntax.Stmt)) {
	if s == nil {
		return
	}
	visit(s)
	switch s := s.(type) {
	case *syntax.Block:
		eachStatement(s.Statements, visit)
	case *syntax.IncludeStmt:
		eachStatement(s.Body, visit)
	case *syntax.IfStmt:
		eachWithin(s.Then, visit)
		eachWithin(s.Else, visit)
	case *syntax.ForStmt:
		eachWithin(s.Body, visit)
	case *syntax.ForeachStmt:
		eachWithin(s.Body, visit)
	case *syntax.SwitchStmt:
		for _, c := range s.Cases {
			eachStatement(c.Body, visit)
		}
	case *syntax.BarrierStmt:
		eachStatement(s.Body.Statements, visit)
	case *syntax.TryStmt:
		eachStatement(s.Body.Statements, visit)
		eachStatement(s.Catch.Statements, visit)
	case *syntax.DebugStmt:
		eachWithin(s.Body, visit)
	}
}

// newFunction makes the function of a tree, whose body is resolved later.
func (r *resolver) newFunction(x *syntax.FunctionExpr) *Function {
	f := &Function{
		Index: len(r.module.Functions), Pos: x.Pos, Module: r.module, Body: x.Body.Statements, Yields: x.Yields,
		vars: make(map[string]*Var), outer: r.fn, Class: r.fn.Class,
	}
	r.module.Functions = append(r.module.Functions, f)
	x.Binding = f
	for _, p := range x.Params {
		if f.vars[p.Variable.Name] != nil {
			r.errorf(p.Variable.Pos, "parameter $%s is declared twice", p.Variable.Name)
		}
		v := &Var{Name: p.Variable.Name, assigned: true}
		p.Variable.Binding = v
		f.vars[v.Name] = v
		f.order = append(f.order, v)
		f.Params = append(f.Params, v)
		f.Rest = p.Rest
		if p.Default != nil {
			f.Defaults = append(f.Defaults, r.constant(p.Default))
		}
	}
	return f
}

// resolveFunction resolves the body of a function.
func (r *resolver) resolveFunction(x *syntax.FunctionExpr) {
	f := x.Binding.(*Function)
	r.captures(f, x)
	outer := r.fn
	r.fn = f
	r.declare(f)
	r.bindGlobals(f)
	r.statements(f.Body)
	r.neverAssigned(f)
	r.fn = outer
}

// captures binds the captured variables of a closure to those around it.
func (r *resolver) captures(f *Function, x *syntax.FunctionExpr) {
	for _, c := range x.Captures {
		if f.vars[c.Name] != nil {
			r.errorf(c.Pos, "captured variable $%s is a parameter too, or captured twice", c.Name)
			continue
		}
		from := r.variable(c.Name)
		from.share()
		v := &Var{Name: c.Name, Storage: Boxed, ReadOnly: from.ReadOnly, assigned: true}
		f.vars[c.Name] = v
		f.order = append(f.order, v)
		f.Captures = append(f.Captures, Capture{from, v})
		c.Binding = from
	}
}

// bindGlobals makes the names of global statements those of the module.
func (r *resolver) bindGlobals(f *Function) {
	eachStatement(f.Body, func(s syntax.Stmt) {
		g, ok := s.(*syntax.GlobalStmt)
		if !ok {
			return
		}
		for _, v := range g.Variables {
			if old := f.vars[v.Name]; old != nil && old.Module == nil {
				r.errorf(v.Pos, "$%s is a local variable already", v.Name)
				continue
			}
			global := r.moduleVariable(v.Name)
			global.share()
			f.vars[v.Name] = global
			v.Binding = global
		}
	})
}

// neverAssigned warns of variables that are read and never set.
func (r *resolver) neverAssigned(f *Function) {
	for _, v := range f.order {
		if !v.assigned && v.read != 0 {
			r.warnf(v.read, "variable $%s is never assigned here", v.Name)
		}
	}
}

// declareClass makes a class of its declaration, with methods still to be
// resolved.
func (r *resolver) declareClass(d *syntax.ClassDecl) *Class {
	c := &Class{Name: d.Name, Module: r.module, members: make(map[string]*Member)}
	d.Binding = c
	r.module.Classes = append(r.module.Classes, c)
	for i := range d.Members {
		r.declareMember(c, &d.Members[i])
	}
	return c
}

func (r *resolver) declareMember(c *Class, d *syntax.Member) {
	m := &Member{Name: d.Name, Private: d.Private, Static: d.Static, ReadOnly: d.ReadOnly}
	if d.Function != nil {
		m.Function = r.newFunction(d.Function)
		m.Function.Name = c.Name + "::" + d.Name
		m.Function.Class = c
		m.Function.Method = !d.Static
	}
	if d.Constructor {
		if c.Constructor != nil {
			r.errorf(d.Pos, "class %s has two constructors", c.Name)
		}
		c.Constructor = m.Function
		return
	}
	if c.members[m.Name] != nil {
		r.errorf(d.Pos, "member %s of class %s is declared twice", m.Name, c.Name)
		return
	}
	if d.Function == nil {
		initial := value.None
		if d.Initial != nil {
			initial = r.constant(d.Initial)
		}
		m.Initial = initial
		if d.Static {
			m.Variable = &Var{Name: c.Name + "::$" + m.Name, Module: r.module, Storage: Global, assigned: true, Static: true, Initial: initial}
			r.module.Body.order = append(r.module.Body.order, m.Variable)
		}
	}
	c.members[m.Name] = m
	c.Members = append(c.Members, m)
}
