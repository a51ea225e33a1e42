package stdlib_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// twin is a piece of program that means the same in HSL and in PHP.
type twin struct{ hsl, php string }

// same is a piece that both languages write alike; %s stands for parts.
func same(format string, parts ...twin) twin { return differ(format, format, parts...) }

// differ is a piece that they write differently, with the same parts in order.
func differ(inHSL, inPHP string, parts ...twin) twin {
	h, p := make([]any, len(parts)), make([]any, len(parts))
	for i, part := range parts {
		h[i], p[i] = part.hsl, part.php
	}
	return twin{fmt.Sprintf(inHSL, h...), fmt.Sprintf(inPHP, p...)}
}

// author writes programs on a few variables, each of one type.
type author struct {
	*rand.Rand
	depth int
}

func (a *author) one(choices ...string) string { return choices[a.IntN(len(choices))] }

func plain(text string) twin { return twin{text, text} }

func (a *author) deeper() bool { return a.depth < 4 && a.IntN(4) > 0 }

func (a *author) nested() func() {
	a.depth++
	return func() { a.depth-- }
}

func (a *author) text() twin {
	defer a.nested()()
	if !a.deeper() {
		return plain(a.one(`"a"`, `"Mail"`, `"x,y,z"`, `"12"`, `"07"`, `" \t pad \r\n"`, `""`, `"\x00\xff"`, `"é"`, `"a=b&c"`, "$s0", "$s1", "$s2"))
	}
	switch a.IntN(19) {
	case 0, 1:
		return same("(%s . %s)", a.text(), a.text())
	case 2:
		return differ("(%s . %s)", "(%s . (%s))", a.text(), a.number())
	case 3:
		return same("str_replace(%s, %s, %s)", plain(a.one(`"a"`, `","`, `"x,"`)), plain(a.one(`""`, `"bb"`, `"a"`)), a.text())
	case 4:
		return differ("str_upper(%s)", "strtoupper(%s)", a.text())
	case 5:
		return differ("str_lower(%s)", "strtolower(%s)", a.text())
	case 6:
		return differ("str_slice(%s, %s)", "substr(%s, %s)", a.text(), plain(a.one("0", "1", "3", "-2")))
	case 7:
		return differ("%s[1:4]", "substr(%s, 1, 3)", a.text())
	case 8:
		return same("str_repeat(%s, %s)", a.text(), plain(a.one("0", "1", "2")))
	case 9:
		return same("base64_encode(%s)", a.text())
	case 10:
		return same("base64_decode(base64_encode(%s))", a.text())
	case 11:
		return same(a.one("md5", "sha1")+"(%s)", a.text())
	case 12:
		return differ("sha2(%s, 256)", "hash('sha256', %s)", a.text())
	case 13:
		return differ("hmac_sha2(%s, %s, 512)", "hash_hmac('sha512', %[2]s, %[1]s)", a.text(), a.text())
	case 14:
		return differ(`str_strip(%s)`, `trim(%s, " \t\r\n")`, a.text())
	case 15:
		return differ(`array_join(%s, %s)`, `implode(%[2]s, %[1]s)`, a.list(), plain(a.one(`","`, `""`, `"-"`)))
	case 16:
		return differ("url_encode(%s)", "rawurlencode(%s)", a.text())
	case 17:
		return differ("(%s ? %s : %s)", "(%s ? %s : %s)", a.truth(), a.text(), a.text())
	}
	return differ("(%s[0] ?? %s)", "((%s)[0] ?? %s)", a.list(), a.text())
}

// number is a whole number; statements keep them small.
func (a *author) number() twin {
	defer a.nested()()
	if !a.deeper() {
		return plain(a.one("0", "1", "2", "7", "100", "$n0", "$n1"))
	}
	switch a.IntN(10) {
	case 0, 1:
		return same("(%s "+a.one("+", "-")+" %s)", a.number(), a.number())
	case 2:
		return same("(%s * %s)", a.number(), plain(a.one("2", "3", "-1")))
	case 3:
		return same("(%s %% %s)", a.number(), plain(a.one("3", "-3", "7")))
	case 4:
		return differ("length(%s)", "strlen(%s)", a.text())
	case 5:
		return differ("length(%s)", "count(%s)", a.list())
	case 6:
		return differ("str_find(%s, %s)", "found(strpos(%s, %s))", a.text(), plain(a.one(`"a"`, `","`, `"07"`)))
	case 7:
		return same(`ord(%s . "x")`, a.text())
	case 8:
		return same("abs(%s)", a.number())
	}
	return same("($m[%s] ?? %s)", a.text(), a.number())
}

func (a *author) list() twin {
	defer a.nested()()
	if !a.deeper() {
		return plain(a.one("$l0", "$l1", `["b", "a", "c"]`, "[]"))
	}
	switch a.IntN(9) {
	case 0:
		return same("[%s, %s, %s]", a.text(), a.text(), a.text())
	case 1:
		return differ(`str_split(%s, %s)`, `explode(%[2]s, %[1]s)`, a.text(), plain(a.one(`","`, `"a"`)))
	case 2:
		return same("array_reverse(%s)", a.list())
	case 3:
		return differ("(%s + %s)", "array_merge(%s, %s)", a.list(), a.list())
	case 4:
		return differ("array_sort(function ($x, $y) { return $x < $y; }, %s)[:]", "sorted(%s)", a.list())
	case 5:
		return differ("array_unique(%s)[:]", "array_values(array_unique(%s, SORT_STRING))", a.list())
	case 6:
		return differ("array_map(function ($x) { return $x . %s; }, %s)", "array_map(fn($x) => $x . %s, %s)", plain(a.one(`"!"`, `","`)), a.list())
	case 7:
		return differ("array_filter(function ($x) { return length($x) %% 2 == 0; }, %s)[:]", "array_values(array_filter(%s, fn($x) => strlen($x) %% 2 == 0))", a.list())
	}
	return differ("%s[1:3]", "array_slice(%s, 1, 2)", a.list())
}

func (a *author) truth() twin {
	if a.IntN(3) == 0 {
		return same("(%s === %s)", a.text(), a.text())
	}
	return same("(%s "+a.one("<", ">=", "==")+" %s)", a.number(), a.number())
}

func (a *author) statement() twin {
	defer a.nested()()
	if a.depth > 3 {
		return same("$s0 = substring(%s);", a.text())
	}
	switch a.IntN(10) {
	case 0, 1:
		return same("$s"+a.one("0", "1", "2")+" = substring(%s);", a.text())
	case 2, 3:
		return same("$n"+a.one("0", "1")+" = (%s) %% 997;", a.number())
	case 4, 5:
		return differ("$l%[1]s = (%[2]s)[:20];", "$l%[1]s = array_slice(%[2]s, 0, 20);", plain(a.one("0", "1")), a.list())
	case 6:
		return same("if (%s) { %s } else { %s }", a.truth(), a.statement(), a.statement())
	case 7:
		return same("foreach (%s as $k => $v) { $n0 = ($n0 + $k) %% 997; $s2 = substring($s2 . $v); }", a.list())
	case 8:
		return same("for ($i = 0; $i < 3; $i++) { $l1[] = $s1 . $i; $n1 += $i; }")
	}
	return same("$m[%s] = %s;", a.text(), a.number())
}

const (
	programHead = `$s0 = "start"; $s1 = "a,b"; $s2 = ""; $n0 = 3; $n1 = 4; $l0 = ["x", "10", "9"]; $l1 = []; $m = []; `
	programsHSL = `function substring($s) { return str_slice($s, 0, 60); }
`
	programsPHP = `<?php error_reporting(E_ALL & ~E_DEPRECATED);
function substring($s) { return substr($s, 0, 60); }
function found($at) { return $at === false ? -1 : $at; }
function sorted($l) { usort($l, 'strcmp'); return $l; }
`
	endHSL = ` $all = ""; foreach ($m as $k => $v) $all .= $k . ">" . $v . ";"; echo base64_encode(array_join([$s0, $s1, $s2, $n0, $n1, array_join($l0, ","), array_join($l1, ","), $all], "|"));`
	endPHP = ` $all = ""; foreach ($m as $k => $v) $all .= $k . ">" . $v . ";"; echo base64_encode(implode("|", [$s0, $s1, $s2, $n0, $n1, implode(",", $l0), implode(",", $l1), $all])), "\n";`
)

// TestPHPPrograms runs two thousand generated programs in both languages: string
// functions, base64, hashes, sorting and arithmetic, with control flow around
// them. What they leave in their variables must be the same.
func TestPHPPrograms(t *testing.T) {
	php, err := exec.LookPath("php")
	if err != nil {
		t.Skip("SKIPPED: php is not there (Debian package php-cli): no program is compared with it")
	}
	a := &author{Rand: rand.New(rand.NewPCG(5, 7))}
	var programs []twin
	for range 2000 {
		var body twin
		for range 8 {
			body = same("%s %s", body, a.statement())
		}
		programs = append(programs, body)
	}
	theirs := runPrograms(t, php, programs)
	library := newLibrary(t)
	for i, p := range programs {
		got, err := run(t.Context(), library, programsHSL+programHead+p.hsl+endHSL)
		if err != nil || got != theirs[i] {
			t.Fatalf("program %d\n%s\nleaves %s %v\nand in PHP\n%s\nleaves %s", i, p.hsl, readable("s"+got), err, p.php, readable("s"+theirs[i]))
		}
	}
}

// runPrograms returns what each program prints in PHP, which runs them all.
func runPrograms(t *testing.T, php string, programs []twin) []string {
	t.Helper()
	var b strings.Builder
	b.WriteString(programsPHP)
	for _, p := range programs {
		b.WriteString("(function () { " + programHead + p.php + endPHP + " })();\n")
	}
	path := filepath.Join(t.TempDir(), "programs.php")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), php, "-n", path).CombinedOutput()
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if err != nil || len(lines) != len(programs) {
		t.Fatalf("php: %v, %d answers to %d programs\n%s", err, len(lines), len(programs), out[max(0, len(out)-2000):])
	}
	return lines
}

// TestJSONRoundTrip: json_decode(json_encode($x)) === $x, for whatever JSON can say.
func TestJSONRoundTrip(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(9, 9))}
	library := newLibrary(t)
	program, err := hsl.Compile("main", `
		foreach ([[], ["ensure_ascii" => false], ["pretty_print" => true]] as $o)
			if (json_decode(json_encode($arguments, $o)) !== $arguments) echo json_encode($arguments, $o) ?? "none";`,
		hsl.Options{Library: value.NewLibrary(library, value.Declarations{Variables: []*value.Variable{{Name: "arguments", Type: value.AnyType}}})})
	if err != nil {
		t.Fatal(err)
	}
	for range 3000 {
		v := g.data(4)
		_, err := program.Run(t.Context(), hsl.Execution{
			Variables: map[string]value.Value{"arguments": v},
			Setup:     value.Setup{Echo: func(s string) { t.Errorf("%s is encoded as %s, which is something else", v.Text(), s) }},
		})
		if err != nil {
			t.Errorf("%s: %v", v.Text(), err)
		}
	}
}
