package compile

import (
	"math"

	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// assembler writes the code of one function.
type assembler struct {
	*compiler
	code     *Code
	fn       *resolve.Function
	pos      syntax.Pos // of what is being written
	free     int        // first register that is no variable and not in use
	ticked   int        // word at which steps were last counted
	folder   resolve.Folder
	numbers  map[uint64]int
	texts    map[string]int
	sets     map[*resolve.Var]bool // variables that are certainly set here
	undo     []*resolve.Var        // of sets, in order
	loops    []loop
	barriers int  // around what is being written
	writes   bool // what is assigned may change the variables of subscripts
	full     bool
}

// loop is what break and continue around the current place refer to.
type loop struct {
	isSwitch  bool
	barriers  int
	breaks    []int // words of jumps to be patched
	continues []int
}

// function compiles one function.
func (c *compiler) function(f *resolve.Function) {
	code := c.codes[f]
	a := &assembler{
		compiler: c, code: code, fn: f, free: f.Registers, pos: f.Pos,
		folder: make(resolve.Folder), numbers: make(map[uint64]int), texts: make(map[string]int), sets: make(map[*resolve.Var]bool),
	}
	code.Window = f.Registers
	code.Registers, code.Boxes, code.Yields = f.Registers, f.Boxes, f.Yields
	code.Params, code.Rest, code.Defaults = len(f.Params), f.Rest, f.Defaults
	if f.Rest {
		code.Params--
	}
	code.Least = code.Params - len(f.Defaults)
	code.Simple = !code.Rest && code.Boxes == len(f.Captures) && !code.Yields
	a.variables()
	if f == f.Module.Body {
		a.imports(f.Body)
	}
	a.markFunction()
	a.statements(f.Body)
	a.emit(ReturnNone, 0, 0, 0)
}

// variables notes names, boxed parameters and captures.
func (a *assembler) variables() {
	code := a.code
	code.Names = make([]string, a.fn.Registers)
	code.Cells = make([]string, a.fn.Boxes)
	for _, v := range a.fn.Vars() {
		if v.Storage == resolve.Boxed {
			code.Cells[v.Index] = v.Name
		}
		switch {
		case v.Storage == resolve.Register:
			code.Names[v.Index] = v.Name
		case v.Storage == resolve.Boxed && (v.Param > 0 || v == a.fn.This):
			code.Boxed = append(code.Boxed, BoxedParam{Register: v.Param, Cell: v.Index})
		}
	}
	for _, p := range a.fn.Params {
		a.set(p)
	}
	for _, cp := range a.fn.Captures {
		code.Captures = append(code.Captures, Capture{Global: cp.From.Storage == resolve.Global, Index: cp.From.Index})
	}
}

// emit writes an instruction.
func (a *assembler) emit(op Op, x, y, z int) {
	a.word(uint32(op) | uint32(uint8(x))<<8 | uint32(uint8(y))<<16 | uint32(uint8(z))<<24)
}

func (a *assembler) word(w uint32) {
	a.code.Words = append(a.code.Words, w)
	a.code.Places = append(a.code.Places, a.pos)
}

// emitWide writes an instruction with a second word.
func (a *assembler) emitWide(op Op, x, y, z, w int) {
	a.emit(op, x, y, z)
	a.word(uint32(w))
}

// emit16 writes an instruction whose b and c are one operand of 16 bits.
func (a *assembler) emit16(op Op, x, n int) { a.emit(op, x, n&0xff, n>>8) }

// here returns the place of the next word.
func (a *assembler) here() int { return len(a.code.Words) }

// jump writes a jump whose distance patch fills in.
func (a *assembler) jump(op Op, x, y, z int) int {
	a.emitWide(op, x, y, z, 0)
	return a.here() - 1
}

// jumpTo writes a jump to a place that is known.
func (a *assembler) jumpTo(target int) {
	at := a.jump(Jump, 0, 0, 0)
	a.code.Words[at] = uint32(target - at - 1)
}

// patch makes jumps lead to the next word.
func (a *assembler) patch(jumps ...int) { a.patchTo(a.here(), jumps...) }

func (a *assembler) patchTo(target int, jumps ...int) {
	for _, at := range jumps {
		a.code.Words[at] = uint32(target - at - 1)
	}
}

// tick counts steps in long stretches that no jump backwards counts.
func (a *assembler) tick() {
	if a.here()-a.ticked > 256 {
		a.ticked = a.here()
		a.emit(Nop, 0, 0, 0)
	}
}

// maxWindow keeps a few registers above every window for the arguments that
// builtins default.
const maxWindow = 240

// temp returns an unused register. Whoever takes one gives it back by setting
// free to what it was before.
func (a *assembler) temp() int { return a.temps(1) }

// temps returns the first of n unused registers in a row.
func (a *assembler) temps(n int) int {
	if a.free+n > maxWindow {
		if !a.full {
			a.full = true
			a.errors = append(a.errors, a.resolved.Sources.Errorf(a.pos, "expression is too complex"))
		}
		return maxWindow - 1
	}
	r := a.free
	a.free += n
	a.code.Window = max(a.code.Window, a.free)
	return r
}

// isVariable reports whether the register belongs to a variable.
func (a *assembler) isVariable(r int) bool { return r < a.fn.Registers }

// constant returns the index of a constant.
func (a *assembler) constant(v value.Value) int {
	switch v.Kind() {
	case value.KindNumber:
		key := math.Float64bits(v.Float())
		if i, ok := a.numbers[key]; ok {
			return i
		}
		a.numbers[key] = len(a.code.Consts)
	case value.KindString:
		return a.text(v.Str())
	}
	a.code.Consts = append(a.code.Consts, v)
	return len(a.code.Consts) - 1
}

// text returns the index of a string constant.
func (a *assembler) text(s string) int {
	if i, ok := a.texts[s]; ok {
		return i
	}
	v, ok := a.strings[s]
	if !ok {
		v = value.String(s)
		a.strings[s] = v
	}
	a.texts[s] = len(a.code.Consts)
	a.code.Consts = append(a.code.Consts, v)
	return len(a.code.Consts) - 1
}

// fold returns the value of x if it is constant.
func (a *assembler) fold(x syntax.Expr) (value.Value, bool) {
	v, bad, err := a.folder.Fold(x)
	return v, bad == nil && err == nil
}

// load puts a constant into a register.
func (a *assembler) load(dst int, v value.Value) {
	if f := v.Float(); v.IsNumber() && f == float64(int16(f)) && !math.Signbit(f) {
		a.emit16(LoadInt, dst, int(uint16(int16(f))))
		return
	}
	i := a.constant(v)
	if i < 1<<16 {
		a.emit16(LoadK, dst, i)
		return
	}
	a.emitWide(LoadKX, dst, 0, 0, i)
}

// index returns the place of x in a table, appending it if it is not there.
func index[T comparable](table *[]T, x T) int {
	for i, y := range *table {
		if x == y {
			return i
		}
	}
	*table = append(*table, x)
	return len(*table) - 1
}

// set notes that a variable is certainly set from here on, until the branch
// that the place is in ends.
func (a *assembler) set(v *resolve.Var) {
	if !a.sets[v] && !v.Unset {
		a.sets[v] = true
		a.undo = append(a.undo, v)
	}
}

// branch runs f for code that may be skipped: what is set there may not be.
func (a *assembler) branch(f func()) {
	mark := len(a.undo)
	f()
	for _, v := range a.undo[mark:] {
		delete(a.sets, v)
	}
	a.undo = a.undo[:mark]
}
