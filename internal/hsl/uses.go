package hsl

// Uses reports whether the main script mentions the predeclared variable of
// that name, so that whoever runs it need not make up the others.
func (p *Program) Uses(name string) bool {
	_, mentioned := p.compiled.Predeclared[name]
	return mentioned
}
