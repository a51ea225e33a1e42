package stdlib_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// TestHostile: whatever a script asks for, it ends within its limits and does not
// take the process down: by depth, by sizes that it names, by work that grows, and
// by callbacks that do what they should not.
func TestHostile(t *testing.T) {
	library := newLibrary(t)
	limits := value.Limits{Instructions: 1e6, Time: 200 * time.Millisecond, Memory: 24 << 20, Output: 1 << 20}
	for name, source := range map[string]string{
		"parser parens":    "$x = " + strings.Repeat("(", 200000) + "1" + strings.Repeat(")", 200000) + ";",
		"json nest":        `$s = str_repeat("[", 5000000); $x = json_decode($s); echo "ok";`,
		"json nest closed": `$s = str_repeat("[", 300000) . str_repeat("]", 300000); $x = json_decode($s); echo is_array($x) ? "deep" : "none"; echo length(json_encode($x) ?? "");`,
		"json deep string": `$a = []; for ($i = 0; $i < 300000; $i++) $a = [$a]; echo length(json_encode($a) ?? "none");`,
		"dump deep":        `$a = []; for ($i = 0; $i < 300000; $i++) $a = [$a]; echo length(string($a));`,
		"equal deep":       `$a = []; $b = []; for ($i = 0; $i < 300000; $i++) { $a = [$a]; $b = [$b]; } echo $a == $b;`,
		"memory deep":      `$a = []; for ($i = 0; $i < 300000; $i++) { $a = [$a]; } memory_store("x", $a); echo "ok";`,
		"cache deep":       `function f($x) { return 1; } $a = []; for ($i = 0; $i < 300000; $i++) { $a = [$a]; } echo cache [] f($a);`,
		"yaml nest":        `$x = yaml_decode(str_repeat("[", 200000)); echo is_array($x) ? "a" : "none";`,
		"yaml map nest":    `$s = ""; for ($i = 0; $i < 3000; $i++) $s .= str_repeat(" ", $i) . "a:\n"; $x = yaml_decode($s); echo is_array($x) ? "a" : "none";`,
		"yaml bomb":        `$s = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"; for ($i = 1; $i < 20; $i++) { $p = $i - 1; $s .= "a$i: &a$i [" . array_join(["*a$p"] * 9, ",") . "]\n"; } $x = yaml_decode($s); echo is_array($x) ? "array" : "none"; echo length(json_encode($x) ?? "");`,
		"list linked":      `class N { $next = none; } $l = none; for ($i = 0; $i < 300000; $i++) { $n = N(); $n->next = $l; $l = $n; } memory_store("k", 1); $a = [$l]; echo $a == $a;`,
		"cycle":            `class N { $s = none; } $n = N(); $n->s = [$n]; echo string($n->s); echo json_encode($n->s) ?? "none"; echo $n->s == [$n]; memory_store("x", $n); echo "ok";`,
		"sort cb throws":   `try { array_sort(function ($a, $b) { throw "x"; }, [3, 2, 1]); } catch ($e) { echo $e; }`,
		"sort cb sorts":    `function s($a, $b) { array_sort(s, [1, 2]); return true; } array_sort(s, [1, 2]);`,
		"map recursion":    `function m($x) { return array_map(m, [$x]); } m(1);`,
		"rec":              `function r() { return r(); } r();`,
		"rec method":       `class C { function m() { return $this->m(); } } C()->m();`,
		"rec ctor":         `class C { constructor() { C(); } } C();`,
		"rec closure":      `$f = function () closure ($f) { return $f(); }; $f();`,
		"rec generator":    `function g() { foreach (g() as $x) yield $x; } foreach (g() as $x) {}`,
		"gen never ended":  `function g() { forever yield 1; } $a = []; for ($i = 0; $i < 100000; $i++) { $a[] = g(); } foreach ($a as $g) { foreach ($g as $x) break; } echo "ok";`,
		"regex":            `echo pcre_match("(x+x+)+y", str_repeat("x", 100000));`,
		"regex rec":        `echo pcre_match("(?R)*", "a");`,
		"regex nest":       `echo pcre_match(str_repeat("(", 100000) . str_repeat(")", 100000), "a");`,
		"regex class":      `echo pcre_match("(a{1000}){1000}", "a");`,
		"repeat":           `echo length(str_repeat("x", 30000000000));`,
		"op repeat":        `echo length("x" * 30000000000);`,
		"arr repeat":       `echo length([1] * 3000000000);`,
		"range":            `echo length(array_range(0, 3000000000));`,
		"fmt width":        `echo length("%300000000000s" % ["x"]);`,
		"fmt prec":         `echo length("%.300000000000f" % [1]);`,
		"pack":             `echo length(pack("x30000000000") ?? "none");`,
		"pack a":           `echo length(pack("a30000000000", "x") ?? "none");`,
		"unpack":           `echo length(unpack("x30000000000", "a") ?? []);`,
		"chunk":            `echo length(str_chunk("abc", -1));`,
		"random":           `echo length(random_bytes(30000000000));`,
		"zlib bomb":        `$s = str_repeat("\x00", 30000000); $z = zlib_compress($s, 9); $s = none; for ($i = 0; $i < 20; $i++) { $x[] = zlib_uncompress($z); } echo length($x);`,
		"split":            `echo length(str_split(str_repeat(",", 50000000), ","));`,
		"csv":              `echo length(csv_decode(str_repeat(",", 20000000), ["header" => false]));`,
		"strftime":         `echo strftime(str_repeat("%c", 100000));`,
		"crypt":            `echo crypt("x", "\$6\$rounds=999999999\$salt");`,
		"bcrypt":           `echo crypt("x", "\$2y\$31\$0123456789012345678901");`,
		"replace":          `$s = str_repeat("a", 100000); echo length(str_replace("a", $s, $s));`,
		"pcre_replace":     `$s = str_repeat("a", 100000); echo length(pcre_replace("a", $s, $s));`,
		"spread":           `function f(...$x) { return length($x); } echo f(...array_range(0, 300000));`,
		"match_all":        `echo length(pcre_match_all("", str_repeat("a", 3000000)));`,
		"iconv":            `$i = Iconv("UTF-8", "UTF-16"); echo length($i->convert(str_repeat("a", 50000000)));`,
		"exception loop":   `function f() { try { f(); } catch ($e) { f(); } } f();`,
		"rec in catch":     `forever { try { throw "x"; } catch ($e) {} }`,
		"barrier deep":     `function b($n) { barrier "b$n" { b($n + 1); } } b(0);`,
		"memory recursion": `function u($k, $v) { memory_update("k", 1, u, 1); return 1; } memory_update("k", 1, u, 1);`,
		// What grows is counted, and what is counted is the map that is being changed.
		"map merge list": `$m = Map("string", "any"); forever $m->merge("k", array_range(0, 1000));`,
		"map merge text": `$m = Map("string", "any"); forever $m->merge("k", str_repeat("x", 100000));`,
		"map of itself":  `$m = Map("string", "any"); forever $m->merge("k", [$m, str_repeat("x", 100000)]);`,
		"set":            `$s = Set("string"); $i = 0; forever $s->add(str_repeat("x", 1000) . $i++);`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, err := hsl.Compile("main", source, hsl.Options{Library: library})
			if err != nil {
				return // refused, as source that nests too deeply is
			}
			began := time.Now()
			_, err = program.Run(t.Context(), hsl.Execution{Setup: value.Setup{Limits: limits, Process: value.NewProcess(1 << 20)}})
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("took %v", took)
			}
			var failure *hsl.Error
			if err != nil && !errors.As(err, &failure) {
				t.Errorf("ends with %v, which is no error of the script", err)
			}
			if err != nil && strings.Contains(err.Error(), "internal error") {
				t.Error(failure.Detail())
			}
		})
	}
}
