package syntax

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// expr reads an expression with everything in it, assignments too.
func (p *parser) expr() Expr {
	p.enter()
	x := p.ternary()
	p.leave()
	return x
}

// ternary reads the two conditional operators. Assignments need no level of
// their own: operand takes them wherever a target is followed by an assignment
// operator, with all to the right that an assignment can hold.
func (p *parser) ternary() Expr {
	x := p.coalesce()
	if p.tok != Question {
		return x
	}
	t := &Ternary{exprNode: exprNode{At{p.Pos}}, Cond: x}
	p.next()
	if p.tok != Colon {
		t.X = p.expr()
	}
	p.want(Colon, `for the "?" before`)
	t.Y = p.expr()
	return t
}

func (p *parser) coalesce() Expr {
	x := p.logical(Or)
	if p.tok != Coalesce {
		return x
	}
	at := exprNode{At{p.Pos}}
	p.next()
	p.enter()
	y := p.coalesce()
	p.leave()
	return &CoalesceExpr{at, x, y}
}

func (p *parser) logical(op Token) Expr {
	operand := func() Expr {
		if op == Or {
			return p.logical(And)
		}
		return p.binary(precedences[Pipe])
	}
	x := operand()
	if p.tok != op {
		return x
	}
	l := &Logical{exprNode: exprNode{At{p.Pos}}, Op: op, Parts: []Expr{x}}
	for p.got(op) {
		l.Parts = append(l.Parts, operand())
	}
	return l
}

// precedences are those of the left-associative operators, from low to high.
// The dot is the loosest of those that compute.
var precedences = [keywordLast]int{
	Pipe:       1,
	Caret:      2,
	Ampersand:  3,
	EqualEqual: 4, NotEqual: 4, Identical: 4, NotIdentical: 4, Matches: 4, NotMatches: 4,
	Less: 5, Greater: 5, LessEqual: 5, GreaterEqual: 5,
	Dot:       6,
	ShiftLeft: 7, ShiftRight: 7, ShiftRightZero: 7,
	Plus: 8, Minus: 8,
	Star: 9, Slash: 9, Percent: 9,
}

// binary reads operators of at least the precedence.
func (p *parser) binary(least int) Expr {
	x := p.unary()
	for chain := 0; ; chain++ {
		op, level := p.tok, precedences[p.tok]
		if level == 0 || level < least {
			return x
		}
		if chain == maxChain {
			p.fail(p.Pos, "chain of operators is too long")
		}
		at := exprNode{At{p.Pos}}
		p.next()
		var y Expr
		effects := p.effectsOf(func() { y = p.binary(level + 1) })
		if op == Dot {
			x = concat(at, x, y)
			continue
		}
		x = &Binary{at, op, x, y, effects}
	}
}

// effectsOf reads an expression one level further down by read, and returns its
// effects.
func (p *parser) effectsOf(read func()) Effects {
	writes, calls := p.writes, p.calls
	p.enter()
	read()
	p.leave()
	return Effects{Writes: p.writes > writes, Calls: p.calls > calls}
}

// concat joins to a chain of dots, so that it is computed at once.
func concat(at exprNode, x, y Expr) Expr {
	if c, ok := x.(*Concat); ok && !c.closed() {
		c.Parts = append(c.Parts, y)
		return c
	}
	return &Concat{exprNode: at, Parts: []Expr{x, y}}
}

// closed reports whether a chain is long enough.
func (c *Concat) closed() bool { return len(c.Parts) == 32 }

func (p *parser) unary() Expr {
	at := exprNode{At{p.Pos}}
	op := p.tok
	switch op {
	case Bang, Not, Minus, Plus, Tilde:
		p.next()
		p.enter()
		x := p.unary()
		p.leave()
		if op == Not {
			op = Bang
		}
		return &Unary{at, op, x}
	case PlusPlus, MinusMinus:
		p.next()
		p.enter()
		x := p.unary()
		p.leave()
		return p.incDec(at, op, true, x)
	}
	return p.power()
}

func (p *parser) incDec(at exprNode, op Token, prefix bool, x Expr) Expr {
	if _, appends := x.(*Append); !Assignable(x) || appends {
		p.fail(at.Pos, "%s needs a variable, element or property", op)
	}
	if _, slice := x.(*Slice); slice {
		p.fail(at.Pos, "%s cannot change a slice", op)
	}
	p.writes++
	return &IncDec{at, op, prefix, x}
}

// power reads **, whose left side binds tighter than a prefix operator and
// whose right side may have one.
func (p *parser) power() Expr {
	x := p.operand()
	if p.tok != StarStar {
		return x
	}
	at := exprNode{At{p.Pos}}
	p.next()
	var y Expr
	effects := p.effectsOf(func() { y = p.unary() })
	return &Binary{at, StarStar, x, y, effects}
}

// operand reads an expression with its postfixes, and the assignment to it if
// an assignment operator follows.
func (p *parser) operand() Expr {
	element := p.Pos == p.element
	x := p.postfix(p.primary())
	if !p.tok.assigns() {
		if element && (p.tok == Comma || p.tok == RightBracket || p.tok == RightParen || p.tok == FatArrow) {
			return x // a whole element: it may turn out to be part of a pattern
		}
		return p.targetless(x)
	}
	at := exprNode{At{p.Pos}}
	op := p.tok
	if a, ok := x.(*ArrayExpr); ok {
		if op != Assign {
			p.fail(p.Pos, "%s cannot assign to a pattern", op)
		}
		pattern := p.pattern(a)
		p.next()
		p.writes++
		return &Destructure{at, pattern, p.expr()}
	}
	if !Assignable(x) {
		p.fail(p.Pos, "cannot assign to this expression")
	}
	if _, slice := x.(*Slice); slice && op != Assign {
		p.fail(p.Pos, "%s cannot change a slice", op)
	}
	p.next()
	a := &AssignExpr{exprNode: at, Op: op, Target: x}
	a.Effects = p.effectsOf(func() { a.Value = p.expr() })
	p.writes++
	return a
}

// targetless rejects what is a target and nothing else.
func (p *parser) targetless(x Expr) Expr {
	if at := targetOnly(x); at != 0 {
		p.fail(at, "[] can only be assigned to")
	}
	return x
}

// targetOnly returns the place of what makes x a target and nothing else.
func targetOnly(x Expr) Pos {
	switch x := x.(type) {
	case *Append:
		return x.Pos
	case *ArrayExpr:
		return x.target
	}
	return 0
}

func (p *parser) postfix(x Expr) Expr {
	for chain := 0; ; chain++ {
		if chain == maxChain {
			p.fail(p.Pos, "chain of calls and subscripts is too long")
		}
		at := exprNode{At{p.Pos}}
		switch p.tok {
		case LeftParen:
			x = &Call{at, p.targetless(x), p.args()}
			p.calls++
		case LeftBracket:
			x = p.subscript(x)
		case Arrow:
			p.next()
			at.Pos = p.Pos
			x = &Property{at, x, p.member()}
		case PlusPlus, MinusMinus:
			x = p.incDec(at, p.tok, false, x)
			p.next()
		default:
			return x
		}
	}
}

func (p *parser) args() (args []Arg) {
	p.want(LeftParen, "")
	for p.tok != RightParen {
		a := Arg{Spread: p.got(Ellipsis)}
		a.Value = p.expr()
		args = append(args, a)
		if !p.got(Comma) {
			break
		}
	}
	p.want(RightParen, "after the arguments")
	return args
}

// subscript reads [], [i] and slices. Where a slice may have a colon, :: is two
// of them.
func (p *parser) subscript(x Expr) Expr {
	at := exprNode{At{p.Pos}}
	p.want(LeftBracket, "")
	if p.got(RightBracket) {
		return &Append{at, x}
	}
	p.enter()
	defer p.leave()
	var first Expr
	if p.tok != Colon && p.tok != DoubleColon {
		effects := p.effectsOf(func() { first = p.expr() })
		if p.got(RightBracket) {
			return &Index{at, x, first, effects}
		}
	}
	s := &Slice{exprNode: at, X: x, First: first}
	switch {
	case p.got(DoubleColon):
		s.Step = p.bound()
	case p.got(Colon):
		s.Last = p.bound()
		if p.got(Colon) {
			s.Step = p.bound()
		}
	default:
		p.wanted(`"]" or ":"`, "")
	}
	p.want(RightBracket, "")
	return s
}

// bound reads a part of a slice, if there is one.
func (p *parser) bound() Expr {
	if p.tok == Colon || p.tok == RightBracket {
		return nil
	}
	return p.expr()
}

func (p *parser) primary() Expr {
	at := exprNode{At{p.Pos}}
	switch p.tok {
	case NumberLiteral:
		x := &Literal{at, value.Number(p.Number)}
		p.next()
		return x
	case StringLiteral:
		return p.text()
	case True, False:
		x := &Literal{at, value.Boolean(p.tok == True)}
		p.next()
		return x
	case None:
		p.next()
		return &Literal{at, value.None}
	case VariableName:
		x := &Variable{exprNode: at, Name: p.Text}
		p.next()
		return x
	case RegexLiteral:
		x := &RegexExpr{at, p.Text, p.Modifiers}
		p.next()
		return x
	case LeftBracket:
		return p.array(RightBracket)
	case LeftParen:
		return p.group()
	}
	return p.named(at)
}

// group reads an expression in parentheses.
func (p *parser) group() Expr {
	p.want(LeftParen, "")
	x := p.expr()
	p.want(RightParen, "")
	if a, ok := x.(*ArrayExpr); ok && p.tok.assigns() {
		p.fail(a.Pos, "a pattern cannot stand in parentheses")
	}
	return x
}

// named reads what begins with a word.
func (p *parser) named(at exprNode) Expr {
	switch p.tok {
	case Array:
		p.next()
		if p.tok != LeftParen {
			return &Name{exprNode: at, Name: "array"}
		}
		return p.array(RightParen)
	case Isset:
		return p.isset(at)
	case Unset:
		p.next()
		p.want(LeftParen, "")
		x := p.unsettable(p.postfix(p.primary()))
		p.want(RightParen, "")
		p.writes++
		return &UnsetExpr{at, x}
	case Function:
		p.next()
		return p.function(at.Pos, "")
	case Match:
		return p.match(at)
	case Cache:
		return p.cacheCall(at)
	case Builtin:
		p.next()
		return &Name{exprNode: at, Name: p.builtinName(), Builtin: true}
	case Static, Ident:
		return p.scoped(at)
	case Reserved:
		p.fail(p.Pos, "%q is a reserved word and cannot be a name", p.Text)
	}
	p.wanted("operand", "")
	return nil
}

// builtinName reads what follows the prefix builtin; array is a function there.
func (p *parser) builtinName() string {
	if p.got(Array) {
		return "array"
	}
	return p.name("the name of a builtin")
}

// scoped reads a name, or a path of names to a member.
func (p *parser) scoped(at exprNode) Expr {
	path := []string{p.Text}
	if p.tok == Static {
		p.next()
		if p.tok != DoubleColon {
			p.wanted(`"::"`, `after "static"`)
		}
	} else {
		p.next()
	}
	for p.tok == DoubleColon {
		p.next()
		if p.tok == VariableName {
			s := &Scoped{exprNode: at, Path: path, Member: p.Text, Variable: true}
			p.next()
			return s
		}
		path = append(path, p.member())
	}
	if len(path) == 1 {
		return &Name{exprNode: at, Name: path[0]}
	}
	return &Scoped{exprNode: at, Path: path[:len(path)-1], Member: path[len(path)-1]}
}

// text makes an expression of a string.
func (p *parser) text() Expr {
	at := exprNode{At{p.Pos}}
	parts := p.Parts
	p.next()
	switch {
	case len(parts) == 0:
		return &Literal{at, value.String("")}
	case len(parts) == 1 && parts[0].Variable == "":
		return &Literal{at, value.String(parts[0].Text)}
	}
	x := &Interpolation{exprNode: at}
	for _, part := range parts {
		here := exprNode{At{part.Pos}}
		if part.Variable != "" {
			x.Parts = append(x.Parts, &Variable{exprNode: here, Name: part.Variable})
		} else {
			x.Parts = append(x.Parts, &Literal{here, value.String(part.Text)})
		}
	}
	return x
}

// array reads the elements of an array literal up to the closing token.
func (p *parser) array(closing Token) *ArrayExpr {
	a := &ArrayExpr{exprNode: exprNode{At{p.Pos}}}
	p.next()
	p.enter()
	defer p.leave()
	for p.tok != closing {
		e := Element{Spread: p.got(Ellipsis)}
		p.element = p.Pos
		e.Value = p.expr()
		if !e.Spread && p.got(FatArrow) {
			e.Key = p.targetless(e.Value)
			p.element = p.Pos
			e.Value = p.expr()
		}
		a.target = max(a.target, targetOnly(e.Value))
		a.Elements = append(a.Elements, e)
		if !p.got(Comma) {
			break
		}
	}
	p.want(closing, "after the elements")
	return a
}

func (p *parser) isset(at exprNode) Expr {
	x := &IssetExpr{exprNode: at}
	p.next()
	p.want(LeftParen, "")
	for {
		e := p.expr()
		if !Assignable(e) {
			p.report(e.Position(), "isset needs a variable, element or property")
		}
		x.Xs = append(x.Xs, e)
		if !p.got(Comma) || p.tok == RightParen {
			break
		}
	}
	p.want(RightParen, "")
	return x
}

func (p *parser) unsettable(x Expr) Expr {
	if _, appends := x.(*Append); !Assignable(x) || appends {
		p.fail(x.Position(), "unset needs a variable, element, slice or property")
	}
	return x
}

func (p *parser) match(at exprNode) Expr {
	m := &MatchExpr{exprNode: at}
	p.next()
	m.Subject = p.parenthesised()
	p.want(LeftBrace, "")
	defaults := 0
	for p.tok != RightBrace {
		var arm MatchArm
		if p.tok == Default {
			if defaults++; defaults > 1 {
				p.fail(p.Pos, "match has two defaults")
			}
			p.next()
		} else {
			arm.Values = p.armValues()
		}
		p.want(FatArrow, "")
		arm.Result = p.expr()
		m.Arms = append(m.Arms, arm)
		if !p.got(Comma) {
			break
		}
	}
	p.want(RightBrace, "after the arms of match")
	return m
}

func (p *parser) armValues() (xs []Expr) {
	for p.tok != FatArrow {
		xs = append(xs, p.expr())
		if !p.got(Comma) {
			break
		}
	}
	if len(xs) == 0 {
		p.wanted("operand", "")
	}
	return xs
}

// cacheCall reads the prefix cache, its options and the call that it takes.
func (p *parser) cacheCall(at exprNode) Expr {
	c := &CacheCall{exprNode: at}
	p.next()
	if p.tok != LeftBracket {
		p.wanted("options in brackets", `after "cache"`)
	}
	c.Options = p.array(RightBracket)
	here := exprNode{At{p.Pos}}
	var fn Expr
	switch p.tok {
	case Builtin:
		p.next()
		fn = &Name{exprNode: here, Name: p.builtinName(), Builtin: true}
	case Ident, Static:
		fn = p.scoped(here)
	default:
		p.wanted("the call of a named function", "")
	}
	if s, ok := fn.(*Scoped); ok && s.Variable || p.tok != LeftParen {
		p.wanted("the call of a named function", `after "cache"`)
	}
	here.Pos = p.Pos
	c.Call = &Call{here, fn, p.args()}
	p.calls++
	return c
}
