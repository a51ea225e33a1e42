package syntax

func (p *parser) statement() Stmt {
	p.enter()
	defer p.leave()
	at := stmtNode{At{p.Pos}}
	switch p.tok {
	case LeftBrace:
		return p.block()
	case Semicolon:
		p.next()
		return &Block{stmtNode: at, End: p.prevEnd}
	case Echo:
		p.next()
		x := p.expr()
		p.semicolon()
		return &EchoStmt{at, x}
	case If:
		return p.ifStmt()
	case For:
		return p.forStmt()
	case Foreach:
		return p.foreachStmt()
	case While:
		p.next()
		cond := p.parenthesised()
		return &ForStmt{stmtNode: at, Cond: cond, Body: p.statement()}
	case Forever:
		p.next()
		return &ForStmt{stmtNode: at, Body: p.statement()}
	case Switch:
		return p.switchStmt()
	case Break, Continue:
		op := p.tok
		p.next()
		p.semicolon()
		return &BranchStmt{at, op}
	case Import:
		p.fail(p.Pos, "import is only allowed at top level")
	}
	return p.rarer(at)
}

// rarer reads the statements that are met less often.
func (p *parser) rarer(at stmtNode) Stmt {
	switch p.tok {
	case Return:
		p.next()
		r := &ReturnStmt{stmtNode: at}
		if p.tok != Semicolon {
			r.X = p.expr()
		}
		p.semicolon()
		return r
	case Throw:
		p.next()
		x := p.expr()
		p.semicolon()
		return &ThrowStmt{at, x}
	case Yield:
		return p.yieldStmt()
	case Global:
		return p.globalStmt()
	case Function:
		if p.peek() != LeftParen {
			return p.functionDecl()
		}
	case Class:
		return p.classDecl()
	case Include, IncludeOnce:
		return p.includeStmt()
	case Barrier:
		return p.barrierStmt()
	case Try:
		return p.tryStmt()
	case Ident:
		if p.Text == "__debug" && p.peek() == LeftBracket {
			return p.debugStmt()
		}
	}
	x := p.expr()
	p.semicolon()
	return &ExprStmt{at, x}
}

func (p *parser) semicolon() {
	if p.tok == Semicolon {
		p.next()
		return
	}
	p.fail(p.prevEnd, `want ";", got %s`, p.describe())
}

func (p *parser) block() *Block {
	b := &Block{}
	b.Pos = p.want(LeftBrace, "")
	for p.tok != RightBrace && p.tok != EOF && !p.exhausted() {
		if stmt := p.guarded(false); stmt != nil {
			b.Statements = append(b.Statements, stmt)
		}
	}
	b.End = p.Pos
	if p.tok == EOF && !p.exhausted() {
		p.fail(b.Pos, `block is not closed: want "}"`)
	}
	p.got(RightBrace)
	return b
}

func (p *parser) parenthesised() Expr {
	p.want(LeftParen, "")
	x := p.expr()
	p.want(RightParen, "")
	return x
}

// ifStmt reads chains of else if in a loop: they are flat to who writes them.
func (p *parser) ifStmt() Stmt {
	first := &IfStmt{stmtNode: stmtNode{At{p.Pos}}}
	for last, n := first, 0; ; n++ {
		if n == maxChain {
			p.fail(p.Pos, "chain of else if is too long")
		}
		p.want(If, "")
		last.Cond = p.parenthesised()
		last.Then = p.statement()
		if !p.got(Else) {
			return first
		}
		if p.tok != If {
			last.Else = p.statement()
			return first
		}
		following := &IfStmt{stmtNode: stmtNode{At{p.Pos}}}
		last.Else = following
		last = following
	}
}

func (p *parser) forStmt() Stmt {
	s := &ForStmt{stmtNode: stmtNode{At{p.Pos}}}
	p.next()
	p.want(LeftParen, "")
	s.Init = p.exprsUntil(Semicolon)
	p.want(Semicolon, "")
	if p.tok != Semicolon {
		s.Cond = p.expr()
	}
	p.want(Semicolon, "")
	s.Post = p.exprsUntil(RightParen)
	p.want(RightParen, "")
	s.Body = p.statement()
	return s
}

func (p *parser) exprsUntil(end Token) (xs []Expr) {
	if p.tok == end {
		return nil
	}
	xs = append(xs, p.expr())
	for p.got(Comma) {
		xs = append(xs, p.expr())
	}
	return xs
}

func (p *parser) foreachStmt() Stmt {
	s := &ForeachStmt{stmtNode: stmtNode{At{p.Pos}}}
	p.next()
	p.want(LeftParen, "")
	s.X = p.expr()
	p.want(As, "")
	s.Value = p.target()
	if p.got(FatArrow) {
		s.Key = s.Value
		s.Value = p.target()
	}
	p.want(RightParen, "")
	s.Body = p.statement()
	return s
}

func (p *parser) switchStmt() Stmt {
	s := &SwitchStmt{stmtNode: stmtNode{At{p.Pos}}}
	p.next()
	s.Subject = p.parenthesised()
	p.want(LeftBrace, "")
	defaults := 0
	for p.tok != RightBrace && p.tok != EOF {
		c := Case{Pos: p.Pos}
		switch {
		case p.got(CaseWord):
			c.Value = p.expr()
		case p.got(Default):
			if defaults++; defaults > 1 {
				p.fail(c.Pos, "switch has two defaults")
			}
		default:
			p.wanted(`"case" or "default"`, "")
		}
		p.want(Colon, "")
		for p.tok != CaseWord && p.tok != Default && p.tok != RightBrace && p.tok != EOF && !p.exhausted() {
			if stmt := p.guarded(false); stmt != nil {
				c.Body = append(c.Body, stmt)
			}
		}
		s.Cases = append(s.Cases, c)
	}
	p.want(RightBrace, "")
	return s
}

func (p *parser) yieldStmt() Stmt {
	s := &YieldStmt{stmtNode: stmtNode{At{p.Pos}}}
	if p.fn == nil {
		p.fail(p.Pos, "yield outside a function")
	}
	p.fn.Yields = true
	p.next()
	s.Value = p.expr()
	if p.got(FatArrow) {
		s.Key = s.Value
		s.Value = p.expr()
	}
	p.semicolon()
	return s
}

func (p *parser) globalStmt() Stmt {
	s := &GlobalStmt{stmtNode: stmtNode{At{p.Pos}}}
	p.next()
	for {
		s.Variables = append(s.Variables, p.variable(`after "global"`))
		if !p.got(Comma) {
			break
		}
	}
	p.semicolon()
	return s
}

func (p *parser) includeStmt() Stmt {
	s := &IncludeStmt{stmtNode: stmtNode{At{p.Pos}}, Once: p.tok == IncludeOnce}
	p.next()
	s.Path = p.path()
	p.semicolon()
	p.script.Includes = append(p.script.Includes, s)
	return s
}

// path reads a string without variables.
func (p *parser) path() string {
	if p.tok != StringLiteral {
		p.wanted("a path as a string", "")
	}
	text := ""
	for _, part := range p.Parts {
		if part.Variable != "" {
			p.fail(part.Pos, "a path cannot have variables")
		}
		text += part.Text
	}
	p.next()
	return text
}

func (p *parser) importStmt() Stmt {
	s := &ImportStmt{stmtNode: stmtNode{At{p.Pos}}}
	p.next()
	switch p.tok {
	case LeftBrace:
		p.importSymbols(s)
	case Star:
		p.next()
		p.want(As, `after "*"`)
		s.Namespace = p.name("a name for the namespace")
	default:
		s.Data = p.variable(`, "{" or "*" after "import"`)
	}
	p.want(From, "")
	s.PathPos = p.Pos
	s.Path = p.path()
	if s.Data != nil && p.got(With) {
		if p.tok != LeftBracket {
			p.wanted("options in brackets", "")
		}
		s.Options = p.array(RightBracket)
	}
	p.semicolon()
	return s
}

func (p *parser) importSymbols(s *ImportStmt) {
	p.want(LeftBrace, "")
	for p.tok != RightBrace {
		sym := ImportSymbol{Pos: p.Pos, Variable: p.tok == VariableName}
		sym.Name = p.symbol(sym.Variable)
		sym.Alias = sym.Name
		at := sym.Pos
		if p.got(As) {
			at = p.Pos
			sym.Alias = p.symbol(sym.Variable)
		}
		if sym.Variable {
			sym.Binding = &Variable{exprNode: exprNode{At{at}}, Name: sym.Alias}
		}
		s.Symbols = append(s.Symbols, sym)
		if !p.got(Comma) {
			break
		}
	}
	p.want(RightBrace, "")
}

func (p *parser) symbol(variable bool) string {
	if variable {
		return p.variable("").Name
	}
	return p.name("a name")
}

func (p *parser) barrierStmt() Stmt {
	s := &BarrierStmt{stmtNode: stmtNode{At{p.Pos}}}
	p.next()
	s.Name = p.expr()
	if p.got(FatArrow) {
		s.Variable = p.variable(`after "=>"`)
	}
	s.Body = p.block()
	return s
}

func (p *parser) tryStmt() Stmt {
	s := &TryStmt{stmtNode: stmtNode{At{p.Pos}}}
	p.next()
	s.Body = p.block()
	p.want(Catch, "after the block of try")
	p.want(LeftParen, "")
	s.Variable = p.variable(`after "catch ("`)
	p.want(RightParen, "")
	s.Catch = p.block()
	return s
}

// debugStmt reads the prefix that a remote debugger puts before a statement.
func (p *parser) debugStmt() Stmt {
	s := &DebugStmt{stmtNode: stmtNode{At{p.Pos}}}
	p.next()
	p.want(LeftBracket, "")
	s.Debug = p.path()
	p.want(Comma, "")
	s.Breakpoint = p.path()
	p.want(RightBracket, "")
	s.Body = p.statement()
	return s
}
