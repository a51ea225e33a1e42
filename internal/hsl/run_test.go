package hsl_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// mustCompile compiles a script against the library of the tests.
func mustCompile(t testing.TB, text string) *hsl.Program {
	t.Helper()
	prog, err := hsl.Compile("script", text, hsl.Options{Library: testLibrary})
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

func TestLimits(t *testing.T) {
	limits := value.Limits{Instructions: 2e7, Memory: 8 << 20, Output: 1000, Time: 20 * time.Second}
	for name, c := range map[string]struct {
		script, limit string
		limits        value.Limits
	}{
		"endless loop":       {"forever {}", "instructions", limits},
		"empty for":          {"for (;;) {}", "instructions", limits},
		"caught":             {`forever { try { forever {} } catch ($e) {} }`, "instructions", limits},
		"mutual calls":       {"function f() {} while (true) f();", "instructions", limits},
		"builtins":           {`while (true) length("");`, "instructions", limits},
		"generator":          {"function g() { forever yield 1; } foreach (g() as $x) {}", "instructions", limits},
		"callbacks":          {"while (true) array_map(function ($x) {}, [1, 2, 3]);", "instructions", limits},
		"time":               {"forever {}", "time", value.Limits{Time: time.Millisecond}},
		"blocked":            {"block();", "time", value.Limits{Time: time.Millisecond}},
		"doubling text":      {`$s = "a"; forever $s .= $s;`, "memory", limits},
		"growing text":       {`$s = "a"; forever $s .= "0123456789";`, "memory", limits},
		"repeated text":      {`$s = "0123456789" * 100000000000;`, "memory", limits},
		"repeated array":     {`$s = [1] * 1000000000;`, "memory", limits},
		"growing array":      {"forever $a[] = 1;", "memory", limits},
		"growing map":        {`forever $a["k" . $i++] = 1;`, "memory", limits},
		"doubling array":     {"$a = [1]; forever $a = $a + $a;", "memory", limits},
		"nested array":       {"$a = []; forever $a = [$a];", "memory", limits},
		"objects":            {"class C { $v = 0; } $l = none; forever { $o = C(); $o->next = $l; $l = $o; }", "memory", limits},
		"closures":           {"forever { $f = function () closure ($f, $a) {}; $a[] = $f; }", "memory", limits},
		"texts kept":         {`forever { $a[] = "0123456789" * 1000; }`, "memory", limits},
		"slices kept":        {`$s = [1] * 1000; forever { $a[] = $s[:]; }`, "memory", limits},
		"formatted":          {`forever { $a[] = "%1000000s" % [1]; }`, "memory", limits},
		"shared parts dump":  {"$a = [1]; for ($i = 0; $i < 50; $i++) $a = [$a, $a]; $s = string($a);", "memory", limits},
		"shared parts equal": {"$a = [1]; $b = [1]; for ($i = 0; $i < 50; $i++) { $a = [$a, $a]; $b = [$b, $b]; } echo $a == $b;", "instructions", limits},
		"output":             {`forever echo "0123456789";`, "output", limits},
		"static":             {"class C { static $v = []; } forever C::$v[] = 1;", "memory", limits},
		"captured":           {"$f = function () closure ($x) { $x[] = 1; }; forever $f();", "memory", limits},
		"yielded":            {"function g() { $a = []; forever { $a[] = 1; yield 1; } } foreach (g() as $v) {}", "memory", limits},
		"rest":               {"function f(...$r) { return f(...$r, ...$r); } f(1);", "memory", value.Limits{Memory: 8 << 20, Depth: 1000}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prog := mustCompile(t, c.script)
			_, err := prog.Run(t.Context(), hsl.Execution{Setup: value.Setup{Limits: c.limits}})
			var limit *value.LimitError
			if !errors.As(err, &limit) || limit.Limit != c.limit {
				t.Fatalf("got %v, want the %s limit", err, c.limit)
			}
			if e := new(hsl.Error); !errors.As(err, &e) || len(e.Stack) == 0 || e.Source == "" {
				t.Errorf("error does not say where it happened: %#v", err)
			}
		})
	}
}

// TestMemoryIsCounted: what a script drops does not count.
func TestMemoryIsCounted(t *testing.T) {
	prog := mustCompile(t, `for ($i = 0; $i < 200; $i++) { $s = "0123456789" * 10000; $a = [1] * 10000; }`)
	if _, err := prog.Run(t.Context(), hsl.Execution{Setup: value.Setup{Limits: value.Limits{Memory: 1 << 20}}}); err != nil {
		t.Fatal(err)
	}
}

func TestDepth(t *testing.T) {
	prog := mustCompile(t, "function f($n) { return $n == 0 ? 0 : 1 + f($n - 1); } return f(5000);")
	result, err := prog.Run(t.Context(), hsl.Execution{Setup: value.Setup{Limits: value.Limits{Depth: 10000}}})
	if err != nil || result.Value.Float() != 5000 {
		t.Fatalf("got %s, %v", result.Value.Text(), err)
	}
}

func TestCancel(t *testing.T) {
	for name, script := range map[string]string{
		"loop":    "forever {}",
		"caught":  "forever { try { forever {} } catch ($e) {} }",
		"blocked": "block();",
		"barrier": `barrier "b" { block(); }`,
		"long":    "$a = [1] * 100000; forever $a == $a + [];",
	} {
		t.Run(name, func(t *testing.T) {
			prog := mustCompile(t, script)
			ctx, cancel := context.WithCancelCause(t.Context())
			cause := errors.New("client left")
			started := make(chan struct{})
			ended := make(chan error)
			go func() {
				close(started)
				_, err := prog.Run(ctx, hsl.Execution{})
				ended <- err
			}()
			<-started
			cancel(cause)
			err := <-ended
			var cancelled *value.Cancelled
			if !errors.As(err, &cancelled) || !errors.Is(err, cause) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestExit(t *testing.T) {
	prog := mustCompile(t, `
		function deep() { barrier "b" { try { array_map(function ($x) { Finish($x); }, [7]); } catch ($e) { echo "caught"; } } }
		deep();`)
	p := value.NewProcess(0)
	for range 2 { // the barrier is free again
		result, err := prog.Run(t.Context(), hsl.Execution{Setup: value.Setup{Process: p, Echo: func(s string) { t.Error(s) }}})
		if err != nil || result.Exit == nil || result.Exit.Outcome.(value.Value).Float() != 7 {
			t.Fatalf("got %+v, %v", result, err)
		}
	}
}

func TestKeep(t *testing.T) {
	prog := mustCompile(t, `$context["n"] = ($context["n"] ?? 0) + $arguments["n"]; if ($context["n"] > 8) Finish(); if ($context["n"] > 5) throw "x";`)
	context := value.Undefined
	for _, want := range []string{`["n"=>3]`, `["n"=>6]`, `["n"=>9]`} {
		vars := testVariables()
		if !context.IsUndefined() {
			vars["context"] = context
		}
		prog.Run(t.Context(), hsl.Execution{Variables: vars, Keep: func(get func(string) value.Value) { context = get("context") }})
		if got := context.Text(); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

// TestConcurrent runs one program in many goroutines that share objects, arrays
// and closures through memory, cache and barriers. The race detector has most to
// say about it.
func TestConcurrent(t *testing.T) {
	prog := mustCompile(t, `
		class Box { $list = []; $n = 0; function add($x) { $this->list[] = $x; $this->n++; return $this->list; } }
		function make() { $b = Box(); $n = 0; return ["tally" => Tally(), "box" => $b, "f" => function () closure ($n) { $n += 1; return $n; }, "l" => [[1], [2]]]; }
		$shared = cache [] make();
		share("tally", $shared["tally"]);
		for ($i = 0; $i < 50; $i++) {
			$shared["box"]->list = $shared["box"]->list + [$i];
			$shared["box"]->n;
			$shared["f"]();
			$shared["tally"]->add(1)->apply(function ($x) closure ($shared) { return $shared["tally"]->total(); });
			foreach ($shared["tally"] as $t) {}
			$mine = $shared["l"];
			$mine[0][] = $i;
			$shared["box"]->own = $mine;
			barrier "sum" => $sum { $sum = ($sum ?? 0) + 1; }
			barrier "list" => $l { $l[] = $i; }
		}
		return $shared["l"];`)
	p := value.NewProcess(0)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			result, err := prog.Run(t.Context(), hsl.Execution{Setup: value.Setup{Process: p}})
			if err != nil || result.Value.Text() != "[0=>[0=>1],1=>[0=>2]]" {
				t.Errorf("got %s, %v", result.Value.Text(), err)
			}
		})
	}
	group.Wait()
	if v, _ := p.Memory.Load("sum"); v.Float() != 400 {
		t.Errorf("the barrier let %s of 400 through", v.Text())
	}
	if v, _ := mustCompile(t, "return shared(\"tally\")->total();").Run(t.Context(), hsl.Execution{Setup: value.Setup{Process: p}}); v.Value.Float() != 400 {
		t.Errorf("the object counted %s calls of 400", v.Value.Text())
	}
	if stats := p.Cache.Stats(); stats.Misses != 1 {
		t.Errorf("%d misses", stats.Misses)
	}
}

// TestDeadlock: two scripts that enter two barriers in opposite order do not
// wait for each other for ever.
func TestDeadlock(t *testing.T) {
	p := value.NewProcess(0)
	var group sync.WaitGroup
	for _, order := range []string{`"a" { barrier "b"`, `"b" { barrier "a"`} {
		prog := mustCompile(t, `for ($i = 0; $i < 200; $i++) { try { barrier `+order+` {} } } catch ($e) { $caught = $e->message(); } } return $caught ?? "";`)
		group.Go(func() {
			result, err := prog.Run(t.Context(), hsl.Execution{Setup: value.Setup{Process: p}})
			if text := result.Value.Text(); err != nil || text != "" && !strings.Contains(text, "deadlock") {
				t.Errorf("got %q, %v", text, err)
			}
		})
	}
	group.Wait()
}

// TestPublishing: what cannot be shared is refused whole.
func TestPublishing(t *testing.T) {
	prog := mustCompile(t, `
		function g() { yield 1; }
		$list = [g(), [1]];
		try { share("k", $list); } catch ($e) { echo $e->message(); }
		$list[1][] = 2;
		echo $list[1];
		$shared = [[1]]; share("k", $shared); $shared[0][] = 2; echo $shared . shared("k");`)
	var echoes []string
	_, err := prog.Run(t.Context(), hsl.Execution{Setup: value.Setup{Echo: func(s string) { echoes = append(echoes, s) }}})
	want := "generators cannot be shared between scripts|[0=>1,1=>2]|[0=>[0=>1,1=>2]][0=>[0=>1]]"
	if got := strings.Join(echoes, "|"); err != nil || got != want {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestErrorDetail(t *testing.T) {
	prog := mustCompile(t, "function inner($x) {\n\treturn 1 + $x->y();\n}\n$f = function () { inner(5); };\n$f();\n")
	_, err := prog.Run(t.Context(), hsl.Execution{})
	var e *hsl.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	want := `script:2:17: call of method y on a number
    	return 1 + $x->y();
    	               ^
    in inner at script:2:17
    in {closure} at script:4:20
    in top level at script:5:3`
	if got := e.Detail(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	_, err = hsl.Compile("script", "$x = 1;\necho $x +;\nfunction f( {}\n$y = “;", hsl.Options{Library: testLibrary})
	want = `script:2:10: want operand, got ";"
    echo $x +;
             ^
script:3:13: want variable as a parameter, got "{"
    function f( {}
                ^
script:4:6: typographic quote “ (U+201C) outside a string
    $y = “;
         ^`
	if got := err.(hsl.Errors).Detail(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLexerErrors(t *testing.T) {
	for script, want := range map[string]string{
		`echo "abc`:     "string is not closed",
		"$x = #/a":      "regular expression is not closed",
		"$x = #/a\nb/;": "regular expression is not closed",
		"echo ''abc":    "raw string is not closed",
		"/*":            "comment is not closed",
	} {
		if err := hsl.Check("script", script); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", script, err, want)
		}
	}
}

// TestLarge compiles what generators of code write.
func TestLarge(t *testing.T) {
	var b strings.Builder
	for i := range 400 {
		fmt.Fprintf(&b, "$v%d = %d.5; if ($v%d == 0) { echo 1; } else ", i, i, i)
		if i%40 == 39 {
			b.WriteString("{}\n")
		}
	}
	b.WriteString("{} $sum = 0")
	for i := range 400 {
		fmt.Fprintf(&b, " + $v%d", i)
	}
	b.WriteString("; $text = ''''")
	for i := range 400 {
		fmt.Fprintf(&b, " . $v%d", i)
	}
	b.WriteString("; function f() {")
	for i := range 300 {
		fmt.Fprintf(&b, "$v%d = %d; ", i, i)
	}
	b.WriteString("return $v299 + $v0; } return [$sum, length($text), f()];")
	prog := mustCompile(t, b.String())
	result, err := prog.Run(t.Context(), hsl.Execution{})
	if got := result.Value.Text(); err != nil || got != "[0=>80000,1=>1890,2=>299]" {
		t.Errorf("got %s, %v", got, err)
	}
}

// TestNesting: deep nesting is refused or works, and never exhausts the stack.
func TestNesting(t *testing.T) {
	for _, part := range [][2]string{
		{"(", ")"}, {"[", "]"}, {"!", ""}, {"-", ""}, {"1 + (", ")"}, {"f(", ")"}, {"$x[", "]"}, {"1 ? 1 : ", ""}, {"1 ?? ", ""},
		{"$x = ", ""}, {"2 ** ", ""}, {"[1 => ", "]"}, {"function () { return ", "; }"}, {"match (1) { 1 => ", "}"}, {"1 . ", ""},
		{"1 + ", ""}, {"1 and ", ""}, {"1 or ", ""}, {"1 == ", ""}, {"isset($x[", "])"}, {"$x->", "y"},
	} {
		for _, n := range []int{40, 1500, 100000} {
			text := "function f($x) { return $x; } $y = " + strings.Repeat(part[0], n) + "1" + strings.Repeat(part[1], n) + ";"
			prog, err := hsl.Compile("script", text, hsl.Options{Library: testLibrary})
			if err == nil {
				prog.Run(t.Context(), hsl.Execution{Setup: value.Setup{Limits: value.Limits{Instructions: 1e6, Memory: 1 << 24}}})
			}
		}
	}
	for _, part := range []string{"{", "if (1) ", "while (1) ", "try {", "switch (1) { case 1: ", "function f() {", "if (1) {} else "} {
		hsl.Compile("script", strings.Repeat(part, 100000), hsl.Options{Library: testLibrary})
	}
}

// TestOwners: what only looks at an array leaves it with one owner, so that an
// append afterwards copies nothing. With a copy for each append the memory that
// these scripts allocate would be a hundred times what they are allowed here.
func TestOwners(t *testing.T) {
	for name, body := range map[string]string{
		"length":    `$a[] = $i; if (length($a) < 0) throw "x";`,
		"includes":  `if (!array_includes(-$i, $a)) $a[] = $i; if ($i > 200) break;`,
		"nested":    `$a["k"][] = $i; if (length($a["k"]) < 0) throw "x";`,
		"function":  `$a[] = $i; if (size($a) < 0) throw "x";`,
		"method":    `$a[] = $i; if ($map->has(length($a))) throw "x";`,
		"foreach":   `$a[] = $i; foreach ($a as $x) break;`,
		"callback":  `$a[] = $i; array_find(function ($x) { return true; }, $a);`,
		"condition": `$a[] = $i; if ($a and isset($a[0]) and $a[0] == 0 and is_array($a)) $x = $i;`,
		"json":      `$a[] = $i; if ($i % 1000 == 0) json_encode($a);`,
	} {
		t.Run(name, func(t *testing.T) {
			prog := mustCompile(t, `function size($x) { return length($x); }
				function run() { $map = Map("number", "any"); $a = []; for ($i = 0; $i < 4000; $i++) {`+body+`} return length($a["k"] ?? $a); } return run();`)
			before := allocated()
			if _, err := prog.Run(t.Context(), hsl.Execution{}); err != nil {
				t.Fatal(err)
			}
			if grown := allocated() - before; grown > 8<<20 {
				t.Errorf("%d MB were allocated", grown>>20)
			}
		})
	}
}

// allocated returns how many bytes the process has allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
