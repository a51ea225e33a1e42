package compile

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// maxArgs is how many arguments are passed in registers.
const maxArgs = 64

// call writes a call whose result goes to dst.
func (a *assembler) call(x *syntax.Call, dst int) {
	mark := a.free
	defer func() { a.free = mark }()
	base := a.temp()
	if spreads(x.Args) {
		a.spreadCall(x, base, dst)
		return
	}
	switch fn := x.Fn.(type) {
	case *syntax.Property:
		a.borrow(fn.X, base)
		n := a.args(x.Args)
		a.at(fn)
		a.code.Sites = append(a.code.Sites, Site{Name: fn.Name})
		a.emitWide(CallMethod, base, n, dst, len(a.code.Sites)-1)
	case *syntax.Name:
		a.bound(fn.Binding, x, base, dst)
	case *syntax.Scoped:
		if v, ok := fn.Binding.(*resolve.Var); ok {
			a.loadVar(v, base, 0)
			a.indirect(x, base, dst)
			return
		}
		a.bound(fn.Binding, x, base, dst)
	default:
		a.borrow(x.Fn, base)
		a.indirect(x, base, dst)
	}
}

// indirect calls the function value at base.
func (a *assembler) indirect(x *syntax.Call, base, dst int) {
	n := a.args(x.Args)
	a.at(x)
	a.emit(Call, base, n, dst)
}

// bound calls what a name is bound to.
func (a *assembler) bound(binding any, x *syntax.Call, base, dst int) {
	n := a.args(x.Args)
	a.at(x.Fn)
	switch b := binding.(type) {
	case *resolve.Function:
		a.emitWide(CallScript, base, n, dst, index(&a.code.Scripts, a.codes[b]))
	case *resolve.Class:
		a.emitWide(New, base, n, dst, index(&a.code.Classes, a.classes[b]))
	case *value.Function:
		builtin := b.Builtin
		if b.Class != nil {
			builtin = b.Class.Constructor
		}
		a.emitWide(CallGo, base, n, dst, index(&a.code.Builtins, builtin))
	}
}

// args computes arguments into the registers behind the function.
func (a *assembler) args(args []syntax.Arg) int {
	for _, arg := range args {
		a.inRow(func(r int) { a.expr(arg.Value, r) })
	}
	return len(args)
}

// spreads reports whether the arguments have to be collected in an array.
func spreads(args []syntax.Arg) bool {
	if len(args) > maxArgs {
		return true
	}
	for _, arg := range args {
		if arg.Spread {
			return true
		}
	}
	return false
}

// spreadCall collects the arguments in an array behind the function.
func (a *assembler) spreadCall(x *syntax.Call, base, dst int) {
	kind := SpreadValue
	args := a.temp()
	switch fn := x.Fn.(type) {
	case *syntax.Property:
		kind = SpreadMethod
		a.borrow(fn.X, base)
		a.load(a.temp(), value.String(fn.Name))
	case *syntax.Name:
		a.load(base, a.functionValue(fn.Binding))
	default:
		a.borrow(fn, base)
	}
	a.emit16(NewArray, args, len(x.Args))
	for _, arg := range x.Args {
		mark := a.free
		if arg.Spread {
			r := a.operand(arg.Value)
			a.at(arg.Value)
			a.emit(SpreadArgs, args, r, 0)
		} else {
			r := a.owned(arg.Value)
			a.at(arg.Value)
			a.emit(Push, args, r, 0)
		}
		a.free = mark
	}
	a.at(x)
	a.emit(CallSpread, base, kind, dst)
}

// cacheCall writes a call with the cache prefix: options, then arguments.
func (a *assembler) cacheCall(x *syntax.CacheCall, dst int) {
	mark := a.free
	defer func() { a.free = mark }()
	base := a.temp()
	a.expr(x.Options, base)
	args := a.temp()
	a.emit16(NewArray, args, len(x.Call.Args))
	for _, arg := range x.Call.Args {
		inner := a.free
		r := a.owned(arg.Value)
		if arg.Spread {
			a.emit(SpreadArgs, args, r, 0)
		} else {
			a.emit(Push, args, r, 0)
		}
		a.free = inner
	}
	fn := a.functionValue(bindingOf(x.Call.Fn))
	a.at(x)
	a.emitWide(Cached, base, 0, dst, a.constant(fn))
}

func bindingOf(fn syntax.Expr) any {
	switch fn := fn.(type) {
	case *syntax.Name:
		return fn.Binding
	case *syntax.Scoped:
		return fn.Binding
	}
	return nil
}
