package hsl

import "iter"

// Visit is a statement or function of a program and how often it was reached.
type Visit struct {
	File         string
	Line, Column int
	// Function is the name of the function that begins here, "{closure}" for one
	// without a name; "" for a statement.
	Function string
	Count    int64
}

// Visits ranges over the statements and functions of a program that was compiled
// with Options.Coverage. Runs under way go on counting.
func (p *Program) Visits() iter.Seq[Visit] {
	return func(yield func(Visit) bool) {
		for _, m := range p.compiled.Marks {
			at := p.compiled.Sources.Position(m.Pos)
			if !yield(Visit{at.File, at.Line, at.Column, m.Function, m.Count.Load()}) {
				return
			}
		}
	}
}

// Source returns the text of one of the Files.
func (p *Program) Source(file string) string { return p.compiled.Sources.Text(file) }
