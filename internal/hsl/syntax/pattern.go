package syntax

// target reads what foreach assigns to: a target or a pattern.
func (p *parser) target() Expr {
	x := p.postfix(p.primary())
	if a, ok := x.(*ArrayExpr); ok {
		return p.pattern(a)
	}
	return p.assignable(x)
}

func (p *parser) assignable(x Expr) Expr {
	if !Assignable(x) {
		p.fail(x.Position(), "want a variable, element or property to assign to")
	}
	return x
}

// pattern makes a destructuring pattern of what was read as an array literal:
// the two begin alike, and only the "=" behind tells them apart.
func (p *parser) pattern(a *ArrayExpr) *Pattern {
	pat := &Pattern{exprNode: a.exprNode}
	if len(a.Elements) == 0 {
		p.fail(a.Pos, "pattern is empty")
	}
	for i, e := range a.Elements {
		el := PatternElement{Key: e.Key, Rest: e.Spread}
		switch {
		case e.Spread && i < len(a.Elements)-1:
			p.fail(e.Value.Position(), "the rest must be the last of a pattern")
		case e.Spread && i > 0 && a.Elements[0].Key != nil, (e.Key == nil) != (a.Elements[0].Key == nil):
			p.fail(e.Value.Position(), "a pattern cannot mix elements with and without keys")
		}
		p.patternTarget(&el, e.Value)
		pat.Elements = append(pat.Elements, el)
	}
	return pat
}

// patternTarget finds target and default in what was read as the value of an
// element.
func (p *parser) patternTarget(el *PatternElement, x Expr) {
	switch x := x.(type) {
	case *AssignExpr:
		if x.Op != Assign {
			p.fail(x.Pos, `want "=" before the default`)
		}
		el.Target, el.Default = x.Target, x.Value
	case *Destructure:
		el.Target, el.Default = x.Pattern, x.Value
	case *ArrayExpr:
		el.Target = p.pattern(x)
	default:
		el.Target = p.assignable(x)
	}
	if el.Rest && el.Default != nil {
		p.fail(x.Position(), "the rest of a pattern has no default")
	}
}
