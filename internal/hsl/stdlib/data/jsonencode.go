package data

import (
	"errors"
	"math"
	"unicode/utf8"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// deepest bounds how deep values nest, for readers and writers that recurse.
const deepest = 1000

// errUnfit is for what a format cannot say; the builtins answer none.
var errUnfit = errors.New("data: value does not fit the format")

func jsonEncode(c *value.Call) (value.Value, error) {
	o := c.Options(1)
	w := jsonWriter{call: c, b: make([]byte, 0, 512), ascii: o.Bool("ensure_ascii"), pretty: o.Bool("pretty_print")}
	err := w.value(c.Args[0], 0)
	if errors.Is(err, errUnfit) {
		return value.None, nil
	}
	if err != nil {
		return value.None, err
	}
	return declare.Bytes(c, w.b)
}

// jsonWriter appends values to b.
type jsonWriter struct {
	call   *value.Call
	b      []byte
	growth value.Growth
	ascii  bool
	pretty bool
}

func (w *jsonWriter) value(v value.Value, depth int) error {
	switch v.Kind() {
	case value.KindNone:
		w.b = append(w.b, "null"...)
	case value.KindBoolean:
		w.b = append(w.b, v.Text()...)
	case value.KindNumber:
		f := v.Float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return errUnfit
		}
		w.b = value.AppendNumber(w.b, f)
	case value.KindString:
		return w.string(v.Str())
	case value.KindArray:
		return w.array(v.Array(), depth)
	default:
		return errUnfit
	}
	return nil
}

func (w *jsonWriter) array(a *value.Array, depth int) error {
	if depth == deepest {
		return errUnfit
	}
	list := a.IsList()
	begin, end := byte('{'), byte('}')
	if list {
		begin, end = '[', ']'
	}
	w.b = append(w.b, begin)
	first := true
	for k, v := range a.All() {
		if !first {
			w.b = append(w.b, ',')
		}
		first = false
		w.line(depth + 1)
		if !list {
			if err := w.key(k); err != nil {
				return err
			}
		}
		if err := w.value(v, depth+1); err != nil {
			return err
		}
		if err := w.charge(); err != nil {
			return err
		}
	}
	if !first {
		w.line(depth)
	}
	w.b = append(w.b, end)
	return nil
}

// line begins a line of a pretty text.
func (w *jsonWriter) line(depth int) {
	if !w.pretty {
		return
	}
	w.b = append(w.b, '\n')
	for range depth {
		w.b = append(w.b, "    "...)
	}
}

func (w *jsonWriter) key(k value.Value) error {
	if !k.IsString() && !k.IsNumber() {
		return errUnfit
	}
	if err := w.string(k.Text()); err != nil {
		return err
	}
	w.b = append(w.b, ':')
	if w.pretty {
		w.b = append(w.b, ' ')
	}
	return nil
}

// charge accounts for one element and for the text so far. An array that
// holds itself many times over through shared parts is small and has an endless
// text.
func (w *jsonWriter) charge() error {
	if err := w.growth.To(w.call.Thread, len(w.b)); err != nil {
		return err
	}
	return w.call.Step(1)
}

const hexDigits = "0123456789abcdef"

// plain marks the bytes that stand for themselves in a JSON string.
var plain = func() (all [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		all[c] = c != '"' && c != '\\' && c != '/'
	}
	return all
}()

func (w *jsonWriter) string(s string) error {
	w.b = append(w.b, '"')
	start := 0
	for i := 0; i < len(s); {
		if plain[s[i]] {
			i++
			continue
		}
		if s[i] < utf8.RuneSelf {
			w.b = append(w.b, s[start:i]...)
			w.escape(s[i])
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			return errUnfit
		}
		if w.ascii {
			w.b = append(w.b, s[start:i]...)
			w.unicode(r)
			start = i + size
		}
		i += size
	}
	w.b = append(append(w.b, s[start:]...), '"')
	return nil
}

func (w *jsonWriter) escape(c byte) {
	switch c {
	case '"', '\\', '/':
		w.b = append(w.b, '\\', c)
	case '\b':
		w.b = append(w.b, '\\', 'b')
	case '\f':
		w.b = append(w.b, '\\', 'f')
	case '\n':
		w.b = append(w.b, '\\', 'n')
	case '\r':
		w.b = append(w.b, '\\', 'r')
	case '\t':
		w.b = append(w.b, '\\', 't')
	default:
		w.unit(uint16(c))
	}
}

// unicode writes a character as one unit of UTF-16 or two.
func (w *jsonWriter) unicode(r rune) {
	if r >= 0x10000 {
		r -= 0x10000
		w.unit(uint16(0xd800 + r>>10))
		r = 0xdc00 + r&0x3ff
	}
	w.unit(uint16(r))
}

func (w *jsonWriter) unit(u uint16) {
	w.b = append(w.b, '\\', 'u', hexDigits[u>>12], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
}
