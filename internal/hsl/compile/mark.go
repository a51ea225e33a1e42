package compile

import (
	"sync/atomic"

	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
)

// Mark is a place whose visits are counted, in programs that are compiled with
// Options.Marks. Threads that share the program count together.
type Mark struct {
	Pos syntax.Pos
	// Function is the name of the function that begins here; "" for marks of
	// statements.
	Function string
	Count    atomic.Int64
}

// mark writes the instruction that counts visits of a place.
func (a *assembler) mark(pos syntax.Pos, function string) {
	if !a.marks {
		return
	}
	m := &Mark{Pos: pos, Function: function}
	a.program.Marks = append(a.program.Marks, m)
	a.code.Marks = append(a.code.Marks, m)
	a.pos = pos
	a.emitWide(Visit, 0, 0, 0, len(a.code.Marks)-1)
}

// markFunction marks the beginning of a function, which the statements of a
// module are not.
func (a *assembler) markFunction() {
	if a.fn == a.fn.Module.Body {
		return
	}
	name := a.fn.Name
	if name == "" {
		name = "{closure}"
	}
	a.mark(a.fn.Pos, name)
}

// markStatement marks a statement that does something: the parts of blocks are
// marked for themselves, and declarations do nothing.
func (a *assembler) markStatement(s syntax.Stmt) {
	switch s := s.(type) {
	case *syntax.Block, *syntax.IncludeStmt, *syntax.ImportStmt, *syntax.DebugStmt, *syntax.GlobalStmt,
		*syntax.FunctionDecl, *syntax.ClassDecl:
		return
	case *syntax.ExprStmt:
		if _, empty := s.X.(*syntax.Literal); empty {
			return
		}
	}
	a.mark(s.Position(), "")
}
