package stdlib_test

import (
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// TestScripts: what takes statements of the language to see.
func TestScripts(t *testing.T) {
	library := newLibrary(t)
	for source, want := range map[string]string{
		`$m = Map("string", "number"); $m->set("a", 1); $m->set("7", 2); foreach ($m->entries() as $k => $v) echo "$k=$v " . is_string($k);`:                   "a=1 true\n7=2 true",
		`$s = Set("number"); $s->add(3); $s->add(4); foreach ($s->values() as $v) echo $v;`:                                                                    "3\n4",
		`$a = [1, 2, 3]; $b = array_map(function ($v) closure ($a) { $a[] = $v; return $v * 2; }, $a); echo $a . $b;`:                                          "[0=>1,1=>2,2=>3,3=>1,4=>2,5=>3][0=>2,1=>4,2=>6]",
		`$a = [[1], [2]]; $b = array_map(function ($v) { $v[] = 0; return $v; }, $a); echo $a . $b;`:                                                           "[0=>[0=>1],1=>[0=>2]][0=>[0=>1,1=>0],1=>[0=>2,1=>0]]",
		`$a = [[1]]; $x = array_find(is_array, $a); $x[] = 2; echo $a . $x;`:                                                                                   "[0=>[0=>1]][0=>1,1=>2]",
		`$l = [3, 1, 2]; $s = array_sort(function ($a, $b) closure ($l) { $l[] = 0; return $a < $b; }, $l)[:]; echo $s . length($l);`:                          "[0=>1,1=>2,2=>3]6",
		`echo array_map(number, ["1", "0x10"]) . array_filter(boolean, [0, 1, ""]);`:                                                                           "[0=>1,1=>16][1=>1]",
		`try { array_map(function ($v) { throw "stop"; }, [1]); } catch ($e) { echo $e; }`:                                                                     "stop",
		`try { array_range(0, 1, 0); } catch ($e) { echo $e->message(); }`:                                                                                     "array_range: argument 3 (step): want a number other than 0, got 0",
		`echo pcre_replace(#/\w+/, function ($m) { return length($m[0]) . ""; }, "one three");`:                                                                "3 5",
		`if ("Subject: x" =~ "/^subject:/i") echo "yes"; if ("a" !~ "b") echo "no";`:                                                                           "yes\nno",
		`memory_store("k", ["n" => 1]); $v = memory_fetch("k"); $v["n"] = 2; echo memory_fetch("k")["n"] . $v["n"];`:                                           "12",
		`memory_store("m", Map("string", "array")); memory_fetch("m")->merge("a", [1]); memory_fetch("m")->merge("a", [2]); echo memory_fetch("m")->get("a");`: "[0=>1,1=>2]",
		`barrier "b" => $n { $n = ($n ?? 0) + 1; memory_inc("other"); } echo memory_fetch("b") . memory_fetch("other");`:                                       "11",
		`memory_update("k2", 1, function ($k, $o, $n) { memory_store($k, 9); return $o + $n; }, 0); echo memory_fetch("k2");`:                                  "1",
		`$f = File("a.txt"); while (($line = $f->readline()) !== false) echo "[$line]";`:                                                                       "[one]\n[two]",
		`if (!$f = File("missing")) echo "none";`:                                                                                                              "none",
		`echo json_encode(json_decode("{\"a\": {}, \"b\": [1.50]}"), ["pretty_print" => true]);`:                                                               "{\n    \"a\": [],\n    \"b\": [\n        1.5\n    ]\n}",
		`echo cache [] sha1("x") . cache ["ttl" => 10] strftime("%Y", 0, ["local" => false]);`:                                                                 "11f6ad8ec52a2984abaafd7c3b516503785c20721970",
		`echo array_join(array_map(Socket::AF, ["::1", "127.0.0.1", "x"]), ",");`:                                                                              "AF_INET6,AF_INET,",
		`echo string(X509::String("x")) . is_object(FFI::nullptr ?? none);`:                                                                                    "false",
		`echo yaml_decode("a: !Up x", ["tags" => ["!Up" => function ($v) { return str_upper($v); }]])["a"];`:                                                   "X",
	} {
		if got, err := run(t.Context(), library, source); got != want || err != nil {
			t.Errorf("%s\n got %s %v\nwant %s", source, got, err, want)
		}
	}
}

// folder is a Loader of data files in memory.
type folder map[string]string

func (f folder) Load(path, _ string) (*resolve.File, error) {
	text, ok := f[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return &resolve.File{ID: path, Text: text}, nil
}

func TestImports(t *testing.T) {
	files := folder{
		"a.json": `{"a": [1]} // note`,
		"b.yaml": "s: !Set [x, 5]\nm: !Map {k: v}\nr: !Regex /^A/i\n",
		"c.csv":  "id,n\nx,1\ny,2\n",
		"d.txt":  "one\r\ntwo\n",
		"e.pem":  "",
	}
	for source, want := range map[string]string{
		`import $a from "a.json"; echo $a["a"];`:                                                                "[0=>1]",
		`import $b from "b.yaml"; echo $b["s"]->has("5") . $b["m"]->get("k") . ("abc" =~ $b["r"]);`:             "truevtrue",
		`import $c from "c.csv"; echo $c[1]["n"];`:                                                              "2",
		`import $c from "c.csv" with ["header" => false, "schema" => [1 => ["type" => "string"]]]; echo $c[0];`: `[0=>"id",1=>"n"]`,
		`import $d from "d.txt" with ["array" => true]; echo $d;`:                                               `[0=>"one",1=>"two"]`,
		`import $d from "set!d.txt"; echo $d->has("two") . $d->size();`:                                         "true2",
		`import $m from "map!c.csv"; echo $m->get("y")["n"];`:                                                   "2",
		`import $x from "crt!e.pem"; echo $x;`:                                                                  "[]",
	} {
		program, err := hsl.Compile("main", source, hsl.Options{Library: newLibrary(t), Loader: files})
		if err != nil {
			t.Errorf("%s\n%v", source, err)
			continue
		}
		var got []string
		_, err = program.Run(t.Context(), hsl.Execution{Setup: value.Setup{Echo: func(s string) { got = append(got, s) }}})
		if strings.Join(got, "\n") != want || err != nil {
			t.Errorf("%s\n got %q %v\nwant %q", source, got, err, want)
		}
	}
	for _, source := range []string{`import $x from "key!e.pem";`, `import $x from "json!d.txt";`, `import $x from "nothing!d.txt";`, `import $x from "c.csv" with ["delimiter" => "xx"];`} {
		if _, err := hsl.Compile("main", source, hsl.Options{Library: newLibrary(t), Loader: files}); err == nil {
			t.Errorf("%s compiles", source)
		}
	}
}

// TestStops: nothing that scripts can ask of the library holds them up.
func TestStops(t *testing.T) {
	library := newLibrary(t)
	for _, source := range []string{
		`$s = "a"; forever $s = str_replace("a", "aa", $s);`,
		`$a = [1]; forever $a = array_map(function ($v) closure ($a) { return $a; }, $a);`,
		`$a = []; forever $a = [$a, $a, json_encode($a)];`,
		`$s = "x"; forever $s .= zlib_compress(str_repeat($s, 9), 0);`,
		`$m = Map("number", "any"); $i = 0; forever $m->set($i++, str_repeat("x", 1000));`,
		`array_sort(function ($a, $b) { forever ; }, [1, 2]);`,
		`forever pcre_match("(a|aa)+\\1$", str_repeat("a", 200) . "b");`,
		`sleep(3600);`,
		`memory_update("k", 1, function () { forever ; }, 1);`,
	} {
		began := time.Now()
		program, err := hsl.Compile("main", source, hsl.Options{Library: library})
		if err != nil {
			t.Errorf("%s\n%v", source, err)
			continue
		}
		limits := value.Limits{Time: 100 * time.Millisecond, Memory: 32 << 20}
		if _, err = program.Run(t.Context(), hsl.Execution{Setup: value.Setup{Limits: limits}}); err == nil {
			t.Errorf("%s ends", source)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %v", source, took)
		}
	}
}

// TestPieces: small pieces of large strings, which count as small, keep nothing
// large alive.
func TestPieces(t *testing.T) {
	library := newLibrary(t)
	const large = `str_repeat("a,", 100000)`
	for _, piece := range []string{
		`str_slice(` + large + `, 2, 2)`, large + `[2:4]`, `str_split(` + large + `, ",", 2)[0]`, `str_split(` + large + `, ",", -2)[1]`,
		`str_strip("xx" . str_repeat(" ", 200000))`, `str_chunk(` + large + `, 9)[0]`, `pcre_match("a,a", ` + large + `)[0]`,
		`json_decode("[\"xyz\", \"" . ` + large + ` . "\"]")[0]`, `csv_decode("xyz\n" . ` + large + `, ["header" => false])[0]`,
		`unpack("a3", ` + large + `)[0]`, `url_parse("http://host/" . ` + large + `)["hostname"]`,
		`header_addresslist_extract("joe@example.com (" . ` + large + ` . ")")[0]`, `header_dkim_decode("b=xyz; a=" . ` + large + `)["b"]`,
		`envelope_address_parse("joe@" . str_repeat("a.", 100000))["localpart"]`,
	} {
		program, err := hsl.Compile("main", `$all = []; for ($i = 0; $i < 150; $i++) { $all[] = `+piece+`; } echo ""; echo $all[0];`, hsl.Options{Library: library})
		if err != nil {
			t.Errorf("%s\n%v", piece, err)
			continue
		}
		var held uint64
		_, err = program.Run(t.Context(), hsl.Execution{Setup: value.Setup{Echo: func(text string) {
			if text == "" {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				held = m.HeapAlloc
			}
		}}})
		if err != nil || held > 20<<20 {
			t.Errorf("%s: %d MB held, %v", piece, held>>20, err)
		}
	}
}
