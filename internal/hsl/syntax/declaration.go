package syntax

func (p *parser) functionDecl() Stmt {
	s := &FunctionDecl{stmtNode: stmtNode{At{p.Pos}}}
	p.next()
	at := p.Pos
	s.Function = p.function(at, p.name("the name of the function"))
	return s
}

// function reads parameters, captures of an anonymous function, and body.
func (p *parser) function(at Pos, name string) *FunctionExpr {
	f := &FunctionExpr{exprNode: exprNode{At{at}}, Name: name}
	p.params(f)
	if name == "" && p.got(Closure) {
		p.captures(f)
	}
	outer := p.fn
	p.fn = f
	f.Body = p.block()
	p.fn = outer
	return f
}

func (p *parser) params(f *FunctionExpr) {
	p.want(LeftParen, "before the parameters")
	for p.tok != RightParen {
		if len(f.Params) > 0 && f.Params[len(f.Params)-1].Rest {
			p.fail(p.Pos, "a rest parameter must be the last")
		}
		f.Params = append(f.Params, p.param(f))
		if !p.got(Comma) {
			break
		}
	}
	p.want(RightParen, "after the parameters")
}

func (p *parser) param(f *FunctionExpr) Param {
	prm := Param{Rest: p.got(Ellipsis)}
	prm.Variable = p.variable("as a parameter")
	switch {
	case prm.Rest:
	case p.got(Assign):
		prm.Default = p.ternary()
	case len(f.Params) > 0 && f.Params[len(f.Params)-1].Default != nil:
		p.report(prm.Variable.Pos, "required parameter $%s after one with a default", prm.Variable.Name)
	}
	return prm
}

func (p *parser) captures(f *FunctionExpr) {
	f.Closure = true
	p.want(LeftParen, `after "closure"`)
	for p.tok != RightParen {
		f.Captures = append(f.Captures, p.variable("to capture"))
		if !p.got(Comma) {
			break
		}
	}
	p.want(RightParen, "after the captured variables")
}

func (p *parser) classDecl() Stmt {
	c := &ClassDecl{stmtNode: stmtNode{At{p.Pos}}}
	p.next()
	c.Name = p.name("the name of the class")
	p.want(LeftBrace, "")
	for p.tok != RightBrace && p.tok != EOF && !p.exhausted() {
		if p.got(Semicolon) {
			continue
		}
		c.Members = append(c.Members, p.classMember())
	}
	p.want(RightBrace, "to close the class")
	return c
}

func (p *parser) classMember() Member {
	m := Member{Pos: p.Pos}
	for {
		switch {
		case p.got(Private):
			m.Private = true
			continue
		case p.got(Static):
			m.Static = true
			continue
		case p.got(ReadOnly):
			m.ReadOnly = true
			continue
		}
		break
	}
	switch p.tok {
	case Constructor:
		if m.Private || m.Static || m.ReadOnly {
			p.fail(m.Pos, "a constructor has no modifiers")
		}
		m.Constructor, m.Name = true, "constructor"
		p.next()
		m.Function = p.function(m.Pos, m.Name)
	case Function:
		if m.ReadOnly {
			p.fail(m.Pos, "a method cannot be readonly")
		}
		p.next()
		at := p.Pos
		m.Name = p.member()
		m.Function = p.function(at, m.Name)
	case VariableName:
		p.classVariable(&m)
	default:
		p.wanted("a variable, function or constructor", "in a class")
	}
	return m
}

func (p *parser) classVariable(m *Member) {
	m.Pos, m.Name = p.Pos, p.Text
	p.next()
	if p.got(Assign) {
		m.Initial = p.ternary()
	}
	p.semicolon()
}
