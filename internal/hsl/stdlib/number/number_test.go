package number_test

import (
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/kind"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/number"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func TestFunctions(t *testing.T) {
	l := value.NewLibrary(nil, value.Declarations{Builtins: append(number.Builtins(), kind.Builtins()...)})
	m := stdlibtest.New(t, l, value.Setup{})
	m.Check(t, []stdlibtest.Case{
		{`abs(-1.5)`, `1.5`},
		{`abs("-2")`, `2`},
		{`ceil(-1.5)`, `-1`},
		{`floor(-1.5)`, `-2`},
		{`sqrt(2)`, `1.4142135623730951`},
		{`sqrt(-1)`, `nan`},
		{`log(0)`, `-inf`},
		{`log(100, 10)`, `2`},
		{`log(8, 2)`, `3`},
		{`pow(2, 0.5)`, `1.4142135623730951`},
		{`pow(2, -1)`, `0.5`},
		{`round(2.5)`, `3`},
		{`round(-2.5)`, `-3`},
		{`round(1.005, 2)`, `1.01`},
		{`round(2.345, 2)`, `2.35`},
		{`round(1234.5, -2)`, `1200`},
		{`round(1250, -2)`, `1300`},
		{`round(-0.4)`, `0`},
		{`round(1e300, 2)`, `1e+300`},
		{`round(0.1, 400)`, `0.1`},
		{`round(5, -400)`, `0`},
		{`round(1.5, 300)`, `1.5`},
		{`length(random_bytes(3))`, `3`},
		{`random_bytes(0)`, `""`},
		{`random_bytes(-1)`, `!random_bytes: argument 1 (bytes): want 0 to 1048576, got -1`},
		{`random_bytes(1048577)`, `!random_bytes: argument 1 (bytes): want 0 to 1048576, got 1048577`},
		{`random_number(5, 5)`, `5`},
		{`random_number(-9007199254740991, -9007199254740991)`, `-9007199254740991`},
		{`random_number(1)`, `!random_number: want no argument or first and last, got 1`},
		{`random_number(2, 1)`, `!random_number: argument 2 (last): want a number that is not below first, got 1`},
	})
	for range 1000 {
		v, err := m.Eval("random_number()")
		if f := v.Float(); err != nil || f < 0 || f > 1 {
			t.Fatal(f, err)
		}
		v, err = m.Eval("random_number(-1, 1)")
		if f := v.Float(); err != nil || f != -1 && f != 0 && f != 1 {
			t.Fatal(f, err)
		}
	}
}
