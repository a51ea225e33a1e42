package script_test

import (
	"slices"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/script"
)

func TestLibraries(t *testing.T) {
	base := stdlib.New(stdlib.Options{})
	if !slices.Contains(script.Phases(), "eod") || !slices.Contains(script.Phases(), "predelivery") {
		t.Errorf("phases are %q", script.Phases())
	}
	if _, ok := script.Library("nonsense", base); ok {
		t.Error("there is a phase called nonsense")
	}
	eod, _ := script.Library("eod", base)
	for text, in := range map[string]struct{ eod, any bool }{
		"Accept();":                    {true, true},
		"Accept([]);":                  {true, true},
		"echo $transaction[\"id\"];":   {true, true},
		"Try();":                       {false, true},
		"Accept(1, 2, 3, 4, 5, 6, 7);": {false, false},
		"nothing();":                   {false, false},
	} {
		_, err := hsl.Compile("t", text, hsl.Options{Library: eod})
		if (err == nil) != in.eod {
			t.Errorf("eod: %s: %v", text, err)
		}
		_, err = hsl.Compile("t", text, hsl.Options{Library: script.AnyPhase(base)})
		if (err == nil) != in.any {
			t.Errorf("any phase: %s: %v", text, err)
		}
	}
	for _, phase := range script.Phases() {
		l, _ := script.Library(phase, base)
		all := script.AnyPhase(base)
		for b := range l.Builtins() {
			least, most := b.Arity()
			wideLeast, wideMost := all.Builtin(b.Name).Arity()
			if wideLeast > least || wideMost >= 0 && (most < 0 || most > wideMost) {
				t.Errorf("%s in %s takes %d to %d arguments, in any phase %d to %d", b.Name, phase, least, most, wideLeast, wideMost)
			}
		}
	}
}
