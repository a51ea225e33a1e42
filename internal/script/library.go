package script

import (
	"maps"
	"slices"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Phases returns the names of all phases that run scripts, in order.
func Phases() []string { return slices.Sorted(maps.Keys(declarations)) }

// Library returns what a script of the phase finds on top of base; ok is false
// when there is no such phase.
func Library(phase string, base *value.Library) (l *value.Library, ok bool) {
	d, ok := declarations[phase]
	if !ok {
		return nil, false
	}
	return value.NewLibrary(base, d), true
}

// AnyPhase returns what files find that scripts of several phases may include:
// the functions of all phases, which take as many arguments as in any of them.
// It is good for checking such files and not for running them.
func AnyPhase(base *value.Library) *value.Library {
	all := value.Declarations{}
	functions := map[string]*value.Builtin{}
	for _, phase := range Phases() {
		d := declarations[phase]
		all.Classes = append(all.Classes, d.Classes...)
		all.Variables = append(all.Variables, d.Variables...)
		for _, b := range d.Builtins {
			functions[b.Name] = widest(functions[b.Name], b)
		}
	}
	all.Builtins = slices.Collect(maps.Values(functions))
	return value.NewLibrary(base, all)
}

// widest returns one of two functions of the same name, with parameters that
// allow every number of arguments that either allows. a may be nil.
func widest(a, b *value.Builtin) *value.Builtin {
	if a == nil {
		return b
	}
	least, most := a.Arity()
	if leastB, mostB := b.Arity(); most < 0 || mostB >= 0 && mostB < most {
		a, b, least = b, a, leastB
	}
	wide := *b
	wide.Params = slices.Clone(b.Params)
	wide.Terminates = a.Terminates && b.Terminates
	for i := least; i < len(wide.Params); i++ {
		wide.Params[i].Optional = true
	}
	return &wide
}
