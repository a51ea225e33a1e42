package container_test

import (
	"sync"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/container"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

var library = value.NewLibrary(nil, value.Declarations{Classes: container.Classes()})

// object returns a new object and a machine on which $o is that object.
func object(t *testing.T, source string) (*stdlibtest.Machine, value.Value) {
	m := stdlibtest.New(t, library, value.Setup{})
	o, err := m.Eval(source)
	if err != nil {
		t.Fatal(err)
	}
	m.Functions = map[string]func([]value.Value) (value.Value, error){
		"o": func([]value.Value) (value.Value, error) { return o, nil },
	}
	return m, o
}

func TestMap(t *testing.T) {
	m, _ := object(t, `Map("string", "any")`)
	m.Check(t, []stdlibtest.Case{
		{`o()->size()`, `0`},
		{`o()->set("a", 1)`, `true`},
		{`o()->set("7", "seven")`, `true`},
		{`o()->get("a")`, `1`},
		{`o()->get("7")`, `"seven"`},
		{`o()->get("b")`, `none`},
		{`o()->has("a")`, `true`},
		{`o()->has("b")`, `false`},
		{`o()->size()`, `2`},
		{`o()->merge("a", 2)`, `true`},
		{`o()->get("a")`, `3`},
		{`o()->merge("l", [1])`, `true`},
		{`o()->merge("l", [2, "k" => 3])`, `true`},
		{`o()->get("l")`, `[0=>1,1=>2,"k"=>3]`},
		{`o()->merge("t", "x")`, `true`},
		{`o()->merge("t", "y")`, `true`},
		{`o()->get("t")`, `"xy"`},
		{`o()->delete("a")`, `true`},
		{`o()->delete("a")`, `false`},
		{`o()->set(1, 2)`, `!set: argument 1 (key): want string, which the Map was made for, got 1`},
		{`o()->get(1)`, `!get: argument 1 (key): want string, which the Map was made for, got 1`},
		{`o()->clear()`, `none`},
		{`o()->size()`, `0`},
		{`Map("array", "any")`, `!Map: argument 1 (keytype): want string or number, got "array"`},
		{`Map("string", "any number")`, `!Map: argument 2 (valuetype): want any, string, number, boolean, array, function, object or resource, got "any number"`},
	})
	m, _ = object(t, `Map("number", "array")`)
	m.Check(t, []stdlibtest.Case{
		{`o()->set(1.9, [1])`, `true`},
		{`o()->get(1)`, `[0=>1]`},
		{`o()->set(1, "x")`, `!set: argument 2 (value): want array, which the Map was made for, got "x"`},
		{`o()->set("1", [])`, `!set: argument 1 (key): want number, which the Map was made for, got "1"`},
	})
}

func TestSet(t *testing.T) {
	m, _ := object(t, `Set("number")`)
	m.Check(t, []stdlibtest.Case{
		{`o()->add(1)`, `true`},
		{`o()->add(1)`, `false`},
		{`o()->add("1")`, `!add: argument 1 (key): want number, which the Set was made for, got "1"`},
		{`o()->has(1)`, `true`},
		{`o()->delete(1)`, `true`},
		{`o()->size()`, `0`},
		{`o()->clear()`, `none`},
	})
}

// entries goes through an object as foreach does.
func entries(t *testing.T, m *stdlibtest.Machine, source string) (list []string) {
	v, err := m.Eval(source)
	if err != nil {
		t.Fatal(err)
	}
	i := v.Object().Native.(value.Iterator)
	for {
		k, v, ok, err := i.Next(m.Thread)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return list
		}
		list = append(list, stdlibtest.Literal(k)+" "+stdlibtest.Literal(v))
	}
}

func TestIterate(t *testing.T) {
	m, _ := object(t, `Map("string", "any")`)
	m.Check(t, []stdlibtest.Case{{`o()->set("b", [1])`, `true`}, {`o()->set("7", 2)`, `true`}})
	v, err := m.Eval(`o()->entries()`)
	if err != nil {
		t.Fatal(err)
	}
	// What is changed meanwhile does not show.
	m.Check(t, []stdlibtest.Case{{`o()->set("c", 3)`, `true`}, {`o()->delete("b")`, `true`}})
	i := v.Object().Native.(value.Iterator)
	for _, want := range [][2]string{{`"b"`, `[0=>1]`}, {`"7"`, `2`}} {
		k, v, ok, _ := i.Next(m.Thread)
		if !ok || stdlibtest.Literal(k) != want[0] || stdlibtest.Literal(v) != want[1] {
			t.Errorf("got %s, %s, want %v", k.Text(), v.Text(), want)
		}
	}
	if _, _, ok, _ := i.Next(m.Thread); ok {
		t.Error("the iterator goes on")
	}
	if got := entries(t, m, `o()->entries()`); len(got) != 2 || got[1] != `"c" 3` {
		t.Errorf("got %q", got)
	}
	m, _ = object(t, `Set("string")`)
	m.Check(t, []stdlibtest.Case{{`o()->add("x")`, `true`}})
	if got := entries(t, m, `o()->values()`); len(got) != 1 || got[0] != `"x" "x"` {
		t.Errorf("got %q", got)
	}
}

// TestShared: threads use a published map at once, and an array in it is none
// that anybody writes to.
func TestShared(t *testing.T) {
	_, o := object(t, `Map("string", "any")`)
	if err := value.Publish(o); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	process := value.NewProcess(0)
	for range 8 {
		wg.Go(func() {
			m := stdlibtest.New(t, library, value.Setup{Process: process})
			m.Functions = map[string]func([]value.Value) (value.Value, error){
				"o": func([]value.Value) (value.Value, error) { return o, nil },
			}
			for range 40 {
				m.Show(`o()->merge("n", 1)`)
				m.Show(`o()->merge("l", [1])`)
				m.Show(`o()->get("l")`)
				v, _ := m.Eval(`o()->entries()`)
				for i := v.Object().Native.(value.Iterator); ; {
					if _, _, ok, _ := i.Next(m.Thread); !ok {
						break
					}
				}
			}
		})
	}
	wg.Wait()
	m := stdlibtest.New(t, library, value.Setup{})
	m.Functions = map[string]func([]value.Value) (value.Value, error){
		"o": func([]value.Value) (value.Value, error) { return o, nil },
	}
	if got := m.Show(`o()->get("n")`); got != "320" {
		t.Errorf("counted %s", got)
	}
	if v, _ := m.Eval(`o()->get("l")`); v.Array().Len() != 320 {
		t.Errorf("list of %d", v.Array().Len())
	}
}

func TestNew(t *testing.T) {
	m := stdlibtest.New(t, library, value.Setup{})
	o := container.NewMap(value.Map("a", value.Int(1)))
	m.Functions = map[string]func([]value.Value) (value.Value, error){
		"o": func([]value.Value) (value.Value, error) { return o, nil },
		"s": func([]value.Value) (value.Value, error) {
			return container.NewSet(value.List(value.String("x"), value.Int(5))), nil
		},
	}
	m.Check(t, []stdlibtest.Case{
		{`o()->get("a")`, `1`},
		{`s()->has("5")`, `true`},
		{`s()->size()`, `2`},
	})
}
