package hsl_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// items says which chunk of testdata shows each item of the behaviour checklist
// and each example of the description of the language (spec hsl-language.md), by
// a line that stands in it.
var items = map[string]struct{ file, line string }{
	"14.1 numbers print short":                {"checklist", `echo 7.50; //> 7.5`},
	"14.2 + joins strings, number() converts": {"checklist", `echo number($a) + 4; //> 7`},
	"14.3 isset of none, and ??":              {"checklist", `echo $x["k"] ?? "d"; //> d`},
	"14.4 a slice renumbers":                  {"checklist", `echo ["b" => 1, "a" => 2][:]; //> [0=>1,1=>2]`},
	"14.5 slices of strings":                  {"checklist", `echo "mail"[1:3] . "mail"[-1:] . "mail"[9:]; //> ail`},
	"14.6 holes in patterns, missing values":  {"checklist", `[$p, , ] = 1; //! "want operand"`},
	"14.7 closures capture by reference":      {"checklist", `$f = function () closure ($n) { $n += 1; return $n; }; $n = 1; $f();`},
	"14.8 loop variables stay":                {"checklist", `foreach (["x" => 1] as $k => $v) {}`},
	"14.9 match without an arm throws":        {"checklist", `match (3) { 1, 2 => "low" }; //! "match has no arm for number"`},
	"14.10 assignment in an operand":          {"checklist", `echo !$v = 0; //> true`},
	"14.11 and yields a boolean":              {"checklist", `echo true and none; //> false`},
	"14.12 array minus value":                 {"checklist", `echo [1, 2, 1] - 1; //> [1=>2]`},
	"14.13 format":                            {"checklist", `echo "%'*^7s|%.2f|%x" % ["ab", 3.14159, 255]; //> **ab***|3.14|ff`},
	"14.14 remainder and power":               {"checklist", `echo 2 ** 3 ** 2; //> 512`},
	"14.15 steps, fractional indexes":         {"checklist", `echo "abcd"[2.9]; //> c`},
	"14.16 precedence":                        {"checklist", `echo 0x1234 >> 8 & 0xf; //> 2`},
	"14.17 assignment in arguments":           {"checklist", `echo f($i = 1, $j = 2); //> 3`},
	"14.17 augmented pattern":                 {"checklist", `[$p] += [1]; //! "cannot assign to a pattern"`},
	"14.17 empty regex":                       {"checklist", `$x = #//; //! "regular expression is empty"`},
	"14.18 reserved words as members":         {"checklist", `echo $o->pass(); //> passed`},
	"14.19 bits":                              {"checklist", `echo 1 << 31; //> -2147483648`},
	"1.6 interpolation":                       {"text", `echo "size=${size}_$unit"; //> size=12_kB`},
	"1.7 raw strings":                         {"text", `line '' two'KEY';`},
	"1.8 regex literals":                      {"text", `if ("Re: x" =~ #/^re:\s/i) echo "reply"; //> reply`},
	"2.1 keys and spread in literals":         {"value", `$b = [...$a, "k" => 1, ...["k" => 2]];`},
	"3.5 dump":                                {"value", `echo ["a" => 1, "list" => [true, none]]; //> ["a"=>1,"list"=>[0=>true,1=>none]]`},
	"5.3 destructuring":                       {"variable", `[$first, $second = "dflt", ...$rest] = some_list();`},
	"5.3 keyed destructuring":                 {"variable", `["host" => $h, "port" => $p = 25] = $opts;`},
	"5.4 adding arrays":                       {"operator", `echo ["a" => 1, 5] + ["a" => 2, 6]; //> ["a"=>2,0=>5,1=>6]`},
	"5.11 worked comparisons":                 {"operator", `echo (5 == true) . (1 == true) . ("" == none) . (0 == none) . (false == none); //> falsetruefalsefalsefalse`},
	"5.16 match":                              {"operator", `    421, 451 => "later",`},
	"7.1 declarations":                        {"function", `function pad($text, $width = 8, ...$more) { return $text . " " * ($width - length($text)) . "|" . $more; }`},
	"8.3 imports of symbols":                  {"module", `import { send_report, parse as parse_report, $limits as $l, Report, $count } from "report/tools.hsl";`},
	"8.3 imports of a namespace":              {"module", `import * as tools from "report/tools.hsl";`},
	"8.4 imports of data with options":        {"module", `import $table from "data/table.txt" with [ "array" => true ];`},
	"9 classes":                               {"class", `echo $w->count . " " . Window::$made; //> 2 1`},
	"10.2 barriers":                           {"shared", `$shared = ($shared ?? 0) + 1;`},
	"11.1 exceptions":                         {"exception", `is_object($e) ? $e->toString() : $e`},
}

// TestItems: the chunk that is said to show an item is there.
func TestItems(t *testing.T) {
	for item, where := range items {
		text, err := os.ReadFile(filepath.Join("testdata", where.file+".hsl"))
		if err != nil {
			t.Error(err)
		} else if !strings.Contains(string(text), where.line) {
			t.Errorf("%s: testdata/%s.hsl has no %s", item, where.file, where.line)
		}
	}
	for i := 1; i <= 19; i++ { // the checklist is section 14 and has so many items
		found := false
		for item := range items {
			found = found || strings.HasPrefix(item, fmt.Sprintf("14.%d ", i))
		}
		if !found {
			t.Errorf("no chunk shows item %d of the checklist", i)
		}
	}
}
