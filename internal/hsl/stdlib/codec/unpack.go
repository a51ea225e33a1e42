package codec

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// unpacker takes values off the front of data.
type unpacker struct {
	call  *value.Call
	whole string
	data  string // what remains
	list  *value.Array
}

func unpack(c *value.Call) (value.Value, error) {
	data, offset := c.Str(1), c.Int(2)
	if offset < 0 || offset > len(data) {
		return value.None, nil
	}
	u := unpacker{call: c, whole: data, data: data[offset:], list: value.NewArray(0)}
	format := c.Str(0)
	for format != "" {
		code, count, given, rest := nextCode(format)
		if err := u.code(code, count, given); errors.Is(err, errPack) {
			return value.None, nil
		} else if err != nil {
			return value.None, err
		}
		format = rest
	}
	return value.FromArray(u.list), nil
}

func (u *unpacker) code(code byte, count int, given bool) error {
	switch code {
	case 'a', 'H', 'x':
		return u.bytes(code, count)
	case 'Z':
		return u.terminated(count, given)
	}
	size := width(code)
	if size == 0 {
		return errPack
	}
	if count == all {
		count = len(u.data) / size
	}
	if count > len(u.data)/size {
		return errPack
	}
	for range count {
		if err := u.call.Step(1); err != nil {
			return err
		}
		u.list.Push(number(code, u.data))
		u.data = u.data[size:]
	}
	return u.call.Alloc(16 * count)
}

// bytes takes a stretch whose length the format says.
func (u *unpacker) bytes(code byte, count int) error {
	n := count
	switch {
	case count == all:
		n, count = len(u.data), 2*len(u.data)
	case code == 'H':
		n = (count + 1) / 2
	}
	if n > len(u.data) {
		return errPack
	}
	part := u.data[:n]
	u.data = u.data[n:]
	switch code {
	case 'a':
		u.list.Push(value.Part(u.whole, part))
	case 'H':
		u.list.Push(value.String(hex.EncodeToString([]byte(part))[:count]))
	}
	return u.call.Alloc(len(part))
}

// terminated takes a string that ends with a zero: to the zero if the format
// says so, and otherwise so many bytes, of which those behind a zero are left
// out.
func (u *unpacker) terminated(count int, given bool) error {
	if given && count == all {
		text, rest, _ := strings.Cut(u.data, "\x00")
		u.list.Push(value.Part(u.whole, text))
		u.data = rest
		return u.call.Alloc(len(text))
	}
	if count > len(u.data) {
		return errPack
	}
	text, _, _ := strings.Cut(u.data[:count], "\x00")
	u.list.Push(value.Part(u.whole, text))
	u.data = u.data[count:]
	return u.call.Alloc(len(text))
}

// number reads one number at the beginning of data, which is long enough.
func number(code byte, data string) value.Value {
	b := []byte(data[:width(code)])
	switch code {
	case 'c':
		return value.Int(int(int8(b[0])))
	case 'C':
		return value.Int(int(b[0]))
	case 'n':
		return value.Int(int(binary.BigEndian.Uint16(b)))
	case 'N':
		return value.Int(int(binary.BigEndian.Uint32(b)))
	case 'v':
		return value.Int(int(binary.LittleEndian.Uint16(b)))
	case 'V':
		return value.Int(int(binary.LittleEndian.Uint32(b)))
	case 'e':
		return value.Number(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return value.Number(math.Float64frombits(binary.BigEndian.Uint64(b)))
}
