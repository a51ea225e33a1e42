package script

import (
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// deepestShown bounds how deep arrays are shown.
const deepestShown = 20

// JSON shows a value to operators: as JSON of about limit bytes at most, what
// is beyond them left out. What JSON cannot say is the string that scripts would
// echo.
func JSON(v value.Value, limit int) string {
	w := shower{left: limit}
	w.value(v, 0)
	return string(w.b)
}

// shower appends JSON to b as long as something is left.
type shower struct {
	b    []byte
	left int
}

func (w *shower) value(v value.Value, depth int) {
	before := len(w.b)
	switch v.Kind() {
	case value.KindNone, value.KindUndefined:
		w.b = append(w.b, "null"...)
	case value.KindBoolean:
		w.b = strconv.AppendBool(w.b, v.Truth())
	case value.KindNumber:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			w.text(v.Text())
		} else {
			w.b = value.AppendNumber(w.b, f)
		}
	case value.KindArray:
		if depth >= deepestShown {
			w.text("…")
		} else {
			w.array(v.Array(), depth)
			return
		}
	case value.KindString:
		w.text(v.Str())
	default:
		w.text(v.Text())
	}
	w.left -= len(w.b) - before
}

// text appends a string, cut where there is no more room.
func (w *shower) text(s string) {
	if room := max(w.left, 0); len(s) > room {
		for room > 0 && !utf8.RuneStart(s[room]) {
			room--
		}
		s = s[:room] + "…"
	}
	quoted, err := json.Marshal(s)
	if err != nil { // it never fails for a string
		quoted = []byte(`""`)
	}
	w.b = append(w.b, quoted...)
}

// array appends a list, or an object where the keys are no list's.
func (w *shower) array(a *value.Array, depth int) {
	list, next := true, 0
	for k := range a.All() {
		if k.Kind() != value.KindNumber || k.Float() != float64(next) {
			list = false
			break
		}
		next++
	}
	open, shut := byte('['), byte(']')
	if !list {
		open, shut = '{', '}'
	}
	w.b = append(w.b, open)
	first := true
	for k, v := range a.All() {
		if w.left <= 0 {
			break
		}
		if !first {
			w.b = append(w.b, ',')
		}
		first = false
		if !list {
			w.text(k.Text())
			w.b = append(w.b, ':')
		}
		w.value(v, depth+1)
		w.left -= 2
	}
	w.b = append(w.b, shut)
}
