package hsl_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// A longer search: go test ./internal/hsl -run TestRandomPrograms -seeds 20000.
var (
	seeds     = flag.Int("seeds", 300, "how many random programs run")
	firstSeed = flag.Int("first-seed", 0, "seed of the first of them")
)

// writer writes random programs that compile, on a few variables of changing
// types.
type writer struct {
	*rand.Rand
	depth int
}

func (w *writer) pick(choices ...string) string { return choices[w.IntN(len(choices))] }

func (w *writer) variable() string { return "$" + w.pick("a", "b", "c", "d", "e") }

func (w *writer) key() string {
	return w.pick(`"k"`, `"l"`, "0", "1", "2", `"7"`, "$i", w.variable(), `"x" . $i`, "-1", "none", "2.5")
}

// target writes something that can be assigned to.
func (w *writer) target() string {
	t := w.variable()
	for w.IntN(3) == 0 {
		t += w.pick("["+w.key()+"]", "["+w.key()+"]", "->p")
	}
	return t
}

func (w *writer) expr() string {
	w.depth++
	defer func() { w.depth-- }()
	if w.depth > 5 || w.IntN(4) == 0 {
		return w.pick("1", "2.5", "-3", `"text"`, `"12"`, `""`, "none", "true", "false", "[]", "[1, 2, 3]", `["k" => 1, "l" => [2]]`,
			w.variable(), w.variable(), w.target(), "$i", "$o", `"$a-$i"`)
	}
	switch w.IntN(18) {
	case 0, 1, 2:
		op := w.pick("+", "-", "*", "/", "%", ".", "==", "!=", "===", "<", ">=", "&", "|", "<<", ">>>", "and", "or", "??", "**")
		if op == "*" || op == "**" || op == "<<" { // whose results would grow
			return w.expr() + " " + op + " " + w.pick("2", "0", "1.5", "none")
		}
		return w.expr() + " " + op + " " + w.expr()
	case 3:
		return "(" + w.expr() + ")"
	case 4:
		return w.pick("- ", "! ", "not ", "~ ", "+ ") + w.expr()
	case 5:
		return w.expr() + " ? " + w.expr() + " : " + w.expr()
	case 6:
		return w.variable() + "[" + w.pick("1:", ":2", "::-1", "-2:", "1:3") + "]"
	case 7:
		return "[" + w.expr() + ", " + w.key() + " => " + w.expr() + ", ...(is_array(" + w.variable() + ") ? " + w.variable() + " : [])]"
	case 8:
		return "f(" + w.expr() + ", " + w.expr() + ")"
	case 9:
		return "isset(" + w.target() + ")"
	case 10:
		return "match (" + w.expr() + ") { " + w.expr() + " => " + w.expr() + ", default => " + w.expr() + " }"
	case 11:
		return "(" + w.target() + w.pick(" = ", " += ", " .= ", " ??= ", " -= ") + w.expr() + ")"
	case 12:
		return "(" + w.target() + w.pick("++", "--") + ")"
	case 13:
		return "unset(" + w.target() + ")"
	case 14:
		return "(" + w.expr() + " ?: " + w.expr() + ")"
	case 15, 16:
		return w.builtin()
	}
	return "number(" + w.expr() + ")"
}

// builtin writes calls of builtins that return an argument or a part of it, keep
// one, or call back into what may write to it.
func (w *writer) builtin() string {
	x := w.variable()
	list := "(is_array(" + x + ") ? " + x + " : [" + w.expr() + "])"
	return w.pick(
		"length("+x+")", "array_reverse("+list+")", "array_find(is_array, "+list+")", "array_includes("+w.expr()+", "+list+")",
		"array_map(function ($v) { "+w.pick("$v[] = 1;", `$v["k"] = 2;`, "")+" return $v; }, "+list+")",
		"array_filter(function ($v) { return $v != 1; }, "+list+")",
		"array_reduce(function ($x, $y) { $x[] = $y; return $x; }, "+list+", "+w.pick("[]", w.variable())+")",
		"array_sort(function ($x, $y) { $x[] = 1; return string($x) < string($y); }, "+list+")",
		"array_unique("+list+")", "array("+x+", "+w.variable()+")", "json_encode("+list+")",
		"keep("+x+")", "f(...array_keys("+list+"), ...[1, 2])[0]", "array_combine("+list+", "+list+", "+x+")",
	)
}

func (w *writer) statement() string {
	w.depth++
	defer func() { w.depth-- }()
	if w.depth > 3 {
		return w.target() + " = " + w.expr() + ";"
	}
	switch w.IntN(14) {
	case 0, 1, 2:
		return w.target() + w.pick(" = ", " = ", " += ", " .= ") + w.expr() + ";"
	case 3:
		return w.variable() + "[] = " + w.expr() + ";"
	case 4:
		return "if (" + w.expr() + ") { " + w.statement() + " } else { " + w.statement() + " }"
	case 5:
		return "for ($i = 0; $i < 3; $i++) { " + w.statement() + w.statement() + w.pick("", " if ("+w.expr()+") continue;", " if ("+w.expr()+") break;") + " }"
	case 6:
		x := w.variable()
		return "if (is_array(" + x + ")) foreach (" + x + " as " + w.pick("", "$k => ") + w.variable() + ") { " + w.statement() + " }"
	case 7:
		return "[" + w.target() + ", " + w.target() + " = " + w.expr() + ", ..." + w.variable() + "] = " + w.expr() + ";"
	case 8:
		return "switch (" + w.expr() + ") { case " + w.expr() + ": " + w.statement() + w.pick("", " break;") + " default: " + w.statement() + " }"
	case 9:
		return "try { " + w.statement() + w.pick("", ` throw "t";`) + " } catch ($x) { " + w.statement() + " }"
	case 10:
		return "echo " + w.expr() + ";"
	case 11:
		return "unset(" + w.target() + ");"
	case 12:
		return w.target() + "[" + w.pick("0:1", "1:", ":") + "] = [" + w.expr() + "];"
	}
	return "barrier \"b$i\" => " + w.variable() + " { " + w.statement() + " }"
}

// TestRandomPrograms writes programs and runs each with its variables in
// registers of the script, in registers of a function, in cells that a closure
// shares, and in cells of the module. What they echo must be the same.
func TestRandomPrograms(t *testing.T) {
	names := "$a, $b, $c, $d, $e, $i, $o"
	start := `$a = 1; $b = "b"; $c = [1, "k" => [2, 3]]; $d = none; $e = [[]]; $i = 0; $o = P();`
	for seed := range *seeds {
		w := &writer{Rand: rand.New(rand.NewPCG(uint64(*firstSeed+seed), 1))}
		var body strings.Builder
		body.WriteString("try { ")
		for range 6 {
			body.WriteString(w.statement() + "\n")
		}
		body.WriteString(" } catch ($x) { echo is_object($x) ? $x->message() : $x; }\n")
		for _, name := range strings.Split(names, ", ") {
			fmt.Fprintf(&body, "echo isset(%s) ? %s : \"unset\";", name, name)
		}
		body.WriteString("echo isset($o->p) ? $o->p : \"unset\";")
		declared := "class P { $p = 0; } function f($x, $y, ...$z) { $x[] = 1; return [$x, $y]; } " +
			"$map = Map(\"string\", \"any\"); function keep($v) { global $map; $old = $map->get(\"k\"); $map->set(\"k\", $v); $map->merge(\"l\", $v); return $old; }"
		var want string
		for kind, script := range map[string]string{
			"a registers":  declared + start + body.String(),
			"b locals":     declared + "function run() {" + start + body.String() + "} run();",
			"c closure":    declared + "function run() { $share = function () closure (" + names + ") {};" + start + body.String() + "} run();",
			"d globals":    declared + "function run() { global " + names + ";" + start + body.String() + "} run();",
			"e generators": declared + "function run() {" + start + "yield 1;" + body.String() + "yield 2; } foreach (run() as $n) {}",
		} {
			got := echoes(t, script)
			if want == "" {
				want = got
			}
			if got != want {
				t.Fatalf("seed %d, %s:\n%s\nechoes\n%.700s\nand elsewhere\n%.700s", *firstSeed+seed, kind, script, got, want)
			}
		}
	}
}

// echoes runs a script and returns what it echoes and how it ends.
func echoes(t *testing.T, script string) string {
	t.Helper()
	var b strings.Builder
	limits := value.Limits{Instructions: 3e5, Memory: 8 << 20, Output: 1 << 18, Time: 20 * time.Second}
	_, err := mustCompile(t, script).Run(t.Context(), hsl.Execution{Setup: value.Setup{Limits: limits, Echo: func(s string) { b.WriteString(s + "\n") }}})
	if err != nil {
		if strings.Contains(err.Error(), "internal error") {
			t.Fatalf("%s\n%s", script, err.(*hsl.Error).Detail())
		}
		return "limit" // which may come a little earlier in one than in another
	}
	// Which of two variables that are not set is met first differs, too.
	return regexp.MustCompile(`undefined variable \$\w`).ReplaceAllString(b.String(), "undefined variable")
}
