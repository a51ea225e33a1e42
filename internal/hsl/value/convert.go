package value

import (
	"math"
	"strconv"
	"strings"
)

// Truth converts v to a boolean. A string is true when it is not empty, also
// "0"; an array when it has elements.
func (v Value) Truth() bool {
	switch v.Kind() {
	case KindNone, KindUndefined:
		return false
	case KindBoolean:
		return v.Bool()
	case KindNumber:
		return v.Float() != 0
	case KindString:
		return v.StrLen() > 0
	case KindArray:
		return v.Array().Len() > 0
	}
	return true
}

// ToNumber converts v to a number: strings by what they spell, 0 for all that
// spells none.
func (v Value) ToNumber() float64 {
	switch v.Kind() {
	case KindNumber:
		return v.Float()
	case KindBoolean:
		if v.Bool() {
			return 1
		}
	case KindString:
		f, _ := ParseNumber(v.Str())
		return f
	}
	return 0
}

// ParseNumber reads a decimal or hexadecimal number that fills the text, apart
// from white space around it. Signs, a decimal point and an exponent are
// understood; "inf", "nan" and digit separators are not.
func ParseNumber(s string) (f float64, ok bool) {
	s = strings.Trim(s, " \t\r\n\v\f")
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || !numeric(digits) {
		return 0, false
	}
	if len(digits) > 2 && digits[0] == '0' && digits[1]|0x20 == 'x' {
		f, ok = parseHex(digits[2:])
	} else {
		var err error
		f, err = strconv.ParseFloat(digits, 64)
		ok = err == nil || math.IsInf(f, 0)
	}
	if !ok {
		return 0, false
	}
	if s[0] == '-' {
		f = -f
	}
	return f, true
}

// numeric sorts out what strconv would take and HSL does not.
func numeric(s string) bool {
	return len(s) > 0 && (s[0]-'0' <= 9 || s[0] == '.') && strings.IndexByte(s, '_') < 0 &&
		!strings.ContainsAny(s, "pP")
}

func parseHex(s string) (f float64, ok bool) {
	for i := range len(s) {
		d, ok := hexDigit(s[i])
		if !ok {
			return 0, false
		}
		f = f*16 + float64(d)
	}
	return f, len(s) > 0
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c-'0' <= 9:
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// FormatNumber returns the shortest decimal text that reads back as f.
func FormatNumber(f float64) string {
	if n := int(f); float64(n) == f && uint(n) < 100 {
		return strconv.Itoa(n) // without allocation
	}
	return string(AppendNumber(make([]byte, 0, 24), f))
}

// AppendNumber appends FormatNumber(f). The layout is that of ECMAScript: plain
// digits while the decimal exponent is in -6…20, scientific otherwise.
func AppendNumber(b []byte, f float64) []byte {
	if n := int64(f); float64(n) == f && n < 1<<53 && n > -1<<53 {
		return strconv.AppendInt(b, n, 10)
	}
	switch {
	case math.IsNaN(f):
		return append(b, "nan"...)
	case math.IsInf(f, 1):
		return append(b, "inf"...)
	case math.IsInf(f, -1):
		return append(b, "-inf"...)
	}
	if m := math.Abs(f); m >= 1e-6 && m < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, 'e', -1, 64)
	// strconv writes at least two digits of exponent, ECMAScript does not.
	if e := len(b) - 2; b[e] == '0' && (b[e-1] == '-' || b[e-1] == '+') && e > start {
		b[e] = b[e+1]
		b = b[:e+1]
	}
	return b
}

// Text converts v to a string, the way echo and interpolation do. Arrays come
// as source text that can be large: whoever serves a script uses
// Thread.AppendText, which keeps to the limits.
func (v Value) Text() string {
	switch v.Kind() {
	case KindString:
		return v.Str()
	case KindNumber:
		return FormatNumber(v.Float())
	}
	b, err := appendText(nil, v, nil)
	if err != nil {
		return string(b) + "…"
	}
	return string(b)
}

// appendText appends the text of v; t, which may be nil, sets limits.
func appendText(b []byte, v Value, t *Thread) ([]byte, error) {
	switch v.Kind() {
	case KindString:
		return append(b, v.Str()...), nil
	case KindNone, KindUndefined:
		return b, nil
	case KindArray:
		d := dumper{b: b, thread: t}
		d.array(v.Array(), 0)
		return d.b, d.err
	}
	return appendScalar(b, v), nil
}

// appendScalar appends what has the same form alone and in the dump of an
// array.
func appendScalar(b []byte, v Value) []byte {
	switch v.Kind() {
	case KindNumber:
		return AppendNumber(b, v.Float())
	case KindBoolean:
		return strconv.AppendBool(b, v.Bool())
	case KindFunction:
		return append(b, "function"...)
	case KindObject:
		return append(append(b, "object "...), v.Object().Class.Name...)
	case KindResource:
		return append(append(b, "resource "...), v.Resource().ResourceKind()...)
	}
	return append(b, "none"...)
}
