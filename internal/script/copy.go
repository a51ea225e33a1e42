package script

import (
	"unicode/utf8"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/stage"
)

// shownVariable is how much of a variable is copied at a break point, in bytes,
// and shownVariables how many.
const (
	shownVariable  = 64 << 10
	shownVariables = 256
)

// Copy is what a script does at a break point, for who looks at it later.
func Copy(phase, transaction string, s *value.Stop) stage.Stop {
	stop := stage.Stop{Point: s.Point, Debugger: s.Debugger, Phase: phase, Transaction: transaction, Values: map[string]stage.Value{}}
	for i, at := range s.Stack {
		name := at.Function
		if name == "" {
			name = "top level"
		}
		stop.Stack = append(stop.Stack, name+" at "+at.String())
		if i == 0 {
			stop.File, stop.Line, stop.Column = at.File, at.Line, at.Column
		}
	}
	for i, v := range s.Variables {
		if i == shownVariables {
			break
		}
		stop.Values[v.Name] = shown(v.Value)
	}
	return stop
}

func shown(v value.Value) stage.Value {
	if v.Kind() == value.KindString && !utf8.ValidString(v.Str()) {
		data := v.Str()
		return stage.Value{Binary: true, Data: []byte(data[:min(len(data), shownVariable)])}
	}
	return stage.Value{Data: []byte(JSON(v, shownVariable))}
}
