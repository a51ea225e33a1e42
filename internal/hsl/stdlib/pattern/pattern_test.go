package pattern_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/pattern"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

var library = value.NewLibrary(nil, value.Declarations{Builtins: pattern.Builtins(), Pattern: pattern.Compile})

func machine(t testing.TB, limits value.Limits) *stdlibtest.Machine {
	m := stdlibtest.New(t, library, value.Setup{Limits: limits})
	m.Functions = map[string]func([]value.Value) (value.Value, error){
		"shout": func(args []value.Value) (value.Value, error) {
			whole, _ := args[0].Array().Get(value.Int(0))
			return value.String(strings.ToUpper(whole.Str()) + "!"), nil
		},
		"number": func([]value.Value) (value.Value, error) { return value.Int(1), nil },
		"fail":   func([]value.Value) (value.Value, error) { return value.None, value.Errorf("failed") },
	}
	return m
}

func TestFunctions(t *testing.T) {
	machine(t, value.Limits{}).Check(t, []stdlibtest.Case{
		{`pcre_match("b(c)?(d)", "abd")`, `[0=>"bd",1=>"",2=>"d"]`},
		{`pcre_match("/B/i", "abc")`, `[0=>"b"]`},
		{`pcre_match("x", "abc")`, `[]`},
		{`pcre_match("(?<y>\\d+)-(?P<m>\\d+)", "on 2020-12")`, `[0=>"2020-12","y"=>"2020",1=>"2020","m"=>"12",2=>"12"]`},
		{`pcre_match("(?|(?<n>a)|(?<n>b))", "b")`, `[0=>"b","n"=>"b",1=>"b"]`},
		{`pcre_match(pcre_compile("a+"), "caab")`, `[0=>"aa"]`},
		{`pcre_match("(", "a")`, `!pcre_match: `},
		{`pcre_compile("/(/")`, `!pcre_compile: `},
		{`pcre_match("/./u", "\xff")`, `[]`},
		{`pcre_match("/./u", "é")`, `[0=>"é"]`},
		{`pcre_match_all("(\\w)\\d", "a1 b2")`, `[0=>[0=>"a1",1=>"b2"],1=>[0=>"a",1=>"b"]]`},
		{`pcre_match_all("(?<l>\\w)(x)?", "ab")`, `[0=>[0=>"a",1=>"b"],"l"=>[0=>"a",1=>"b"],1=>[0=>"a",1=>"b"],2=>[0=>"",1=>""]]`},
		{`pcre_match_all("a*", "baac")`, `[0=>[0=>"",1=>"aa",2=>"",3=>""]]`},
		{`pcre_match_all("", "ab")`, `[0=>[0=>"",1=>"",2=>""]]`},
		{`pcre_match_all("/(?=.)/u", "éa")`, `[0=>[0=>"",1=>""]]`},
		{`pcre_match_all("x", "ab")`, `[]`},
		{`pcre_match_all("\\Ka", "aa")`, `[0=>[0=>"a",1=>"a"]]`},
		{`pcre_quote("a.b*c\\/#-\x00")`, "''a\\.b\\*c\\\\\\/\\#\\-\\000''"},
		{`pcre_replace("a", "b", "banana")`, `"bbnbnb"`},
		{`pcre_replace("a", "b", "banana", 2)`, `"bbnbna"`},
		{`pcre_replace("(\\w)(\\d)?", "[$2$1]", "a1b")`, `"[1a][b]"`},
		{`pcre_replace("(.)", "\\$0", "ab")`, `''\a\b''`},
		{`pcre_replace("a", "\\\\\$0", "ba")`, `''b\\a''`},
		{`pcre_replace("(a)", "\${1}1\$9\$x\$", "a")`, `''a1$x$''`},
		{`pcre_replace("(a)", "\${1", "a")`, `''${1''`},
		{`pcre_replace("", "-", "ab")`, `"-a-b-"`},
		{`pcre_replace("x", "y", "ab")`, `"ab"`},
		{`pcre_replace("[ab]", shout, "cab")`, `"cA!B!"`},
		{`pcre_replace("a", number, "a")`, `!pcre_replace: argument 2 (replace): want a function that returns a string, got number`},
		{`pcre_replace("a", fail, "a")`, `!failed`},
	})
}

func TestMatch(t *testing.T) {
	m := machine(t, value.Limits{})
	re, err := pattern.Compile("b.d", "i")
	if err != nil {
		t.Fatal(err)
	}
	for subject, want := range map[string]bool{"aBcD": true, "bd": false} {
		if got, err := re.Match(m.Thread, subject); got != want || err != nil {
			t.Errorf("%q: %v, %v", subject, got, err)
		}
	}
	if _, err := pattern.Compile("a", "z"); err == nil {
		t.Error("unknown modifiers compile")
	}
}

// TestLimits: a pattern that goes back without end stops, by its own count, by
// that of the script, or by the clock.
func TestLimits(t *testing.T) {
	const source = `pcre_match("(a+)+\\1?b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")`
	if got := machine(t, value.Limits{}).Show(source); !strings.Contains(got, "too many steps") {
		t.Errorf("got %s", got)
	}
	if got := machine(t, value.Limits{Instructions: 10000}).Show(source); got != "!script exceeded its instructions limit of 10000" {
		t.Errorf("got %s", got)
	}
	if got := machine(t, value.Limits{Time: time.Nanosecond}).Show(source); got != "!script exceeded its time limit of 1ns" {
		t.Errorf("got %s", got)
	}
	for _, source := range []string{
		`pcre_replace("", "0123456789012345678901234567890123456789012345678901234567890123456789", "` + strings.Repeat("a", 40000) + `")`,
		`pcre_match_all("()()()()", "` + strings.Repeat("a", 40000) + `")`,
	} {
		if got := machine(t, value.Limits{Memory: 1 << 20}).Show(source); got != "!script exceeded its memory limit of 1 MiB" {
			t.Errorf("got %.80s", got)
		}
	}
}

// TestCache: patterns that are made of strings are compiled once, and there are
// never too many of them.
func TestCache(t *testing.T) {
	a, _ := pattern.Compile("a", "")
	if b, _ := pattern.Compile("a", ""); a != b {
		t.Error("the same pattern was compiled twice")
	}
	if b, _ := pattern.Compile("a", "i"); a == b {
		t.Error("modifiers make no difference")
	}
	for i := range 5000 {
		if _, err := pattern.Compile("a"+strconv.Itoa(i%3000), ""); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	m := machine(b, value.Limits{})
	re, _ := pattern.Compile(`^[a-z0-9._%+-]+@[a-z0-9.-]+\.[a-z]{2,}$`, "i")
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := re.Match(m.Thread, "first.last@mail.example.com"); !ok || err != nil {
			b.Fatal(err)
		}
	}
}
