package array_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/array"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func machine(t *testing.T, limits value.Limits) *stdlibtest.Machine {
	l := value.NewLibrary(nil, value.Declarations{Builtins: array.Builtins()})
	m := stdlibtest.New(t, l, value.Setup{Limits: limits})
	m.Functions = map[string]func([]value.Value) (value.Value, error){
		"odd": func(args []value.Value) (value.Value, error) {
			return value.Boolean(int(args[0].ToNumber())%2 == 1), nil
		},
		"double": func(args []value.Value) (value.Value, error) { return value.Number(2 * args[0].ToNumber()), nil },
		"add": func(args []value.Value) (value.Value, error) {
			return value.Number(args[0].ToNumber() + args[1].ToNumber()), nil
		},
		"less":  func(args []value.Value) (value.Value, error) { return value.Boolean(value.Less(args[0], args[1])), nil },
		"never": func([]value.Value) (value.Value, error) { return value.False, nil },
		"fail":  func([]value.Value) (value.Value, error) { return value.None, errors.New("failed") },
	}
	return m
}

func TestFunctions(t *testing.T) {
	machine(t, value.Limits{}).Check(t, []stdlibtest.Case{
		{`array_combine(["a", "b", "a"], [1, 2, 3])`, `["a"=>3,"b"=>2]`},
		{`array_combine(["a", "b"], [1])`, `["a"=>1,"b"=>none]`},
		{`array_combine(["a", "b"], [1], 0)`, `["a"=>1,"b"=>0]`},
		{`array_combine(["a"], [1, 2])`, `["a"=>1]`},
		{`array_combine([], [])`, `[]`},
		{`array_includes("1", [1, 2])`, `false`},
		{`array_includes(1, [1, 2])`, `true`},
		{`array_includes([1], [[1]])`, `true`},
		{`array_includes(odd, [2, 4])`, `false`},
		{`array_includes(odd, [2, 5])`, `true`},
		{`array_join([1, "a", true, none, [2]], ",")`, `"1,a,true,,[0=>2]"`},
		{`array_join([])`, `""`},
		{`array_join(["a", "b"])`, `"ab"`},
		{`array_keys(["x" => 1, 5 => 2])`, `[0=>"x",1=>5]`},
		{`array_random([])`, `none`},
		{`array_random([9])`, `[0=>0,1=>9]`},
		{`array_random(["k" => 9])`, `[0=>"k",1=>9]`},
		{`array_range(0, 3)`, `[0=>0,1=>1,2=>2]`},
		{`array_range(0, 1, 0.25)`, `[0=>0,1=>0.25,2=>0.5,3=>0.75]`},
		{`array_range(3, 0, -2)`, `[0=>3,1=>1]`},
		{`array_range(0, 3, -1)`, `[]`},
		{`array_range(3, 3)`, `[]`},
		{`array_range(0, 2.5)`, `[0=>0,1=>1,2=>2]`},
		{`array_range(0, 3, 0)`, `!array_range: argument 3 (step): want a number other than 0, got 0`},
		{`array_reverse(["a" => 1, 5 => 2, 3])`, `[0=>3,1=>2,"a"=>1]`},
		{`array_shuffle([7])`, `[0=>7]`},
		{`array_shuffle(["a" => 7])`, `["a"=>7]`},
		{`array_unique([1, "1", 1, true, none, [1], [1], none, "a" => 1])`, `[0=>1,1=>"1",3=>true,4=>none,5=>[0=>1]]`},
	})
}

func TestCallbacks(t *testing.T) {
	machine(t, value.Limits{}).Check(t, []stdlibtest.Case{
		{`array_every(odd, [1, 3])`, `true`},
		{`array_every(odd, [1, 2])`, `false`},
		{`array_every(fail, [])`, `true`},
		{`array_filter(odd, ["a" => 1, 2, 3])`, `["a"=>1,1=>3]`},
		{`array_find(odd, [2, 3, 5])`, `3`},
		{`array_find(odd, [2])`, `none`},
		{`array_map(double, ["a" => 1, 7 => 2])`, `["a"=>2,7=>4]`},
		{`array_map(fail, [1])`, `!failed`},
		{`array_map("double", [1])`, `!array_map: argument 1 (callback): want function, got string`},
		{`array_reduce(add, [1, 2, 3])`, `6`},
		{`array_reduce(add, [1, 2, 3], 10)`, `16`},
		{`array_reduce(fail, [1])`, `1`},
		{`array_reduce(fail, [], 1)`, `1`},
		{`array_reduce(fail, [])`, `!array_reduce: argument 2 (array): want an array with elements when there is no initial value, got an array`},
		{`array_sort(less, [3, 1, 2])`, `[1=>1,2=>2,0=>3]`},
		{`array_sort(less, ["b" => 1, "a" => 2], ["keys" => true])`, `["a"=>2,"b"=>1]`},
		{`array_sort(never, [3, 1, 2])`, `[0=>3,1=>1,2=>2]`},
		{`array_sort(fail, [3, 1])`, `!failed`},
		{`array_sort(fail, [3])`, `[0=>3]`},
	})
}

// TestWriter: a callback may change the variable that the array came from.
func TestWriter(t *testing.T) {
	variable := value.FromArray(value.List(value.Int(1), value.Int(2)))
	grow := stdlibtest.Function("grow", func(args []value.Value) (value.Value, error) {
		value.Writable(&variable).Append(args[0])
		return value.True, nil
	})
	m := machine(t, value.Limits{})
	for _, name := range []string{"array_map", "array_filter", "array_every", "array_sort"} {
		_, err := m.Call(value.FromFunction(m.Library.Function(name)), grow, variable)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSortIsStable compares with the sort of Go.
func TestSortIsStable(t *testing.T) {
	m := machine(t, value.Limits{})
	rapid.Check(t, func(r *rapid.T) {
		type pair struct{ key, place int }
		keys := rapid.SliceOf(rapid.IntRange(0, 9)).Draw(r, "keys")
		var want []pair
		a := value.NewArray(0)
		for i, k := range keys {
			want = append(want, pair{k, i})
			a.Append(value.Int(k))
		}
		slices.SortStableFunc(want, func(x, y pair) int { return x.key - y.key })
		sorted, err := m.Call(value.FromFunction(m.Library.Function("array_sort")), value.FromFunction(functionOf(m, "less")), value.FromArray(a))
		if err != nil {
			r.Fatal(err)
		}
		i := 0
		for k, v := range sorted.Array().All() {
			if got := (pair{int(v.Float()), int(k.Float())}); got != want[i] {
				r.Fatalf("element %d of %v is %v, want %v", i, keys, got, want[i])
			}
			i++
		}
	})
}

func functionOf(m *stdlibtest.Machine, name string) *value.Function {
	return stdlibtest.Function(name, m.Functions[name]).Function()
}

func TestLimits(t *testing.T) {
	for _, source := range []string{
		`array_range(0, 1e12)`,
		`array_range(0, 1, 1e-300)`,
		`array_map(double, array_range(0, 40000))`,
		`array_combine(array_range(0, 30000), [])`,
		`array_join(array_range(0, 30000), "0123456789012345678901234567890123456789012345678901234567890123456789")`,
	} {
		got := machine(t, value.Limits{Memory: 1 << 20}).Show(source)
		if got != "!script exceeded its memory limit of 1 MiB" {
			t.Errorf("%s: got %.60s", source, got)
		}
	}
	// An endless loop of a builtin ends by the count of steps.
	got := machine(t, value.Limits{Instructions: 1e6}).Show(`array_range(0, 1e7)`)
	if got != "!script exceeded its instructions limit of 1000000" {
		t.Errorf("got %.60s", got)
	}
}

func TestRandom(t *testing.T) {
	m := machine(t, value.Limits{})
	seen := map[string]bool{}
	for range 200 {
		seen[m.Show(`array_random([1, 2, 3])`)] = true
		if got := m.Show(`array_sort(less, array_shuffle([1, 2, 3]))`); len(got) != len(`[0=>1,1=>2,2=>3]`) {
			t.Fatalf("shuffled to %s", got)
		}
	}
	if len(seen) != 3 {
		t.Errorf("saw %s", fmt.Sprint(seen))
	}
}
