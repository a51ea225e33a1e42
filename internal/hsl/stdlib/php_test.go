package stdlib_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// phpCall is a function and its arguments, which both languages have.
type phpCall struct {
	name string
	args []value.Value
}

// perFunction is how many calls are made up for each function.
const perFunction = 60

// TestPHP compares functions on which HSL and PHP agree by definition, with
// generated arguments. One PHP computes them all.
func TestPHP(t *testing.T) {
	php, err := exec.LookPath("php")
	if err != nil {
		t.Skip("SKIPPED: php is not there (Debian package php-cli): nothing is compared with another implementation")
	}
	g := generator{rand.New(rand.NewPCG(3, 2))}
	var calls []phpCall
	for _, name := range slices.Sorted(maps.Keys(phpArguments)) {
		for range perFunction {
			calls = append(calls, phpCall{name, phpArguments[name](g)})
		}
	}
	want := askPHP(t, php, calls)
	if len(want) != len(calls) || len(calls) < 1000 {
		t.Fatalf("%d answers to %d calls", len(want), len(calls))
	}
	m := stdlibtest.New(t, newLibrary(t), value.Setup{})
	for i, c := range calls {
		if got := here(m, c); got != want[i] {
			t.Errorf("%s(%s)\nPHP says %s\n got     %s", c.name, value.FromArray(value.List(c.args...)).Text(), readable(want[i]), readable(got))
		}
	}
}

// here computes a call with the library.
func here(m *stdlibtest.Machine, c phpCall) string {
	switch c.name {
	case "array_sort":
		less := stdlibtest.Function("less", func(args []value.Value) (value.Value, error) {
			return value.Boolean(value.Less(args[0], args[1])), nil
		})
		c.args = []value.Value{less, c.args[0]}
	case "strftime":
		c.args = append(c.args, value.FromArray(value.Map("local", value.False)))
	case "Iconv":
		converter, err := m.Call(value.FromFunction(m.Library.Function("Iconv")), c.args[0], c.args[1])
		if err != nil {
			return "!" + err.Error()
		}
		o := converter.Object()
		return outcome(m.Call(value.FromFunction(&value.Function{Builtin: o.Class.Method("convert").Builtin, This: o}), c.args[2]))
	}
	return outcome(m.Call(value.FromFunction(m.Library.Function(c.name)), c.args...))
}

func outcome(v value.Value, err error) string {
	if err != nil {
		return "!" + err.Error()
	}
	return shown(v)
}

// shown writes a value as the script does.
func shown(v value.Value) string {
	switch v.Kind() {
	case value.KindString:
		return "s" + base64.StdEncoding.EncodeToString([]byte(v.Str()))
	case value.KindNumber:
		return fmt.Sprintf("n%016x", math.Float64bits(v.Float()+0))
	case value.KindArray:
		var parts []string
		for k, e := range v.Array().All() {
			parts = append(parts, shown(k)+"="+shown(e))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case value.KindNone:
		return "none"
	}
	return v.Text()
}

// readable decodes a string for messages.
func readable(s string) string {
	if text, ok := strings.CutPrefix(s, "s"); ok {
		if b, err := base64.StdEncoding.DecodeString(text); err == nil {
			return fmt.Sprintf("%q", b)
		}
	}
	return s
}

func askPHP(t *testing.T, php string, calls []phpCall) (answers []string) {
	var in bytes.Buffer
	lines := json.NewEncoder(&in)
	for _, c := range calls {
		var args []any
		for _, v := range c.args {
			args = append(args, phpValue(v))
		}
		if err := lines.Encode(map[string]any{"f": c.name, "a": args}); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(php, "-n", "-d", "extension=iconv", "-d", "precision=-1", "testdata/differential.php")
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("php: %v", err)
	}
	for scanner := bufio.NewScanner(bytes.NewReader(out)); scanner.Scan(); {
		answers = append(answers, scanner.Text())
	}
	return answers
}

func phpValue(v value.Value) any {
	switch v.Kind() {
	case value.KindString:
		return map[string]any{"t": "s", "v": []byte(v.Str())}
	case value.KindNumber:
		return map[string]any{"t": "n", "v": v.Float()}
	case value.KindBoolean:
		return map[string]any{"t": "b", "v": v.Bool()}
	case value.KindArray:
		pairs := [][2]any{}
		for k, e := range v.Array().All() {
			pairs = append(pairs, [2]any{phpValue(k), phpValue(e)})
		}
		return map[string]any{"t": "a", "v": pairs}
	}
	return map[string]any{"t": "0"}
}

// generator makes up arguments.
type generator struct{ *rand.Rand }

func (g generator) from(alphabet string, most int) value.Value {
	b := make([]byte, g.IntN(most+1))
	for i := range b {
		b[i] = alphabet[g.IntN(len(alphabet))]
	}
	return value.Bytes(b)
}

// text is a string of few letters, so that searches find something.
func (g generator) text() value.Value { return g.from("abAB ,;\t\n\x00\xff", 24) }

func (g generator) short() value.Value { return g.from("abAB, ", 3) }

// some is short, but not empty.
func (g generator) some() value.Value { return value.String(g.from("ab, ", 2).Str() + "a") }

func (g generator) bytes() value.Value {
	b := make([]byte, g.IntN(200))
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	return value.Bytes(b)
}

func (g generator) unicode() value.Value {
	runes := []rune("aé漢𝄞\"\\/\n\x01\x7f<&' \u2028")
	var b strings.Builder
	for range g.IntN(10) {
		b.WriteRune(runes[g.IntN(len(runes))])
	}
	return value.String(b.String())
}

func (g generator) between(least, most int) value.Value {
	return value.Int(least + g.IntN(most-least+1))
}

// decimal is a number that PHP shows without an exponent.
func (g generator) decimal() value.Value {
	digits := g.IntN(10)
	return value.Number(math.Round((g.Float64()-0.5)*1e6*math.Pow10(digits)) / math.Pow10(digits))
}

func (g generator) pick(list ...string) value.Value { return value.String(list[g.IntN(len(list))]) }

// list is an array of values made by f.
func (g generator) list(f func() value.Value) value.Value {
	a := value.NewArray(0)
	for range g.IntN(8) {
		a.Append(f())
	}
	return value.FromArray(a)
}

// keyed is an array with keys of both kinds.
func (g generator) keyed(f func() value.Value) value.Value {
	a := value.NewArray(0)
	for range g.IntN(8) {
		if g.IntN(2) == 0 {
			a.Set(g.from("abc", 2), f())
		} else {
			a.Set(g.between(0, 9), f())
		}
	}
	return value.FromArray(a)
}

// data is what JSON can say.
func (g generator) data(depth int) value.Value {
	switch g.IntN(7 + min(depth, 1)*3) {
	case 0:
		return value.None
	case 1:
		return value.Boolean(g.IntN(2) == 0)
	case 2, 3:
		return g.unicode()
	case 4:
		return g.between(-1e9, 1e9)
	case 5:
		return value.Number(float64(g.IntN(1e6)) / 8)
	case 6:
		return g.short()
	case 7:
		return g.keyed(func() value.Value { return g.data(depth - 1) })
	}
	return g.list(func() value.Value { return g.data(depth - 1) })
}

func (g generator) address() netip.Addr {
	if g.IntN(2) == 0 {
		return netip.AddrFrom4([4]byte{byte(g.Uint32()), 0, byte(g.Uint32()), 1})
	}
	var b [16]byte
	for i := range b {
		if g.IntN(2) == 0 {
			b[i] = byte(g.Uint32())
		}
	}
	return netip.AddrFrom16(b)
}

func list(values ...value.Value) []value.Value { return values }

// phpArguments says what to call each function with.
var phpArguments = map[string]func(g generator) []value.Value{
	"chr":         func(g generator) []value.Value { return list(g.between(-300, 600)) },
	"ord":         func(g generator) []value.Value { return list(value.String("x"[:0] + g.bytes().Str() + "x")) },
	"str_repeat":  func(g generator) []value.Value { return list(g.text(), g.between(0, 5)) },
	"str_replace": func(g generator) []value.Value { return list(g.short(), g.short(), g.text()) },
	"str_split":   func(g generator) []value.Value { return list(g.text(), g.some(), g.between(0, 4)) },
	"str_find":    func(g generator) []value.Value { return list(g.text(), g.short(), g.between(0, 8)) },
	"str_rfind":   func(g generator) []value.Value { return list(g.text(), g.short()) },
	"str_lower":   func(g generator) []value.Value { return list(g.bytes()) },
	"str_upper":   func(g generator) []value.Value { return list(g.bytes()) },
	"str_slice": func(g generator) []value.Value {
		args := list(g.text(), g.between(-30, 30), g.between(-30, 30))
		return args[:2+g.IntN(2)]
	},
	"str_strip":     func(g generator) []value.Value { return list(g.text(), g.some())[:1+g.IntN(2)] },
	"str_lstrip":    func(g generator) []value.Value { return list(g.text(), g.some())[:1+g.IntN(2)] },
	"str_rstrip":    func(g generator) []value.Value { return list(g.text(), g.some())[:1+g.IntN(2)] },
	"str_chunk":     func(g generator) []value.Value { return list(g.text(), g.between(1, 9)) },
	"md5":           func(g generator) []value.Value { return list(g.bytes()) },
	"sha1":          func(g generator) []value.Value { return list(g.bytes()) },
	"sha2":          func(g generator) []value.Value { return list(g.bytes(), value.Int(256<<g.IntN(2))) },
	"hmac_md5":      func(g generator) []value.Value { return list(g.bytes(), g.bytes()) },
	"hmac_sha1":     func(g generator) []value.Value { return list(g.bytes(), g.bytes()) },
	"hmac_sha2":     func(g generator) []value.Value { return list(g.bytes(), g.bytes(), value.Int(256<<g.IntN(2))) },
	"hash":          func(g generator) []value.Value { return list(g.bytes()) },
	"crypt":         func(g generator) []value.Value { return list(g.from("abcÄ!", 20), g.salt()) },
	"base64_encode": func(g generator) []value.Value { return list(g.bytes()) },
	"base64_decode": func(g generator) []value.Value {
		return list(value.String(base64.StdEncoding.EncodeToString([]byte(g.bytes().Str()))))
	},
	"url_encode": func(g generator) []value.Value { return list(g.bytes()) },
	"url_decode": func(g generator) []value.Value { return list(g.from("a%4f1zZ+", 12)) },
	"pack":       func(g generator) []value.Value { return g.packed() },
	"unpack": func(g generator) []value.Value {
		return list(g.pick("n3", "N2", "v2", "V*", "C*", "c4", "e1", "E1", "a5", "Z*", "H*", "H3"), value.String(g.bytes().Str()+"0123456789"))
	},
	"json_encode":    func(g generator) []value.Value { return list(g.data(3)) },
	"json_decode":    func(g generator) []value.Value { return list(g.json()) },
	"array_reverse":  func(g generator) []value.Value { return list(g.keyed(g.short)) },
	"array_keys":     func(g generator) []value.Value { return list(g.keyed(g.short)) },
	"array_unique":   func(g generator) []value.Value { return list(g.keyed(g.short)) },
	"array_join":     func(g generator) []value.Value { return list(g.list(g.text), g.short()) },
	"array_combine":  func(g generator) []value.Value { a := g.list(g.short); return list(a, a) },
	"array_includes": func(g generator) []value.Value { return list(g.short(), g.list(g.short)) },
	"array_sort":     func(g generator) []value.Value { return list(g.keyed(func() value.Value { return g.between(0, 5) })) },
	"abs":            func(g generator) []value.Value { return list(g.decimal()) },
	"ceil":           func(g generator) []value.Value { return list(g.decimal()) },
	"floor":          func(g generator) []value.Value { return list(g.decimal()) },
	"sqrt":           func(g generator) []value.Value { return list(value.Number(math.Abs(g.decimal().Float()))) },
	"round":          func(g generator) []value.Value { return list(g.decimal(), g.between(-3, 6)) },
	"string":         func(g generator) []value.Value { return list(g.decimal()) },
	"strftime": func(g generator) []value.Value {
		return list(g.pick("%a %d %b %Y %T", "%c", "%x %X", "%j %U %W %V %G %g %u %w", "%D %F %R %r %p %I %l %k %e", "%C %y %h %n%t%% %s %z", "%Y-%m-%dT%H:%M:%S"), g.between(0, 4e9))
	},
	"inet_pton": func(g generator) []value.Value { return list(value.String(g.address().String())) },
	"inet_ntop": func(g generator) []value.Value { return list(value.Bytes(g.address().AsSlice())) },
	"Iconv": func(g generator) []value.Value {
		return list(g.pick("ISO-8859-1", "UTF-8", "KOI8-R", "ISO-8859-15"), g.pick("UTF-8", "UTF-16BE"), g.from("abc\xe9\xa4 ", 5))
	},
	"pcre_quote": func(g generator) []value.Value { return list(g.bytes()) },
	"pcre_replace": func(g generator) []value.Value {
		return list(g.pattern(), g.pick("", "x", "[$0]", "$1-$2", "${1}1$", "$x$9"), g.from("ab1 \n", 12), g.between(0, 2))
	},
	"pcre_match_all": func(g generator) []value.Value { return list(g.pattern(), g.from("ab1 \n", 12)) },
}

func (g generator) salt() value.Value {
	salt := g.from("./0Az", 6).Str()
	return value.String([]string{"ab" + salt, "$1$" + salt, "$5$rounds=1000$" + salt, "$6$rounds=1001$" + salt + "$", "$2y$04$0123456789012345678901"}[g.IntN(5)])
}

func (g generator) pattern() value.Value {
	return g.pick(`/(a)|(b)/`, `/(?<x>a+)(b)?/`, `/\w\d/`, `/(A)/i`, `/^./m`, `/.+$/s`, `/b*/`, `/(?=a)/`, `/[^ab]+/`, `/(.)\1/`)
}

// packed is a format with arguments for it.
func (g generator) packed() []value.Value {
	n := func() value.Value { return g.between(0, 1<<31) }
	small := func() value.Value { return g.between(0, 255) }
	switch g.IntN(6) {
	case 0:
		return list(value.String("nNvV"), n(), n(), n(), n())
	case 1:
		return list(value.String("C*"), small(), small(), small())
	case 2:
		return list(value.String("a5a*Z*Z3"), g.text(), g.text(), g.text(), g.text())
	case 3:
		return list(value.String("H*"), g.from("0123456789abcdefABCDEF", 9))
	case 4:
		return list(value.String("eE"), g.decimal(), g.decimal())
	}
	return list(value.String("x2C2"), small(), small())
}

// json is a text of JSON, or nearly.
func (g generator) json() value.Value {
	return g.pick(`{"a":[1,2.5,-3e2],"b":{"c":null}}`, `[true,false,""]`, `"\u00e9\ud834\udd1e\/"`, ` [ 1 , 2 ] `, `[1,]`, `{"a":1,"a":2}`,
		`{"1":1,"x":2,"01":3}`, `nope`, `[1`, `"a`+"\n"+`"`, `0.1`, `-0`, `01`, `[[[[]]]]`, `{"":1}`, `"\x"`, `1e3`, `123456789012`, `{}`)
}
