package hsl_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// programs are what the benchmarks run; each counts b.N by itself.
var programs = map[string]string{
	"Loop":    `for ($i = 0; $i < 1000000; $i++) { $s = ($s ?? 0) + $i % 7 * 2; }`,
	"Calls":   `function fib($n) { return $n < 2 ? $n : fib($n - 1) + fib($n - 2); } fib(25);`,
	"Strings": `$s = ""; for ($i = 0; $i < 200000; $i++) { $s .= "line " . $i . "\n"; } $n = length($s);`,
	"Insert":  `for ($i = 0; $i < 300000; $i++) { $a[] = $i * 2; } for ($i = 0; $i < 300000; $i++) { $sum += $a[$i]; }`,
	"Lookup": `for ($i = 0; $i < 100000; $i++) { $m["key" . $i] = $i; }
		for ($j = 0; $j < 2; $j++) for ($i = 0; $i < 100000; $i++) { $sum += $m["key" . $i]; }`,
	"Nested":   `for ($i = 0; $i < 200000; $i++) { $m["a"]["b"][$i % 100] += $i; }`,
	"Closures": `$n = 0; $f = function ($x) closure ($n) { $n += $x; return $n; }; for ($i = 0; $i < 300000; $i++) { $f($i); }`,
	"Objects": `class P { $x = 0; function add($d) { $this->x += $d; return $this; } }
		$p = P(); for ($i = 0; $i < 300000; $i++) { $p->add($i); }`,
	"Foreach":  `$a = [1] * 1000; for ($i = 0; $i < 300; $i++) { foreach ($a as $k => $v) { $sum += $v; } }`,
	"Builtins": `$x = "abc"; for ($i = 0; $i < 300000; $i++) { $n += ord($x); }`,
	"Map":      `$a = [1] * 1000; for ($i = 0; $i < 100; $i++) { array_map(function ($x) { return $x + 1; }, $a); }`,
	"Sieve": `$n = 200000; $p = [true] * $n; for ($i = 2; $i * $i < $n; $i++) { if ($p[$i]) { for ($j = $i * $i; $j < $n; $j += $i) $p[$j] = false; } }
		$c = 0; for ($i = 2; $i < $n; $i++) { if ($p[$i]) $c++; }`,
}

func BenchmarkPrograms(b *testing.B) {
	for name, script := range programs {
		b.Run(name, func(b *testing.B) {
			prog := mustCompile(b, script)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := prog.Run(b.Context(), hsl.Execution{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// An empty script starts and ends in 0.3 µs and allocates nothing.
func BenchmarkEmpty(b *testing.B) {
	prog := mustCompile(b, "")
	p := value.NewProcess(0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := prog.Run(b.Context(), hsl.Execution{Setup: value.Setup{Process: p, Limits: value.Limits{Time: 1e9}}}); err != nil {
			b.Fatal(err)
		}
	}
}

// A policy such as those of hooks: a few conditions on what the script is given.
func BenchmarkPolicy(b *testing.B) {
	prog := mustCompile(b, `
		$known = ["example.org" => "inside", "example.net" => "inside"];
		$name = $arguments["name"];
		if (!isset($known[str_lower("Example.ORG")])) throw "unknown";
		[$box] = str_split("joe+tag", "+", 2);
		$context["seen"] = ["box" => $box, "name" => $name];`)
	p := value.NewProcess(0)
	vars := testVariables()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := prog.Run(b.Context(), hsl.Execution{Variables: vars, Setup: value.Setup{Process: p}}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	text := strings.Repeat(`function f() { $a = ["x" => 1]; foreach ($a as $k => $v) { if ($v > 1 and $k != "y") echo "$k: $v"; } }
		`, 1) + strings.Repeat("$x = 1 + 2 * length(\"abc\") . \"def\"; if ($x == 5) { echo $x; }\n", 200)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		mustCompile(b, text)
	}
}

// BenchmarkCancel measures how long a script goes on after it was cancelled. The
// medians were 1 to 320 µs on two cores with ten programs waiting for them; a list of
// 100 000 elements is copied in one go, which took 2 ms there.
func BenchmarkCancel(b *testing.B) {
	for name, script := range map[string]string{
		"loop":     `forever wait();`,
		"calls":    `function f($x) { return $x + 1; } forever { wait(); f(1); }`,
		"builtins": `$a = array_range(0, 10000); forever { wait(); array_map(function ($x) { return $x; }, $a); }`,
		"arrays":   `$a = [1] * 100000; forever { wait(); $b = $a; $b[] = 1; }`,
		"regex":    `forever { wait(); pcre_match("(a|aa)+$", str_repeat("a", 1000) . "b"); }`,
		"sort":     `$a = array_range(0, 3000); forever { wait(); array_sort(function ($x, $y) { return $x > $y; }, $a); }`,
		"blocked":  `for ($i = 0; $i < 21; $i++) wait(); block();`,
	} {
		b.Run(name, func(b *testing.B) {
			prog := mustCompile(b, `$rounds = 0; function wait() { global $rounds; if ($rounds++ == 20) echo "on"; } `+script)
			var late []time.Duration
			for b.Loop() {
				ctx, cancel := context.WithCancel(b.Context())
				under, ended := make(chan bool), make(chan time.Time)
				go func() {
					echo := func(string) { close(under) }
					_, _ = prog.Run(ctx, hsl.Execution{Setup: value.Setup{Echo: echo}}) // it ends with the cancellation
					ended <- time.Now()
				}()
				<-under
				began := time.Now()
				cancel()
				late = append(late, (<-ended).Sub(began))
			}
			slices.Sort(late)
			b.ReportMetric(float64(late[len(late)/2].Microseconds()), "µs-median")
			b.ReportMetric(float64(late[len(late)*99/100].Microseconds()), "µs-p99")
		})
	}
}
