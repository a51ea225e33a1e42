package hsl_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// formula writes random expressions that mean the same in HSL and in PHP, with
// as few parentheses as chance wants, so that precedence matters.
type formula struct{ *rand.Rand }

func (f formula) pick(choices ...string) string { return choices[f.IntN(len(choices))] }

// number writes arithmetic on small numbers.
func (f formula) number(depth int) string {
	if depth == 0 {
		return strconv.Itoa(1 + f.IntN(9))
	}
	x, y := f.number(depth-1), f.number(depth-1)
	switch f.IntN(9) {
	case 0:
		return "(" + x + ")"
	case 1:
		return "-" + f.number(0) + " ** " + f.pick("2", "3")
	case 2:
		return x + " / " + f.pick("2", "4", "5", "0.25")
	case 3:
		return "((" + x + " . " + f.number(0) + ") - 0)"
	}
	return x + f.pick(" + ", " - ", " * ", " + ", " - ") + y
}

// bits writes operators on bits whose values stay within 32 of them.
func (f formula) bits(depth int) string {
	if depth == 0 {
		return strconv.Itoa(f.IntN(256))
	}
	x, y := f.bits(depth-1), f.bits(depth-1)
	switch f.IntN(8) {
	case 0:
		return "~" + f.bits(0)
	case 1:
		return "((" + x + ")" + f.pick(" << ", " >> ") + f.pick("1", "3", "5") + ")"
	case 2:
		return "(" + f.bits(0) + f.pick(" << ", " >> ") + f.pick("1", "2", "1 + 1") + ")"
	case 3:
		return f.bits(0) + " % " + f.pick("7", "16")
	}
	return x + f.pick(" & ", " | ", " ^ ", " + ") + y
}

// truth writes comparisons.
func (f formula) truth(depth int) string {
	x := f.number(depth) + f.pick(" < ", " > ", " <= ", " >= ", " == ", " != ") + f.number(depth)
	switch f.IntN(5) {
	case 0:
		return "!(" + x + ")"
	case 1:
		return "(" + x + ") == !" + f.pick("true", "false")
	case 2:
		return "(" + x + ") ? " + f.number(1) + " : " + f.number(1)
	}
	return x
}

// text writes strings and slices of the language that PHP has functions for.
func (f formula) text(depth int) string {
	if depth == 0 {
		return strconv.Quote(f.pick("a", "mail", "x-y", "", "12", "Zz"))
	}
	return f.text(depth-1) + " . " + f.pick(f.text(depth-1), f.number(1), "("+f.number(1)+")")
}

// TestPHP compares results of a few thousand expressions with those of PHP, for
// which they mean the same by definition.
func TestPHP(t *testing.T) {
	php, err := exec.LookPath("php")
	if err != nil {
		t.Skip("php is not installed: nothing was compared with it (package php-cli)")
	}
	f := formula{rand.New(rand.NewPCG(1, 2))}
	var expressions []string
	for i := range 4000 {
		expressions = append(expressions, []string{f.number(1 + i%4), f.bits(1 + i%3), f.truth(1 + i%3), f.text(1 + i%3)}[i%4])
	}
	theirs := runPHP(t, php, expressions)
	prog := mustCompile(t, "echo "+strings.Join(expressions, ";\necho ")+";")
	var ours []string
	if _, err := prog.Run(t.Context(), hsl.Execution{Setup: value.Setup{Echo: func(s string) { ours = append(ours, s) }}}); err != nil {
		t.Fatal(err)
	}
	for i, x := range expressions {
		if ours[i] != theirs[i] {
			t.Errorf("%s is %s, and %s in PHP", x, ours[i], theirs[i])
		}
	}
}

// runPHP returns the values of the expressions, printed as HSL prints them.
func runPHP(t *testing.T, php string, expressions []string) []string {
	t.Helper()
	var b strings.Builder
	b.WriteString("<?php\nini_set('serialize_precision', -1);\n")
	b.WriteString("function show($v) { echo is_string($v) ? $v : (is_float($v) && $v == (int)$v ? (int)$v : json_encode($v)), \"\\n\"; }\n")
	for _, x := range expressions {
		fmt.Fprintf(&b, "show(%s);\n", x)
	}
	path := filepath.Join(t.TempDir(), "expressions.php")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), php, "-n", path).CombinedOutput()
	if err != nil {
		t.Fatalf("php: %v\n%s", err, out[max(0, len(out)-2000):])
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(expressions) {
		t.Fatalf("php printed %d values of %d:\n%.2000s", len(lines), len(expressions), out)
	}
	return lines
}
