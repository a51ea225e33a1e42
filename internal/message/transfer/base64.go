package transfer

import (
	"encoding/base64"
	"io"
)

// lineBytes are the bytes that one line of base64 holds in its 76 characters
// (RFC 2045 §6.8).
const (
	lineBytes = 57
	lineChars = 76
	lines     = 128 // written at once
)

func base64Size(n int64) int64 {
	full, rest := n/lineBytes, n%lineBytes
	size := full * (lineChars + 2)
	if rest > 0 {
		size += int64(base64.StdEncoding.EncodedLen(int(rest))) + 2
	}
	return size
}

func writeBase64(w io.Writer, body string) error {
	var in [lines * lineBytes]byte
	out := make([]byte, 0, min(lines, len(body)/lineBytes+1)*(lineChars+2))
	for len(body) > 0 {
		n := copy(in[:], body)
		body = body[n:]
		out = out[:0]
		for b := in[:n]; len(b) > 0; {
			line := b[:min(len(b), lineBytes)]
			out = append(base64.StdEncoding.AppendEncode(out, line), '\r', '\n')
			b = b[len(line):]
		}
		if _, err := w.Write(out); err != nil {
			return err
		}
	}
	return nil
}

// sextet says what a byte means in base64: its value, or that it ends a quantum,
// or that it is to be skipped (RFC 2045 §6.8).
var sextet = func() (t [256]byte) {
	for i := range t {
		t[i] = skipped
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	t['='] = padding
	return t
}()

const (
	skipped = 0xff
	padding = 0xfe
)

// base64Reader decodes base64. Bytes outside the alphabet are skipped. Padding
// ends a quantum and not the text, since senders join encoded texts; what is left
// of a quantum at the end counts as far as it goes.
type base64Reader struct {
	r    io.Reader
	in   []byte // room for what is read
	rest []byte // of in, not yet decoded
	bits uint32
	n    int // sextets in bits
	tail [2]byte
	held []byte // of tail, not yet delivered
	err  error
}

func newBase64Reader(r io.Reader) *base64Reader {
	return &base64Reader{r: r, in: make([]byte, 8<<10)}
}

func (d *base64Reader) Read(b []byte) (n int, err error) {
	for n < len(b) {
		switch {
		case len(d.held) > 0:
			m := copy(b[n:], d.held)
			d.held, n = d.held[m:], n+m
		case len(d.rest) > 0:
			n += d.decode(b[n:])
		case d.err != nil:
			if d.flush(); len(d.held) == 0 {
				return n, d.err
			}
		default:
			var m int
			m, d.err = d.r.Read(d.in)
			d.rest = d.in[:m]
		}
	}
	return n, nil
}

// decode decodes what it can into b, which may be too small for a quantum: the
// overhang is then held.
func (d *base64Reader) decode(b []byte) (n int) {
	for i, c := range d.rest {
		v := sextet[c]
		if v >= padding {
			if v == padding && d.n > 1 {
				d.flush()
				d.rest = d.rest[i+1:]
				return n
			} else if v == padding {
				d.bits, d.n = 0, 0
			}
			continue
		}
		d.bits, d.n = d.bits<<6|uint32(v), d.n+1
		if d.n < 4 {
			continue
		}
		d.n = 0
		if n+3 > len(b) {
			d.hold(b[n:])
			d.rest = d.rest[i+1:]
			return n + min(len(b)-n, 3)
		}
		b[n], b[n+1], b[n+2] = byte(d.bits>>16), byte(d.bits>>8), byte(d.bits)
		if n += 3; n == len(b) {
			d.rest = d.rest[i+1:]
			return n
		}
	}
	d.rest = nil
	return n
}

// hold puts a whole quantum into b, which has room for one or two bytes, and
// keeps the others.
func (d *base64Reader) hold(b []byte) {
	q := [3]byte{byte(d.bits >> 16), byte(d.bits >> 8), byte(d.bits)}
	n := copy(b, q[:])
	d.held = d.tail[:copy(d.tail[:], q[n:])]
}

// flush holds the bytes of an unfinished quantum.
func (d *base64Reader) flush() {
	switch d.n {
	case 2:
		d.tail[0] = byte(d.bits >> 4)
		d.held = d.tail[:1]
	case 3:
		d.tail[0], d.tail[1] = byte(d.bits>>10), byte(d.bits>>2)
		d.held = d.tail[:2]
	}
	d.bits, d.n = 0, 0
}

// DecodeBase64 decodes a short text as the reader does.
func DecodeBase64(text string) []byte {
	out := make([]byte, 0, len(text)*3/4+2)
	d := base64Reader{rest: []byte(text), err: io.EOF}
	for b := out[:cap(out)]; ; b = out[len(out):cap(out)] {
		n, err := d.Read(b)
		out = out[:len(out)+n]
		if err != nil {
			return out
		}
		if len(out) == cap(out) {
			out = append(out, 0)[:len(out)]
		}
	}
}
