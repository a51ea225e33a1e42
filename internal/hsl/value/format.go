package value

import (
	"math"
	"strconv"
	"strings"
)

// directive is one %[arg]'fill align width .precision type of a template.
type directive struct {
	fill      byte
	align     byte // 0, or one of < > ^ =
	width     int
	precision int // -1 when not given
	kind      byte
}

// formatter walks a template.
type formatter struct {
	thread   *Thread
	template string
	args     *Array
	next     int // index of the next implicit argument
	out      []byte
}

// maxFormatWidth bounds width and precision, which are memory.
const maxFormatWidth = 1 << 20

// format is template % [values].
func format(t *Thread, template string, args *Array) (Value, error) {
	f := formatter{thread: t, template: template, args: args}
	for f.template != "" {
		text, rest, found := strings.Cut(f.template, "%")
		f.out = append(f.out, text...)
		f.template = rest
		if !found {
			break
		}
		if err := f.directive(); err != nil {
			return None, err
		}
		if err := t.Step(1); err != nil {
			return None, err
		}
	}
	return String(string(f.out)), t.Alloc(len(f.out))
}

// directive formats what follows a percent sign.
func (f *formatter) directive() error {
	if strings.HasPrefix(f.template, "%") {
		f.template = f.template[1:]
		f.out = append(f.out, '%')
		return nil
	}
	d, err := f.parse()
	if err != nil {
		return err
	}
	arg, ok := f.args.Get(Int(f.next))
	if !ok {
		return Errorf("format: no argument %d", f.next)
	}
	f.next++
	sign, body, err := d.text(f.thread, arg)
	if err != nil {
		return err
	}
	f.out = d.pad(f.out, sign, body)
	return nil
}

func (f *formatter) parse() (directive, error) {
	d := directive{fill: ' ', precision: -1}
	if strings.HasPrefix(f.template, "[") {
		f.template = f.template[1:]
		n, ok := f.number()
		if !ok || !f.accept(']') {
			return d, Errorf("format: want a number in brackets after %%")
		}
		f.next = n
	}
	if f.accept('\'') {
		if f.template == "" {
			return d, Errorf("format: no fill character after '")
		}
		d.fill = f.template[0]
		f.template = f.template[1:]
	}
	if f.template != "" && strings.IndexByte("<>^=", f.template[0]) >= 0 {
		d.align = f.template[0]
		f.template = f.template[1:]
	}
	d.width, _ = f.number()
	if f.accept('.') {
		d.precision, _ = f.number()
	}
	if d.width > maxFormatWidth || d.precision > maxFormatWidth {
		return d, Errorf("format: width above %d", maxFormatWidth)
	}
	if f.template == "" {
		return d, Errorf("format: no type after %%")
	}
	d.kind = f.template[0]
	f.template = f.template[1:]
	return d, nil
}

func (f *formatter) accept(c byte) bool {
	if f.template == "" || f.template[0] != c {
		return false
	}
	f.template = f.template[1:]
	return true
}

func (f *formatter) number() (n int, ok bool) {
	i := 0
	for i < len(f.template) && f.template[i]-'0' <= 9 && i < 9 {
		i++
	}
	n, err := strconv.Atoi(f.template[:i])
	f.template = f.template[i:]
	return n, err == nil
}

// text returns sign and body of an argument.
func (d *directive) text(t *Thread, arg Value) (sign, body string, err error) {
	switch d.kind {
	case 's':
		b, err := t.AppendText(nil, arg)
		if d.precision >= 0 && len(b) > d.precision {
			b = b[:d.precision]
		}
		return "", string(b), err
	case 'c':
		return "", string([]byte{byte(int64(arg.ToNumber()))}), nil
	case 'f':
		body = d.float(arg.ToNumber())
	case 'x':
		body = integer(arg.ToNumber(), 16)
	case 'b':
		body = integer(arg.ToNumber(), 2)
	default:
		return "", "", Errorf("format: unknown directive %q", string(d.kind))
	}
	if strings.HasPrefix(body, "-") {
		return "-", body[1:], nil
	}
	return "", body, nil
}

func (d *directive) float(f float64) string {
	if d.precision < 0 || math.IsNaN(f) || math.IsInf(f, 0) {
		return FormatNumber(f)
	}
	return strconv.FormatFloat(f, 'f', d.precision, 64)
}

func integer(f float64, base int) string {
	f = math.Trunc(f)
	if math.Abs(f) < 1<<63 {
		return strconv.FormatInt(int64(f), base)
	}
	return FormatNumber(f)
}

// pad appends the text within its width. Numbers stand to the right by
// default, all else to the left.
func (d *directive) pad(b []byte, sign, body string) []byte {
	missing := max(d.width-len(sign)-len(body), 0)
	align := d.align
	if align == 0 {
		align = '<'
		if d.kind == 'f' || d.kind == 'x' || d.kind == 'b' {
			align = '>'
		}
	}
	before, between := 0, 0
	switch align {
	case '>':
		before = missing
	case '^':
		before = missing / 2
	case '=':
		between = missing
	}
	b = d.repeat(b, before)
	b = d.repeat(append(b, sign...), between)
	return d.repeat(append(b, body...), missing-before-between)
}

func (d *directive) repeat(b []byte, n int) []byte {
	for range n {
		b = append(b, d.fill)
	}
	return b
}
