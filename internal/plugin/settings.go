package plugin

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings are what stands under config of a plug-in: a tree of maps, lists,
// strings, numbers and booleans.
type Settings map[string]any

// Decode fills the struct that into points to. Its fields name their key in the
// tag key; "default" gives the value of a key that is absent, and "required"
// says that it must not be:
//
//	Path     string        `key:"path" required:"true"`
//	MinItems int           `key:"min_items" default:"1" min:"1"`
//	Timeout  time.Duration `key:"timeout" unit:"1ms" default:"5000"`
//
// Durations are numbers of their unit, a second unless the tag says otherwise.
// Numbers hold to min, which is 0 without the tag. A list may be written as its
// only element. Keys that no field has, and values of another type, are
// mistakes; the error names all of them by their paths.
func (s Settings) Decode(into any) error {
	d := &decoder{}
	d.fields("", map[string]any(s), reflect.ValueOf(into).Elem())
	return errors.Join(d.errs...)
}

type decoder struct{ errs []error }

func (d *decoder) fail(path, format string, args ...any) {
	d.errs = append(d.errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

func (d *decoder) fields(path string, given map[string]any, v reflect.Value) {
	var known []string
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key := field.Tag.Get("key")
		if key == "" {
			continue
		}
		known = append(known, key)
		at := path + key
		if g, ok := given[key]; ok && g != nil {
			d.value(at, g, v.Field(i), field.Tag)
		} else if text, ok := field.Tag.Lookup("default"); ok {
			d.text(at, text, v.Field(i), field.Tag)
		} else if field.Tag.Get("required") == "true" {
			d.fail(at, "is missing")
		}
	}
	for key := range given {
		if !slices.Contains(known, key) {
			d.fail(path+key, "unknown key; there are %s", strings.Join(known, ", "))
		}
	}
}

func (d *decoder) value(at string, given any, v reflect.Value, tag reflect.StructTag) {
	switch v.Kind() {
	case reflect.Struct:
		m, ok := given.(map[string]any)
		if !ok {
			d.fail(at, "want a mapping")
			return
		}
		d.fields(at+".", m, v)
	case reflect.Slice:
		d.list(at, given, v, tag)
	case reflect.Map, reflect.Interface:
		d.plain(at, given, v)
	case reflect.String:
		d.string(at, given, v)
	case reflect.Bool:
		if b, ok := given.(bool); ok {
			v.SetBool(b)
		} else {
			d.fail(at, "want true or false, got %v", given)
		}
	default:
		d.number(at, given, v, tag)
	}
}

func (d *decoder) list(at string, given any, v reflect.Value, tag reflect.StructTag) {
	items, ok := given.([]any)
	if !ok {
		items = []any{given}
	}
	list := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		d.value(fmt.Sprintf("%s[%d]", at, i), item, list.Index(i), tag)
	}
	v.Set(list)
}

func (d *decoder) plain(at string, given any, v reflect.Value) {
	g := reflect.ValueOf(given)
	if !g.Type().AssignableTo(v.Type()) {
		d.fail(at, "want a mapping, got %v", given)
		return
	}
	v.Set(g)
}

// string takes numbers too: an unquoted name may look like one.
func (d *decoder) string(at string, given any, v reflect.Value) {
	switch g := given.(type) {
	case string:
		v.SetString(g)
	case int, int64, uint64, float64:
		v.SetString(fmt.Sprint(g))
	default:
		d.fail(at, "want a text, got %v", given)
	}
}

// text sets a default.
func (d *decoder) text(at, text string, v reflect.Value, tag reflect.StructTag) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Slice:
		d.value(at, text, v, tag)
	case reflect.Bool:
		v.SetBool(text == "true")
	default:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			panic(fmt.Sprintf("plugin: default of %s: %v", at, err))
		}
		d.number(at, n, v, tag)
	}
}

func (d *decoder) number(at string, given any, v reflect.Value, tag reflect.StructTag) {
	n, ok := number(given)
	least, _ := strconv.ParseFloat(tag.Get("min"), 64) // 0 without the tag
	if !ok || n < least {
		d.fail(at, "want a number of at least %v, got %v", least, given)
		return
	}
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		unit := time.Second
		if text := tag.Get("unit"); text != "" {
			unit, _ = time.ParseDuration(text) // a tag of this program
		}
		v.SetInt(int64(min(n*float64(unit), math.MaxInt64/2)))
	case v.CanFloat():
		v.SetFloat(n)
	case v.CanUint() && n == math.Trunc(n) && !v.OverflowUint(uint64(n)):
		v.SetUint(uint64(n))
	case v.CanInt() && n == math.Trunc(n) && n < 1<<53 && !v.OverflowInt(int64(n)):
		v.SetInt(int64(n))
	default:
		d.fail(at, "want a whole number that is not too large, got %v", given)
	}
}

func number(given any) (float64, bool) {
	switch g := given.(type) {
	case int:
		return float64(g), true
	case int64:
		return float64(g), true
	case uint64:
		return float64(g), true
	case float64:
		return g, !math.IsNaN(g) && !math.IsInf(g, 0)
	}
	return 0, false
}
