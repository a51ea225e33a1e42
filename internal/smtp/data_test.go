package smtp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

var decodeTests = []struct {
	name     string
	in       string
	out      string
	repaired string // "" when the same as out
	rest     string // what follows the end
	flaws    Flaws
	open     bool // the end does not come
}{
	{name: "plain", in: "a\r\nb\r\n.\r\nQUIT", out: "a\r\nb\r\n", rest: "QUIT"},
	{name: "empty", in: ".\r\n", out: ""},
	{name: "empty line", in: "\r\n.\r\n", out: "\r\n"},
	{name: "stuffed", in: "..a\r\n..\r\n.b\r\n.\r\n", out: ".a\r\n.\r\nb\r\n"},
	{name: "dots inside", in: "a.\r\n b..\r\n.\r\n", out: "a.\r\n b..\r\n"},
	{name: "bare LF", in: "a\nb\r\n.\r\n", out: "a\nb\r\n", repaired: "a\r\nb\r\n", flaws: BareLF},
	{name: "bare CR", in: "a\rb\r\n.\r\n", out: "a\rb\r\n", repaired: "a\r\nb\r\n", flaws: BareCR},
	{name: "CR CR LF", in: "a\r\r\n.\r\n", out: "a\r\r\n", repaired: "a\r\n\r\n", flaws: BareCR},
	{name: "LF CR", in: "a\n\rb\r\n.\r\n", out: "a\n\rb\r\n", repaired: "a\r\n\r\nb\r\n", flaws: BareLF | BareCR},
	{name: "LF . LF", in: "a\n.\nQUIT\r\n.\r\n", out: "a\n.\nQUIT\r\n", repaired: "a\r\n.\r\nQUIT\r\n", flaws: BareLF},
	{name: "LF . CRLF", in: "a\n.\r\nQUIT\r\n.\r\n", out: "a\n.\r\nQUIT\r\n", repaired: "a\r\n.\r\nQUIT\r\n", flaws: BareLF},
	{name: "CRLF . LF", in: "a\r\n.\nQUIT\r\n.\r\n", out: "a\r\n\nQUIT\r\n", repaired: "a\r\n\r\nQUIT\r\n", flaws: BareLF},
	{name: "CRLF . CR", in: "a\r\n.\rQUIT\r\n.\r\n", out: "a\r\n\rQUIT\r\n", repaired: "a\r\n\r\nQUIT\r\n", flaws: BareCR},
	{name: "CR . CR", in: "a\r.\rQUIT\r\n.\r\n", out: "a\r.\rQUIT\r\n", repaired: "a\r\n.\r\nQUIT\r\n", flaws: BareCR},
	{name: "LF .. CRLF", in: "a\n..\r\n.\r\n", out: "a\n..\r\n", repaired: "a\r\n..\r\n", flaws: BareLF},
	{name: "NUL", in: "a\x00b\r\n.\r\n", out: "a\x00b\r\n", repaired: "ab\r\n", flaws: NUL},
	{name: "NUL hides no end", in: "a\r\n\x00.\r\n.\r\n", out: "a\r\n\x00.\r\n", repaired: "a\r\n.\r\n", flaws: NUL},
	{name: "open", in: "a\r\n", out: "a\r\n", open: true},
	{name: "open dot", in: "a\r\n.", out: "a\r\n", open: true},
	{name: "open CR", in: "a\r\n.\r", out: "a\r\n", open: true},
}

// decode feeds in to d in pieces of step bytes, as a session would.
func decode(t testing.TB, d *Decoder, in []byte, step int) (out, rest []byte, done bool) {
	var dst bytes.Buffer
	held := 0
	for read := 0; read < len(in); {
		read = min(read+step, len(in))
		n, done, err := d.Decode(&dst, in[held:read])
		if err != nil {
			t.Fatal(err)
		}
		held += n
		if done {
			return dst.Bytes(), in[held:], true
		}
		if read-held > 2 {
			t.Fatalf("%d bytes kept back", read-held)
		}
	}
	return dst.Bytes(), nil, false
}

func TestDecode(t *testing.T) {
	for _, tt := range decodeTests {
		for step := 1; step <= len(tt.in); step++ {
			for _, treatment := range []Treatment{Refuse, Repair} {
				d := &Decoder{LineEnds: treatment, NULs: treatment}
				out, rest, done := decode(t, d, []byte(tt.in), step)
				want := tt.out
				if treatment == Repair && tt.repaired != "" {
					want = tt.repaired
				}
				if string(out) != want || string(rest) != tt.rest || done == tt.open {
					t.Errorf("%s, step %d, %d: %q, rest %q, done %v", tt.name, step, treatment, out, rest, done)
				}
				if d.Flaws != tt.flaws || treatment == Refuse && d.Refused() != tt.flaws || treatment == Repair && d.Refused() != 0 {
					t.Errorf("%s, step %d: flaws %b, refused %b", tt.name, step, d.Flaws, d.Refused())
				}
			}
		}
	}
}

func TestDecodeChunk(t *testing.T) {
	tests := []struct {
		in, out, repaired string
		flaws             Flaws
	}{
		{"a\r\n.\r\nb", "a\r\n.\r\nb", "a\r\n.\r\nb", 0},
		{"a\r\n..b\r\n", "a\r\n..b\r\n", "a\r\n..b\r\n", 0},
		{"a\r", "a\r", "a\r\n", BareCR},
		{"\n", "\n", "\r\n", BareLF},
		{"a\rb\n\x00", "a\rb\n\x00", "a\r\nb\r\n", BareCR | BareLF | NUL},
		{"", "", "", 0},
	}
	for _, tt := range tests {
		for step := 1; step <= len(tt.in)+1; step++ {
			for _, treatment := range []Treatment{Refuse, Repair} {
				var dst bytes.Buffer
				d := &Decoder{LineEnds: treatment, NULs: treatment}
				rest := []byte(tt.in)
				for len(rest) > step {
					if err := d.DecodeChunk(&dst, rest[:step], false); err != nil {
						t.Fatal(err)
					}
					rest = rest[step:]
				}
				if err := d.DecodeChunk(&dst, rest, true); err != nil {
					t.Fatal(err)
				}
				want := tt.out
				if treatment == Repair {
					want = tt.repaired
				}
				if dst.String() != want || d.Flaws != tt.flaws {
					t.Errorf("%q, step %d: %q, flaws %b", tt.in, step, dst.String(), d.Flaws)
				}
			}
		}
	}
}

// reference decodes byte by byte.
func reference(in []byte, treatment Treatment) (out, rest []byte, flaws Flaws, done bool) {
	bol := true
	for i := 0; i < len(in); i++ {
		if bol && in[i] == '.' {
			if bytes.HasPrefix(in[i:], []byte(".\r\n")) {
				return out, in[i+3:], flaws, true
			}
			if len(in)-i < 2 || string(in[i:]) == ".\r" {
				return out, nil, flaws, false
			}
			i++
		}
		bol = false
		c := in[i]
		switch {
		case c == '\r' && i+1 == len(in):
			return out, nil, flaws, false
		case c == '\r' && in[i+1] == '\n':
			out = append(out, "\r\n"...)
			i++
			bol = true
			continue
		case c == '\r':
			flaws |= BareCR
		case c == '\n':
			flaws |= BareLF
		case c == 0:
			flaws |= NUL
		}
		switch {
		case treatment == Refuse || c != '\r' && c != '\n' && c != 0:
			out = append(out, c)
		case c != 0:
			out = append(out, "\r\n"...)
		}
	}
	return out, nil, flaws, false
}

func FuzzDecode(f *testing.F) {
	for _, tt := range decodeTests {
		f.Add([]byte(tt.in), uint8(3), true)
	}
	f.Fuzz(func(t *testing.T, in []byte, step uint8, repair bool) {
		treatment := Refuse
		if repair {
			treatment = Repair
		}
		d := &Decoder{LineEnds: treatment, NULs: treatment}
		out, rest, done := decode(t, d, in, int(step)%64+1)
		wantOut, wantRest, _, wantDone := reference(in, treatment)
		if !bytes.Equal(out, wantOut) || done != wantDone || !bytes.Equal(rest, wantRest) {
			t.Fatalf("%q in %d: %q rest %q %v, want %q rest %q %v",
				in, step, out, rest, done, wantOut, wantRest, wantDone)
		}
		_, _, wantFlaws, _ := reference(in[:len(in)-len(rest)], treatment)
		if d.Flaws != wantFlaws {
			t.Fatalf("%q: flaws %b, want %b", in, d.Flaws, wantFlaws)
		}
	})
}

func TestDotWriter(t *testing.T) {
	for in, want := range map[string]string{
		"":               ".\r\n",
		"a":              "a\r\n.\r\n",
		"a\r\n":          "a\r\n.\r\n",
		".":              "..\r\n.\r\n",
		".\r\n.a\r\n..":  "..\r\n..a\r\n...\r\n.\r\n",
		"a\r\n\r\n.b":    "a\r\n\r\n..b\r\n.\r\n",
		"a.b\r\nc.\r\n":  "a.b\r\nc.\r\n.\r\n",
		"a\n.\n":         "a\n..\n\r\n.\r\n",
		"a\r\n.\r\nQUIT": "a\r\n..\r\nQUIT\r\n.\r\n",
	} {
		for step := 1; step <= len(in)+1; step++ {
			var b bytes.Buffer
			w := NewDotWriter(&b)
			for rest := in; rest != ""; {
				n := min(step, len(rest))
				if m, err := io.WriteString(w, rest[:n]); m != n || err != nil {
					t.Fatal(m, err)
				}
				rest = rest[n:]
			}
			if err := w.Close(); err != nil || b.String() != want {
				t.Errorf("%q in %d: %q, want %q, %v", in, step, b.String(), want, err)
			}
		}
	}
}

func FuzzDotRoundTrip(f *testing.F) {
	f.Add("a\r\n.\r\n..b\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.NewReplacer("\r", "", "\n", "\r\n", "\x00", "").Replace(s)
		var b bytes.Buffer
		w := NewDotWriter(&b)
		if _, err := io.WriteString(w, s); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if s != "" && !strings.HasSuffix(s, "\r\n") {
			s += "\r\n"
		}
		out, rest, done := decode(t, new(Decoder), b.Bytes(), 7)
		if string(out) != s || len(rest) != 0 || !done {
			t.Fatalf("%q became %q, rest %q", s, out, rest)
		}
	})
}

var errDisk = errors.New("disk")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errDisk }

func TestDecodeReturnsErrors(t *testing.T) {
	for _, in := range []string{"a\r\n", "a\r\n.b\r\n", "a\nb\r\n"} {
		d := &Decoder{LineEnds: Repair}
		if _, _, err := d.Decode(brokenWriter{}, []byte(in)); !errors.Is(err, errDisk) {
			t.Errorf("%q: %v", in, err)
		}
		if err := d.DecodeChunk(brokenWriter{}, []byte(in), true); !errors.Is(err, errDisk) {
			t.Errorf("chunk %q: %v", in, err)
		}
	}
}

// message is 10 KB of lines of usual length.
var message = bytes.Repeat([]byte(strings.Repeat("x", 76)+"\r\n"), 131)

// 0.9 µs per 10 KB.
func BenchmarkDecode(b *testing.B) {
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		d := Decoder{}
		if _, _, err := d.Decode(io.Discard, message); err != nil {
			b.Fatal(err)
		}
	}
}

// Text with bare LF that is repaired, line by line.
func BenchmarkDecodeMend(b *testing.B) {
	flawed := bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n"))
	b.SetBytes(int64(len(flawed)))
	b.ReportAllocs()
	for b.Loop() {
		d := Decoder{LineEnds: Repair}
		if _, _, err := d.Decode(io.Discard, flawed); err != nil {
			b.Fatal(err)
		}
	}
}

// 0.4 µs per 10 KB.
func BenchmarkDotWriter(b *testing.B) {
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		w := NewDotWriter(io.Discard)
		if _, err := w.Write(message); err != nil {
			b.Fatal(err)
		}
	}
}
