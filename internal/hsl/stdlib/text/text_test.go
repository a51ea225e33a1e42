package text_test

import (
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/text"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func machine(t *testing.T, limits value.Limits) *stdlibtest.Machine {
	l := value.NewLibrary(nil, value.Declarations{Builtins: text.Builtins()})
	return stdlibtest.New(t, l, value.Setup{Limits: limits})
}

func TestFunctions(t *testing.T) {
	machine(t, value.Limits{}).Check(t, []stdlibtest.Case{
		{`chr(65)`, `"A"`},
		{`chr(321)`, `"A"`},
		{`chr(-191)`, `"A"`},
		{`ord("")`, `none`},
		{`ord("\xff")`, `255`},
		{`str_repeat("ab", 0)`, `""`},
		{`str_repeat("ab", -1)`, `""`},
		{`str_repeat("", 1e15)`, `""`},
		{`str_repeat("ab", 2.9)`, `"abab"`},
		{`str_replace("", "x", "abc")`, `"abc"`},
		{`str_replace("aa", "b", "aaaaa")`, `"bba"`},
		{`str_replace("a", "", "banana")`, `"bnn"`},
		{`str_find("abcabc", "c", 3)`, `5`},
		{`str_find("abc", "d")`, `-1`},
		{`str_find("abc", "")`, `0`},
		{`str_find("abc", "a", 4)`, `-1`},
		{`str_find("abc", "c", -1)`, `2`},
		{`str_rfind("abcabc", "c")`, `5`},
		{`str_rfind("abcabc", "c", 1)`, `2`},
		{`str_rfind("abc", "a", 3)`, `-1`},
		{`str_rfind("abc", "a", 9)`, `-1`},
		{`str_lower("ÄBC")`, `"Äbc"`},
		{`str_upper("äbc")`, `"äBC"`},
		{`str_upper("[z]{` + "`" + `")`, `"[Z]{` + "`" + `"`},
		{`str_slice("abcdef", 2)`, `"cdef"`},
		{`str_slice("abcdef", 2, 2)`, `"cd"`},
		{`str_slice("abcdef", -2)`, `"ef"`},
		{`str_slice("abcdef", -9, 2)`, `"ab"`},
		{`str_slice("abcdef", 1, -1)`, `"bcde"`},
		{`str_slice("abcdef", 9)`, `""`},
		{`str_slice("abcdef", 2, 0)`, `""`},
		{`str_slice("abcdef", 2, 1e300)`, `"cdef"`},
		{`str_strip(" \t\r\nx y\n")`, `"x y"`},
		{`str_strip("  ")`, `""`},
		{`str_strip("xxaxx", "x")`, `"a"`},
		{`str_lstrip("xxaxx", "x")`, `"axx"`},
		{`str_rstrip("xxaxx", "x")`, `"xxa"`},
		{`str_strip("\xc3a\xa4", "\xc3\xa4")`, `"a"`},
		{`str_strip("x ", none)`, `"x"`},
	})
}

func TestLists(t *testing.T) {
	machine(t, value.Limits{}).Check(t, []stdlibtest.Case{
		{`str_split("a,b,c", ",")`, `[0=>"a",1=>"b",2=>"c"]`},
		{`str_split("a,b,c", ",", 2)`, `[0=>"a",1=>"b,c"]`},
		{`str_split("a,b,c", ",", 1)`, `[0=>"a,b,c"]`},
		{`str_split("a,b,c", ",", -2)`, `[0=>"a,b",1=>"c"]`},
		{`str_split("a,b,c", ",", -1)`, `[0=>"a,b,c"]`},
		{`str_split("a,b,c", ",", -9)`, `[0=>"a",1=>"b",2=>"c"]`},
		{`str_split(",a,", ",")`, `[0=>"",1=>"a",2=>""]`},
		{`str_split("", ",")`, `[0=>""]`},
		{`str_split("a--b---c", "--", -2)`, `[0=>"a--b-",1=>"c"]`},
		{`str_split("abc", "")`, `[0=>"a",1=>"b",2=>"c"]`},
		{`str_split("abc", "", 2)`, `[0=>"a",1=>"bc"]`},
		{`str_split("abc", "", -2)`, `[0=>"ab",1=>"c"]`},
		{`str_split("abc", "", -9)`, `[0=>"a",1=>"b",2=>"c"]`},
		{`str_split("", "")`, `[]`},
		{`str_chunk("abcde", 2)`, `[0=>"ab",1=>"cd",2=>"e"]`},
		{`str_chunk("abcde", 2, 1)`, `[0=>"a",1=>"bc",2=>"de"]`},
		{`str_chunk("abcde", 2, 9)`, `[0=>"abcde"]`},
		{`str_chunk("", 2)`, `[]`},
		{`str_chunk("abc", "2")`, `[0=>"ab",1=>"c"]`},
		{`str_chunk("abc", 0)`, `!str_chunk: argument 2 (length): want a number above 0, got 0`},
		{`str_chunk("abc", 1, -1)`, `!str_chunk: argument 3 (firstlength): want a number above 0, got -1`},
	})
}

func TestArguments(t *testing.T) {
	machine(t, value.Limits{}).Check(t, []stdlibtest.Case{
		{`str_find("abc")`, `!str_find: 1 too few: want 2 to 3, got 1`},
		{`str_find("abc", "b", 1, 2)`, `!str_find: too many arguments: want 2 to 3, got 4`},
		{`str_find([], "b")`, `!str_find: argument 1 (string): want string, got array`},
		{`str_find("abc", "b", "x")`, `!str_find: argument 3 (offset): want number, got string`},
		{`str_find(123, 2)`, `1`},
		{`str_upper(none)`, `""`},
		{`str_upper(true)`, `"TRUE"`},
		{`ord(none)`, `none`},
	})
}

// TestLimits: none of the functions takes memory that the script may not have.
func TestLimits(t *testing.T) {
	for _, source := range []string{
		`str_repeat("abc", 1e12)`,
		`str_repeat("abc", 1e300)`,
		`str_replace("a", str_repeat("b", 5e5), str_repeat("a", 1e4))`,
		`str_split(str_repeat("a", 9e5), "")`,
		`str_chunk(str_repeat("a", 9e5), 1)`,
		`str_split(str_repeat("a", 9e5), "a")`,
	} {
		got := machine(t, value.Limits{Memory: 1 << 20}).Show(source)
		if got != "!script exceeded its memory limit of 1 MiB" {
			t.Errorf("%s: got %.60s", source, got)
		}
	}
}
