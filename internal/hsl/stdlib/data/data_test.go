package data_test

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/data"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func machine(t testing.TB, limits value.Limits) *stdlibtest.Machine {
	l := value.NewLibrary(nil, value.Declarations{Builtins: data.Builtins()})
	m := stdlibtest.New(t, l, value.Setup{Limits: limits})
	m.Functions = map[string]func([]value.Value) (value.Value, error){
		"upper": func(args []value.Value) (value.Value, error) {
			return value.String(strings.ToUpper(args[0].Text())), nil
		},
		"fail": func([]value.Value) (value.Value, error) { return value.None, value.Errorf("failed") },
		"nan":  func([]value.Value) (value.Value, error) { return value.Number(math.NaN()), nil },
	}
	return m
}

func TestEncode(t *testing.T) {
	machine(t, value.Limits{}).Check(t, []stdlibtest.Case{
		{`json_encode([])`, `"[]"`},
		{`json_encode([1, "a"])`, `''[1,"a"]''`},
		{`json_encode([1 => 1])`, `''{"1":1}''`},
		{`json_encode(["a" => none, "b" => [true]])`, `''{"a":null,"b":[true]}''`},
		{`json_encode("\"\\/\n\r\t\x08\x0c\x01\x7f")`, `''"\"\\\/\n\r\t\b\f\u0001` + "\x7f" + `"''`},
		{`json_encode("é𝄞")`, `''"\u00e9\ud834\udd1e"''`},
		{`json_encode("é", ["ensure_ascii" => false])`, `''"é"''`},
		{`json_encode("\xff")`, `none`},
		{`json_encode(nan())`, `none`},
		{`json_encode(upper)`, `none`},
		{`json_encode([[], ["a" => []]], ["pretty_print" => true])`, "''[\n    [],\n    {\n        \"a\": []\n    }\n]''"},
		{`json_encode(1e21)`, `"1e+21"`},
		{`json_encode(-0.0)`, `"0"`},
		{`json_encode(true)`, `"true"`},
	})
}

func TestDecode(t *testing.T) {
	machine(t, value.Limits{}).Check(t, []stdlibtest.Case{
		{`json_decode(" [1, -2.5e1, \"a\", true, false, null, {}] ")`, `[0=>1,1=>-25,2=>"a",3=>true,4=>false,5=>none,6=>[]]`},
		{`json_decode("{\"a\":1,\"b\":2,\"a\":3,\"7\":4}")`, `["a"=>3,"b"=>2,7=>4]`},
		{`json_decode("\"\\u00e9\\ud834\\udd1e\\/\\b\"")`, "''é𝄞/\b''"},
		{`json_decode("\"\\ud834\"")`, `"` + "\uFFFD" + `"`},
		{`json_decode("\"\\ud834\\u0041\"")`, `"` + "\uFFFDA" + `"`},
		{`json_decode("5")`, `5`},
		{`json_decode("01")`, `none`},
		{`json_decode("1.")`, `none`},
		{`json_decode(".5")`, `none`},
		{`json_decode("+1")`, `none`},
		{`json_decode("-")`, `none`},
		{`json_decode("1e")`, `none`},
		{`json_decode("[1,]")`, `none`},
		{`json_decode("[1 2]")`, `none`},
		{`json_decode("{\"a\"}")`, `none`},
		{`json_decode("{a:1}")`, `none`},
		{`json_decode("nul")`, `none`},
		{`json_decode("1 2")`, `none`},
		{`json_decode("")`, `none`},
		{`json_decode("\"\xff\"")`, `none`},
		{`json_decode("\"a\nb\"")`, `none`},
		{`json_decode("\"\\x\"")`, `none`},
		{`json_decode("\"a")`, `none`},
		{`json_decode("[1, // one\n 2 /* two */]", ["allow_comments" => true])`, `[0=>1,1=>2]`},
		{`json_decode("[1] // end", ["allow_comments" => true])`, `[0=>1]`},
		{`json_decode("[1] /* end", ["allow_comments" => true])`, `none`},
		{`json_decode("[1, // one\n 2]")`, `none`},
	})
	m := machine(t, value.Limits{})
	for _, depth := range []int{900, 2000, 1e6} {
		_, err := m.Call(value.FromFunction(m.Library.Function("json_decode")), value.String(strings.Repeat("[", depth)+strings.Repeat("]", depth)))
		if err != nil {
			t.Errorf("depth %d: %v", depth, err)
		}
	}
}

// TestSharedParts: an array that holds itself many times is small and has a text
// that no memory holds.
func TestSharedParts(t *testing.T) {
	v := value.FromArray(value.List(value.Int(1)))
	for range 40 {
		v = value.FromArray(value.List(v, v))
	}
	for _, name := range []string{"json_encode", "csv_encode"} {
		m := machine(t, value.Limits{Memory: 1 << 22})
		_, err := m.Call(value.FromFunction(m.Library.Function(name)), v)
		if err == nil || err.Error() != "script exceeded its memory limit of 4 MiB" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// jsonValue draws a value that JSON can say.
func jsonValue(depth int) *rapid.Generator[value.Value] {
	scalars := []*rapid.Generator[value.Value]{
		rapid.Just(value.None),
		rapid.Map(rapid.Bool(), value.Boolean),
		rapid.Map(rapid.String(), value.String),
		rapid.Map(rapid.Int(), func(n int) value.Value { return value.Int(n) }),
		rapid.Map(rapid.Float64Range(-1e300, 1e300), value.Number),
	}
	if depth == 0 {
		return rapid.OneOf(scalars...)
	}
	list := rapid.Custom(func(r *rapid.T) value.Value {
		a := value.NewArray(0)
		for range rapid.IntRange(0, 4).Draw(r, "length") {
			v := jsonValue(depth-1).Draw(r, "value")
			if rapid.Bool().Draw(r, "keyed") {
				a.Set(value.String(rapid.String().Draw(r, "key")), v)
			} else {
				a.Append(v)
			}
		}
		return value.FromArray(a)
	})
	return rapid.OneOf(append(scalars, list, list)...)
}

// TestRoundTrip: what was encoded decodes to itself, whatever the options.
func TestRoundTrip(t *testing.T) {
	m := machine(t, value.Limits{})
	encode, decode := value.FromFunction(m.Library.Function("json_encode")), value.FromFunction(m.Library.Function("json_decode"))
	rapid.Check(t, func(r *rapid.T) {
		v := jsonValue(4).Draw(r, "value")
		options := value.Map("ensure_ascii", value.Boolean(rapid.Bool().Draw(r, "ascii")), "pretty_print", value.Boolean(rapid.Bool().Draw(r, "pretty")))
		text, err := m.Call(encode, v, value.FromArray(options))
		if err != nil || !utf8.ValidString(text.Str()) {
			r.Fatal(err, text.Text())
		}
		back, err := m.Call(decode, text)
		if err != nil || !value.Identical(back, v) {
			r.Fatalf("%s came back as %s over %s: %v", v.Text(), back.Text(), text.Str(), err)
		}
	})
}

func TestCSV(t *testing.T) {
	machine(t, value.Limits{}).Check(t, []stdlibtest.Case{
		{`csv_encode(["a", 1, true, none, "b c", "d\"e", "f,g", "h\ni"])`, "''a,1,true,,\"b c\",\"d\"\"e\",\"f,g\",\"h\ni\"''"},
		{`csv_encode(["a", "b;c"], ["delimiter" => ";"])`, `''a;"b;c"''`},
		{`csv_encode([])`, `""`},
		{`csv_encode([], ["delimiter" => "xx"])`, `!csv_encode: option delimiter: want one byte that is no quote and no end of line, got "xx"`},
		{`csv_decode("a,b\n1,2\n3\n4,5,6\n")`, `[0=>["a"=>"1","b"=>"2"],1=>["a"=>"3","b"=>none],2=>["a"=>"4","b"=>"5"]]`},
		{`csv_decode("a,b\r\n\r\n\"x\r\ny\",\"q\"\"r\"", ["header" => false])`, "[0=>[0=>\"a\",1=>\"b\"],1=>[0=>''x\r\ny'',1=>''q\"r'']]"},
		{`csv_decode("a\tb\n", ["header" => false, "delimiter" => "\t"])`, `[0=>[0=>"a",1=>"b"]]`},
		{`csv_decode("a,\n,b", ["header" => false])`, `[0=>[0=>"a",1=>""],1=>[0=>"",1=>"b"]]`},
		{`csv_decode("")`, `[]`},
		{`csv_decode("a\n\"b")`, `none`},
		{`csv_decode("a\n\"b\"c")`, `none`},
		{`csv_decode("a\nb\"c")`, `[0=>["a"=>''b"c'']]`},
		{
			`csv_decode("n,b,s\n1,yes,x\n,no,", ["schema" => ["n" => ["type" => "number", "nullable" => true], "b" => ["type" => "boolean", "true" => ["yes"], "false" => ["no"]], "s" => ["nullable" => ["x"]]]])`,
			`[0=>["n"=>1,"b"=>true,"s"=>none],1=>["n"=>none,"b"=>false,"s"=>""]]`,
		},
		{`csv_decode("n\nx", ["schema" => ["n" => ["type" => "number"]]])`, `none`},
		{`csv_decode("b\nyes", ["schema" => ["b" => ["type" => "boolean"]]])`, `none`},
		{`csv_decode("7,x", ["header" => false, "schema" => [0 => ["type" => "number"]]])`, `[0=>[0=>7,1=>"x"]]`},
		{`csv_decode("n\nx", ["schema" => ["n" => ["type" => "date"]]])`, `!csv_decode: option schema: column n: want type string, boolean or number, got "date"`},
	})
}

// TestCSVRoundTrip: a line that was encoded decodes to its values.
func TestCSVRoundTrip(t *testing.T) {
	m := machine(t, value.Limits{})
	options := value.FromArray(value.Map("header", value.False))
	rapid.Check(t, func(r *rapid.T) {
		fields := rapid.SliceOfN(rapid.StringMatching(`[a-z ",;\n\r]*`), 2, 6).Draw(r, "fields")
		line, err := m.Call(value.FromFunction(m.Library.Function("csv_encode")), value.FromArray(value.Strings(fields)))
		if err != nil {
			r.Fatal(err)
		}
		rows, err := m.Call(value.FromFunction(m.Library.Function("csv_decode")), line, options)
		if want := value.FromArray(value.List(value.FromArray(value.Strings(fields)))); err != nil || !value.Identical(rows, want) {
			r.Fatalf("%q came back as %s: %v", fields, rows.Text(), err)
		}
	})
}

func TestYAML(t *testing.T) {
	machine(t, value.Limits{}).Check(t, []stdlibtest.Case{
		{`yaml_decode("a: 1\nb: [x, 2.5, true, null, ~, \"3\"]\n")`, `["a"=>1,"b"=>[0=>"x",1=>2.5,2=>true,3=>none,4=>none,5=>"3"]]`},
		{`yaml_decode("- 0x1f\n- 0o17\n- .inf\n- yes\n- 2020-01-01")`, `[0=>31,1=>15,2=>inf,3=>"yes",4=>"2020-01-01"]`},
		{`yaml_decode("base: &b {x: 1, y: 2}\nd:\n  <<: *b\n  y: 3")`, `["base"=>["x"=>1,"y"=>2],"d"=>["x"=>1,"y"=>3]]`},
		{`yaml_decode("b: !!binary aGk=")`, `["b"=>"hi"]`},
		{`yaml_decode("")`, `none`},
		{`yaml_decode("a: [1")`, `none`},
		{`yaml_decode("text")`, `"text"`},
		{`yaml_decode("a: !Upper x", ["tags" => ["!Upper" => upper]])`, `["a"=>"X"]`},
		{`yaml_decode("a: !Upper [1, 2]", ["tags" => ["!Upper" => upper]])`, `["a"=>"[0=>1,1=>2]"]`},
		{`yaml_decode("a: !Other x", ["tags" => ["!Upper" => upper]])`, `["a"=>"x"]`},
		{`yaml_decode("a: !Upper x", ["tags" => ["!Upper" => fail]])`, `!failed`},
		{`yaml_decode("a: &a [*a]")`, `none`},
	})
	// Nine levels of nine aliases are a bomb of 9^9 elements.
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x]\n")
	for i := range 12 {
		bomb.WriteString("a" + string(rune('b'+i)) + ": &a" + string(rune('b'+i)) + " [")
		last := "*a" + string(rune('a'+i))
		if i == 0 {
			last = "*a0"
		}
		bomb.WriteString(strings.Repeat(last+", ", 8) + last + "]\n")
	}
	m := machine(t, value.Limits{Memory: 1 << 22})
	_, err := m.Call(value.FromFunction(m.Library.Function("yaml_decode")), value.String(bomb.String()))
	if err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("bomb: %v", err)
	}
}

func TestLoaders(t *testing.T) {
	loaders := data.Loaders(map[string]data.Tag{"!Twice": func(v value.Value) (value.Value, error) { return value.String(v.Text() + v.Text()), nil }})
	for _, c := range []struct{ loader, text, want string }{
		{"json", "[1] // one", `[0=>1]`},
		{"yaml", "a: !Twice x", `["a"=>"xx"]`},
		{"yml", "a: 1", `["a"=>1]`},
		{"csv", "a\n1", `[0=>["a"=>"1"]]`},
		{"txt", "a\nb\n", "''a\nb\n''"},
	} {
		got, err := loaders[c.loader]("file", []byte(c.text), nil)
		if err != nil || stdlibtest.Literal(got.Value) != c.want {
			t.Errorf("%s: got %s, %v", c.loader, stdlibtest.Literal(got.Value), err)
		}
	}
	got, err := loaders["txt"]("file", []byte("a\r\n\nb"), value.Map("array", value.True))
	if err != nil || stdlibtest.Literal(got.Value) != `[0=>"a",1=>"",2=>"b"]` {
		t.Errorf("lines: %s, %v", stdlibtest.Literal(got.Value), err)
	}
	if _, err := loaders["json"]("file", []byte("[1"), nil); err == nil {
		t.Error("a malformed file loads")
	}
	// A large constant is no trouble: it belongs to the configuration.
	if _, err := loaders["json"]("file", []byte(`["`+strings.Repeat(`\n`, 1<<17)+`"]`), nil); err != nil {
		t.Error(err)
	}
}

func fuzz(f *testing.F, function string, seeds ...string) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m := machine(t, value.Limits{Memory: 1 << 26, Instructions: 1 << 28})
		v, err := m.Call(value.FromFunction(m.Library.Function(function)), value.String(text))
		if err != nil && !value.Uncatchable(err) {
			t.Fatal(err)
		}
		if function == "json_decode" && err == nil {
			again, err := m.Call(value.FromFunction(m.Library.Function("json_encode")), v)
			if err != nil {
				t.Fatal(err)
			}
			if again.IsNone() {
				return // a number beyond the range of JSON
			}
			if back, _ := m.Call(value.FromFunction(m.Library.Function("json_decode")), again); !value.Identical(back, v) {
				t.Fatalf("%q is %s and comes back as %s", text, v.Text(), back.Text())
			}
		}
	})
}

func FuzzJSON(f *testing.F) {
	fuzz(f, "json_decode", `{"a":[1,2.5e-3,"\u00e9\ud834\udd1e",null,true]}`, `[1e400]`, `"\ud834`)
}

func FuzzYAML(f *testing.F) {
	fuzz(f, "yaml_decode", "a: &x [1, !t 2]\nb: {<<: *x}", "- |\n  text\n- >-\n  more")
}

func FuzzCSV(f *testing.F) { fuzz(f, "csv_decode", "a,b\n\"1\r\n\"\"2\",3\n", "\"", ",,\n") }

// BenchmarkJSON decodes and encodes 130 bytes: 3.6 µs and 26 allocations on the two
// busy cores it was written on.
func BenchmarkJSON(b *testing.B) {
	m := machine(b, value.Limits{})
	text := `{"id":12345,"name":"Example","tags":["a","b","c"],"nested":{"x":1.5,"y":null,"z":true},"text":"some longer text with a \"quote\""}`
	encode, decode := m.Library.Builtin("json_encode"), m.Library.Builtin("json_decode")
	b.ReportAllocs()
	for b.Loop() {
		c := value.Call{Thread: m.Thread, Builtin: decode}
		c.Bind([]value.Value{value.String(text)})
		v, _ := decode.Func(&c)
		c = value.Call{Thread: m.Thread, Builtin: encode}
		c.Bind([]value.Value{v})
		encode.Func(&c)
	}
}
