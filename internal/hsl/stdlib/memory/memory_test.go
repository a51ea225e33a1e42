package memory_test

import (
	"sync"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/memory"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

var library = value.NewLibrary(nil, value.Declarations{Builtins: memory.Builtins()})

// machine returns a machine whose callbacks append to a log.
func machine(t *testing.T, p *value.Process, log *[]string) *stdlibtest.Machine {
	m := stdlibtest.New(t, library, value.Setup{Process: p})
	m.Functions = map[string]func([]value.Value) (value.Value, error){
		"note": func(args []value.Value) (value.Value, error) {
			*log = append(*log, value.FromArray(value.List(args...)).Text())
			return value.String("noted"), nil
		},
		"sum": func(args []value.Value) (value.Value, error) {
			return value.Number(args[1].ToNumber() + args[2].ToNumber()), nil
		},
		"fail": func([]value.Value) (value.Value, error) { return value.None, value.Errorf("failed") },
		"again": func(args []value.Value) (value.Value, error) { // the same key inside of a callback
			return m.Eval(`memory_store("` + args[0].Str() + `", 9)`)
		},
	}
	return m
}

func TestFunctions(t *testing.T) {
	var log []string
	m := machine(t, value.NewProcess(0), &log)
	m.Check(t, []stdlibtest.Case{
		{`memory_add("k", 1)`, `true`},
		{`memory_add("k", 2)`, `false`},
		{`memory_fetch("k")`, `1`},
		{`memory_fetch("x")`, `none`},
		{`memory_fetch("x", note)`, `"noted"`},
		{`memory_fetch("k", note)`, `1`},
		{`memory_exists("k", note)`, `true`},
		{`memory_exists("x", note)`, `false`},
		{`memory_store("k", [1, ["a" => 2]], note)`, `true`},
		{`memory_store("new", 1, note)`, `false`},
		{`memory_fetch("k")`, `[0=>1,1=>["a"=>2]]`},
		{`memory_delete("k", note)`, `true`},
		{`memory_delete("k", note)`, `false`},
		{`memory_update("u", 5, sum)`, `false`},
		{`memory_exists("u")`, `false`},
		{`memory_update("u", 5, sum, 1)`, `false`},
		{`memory_fetch("u")`, `6`},
		{`memory_update("u", 5, sum)`, `true`},
		{`memory_fetch("u")`, `11`},
		{`memory_update("u", 5, fail)`, `!failed`},
		{`memory_fetch("u")`, `11`},
		{`memory_inc("n")`, `1`},
		{`memory_inc("n", 2.5)`, `3.5`},
		{`memory_dec("n", 3.5, true)`, `0`},
		{`memory_exists("n")`, `false`},
		{`memory_dec("n", 1)`, `-1`},
		{`memory_inc("t", 0)`, `0`},
		{`memory_store("t", "text")`, `true`},
		{`memory_inc("t")`, `none`},
		{`memory_exists("u", again)`, `true`},
		{`memory_fetch("u")`, `9`},
	})
	want := []string{`[0=>"x"]`, `[0=>"k",1=>1]`, `[0=>"k",1=>1]`, `[0=>"k",1=>[0=>1,1=>["a"=>2]]]`}
	if len(log) != len(want) {
		t.Fatalf("callbacks saw %q", log)
	}
	for i := range want {
		if log[i] != want[i] {
			t.Errorf("callback %d saw %s, want %s", i, log[i], want[i])
		}
	}
}

func TestLimit(t *testing.T) {
	m := machine(t, value.NewProcess(1000), new([]string))
	m.Check(t, []stdlibtest.Case{
		{`memory_store("k", [1, 2, 3])`, `false`},
		{`memory_store("l", ["0123456789012345678901234567890123456789", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60])`, `!shared memory is full`},
	})
}

// TestAtomic: threads that count at once lose nothing.
func TestAtomic(t *testing.T) {
	p := value.NewProcess(0)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			m := machine(t, p, new([]string))
			for range 300 {
				m.Show(`memory_inc("n")`)
				m.Show(`memory_update("u", 1, sum, 0)`)
			}
		})
	}
	wg.Wait()
	machine(t, p, new([]string)).Check(t, []stdlibtest.Case{{`memory_fetch("n")`, `1200`}, {`memory_fetch("u")`, `1200`}})
}
