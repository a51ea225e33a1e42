package codec

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// packing returns the functions for binary records.
func packing() []*value.Builtin {
	const codes = "Codes are a (bytes, padded with zeros), Z (a string that ends with a zero), H (hexadecimal digits), c and C (byte with and without sign), " +
		"n and N (16 and 32 bits, big-endian), v and V (little-endian), e and E (double, little- and big-endian) and x (a zero that stands for nothing). " +
		"A number behind a code repeats it or says how long it is; * goes to the end."
	return []*value.Builtin{
		declare.Function("pack(string format, ...any args) string or none",
			"Returns the arguments as bytes, by the codes of the format. "+codes+" Returns none if codes and arguments do not match.",
			`echo base64_encode(pack("nH4", 258, "abcd")); // AQKrzQ==`, pack),
		declare.Function("unpack(string format, string data, [number offset = 0]) array or none",
			"Returns the list of values that the bytes from the offset on hold, by the codes of the format. "+codes+" Returns none if there are too few bytes.",
			`echo unpack("nH4", "\x01\x02\xab\xcd"); // [0=>258,1=>"abcd"]`, unpack),
	}
}

// errPack says that a format does not fit; both functions answer none.
var errPack = errors.New("codec: format does not fit")

// all is the count of a star.
const all = -1

// nextCode takes one code and its count, which is given or 1, off a format.
func nextCode(format string) (code byte, count int, given bool, rest string) {
	code, rest = format[0], format[1:]
	if strings.HasPrefix(rest, "*") {
		return code, all, true, rest[1:]
	}
	count = 1
	for i := 0; i < len(rest) && rest[i]-'0' <= 9; i++ {
		if !given {
			count = 0
		}
		given = true
		count = min(count*10+int(rest[i]-'0'), math.MaxInt32)
	}
	return code, count, given, strings.TrimLeft(rest, "0123456789")
}

// width returns the bytes of a number code, 0 for all others.
func width(code byte) int {
	switch code {
	case 'c', 'C':
		return 1
	case 'n', 'v':
		return 2
	case 'N', 'V':
		return 4
	case 'e', 'E':
		return 8
	}
	return 0
}

// packer appends arguments to b.
type packer struct {
	call *value.Call
	b    []byte
	args []value.Value // those that remain
}

func pack(c *value.Call) (value.Value, error) {
	p := packer{call: c, args: c.Args[1:]}
	format := c.Str(0)
	for format != "" {
		code, count, _, rest := nextCode(format)
		if err := p.code(code, count); errors.Is(err, errPack) {
			return value.None, nil
		} else if err != nil {
			return value.None, err
		}
		format = rest
	}
	if len(p.args) > 0 {
		return value.None, nil
	}
	return declare.Bytes(c, p.b)
}

func (p *packer) code(code byte, count int) error {
	switch code {
	case 'x':
		return p.pad(max(count, 0))
	case 'a', 'Z', 'H':
		if len(p.args) == 0 || p.args[0].IsArray() || p.args[0].IsNone() {
			return errPack
		}
		text := p.args[0].Text()
		p.args = p.args[1:]
		if code == 'H' {
			return p.digits(text, count)
		}
		return p.text(text, count, code == 'Z')
	}
	if width(code) == 0 || code == 'c' {
		return errPack
	}
	if count == all {
		count = len(p.args)
	}
	if count > len(p.args) {
		return errPack
	}
	for _, v := range p.args[:count] {
		p.number(code, v.ToNumber())
	}
	p.args = p.args[count:]
	return nil
}

func (p *packer) pad(n int) error {
	if err := p.call.Alloc(n); err != nil {
		return err
	}
	p.b = append(p.b, make([]byte, n)...)
	return nil
}

// text appends a text cut or padded to count bytes; a zero stands at the end of
// one that is to have one.
func (p *packer) text(text string, count int, zero bool) error {
	if count == all {
		count = len(text)
		if zero {
			count++
		}
	}
	room := count
	if zero && room > 0 {
		room--
	}
	text = text[:min(len(text), room)]
	p.b = append(p.b, text...)
	return p.pad(count - len(text))
}

func (p *packer) digits(text string, count int) error {
	if count == all {
		count = len(text)
	}
	if count > len(text) {
		return errPack
	}
	text = text[:count]
	if len(text)%2 == 1 {
		text += "0"
	}
	for i := 0; i < len(text); i += 2 {
		x, ok := hexByte(text[i:])
		if !ok {
			return errPack
		}
		p.b = append(p.b, x)
	}
	return nil
}

func (p *packer) number(code byte, f float64) {
	n := value.Int32(f) // modulo 2^32, as the bit operators do
	switch code {
	case 'C':
		p.b = append(p.b, byte(n))
	case 'n':
		p.b = binary.BigEndian.AppendUint16(p.b, uint16(n))
	case 'N':
		p.b = binary.BigEndian.AppendUint32(p.b, n)
	case 'v':
		p.b = binary.LittleEndian.AppendUint16(p.b, uint16(n))
	case 'V':
		p.b = binary.LittleEndian.AppendUint32(p.b, n)
	case 'e':
		p.b = binary.LittleEndian.AppendUint64(p.b, math.Float64bits(f))
	case 'E':
		p.b = binary.BigEndian.AppendUint64(p.b, math.Float64bits(f))
	}
}
