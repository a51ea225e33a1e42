package kind_test

import (
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/kind"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func TestFunctions(t *testing.T) {
	l := value.NewLibrary(nil, value.Declarations{Builtins: kind.Builtins(), Classes: []*value.Class{value.ExceptionClass}})
	stdlibtest.New(t, l, value.Setup{}).Check(t, []stdlibtest.Case{
		{`boolean("")`, `false`},
		{`boolean("0")`, `true`},
		{`boolean(none)`, `false`},
		{`boolean([])`, `false`},
		{`boolean(number)`, `true`},
		{`number("12abc")`, `0`},
		{`number(" 0x1F ")`, `31`},
		{`number(true)`, `1`},
		{`number([1])`, `0`},
		{`number(none)`, `0`},
		{`string(none)`, `""`},
		{`string(1e21)`, `"1e+21"`},
		{`string([1, "a" => none])`, `''[0=>1,"a"=>none]''`},
		{`string(number)`, `"function"`},
		{`string(Exception("x"))`, `"object Exception"`},
		{`length("å")`, `2`},
		{`length([1, 2])`, `2`},
		{`length(12)`, `none`},
		{`length(none)`, `none`},
		{`is_array([])`, `true`},
		{`is_array(none)`, `false`},
		{`is_boolean(false)`, `true`},
		{`is_number(true)`, `false`},
		{`is_number(1)`, `true`},
		{`is_string(1)`, `false`},
		{`is_function(is_function)`, `true`},
		{`is_object(Exception("x"))`, `true`},
		{`is_object([])`, `false`},
	})
}
