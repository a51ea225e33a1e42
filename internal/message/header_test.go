package message

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

const sample = "Received: from a.example by b.example; Mon, 2 Jan 2006 15:04:05 -0700\r\n" +
	"Received: from c.example\r\n\tby a.example;\r\n Mon, 2 Jan 2006 15:04:05 -0700\r\n" +
	"From: Joe <joe@example.com>\r\n" +
	"SUBJECT : =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?iso-8859-1?b?IGF1cyBL9mxu?=\r\n" +
	"Date: Mon, 2 Jan 2006 15:04:05 -0700\r\n" +
	"Message-ID:\r\n <1@example.com>\r\n" +
	"\r\nbody: not a field\r\n"

func names(b []byte) string {
	var out []string
	for f := range Fields(b) {
		out = append(out, string(f.Name)+"="+string(f.Value))
	}
	return strings.Join(out, "|")
}

func TestFields(t *testing.T) {
	tests := map[string]string{
		"":                              "",
		"\r\nbody":                      "",
		"\nbody":                        "",
		"A: b\r\nC: d\r\n\r\nbody: x":   "A= b|C= d",
		"A: b\nC: d\n\nbody: x":         "A= b|C= d",
		"A: b\r\n c\r\n\td\r\n\r\nbody": "A= b\r\n c\r\n\td",
		"A: b\r\n \r\n c\r\n\r\nbody":   "A= b\r\n \r\n c",
		"A:b":                           "A=b",
		"A \t: b\r\n":                   "A= b",
		"no colon\r\nA: b\r\n":          "=no colon|A= b",
		"two words: x\r\nA: b\r\n":      "=two words: x|A= b",
		": x\r\nA: b\r\n":               "=: x|A= b",
		"\xe4: x\r\n":                   "=\xe4: x",
		" begins folded\r\nA: b\r\n":    "= begins folded|A= b",
		"A: b\rB: c\r\n":                "A= b\rB: c",
		"From joe Mon Jan  2 15:04:05 2006\nA: b\n": "=From joe Mon Jan  2 15:04:05 2006|A= b",
		"folded name\r\n : x\r\n":                   "=folded name\r\n : x",
		"A: b\r":                                    "A= b\r",
	}
	for in, want := range tests {
		if got := names([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestFieldsStopWhenAsked(t *testing.T) {
	seen := 0
	for range Fields([]byte(sample)) {
		seen++
		break
	}
	if seen != 1 {
		t.Errorf("%d fields", seen)
	}
}

func TestIs(t *testing.T) {
	f := Field{Name: []byte("Message-ID")}
	if !f.Is("message-id") || f.Is("message-i") || f.Is("message_id") {
		t.Error("Message-ID")
	}
}

func TestSplit(t *testing.T) {
	tests := []struct {
		in           string
		header, body int
		whole        bool
	}{
		{"", 0, 0, false},
		{"\r\nx", 0, 2, true},
		{"A: b\r\n\r\nx", 6, 8, true},
		{"A: b\n\nx", 5, 6, true},
		{"A: b\r\n\nx", 6, 7, true},
		{"A: b\r\n\r", 7, 7, false},
		{"A: b\r\n", 6, 6, false},
		{"A: b", 4, 4, false},
	}
	for _, tt := range tests {
		header, body, whole := Split([]byte(tt.in))
		if header != tt.header || body != tt.body || whole != tt.whole {
			t.Errorf("%q: %d, %d, %v", tt.in, header, body, whole)
		}
	}
}

func TestReadHeader(t *testing.T) {
	block := strings.Repeat("A: 34567\r\n", 2000) // 20,000 bytes
	tests := []struct {
		name, in string
		limit    int
		length   int
		whole    bool
	}{
		{"empty", "", 100, 0, true},
		{"small", "A: b\r\n\r\nbody", 100, 6, true},
		{"no body", "A: b\r\n", 100, 6, true},
		{"several reads", block + "\r\nbody", 100000, 20000, true},
		{"exactly at the limit", block + "\r\nbody", 20000, 20000, true},
		{"over the limit", block + "\r\nbody", 19999, 19990, false},
		{"no line within the limit", "A: " + block, 2, 0, false},
	}
	for _, tt := range tests {
		got, whole, err := ReadHeader(strings.NewReader(tt.in), int64(len(tt.in)), tt.limit)
		if err != nil || len(got) != tt.length || whole != tt.whole || !strings.HasPrefix(tt.in, string(got)) {
			t.Errorf("%s: %d bytes, %v, %v", tt.name, len(got), whole, err)
		}
	}
}

type brokenReader struct{}

func (brokenReader) ReadAt([]byte, int64) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestReadHeaderReportsErrors(t *testing.T) {
	if _, _, err := ReadHeader(brokenReader{}, 10, 100); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

func FuzzFields(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("x\n\t\n\r\n\r"))
	f.Fuzz(func(t *testing.T, b []byte) {
		end := 0
		for f := range Fields(b) {
			if f.Start != end || f.End <= f.Start {
				t.Fatalf("field at %d..%d after %d", f.Start, f.End, end)
			}
			end = f.End
			if !bytes.Contains(b[f.Start:f.End], f.Value) {
				t.Fatalf("value %q is not in the field", f.Value)
			}
			if u := f.AppendUnfolded(nil); bytes.IndexByte(u, '\n') >= 0 {
				t.Fatalf("unfolded %q", u)
			}
			if len(f.Text(100)) > 100 {
				t.Fatal("text over its limit")
			}
		}
		header, body, whole := Split(b)
		if header != end || (body > header) != whole {
			t.Fatalf("fields end at %d, Split says %d, %d, %v", end, header, body, whole)
		}
		if s := Summarize(b); s.Header != header || s.Body != body {
			t.Fatalf("%+v, Split says %d, %d", s, header, body)
		}
		read, _, err := ReadHeader(bytes.NewReader(b), int64(len(b)), len(b))
		if err != nil || !bytes.Equal(read, b[:header]) {
			t.Fatalf("read %q, %v", read, err)
		}
	})
}
