package build

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	stdmime "mime"
	"mime/multipart"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/message/field"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
)

var fixed = time.Date(2006, 1, 2, 15, 4, 5, 0, time.FixedZone("", -7*3600))

// part is a Part of which an error ends the test.
type part struct {
	*Part
	t testing.TB
}

func newPart(t testing.TB) part { return part{New(), t} }

func (p part) header(name, value string) part {
	return p.headerAs(name, value, field.Q)
}

func (p part) headerAs(name, value string, form field.Form) part {
	if err := p.AddHeader(name, value, form); err != nil {
		p.t.Fatal(err)
	}
	return p
}

func (p part) body(s string) part { p.SetBody(s); return p }
func (p part) kind(s string) part { p.SetType(s); return p }

func (p part) with(parts ...part) part {
	for _, x := range parts {
		p.AppendPart(x.Part)
	}
	return p
}

func (p part) boundary(s string) part {
	if err := p.SetBoundary(s); err != nil {
		p.t.Fatal(err)
	}
	return p
}

func (p part) file(name string) part { p.SetFileName(name); return p }

// bytes writes the message and compares the size that was told.
func (p part) bytes() []byte {
	p.t.Helper()
	m, err := p.Message()
	if err != nil {
		p.t.Fatal(err)
	}
	var b bytes.Buffer
	n, err := m.WriteTo(&b)
	if err != nil || n != m.Size() || int64(b.Len()) != n {
		p.t.Fatalf("wrote %d and %d of %d bytes, %v", n, b.Len(), m.Size(), err)
	}
	again, err := m.Bytes(n)
	if err != nil || !bytes.Equal(again, b.Bytes()) {
		p.t.Fatalf("not the same again: %v", err)
	}
	return b.Bytes()
}

func TestBoundaryIsMade(t *testing.T) {
	p := newPart(t).with(newPart(t).body("x"))
	first, second := p.bytes(), p.bytes()
	if !bytes.Equal(first, second) {
		t.Error("another boundary at the second time")
	}
	root := mime.NewBytes(first).Root()
	boundary, _ := root.TypeParameter("boundary")
	if kind, _ := root.Type(); kind != "multipart/mixed" || len(boundary) != 36 || len(root.Parts()) != 1 {
		t.Errorf("%s", first)
	}
	r := multipart.NewReader(root.RawBody(), boundary)
	if _, err := r.NextPart(); err != nil {
		t.Error(err)
	}
	if _, err := r.NextPart(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	if err := New().AddHeader("a b", "x", field.Q); !errors.Is(err, field.ErrName) {
		t.Error(err)
	}
	if err := New().SetBoundary("ü"); !errors.Is(err, ErrBoundary) {
		t.Error(err)
	}
	self := New()
	self.AppendPart(self)
	many := newPart(t)
	for range 20 { // 2 to the power of 20
		many = newPart(t).with(many, many)
	}
	for name, tt := range map[string]struct {
		part *Part
		want error
	}{
		"parts in text":         {newPart(t).kind("text/plain").with(newPart(t)).Part, ErrType},
		"bad declared boundary": {newPart(t).kind(`multipart/mixed; boundary="ä"`).with(newPart(t)).Part, ErrBoundary},
		"within itself":         {self, ErrParts},
		"too many":              {many.Part, ErrParts},
		"below":                 {newPart(t).with(newPart(t).kind("x/y").with(newPart(t))).Part, ErrType},
	} {
		if _, err := tt.part.Message(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := tt.part.Entity(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSigners(t *testing.T) {
	p := newPart(t).header("Subject", "x").body(strings.Repeat("body\n", 3))
	plain := p.bytes()
	sign := func(name string) Signer {
		return func(m *Message) ([]byte, error) {
			var body bytes.Buffer
			if _, err := m.WriteBody(&body); err != nil {
				return nil, err
			}
			return fmt.Appendf(nil, "%s: %d %d\r\n", name, len(m.Header()), body.Len()), nil
		}
	}
	p.Sign(sign("A"))
	p.Sign(sign("B"))
	header := bytes.Index(plain, []byte("\r\n\r\n")) + 2
	body := len(plain) - header - 2
	a := fmt.Sprintf("A: %d %d\r\n", header, body)
	b := fmt.Sprintf("B: %d %d\r\n", header+len(a), body)
	if got := p.bytes(); string(got) != b+a+string(plain) {
		t.Errorf("%q", got)
	}
	failed := errors.New("no key")
	p.Sign(func(*Message) ([]byte, error) { return nil, failed })
	if _, err := p.Message(); !errors.Is(err, failed) {
		t.Error(err)
	}
	if _, _, err := p.Entity(); err != nil { // a part is not signed
		t.Error(err)
	}
}

// TestWithParsedParts puts parts of a message into a new one, and a new part into
// a message.
func TestWithParsedParts(t *testing.T) {
	old := mime.NewBytes(golden["attachment"](t).bytes())
	if err := old.Root().ByID("1.1").SetBody("edited", ""); err != nil {
		t.Fatal(err)
	}
	p := newPart(t).header("Subject", "digest")
	p.AppendPart(old.Root().ByID("1"))
	p.AppendPart(old.Root().ByID("2"))
	got := leaves(t, mime.NewBytes(p.bytes()).Root())
	want := `text/html "" "edited"; image/png "a b.png" "\x89PNG\r\n\x1a\n"; ` +
		`application/pdf "Rechnung für März.pdf" "%PDF-1.4\n\x00\xff\xff\xff"; `
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if err := old.Root().AppendPart(newPart(t).file("n.txt").body("new").Part, ""); err != nil {
		t.Fatal(err)
	}
	raw, err := old.Bytes(fixed, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if got := leaves(t, mime.NewBytes(raw).Root()); got != want+`text/plain "n.txt" "new"; ` {
		t.Errorf("%s", got)
	}
	if bytes.Count(raw, []byte("MIME-Version")) != 1 {
		t.Errorf("%s", raw)
	}
}

func TestLimitAndErrors(t *testing.T) {
	m, err := newPart(t).kind("x/y").body(strings.Repeat("\xff", 1000)).Message()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Bytes(m.Size() - 1); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	for _, room := range []int{0, 10, 200} {
		if _, err := m.WriteTo(&full{room}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%d: %v", room, err)
		}
	}
	p := New()
	p.AppendPart(liar{})
	if m, err = p.Message(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.WriteTo(io.Discard); !errors.Is(err, errChanged) {
		t.Error(err)
	}
}

// full takes so many bytes.
type full struct{ room int }

func (f *full) Write(b []byte) (int, error) {
	if len(b) > f.room {
		return f.room, io.ErrShortWrite
	}
	f.room -= len(b)
	return len(b), nil
}

// liar tells another size than it writes.
type liar struct{}

func (liar) Entity() (io.WriterTo, int64, error) { return strings.NewReader("A: b\r\n\r\n"), 3, nil }

func FuzzBuild(f *testing.F) {
	f.Add("Subject", "Grüße", "text/plain", "hello\n", "a b.txt", "b")
	f.Add("X", "a\r\n\r\nb", "application/pdf", "\x00--b\r\n", "ü\".pdf", "--b")
	f.Fuzz(func(t *testing.T, name, value, kind, body, file, boundary string) {
		child := newPart(t).kind(kind).body(body).file(file)
		if child.AddHeader(name, value, field.Q) != nil || strings.HasPrefix(strings.ToLower(name), "content-") {
			return
		}
		p := newPart(t).with(child)
		if p.SetBoundary(boundary) != nil {
			return
		}
		raw := p.bytes()
		root := mime.NewBytes(raw).Root()
		parts := root.Parts()
		if len(parts) != 1 || len(parts[0].Errors()) > 0 && !strings.Contains(strings.ToLower(kind), "multipart") {
			t.Fatalf("%q", raw)
		}
		mediaType, _, err := stdmime.ParseMediaType(kind)
		if err != nil || strings.HasPrefix(mediaType, "multipart/") || strings.HasPrefix(mediaType, "message/") {
			return
		}
		got, err := parts[0].Content(true, 1<<20)
		top, _, _ := strings.Cut(mediaType, "/")
		if err != nil || top != "text" && string(got) != body {
			t.Fatalf("body %q is read as %q, %v\n%q", body, got, err, raw)
		}
		if text := strings.NewReplacer("\r", "", "\n", ""); text.Replace(string(got)) != text.Replace(body) {
			t.Fatalf("text %q is read as %q\n%q", body, got, raw)
		}
	})
}

var attachment = strings.Repeat("\x00\x01\x02\x03\xfc\xfd\xfe\xff", 10<<17)

// 25 µs with an attachment of 10 KB, 14 ms with one of 10 MB, 23 KB in 78
// allocations with either.
func BenchmarkWrite(b *testing.B) {
	for name, body := range map[string]string{"10KB": attachment[:10<<10], "10MB": attachment} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				p := newPart(b).header("From", "joe@example.com").header("Subject", "Grüße").with(
					newPart(b).body(german), newPart(b).kind("application/pdf").file("a.pdf").body(body))
				m, err := p.Message()
				if err != nil {
					b.Fatal(err)
				}
				if _, err := m.WriteTo(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
