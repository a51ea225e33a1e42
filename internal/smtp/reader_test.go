package smtp

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadLine(t *testing.T) {
	long := strings.Repeat("x", 2000)
	in := "EHLO a\r\n\r\n" + long + "\r\nNOOP\r\nbare\n" + strings.Repeat("y", 9000) + "\r\nRSET\r\nQUI"
	for name, src := range map[string]io.Reader{
		"at once":  strings.NewReader(in),
		"bytewise": iotest.OneByteReader(strings.NewReader(in)),
		"halves":   iotest.HalfReader(strings.NewReader(in)),
	} {
		r := NewReader(src)
		for _, want := range []struct {
			line string
			err  error
		}{
			{"EHLO a", nil}, {"", nil}, {"", ErrLongLine}, {"NOOP", nil},
			{"bare", ErrBareLF}, {"", ErrLongLine}, {"RSET", nil}, {"", io.ErrUnexpectedEOF},
		} {
			line, err := r.ReadLine(512)
			if string(line) != want.line || !errors.Is(err, want.err) {
				t.Errorf("%s: %q, %v, want %q, %v", name, line, err, want.line, want.err)
			}
		}
	}
}

func TestReadLineLimit(t *testing.T) {
	r := NewReader(strings.NewReader("12345678\r\n123456789\r\n1234567890\n"))
	for _, want := range []error{nil, ErrLongLine, ErrLongLine} {
		if _, err := r.ReadLine(10); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestEndlessLine(t *testing.T) {
	r := NewReader(zeros{})
	if _, err := r.ReadLine(512); !errors.Is(err, ErrEndlessLine) {
		t.Errorf("%v", err)
	}
}

func TestReaderSurvivesTimeout(t *testing.T) {
	src := iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("A\r\n")))
	r := NewReader(deadline{src})
	if _, err := r.ReadLine(512); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%v", err)
	}
	if line, err := r.ReadLine(512); string(line) != "A" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	if _, err := r.ReadLine(512); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}

// deadline gives the timeout of iotest the kind that connections have.
type deadline struct{ io.Reader }

func (d deadline) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	if errors.Is(err, iotest.ErrTimeout) {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// TestBufferSizes: buffers grow with what comes and are given back for the wait
// between commands.
func TestBufferSizes(t *testing.T) {
	in := strings.Repeat("x", 100<<10) + "\r\nQUIT\r\n"
	r := NewReader(strings.NewReader(in))
	r.Expect()
	var sizes []int
	for range 3 {
		if err := r.Fill(); err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(r.buf))
		r.Skip(r.Buffered())
	}
	if sizes[0] != lineBuffer || sizes[1] != largeBuffer || sizes[2] != largeBuffer {
		t.Errorf("sizes %v", sizes)
	}
	r.Reset(iotest.OneByteReader(strings.NewReader("QUIT\r\n")))
	if line, err := r.ReadLine(512); string(line) != "QUIT" || err != nil || len(r.buf) != idleBuffer {
		t.Errorf("%q, %v, buffer of %d", line, err, len(r.buf))
	}
	r.Expect()
	r.Reset(iotest.OneByteReader(strings.NewReader("abc")))
	for range 3 {
		if err := r.Fill(); err != nil {
			t.Fatal(err)
		}
	}
	if string(r.Peek()) != "abc" || len(r.buf) != idleBuffer {
		t.Errorf("%q, buffer of %d", r.Peek(), len(r.buf))
	}
}

func BenchmarkReadLine(b *testing.B) {
	src := &loop{s: "RCPT TO:<joe.doe@mail.example.com>\r\n"}
	r := NewReader(src)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.ReadLine(512); err != nil {
			b.Fatal(err)
		}
	}
}

type loop struct{ s string }

func (l *loop) Read(p []byte) (int, error) { return copy(p, l.s), nil }
