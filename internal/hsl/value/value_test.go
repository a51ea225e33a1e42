package value

import (
	"math"
	"testing"
)

func TestKinds(t *testing.T) {
	f := &Function{Builtin: &Builtin{Name: "f"}}
	for _, c := range []struct {
		v     Value
		kind  Kind
		truth bool
		text  string
	}{
		{None, KindNone, false, ""},
		{True, KindBoolean, true, "true"},
		{False, KindBoolean, false, "false"},
		{Number(0), KindNumber, false, "0"},
		{Number(math.Copysign(0, -1)), KindNumber, false, "0"},
		{Number(math.NaN()), KindNumber, true, "nan"},
		{Number(-math.NaN()), KindNumber, true, "nan"},
		{Number(math.Inf(1)), KindNumber, true, "inf"},
		{Number(math.Inf(-1)), KindNumber, true, "-inf"},
		{Number(-math.MaxFloat64), KindNumber, true, "-1.7976931348623157e+308"},
		{String(""), KindString, false, ""},
		{String("0"), KindString, true, "0"},
		{FromArray(NewArray(0)), KindArray, false, "[]"},
		{FromArray(List(True, None, String("x"))), KindArray, true, `[0=>true,1=>none,2=>"x"]`},
		{FromFunction(f), KindFunction, true, "function"},
		{NewException("m", Place{}), KindObject, true, "object Exception"},
	} {
		if got := c.v.Kind(); got != c.kind {
			t.Errorf("%s: kind %s, want %s", c.text, got, c.kind)
		}
		if got := c.v.Truth(); got != c.truth {
			t.Errorf("%s: truth %v, want %v", c.text, got, c.truth)
		}
		if got := c.v.Text(); got != c.text {
			t.Errorf("text %q, want %q", got, c.text)
		}
	}
}

func TestFormatNumber(t *testing.T) {
	for f, want := range map[float64]string{
		1: "1", 12.50: "12.5", 0.30000000000000004: "0.30000000000000004", 1e21: "1e+21", 1e20: "100000000000000000000",
		2.5e-7: "2.5e-7", 0.000001: "0.000001", 99: "99", 100: "100", -5: "-5", 9007199254740991: "9007199254740991",
		9007199254740992: "9007199254740992", 1.5e300: "1.5e+300", 1e-10: "1e-10",
	} {
		if got := FormatNumber(f); got != want {
			t.Errorf("FormatNumber(%g) = %q, want %q", f, got, want)
		}
	}
}

func TestParseNumber(t *testing.T) {
	for s, want := range map[string]float64{
		"12": 12, " 12\n": 12, "-1.5": -1.5, "+2": 2, "0x1F": 31, "-0x10": -16, "1e3": 1000, ".5": 0.5, "5.": 5,
		"12abc": 0, "": 0, "inf": 0, "nan": 0, "1_0": 0, "0x": 0, "--1": 0, "0x1p3": 0, "1p3": 0, " ": 0, "-": 0,
	} {
		if got := String(s).ToNumber(); got != want {
			t.Errorf("number(%q) = %g, want %g", s, got, want)
		}
	}
}

func TestDelimiters(t *testing.T) {
	for s, want := range map[string]string{
		"a": `"a"`, "a\nb": "''a\nb''", `a"b`: `''a"b''`, "a$'": "'#'a$''#'", "$''": "'#'$'''#'", "$'' '#'": "'##'$'' '#''##'",
	} {
		if got := string(AppendQuoted(nil, s)); got != want {
			t.Errorf("AppendQuoted(%q) = %s, want %s", s, got, want)
		}
	}
}

func TestKeys(t *testing.T) {
	for _, c := range []struct{ key, want Value }{
		{String("7"), Int(7)}, {String("-7"), Int(-7)}, {String("0"), Int(0)}, {String("20000000000"), Int(20000000000)},
		{String("07"), String("07")}, {String("7.5"), String("7.5")}, {String(" 7"), String(" 7")}, {String("-0"), String("-0")},
		{String(""), String("")}, {String("-"), String("-")}, {String("9007199254740993"), String("9007199254740993")},
		{True, Int(1)}, {False, Int(0)}, {Number(2.9), Int(2)}, {Number(-2.9), Int(-2)}, {Number(-0.5), Int(0)},
		{Number(math.NaN()), Int(0)}, {Number(math.Inf(1)), Int(0)}, {None, None},
	} {
		if got := Key(c.key); !Identical(got, c.want) || math.Signbit(got.Float()) != math.Signbit(c.want.Float()) {
			t.Errorf("Key(%s) = %s, want %s", c.key.Text(), got.Text(), c.want.Text())
		}
	}
}

// TestArrayModel compares arrays with a slice of pairs under random changes.
func TestArrayModel(t *testing.T) {
	for seed := range 200 {
		rng := uint32(seed*7919 + 1)
		next := func(n int) int { rng = rng*1664525 + 1013904223; return int(rng>>8) % n }
		a := NewArray(0)
		type pair struct{ k, v Value }
		var model []pair
		find := func(k Value) int {
			for i := range model {
				if Identical(model[i].k, Key(k)) {
					return i
				}
			}
			return -1
		}
		var copies []*Array
		var texts []string
		for step := range 400 {
			k := Int(next(40))
			if seed%2 == 1 && next(2) == 0 {
				k = String("k" + k.Text())
			}
			switch next(6) {
			case 0:
				i := find(k)
				if got := a.Delete(k); got != (i >= 0) {
					t.Fatalf("Delete(%s) = %v", k.Text(), got)
				}
				if i >= 0 {
					model = append(model[:i:i], model[i+1:]...)
				}
			case 1:
				a.Append(Int(step))
				model = append(model, pair{Number(float64(a.next - 1)), Int(step)})
			case 2:
				if len(copies) < 5 {
					copies, texts = append(copies, a), append(texts, FromArray(a).Text())
					a.Retain()
					v := FromArray(a)
					a = Writable(&v)
				}
			default:
				a.Set(k, Int(step))
				if i := find(k); i >= 0 {
					model[i].v = Int(step)
				} else {
					model = append(model, pair{Key(k), Int(step)})
				}
			}
			if a.Len() != len(model) {
				t.Fatalf("seed %d: length %d, want %d", seed, a.Len(), len(model))
			}
			i := 0
			for k, v := range a.All() {
				if !Identical(k, model[i].k) || !Identical(v, model[i].v) {
					t.Fatalf("seed %d: element %d is %s=>%s, want %s=>%s", seed, i, k.Text(), v.Text(), model[i].k.Text(), model[i].v.Text())
				}
				if got, ok := a.Get(k); !ok || !Identical(got, v) {
					t.Fatalf("seed %d: Get(%s) = %s, %v", seed, k.Text(), got.Text(), ok)
				}
				i++
			}
		}
		for i := range copies {
			if got := FromArray(copies[i]).Text(); got != texts[i] {
				t.Fatalf("seed %d: a copy changed from %s to %s", seed, texts[i], got)
			}
		}
	}
}

func TestEqual(t *testing.T) {
	list := FromArray(List(String("x")))
	for _, c := range []struct {
		a, b Value
		want bool
	}{
		{Int(5), True, false}, {Int(1), True, true}, {String(""), None, false}, {Int(0), None, false}, {False, None, false},
		{String("abc"), Int(0), true}, {String("10"), Int(10), true}, {String("10"), String("10.0"), false},
		{FromArray(NewArray(0)), False, true}, {list, Int(1), true}, {None, None, true}, {list, String("x"), false},
		{list, FromArray(List(String("x"))), true}, {Number(math.NaN()), Number(math.NaN()), false}, {String("a"), True, true},
	} {
		if Equal(c.a, c.b) != c.want || Equal(c.b, c.a) != c.want {
			t.Errorf("%s == %s is not %v", c.a.Text(), c.b.Text(), c.want)
		}
	}
}
