package coverage_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/coverage"
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
)

const module = `function kind($n)
{
	if ($n > 9) {
		return "large";
	} else if ($n < 0) return "<0";
	$x = match ($n) {
		0, 1 => "few",
		default => "some"
	};
	foreach ([1, 2] as $i) $x .= $i;
	return $x;
}
class Box {
	$n = 0;
	function unused() { $f = function () { ; }; return $f; }
}
`

// files are what scripts import.
type files map[string]string

func (f files) Load(path, _ string) (*resolve.File, error) {
	if text, ok := f[path]; ok {
		return &resolve.File{ID: path, Text: text}, nil
	}
	return nil, errors.New("no such file")
}

// profile runs scripts that use the module.
func profile(t *testing.T, p *coverage.Profile, scripts ...string) *coverage.Profile {
	t.Helper()
	for _, text := range scripts {
		program, err := hsl.Compile("main", `import { kind } from "lib.hsl"; `+text, hsl.Options{
			Library: stdlib.New(stdlib.Options{}), Loader: files{"lib.hsl": module}, Coverage: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := program.Run(t.Context(), hsl.Execution{}); err != nil {
			t.Fatal(err)
		}
		p.Add(program)
	}
	return p
}

func TestText(t *testing.T) {
	p := profile(t, &coverage.Profile{}, `kind(2); if (false) kind(1);`, `kind(11);`)
	var b strings.Builder
	if err := p.Text(&b); err != nil {
		t.Fatal(err)
	}
	want := `77.8%   7 of 9   lib.hsl  not run: 5?, 7, 15
100.0%  1 of 1   main     not run: 1?
80.0%   8 of 10  all
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	if got := p.Percent(); got != 80 {
		t.Errorf("%v percent", got)
	}
}

func TestLCOV(t *testing.T) {
	p := &coverage.Profile{Name: func(file string) string {
		if file == "main" {
			return ""
		}
		return "src/" + file
	}}
	var b strings.Builder
	if err := profile(t, p, `kind(2);`, `kind(0); kind(1);`).LCOV(&b); err != nil {
		t.Fatal(err)
	}
	want := `TN:
SF:src/lib.hsl
FN:1,kind:1:10
FN:15,Box::unused:15:11
FN:15,{closure}:15:27
FNDA:3,kind:1:10
FNDA:0,Box::unused:15:11
FNDA:0,{closure}:15:27
FNF:3
FNH:1
DA:3,3
DA:4,0
DA:5,3
DA:6,3
DA:7,2
DA:8,1
DA:10,6
DA:11,3
DA:15,0
LF:9
LH:7
end_of_record
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestHTML(t *testing.T) {
	var b strings.Builder
	if err := profile(t, &coverage.Profile{}, `kind(2);`).HTML(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<h1>Coverage of scripts: ", `<a href="#f0">lib.hsl</a>`, `<h2 id="f1">main</h2>`,
		`<tr class="missed"><td class="number">4</td><td class="number">0×</td><td>		return &#34;large&#34;;</td></tr>`,
		`<tr class="partly"><td class="number">5</td>`, `return &#34;&lt;0&#34;;`, `<tr class="run"><td class="number">11</td><td class="number">1×</td>`,
		`<tr><td class="number">12</td><td class="number"></td><td>}</td></tr>`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
}

// TestNothing: no scripts, no lines, and no division by zero.
func TestNothing(t *testing.T) {
	p := &coverage.Profile{}
	var b strings.Builder
	if err := errors.Join(p.Text(&b), p.LCOV(&b), p.HTML(&b)); err != nil || p.Percent() != 100 {
		t.Errorf("%v: %v percent", err, p.Percent())
	}
}

// TestOff: a program that does not count has nothing to tell.
func TestOff(t *testing.T) {
	program, err := hsl.Compile("main", "$x = 1;", hsl.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &coverage.Profile{}
	p.Add(program)
	if len(p.Files()) != 0 || strings.Contains(program.Disassemble(), "visit") {
		t.Errorf("%v\n%s", p.Files(), program.Disassemble())
	}
}
