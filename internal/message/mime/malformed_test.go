package mime

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/posthaste-mta/posthaste/internal/message/field"
	"github.com/posthaste-mta/posthaste/internal/message/patch"
	"github.com/posthaste-mta/posthaste/internal/message/transfer"
)

var (
	seed     = flag.Uint64("seed", 1, "of the first malformed message")
	messages = flag.Int("messages", 10_000, "malformed messages to go through")
)

// forge makes messages that no program should send.
type forge struct {
	*rand.Rand
	b      bytes.Buffer
	budget int
}

func pick[T any](f *forge, list ...T) T { return list[f.IntN(len(list))] }

func (f *forge) chance(percent int) bool { return f.IntN(100) < percent }

func (f *forge) end() string {
	if f.chance(85) {
		return "\r\n"
	}
	return pick(f, "\n", "\r\n", "\r", "\r\r\n", "", " \r\n", "\n\r")
}

func (f *forge) line(text string) {
	f.b.WriteString(text)
	f.b.WriteString(f.end())
}

// junk is a little of everything that means something to somebody.
func (f *forge) junk() string {
	var b strings.Builder
	for range f.IntN(6) {
		b.WriteString(pick(f, "text ", "\x00", "\xff\xfe", "ü", "=?utf-8?q?=C3?=", "=?x?b?A", "--", "--b", "--b--", "=", "=0D=0A", "aGk=",
			":", ";", "\"", "\\", "(", ")", "\t", " ", "\r", "\n", "\r\n", "\r\n\r\n", "\r\n ", strings.Repeat("x", f.IntN(50)), strings.Repeat("x", 80), "Subject: x\r\n", "%C3", "*0*=", "'"))
	}
	return b.String()
}

var boundaries = []string{"b", "bb", "b--", "b c", "=_b", "b-b", "", strings.Repeat("b", 80), strings.Repeat("b", 257), "ü", "--b"}

func (f *forge) header(kind, boundary string) {
	for range f.IntN(4) {
		switch f.IntN(8) {
		case 0:
			f.line(f.junk())
		case 1:
			f.line(pick(f, " ", "\t") + f.junk())
		case 2:
			f.line("Content-Transfer-Encoding: " + pick(f, "base64", "quoted-printable", "8bit", "x-unknown", ""))
		case 3:
			f.line("X-Junk : " + f.junk())
		default:
			f.line(pick(f, "Subject", "From", "A", "MIME-Version", "Content-Disposition", "Date") + ": " + pick(f, "a", "=?utf-8?q?=C3=BC?=", "\xfc", "attachment; filename*0*=utf-8''%C3;filename*1=b", f.junk()))
		}
	}
	if kind != "" {
		f.line(fmt.Sprintf(pick(f, "Content-Type: %s; boundary=%q", "content-type:%s;\r\n\tboundary=%q", "Content-Type: %s; boundary=%q; boundary=z"), kind, boundary))
	} else if f.chance(50) {
		f.line("Content-Type: " + pick(f, "text/plain", "text/html; charset=utf-8", "message/rfc822", "text", "", "multipart/mixed", f.junk()))
	}
	if f.chance(90) {
		f.b.WriteString(pick(f, "\r\n", "\r\n", "\r\n", "\n"))
	}
}

func (f *forge) part(depth int) {
	f.budget--
	if depth == 0 || f.budget <= 0 || f.chance(50-8*depth) {
		f.header("", "")
		f.line(f.junk())
		return
	}
	boundary := pick(f, boundaries...)
	f.header(pick(f, "multipart/mixed", "multipart/alternative", "Multipart/Signed", "multipart/x"), boundary)
	if f.chance(30) {
		f.line(f.junk())
	}
	for range f.IntN(5) {
		f.line("--" + boundary)
		f.part(depth - 1)
		if f.chance(20) {
			boundary = pick(f, boundaries...)
		}
	}
	if f.chance(75) {
		f.line("--" + boundary + "--")
	}
	if f.chance(20) {
		f.line(f.junk())
	}
}

// message returns a malformed message, perhaps with further damage.
func (f *forge) message() []byte {
	f.b.Reset()
	f.budget = 30
	f.part(5)
	b := bytes.Clone(f.b.Bytes())
	for range f.IntN(4) {
		if len(b) == 0 || f.chance(50) {
			break
		}
		at := f.IntN(len(b))
		switch f.IntN(4) {
		case 0:
			b = b[:at]
		case 1:
			b[at] = byte(f.Uint32())
		case 2:
			b = slices.Delete(b, at, min(len(b), at+f.IntN(10)))
		case 3:
			b = slices.Insert(b, at, []byte(f.junk())...)
		}
	}
	return b
}

// edit makes one random edit of p and reports whether it may change what kind of
// part p is.
func (f *forge) edit(t testing.TB, p, other *Part) {
	names := append(p.HeaderNames(), "X-New", "Subject", "Content-Transfer-Encoding")
	name := names[f.IntN(len(names))]
	if name == "content-type" { // would change what the parts below are
		name = "x-type"
	}
	var err error
	switch f.IntN(14) {
	case 0:
		err = p.AddHeader(name, f.junk(), pick(f, field.Q, field.B, field.Verbatim))
	case 1:
		_, err = p.SetHeader(name, f.junk(), f.IntN(3)-1, pick(f, field.Q, field.B, field.Verbatim))
	case 2:
		p.DelHeader(name, f.IntN(3)-1)
	case 3:
		if !strings.HasPrefix(strings.ToLower(name), "content-") {
			_, err = p.RenameHeader(name, "X-Renamed")
		}
	case 4:
		_, err = p.SetDateLater()
	case 5:
		err = p.Remove()
	case 6:
		if !p.isMultipart() { // whose body would be what it is given
			err = p.SetBody(f.junk(), pick(f, "", "", transfer.Base64))
		}
	case 7:
		err = p.SetPreamble(f.junk())
	case 8:
		err = p.SetEpilogue(f.junk())
	case 9, 10:
		err = p.AppendPart(f.entity(other), pick(f, "", "multipart/alternative", "multipart/signed; micalg=x"))
	case 11, 12:
		err = p.PrependPart(f.entity(other), pick(f, "", "multipart/alternative"))
	case 13:
		err = p.ReplacePart(f.entity(other))
	}
	for _, allowed := range []error{nil, ErrGone, ErrType, ErrBoundary, ErrWhole, field.ErrName} {
		if errors.Is(err, allowed) {
			return
		}
	}
	t.Fatal(err)
}

func (f *forge) entity(other *Part) Entity {
	broken := func(p *Part) bool { return p.isMultipart() && p.closeAt < 0 }
	if f.chance(30) && !slices.ContainsFunc(all(other), broken) {
		return other
	}
	return extra
}

// all returns p and the parts below it.
func all(p *Part) []*Part { return append([]*Part{p}, p.Find(func(*Part) bool { return true })...) }

// read asks every getter.
func read(t testing.TB, p *Part) {
	name, _ := p.FileName()
	kind, _ := p.Type()
	pre, _ := p.Preamble()
	epi, _ := p.Epilogue()
	p.Errors()
	for _, text := range append(p.Headers("subject", Text), name, kind) {
		if !utf8.ValidString(text) {
			t.Fatalf("%q is no UTF-8", text)
		}
	}
	if n, err := io.Copy(io.Discard, p.Body()); err != nil || n > p.Size() {
		t.Fatalf("body of %d bytes in a part of %d, %v", n, p.Size(), err)
	}
	if int64(len(pre)+len(epi)) > p.Size() {
		t.Fatal("preamble and epilogue are longer than the part")
	}
	for i, c := range p.Parts() {
		if c.start < p.bodyStart || c.end > p.end || c.dash >= c.start && c.start < c.end || i > 0 && c.dash < p.children[i-1].end {
			t.Fatalf("part %s at %d..%d..%d in %d..%d", c.ID(), c.dash, c.start, c.end, p.bodyStart, p.end)
		}
		if p.ByID(c.ID()) != c {
			t.Fatalf("part %s is not found", c.ID())
		}
	}
}

// checkUntouched asserts that nothing is edited within the parts that nobody
// named and that are still there.
func checkUntouched(t testing.TB, m *Message, p *patch.Patch) (untouched [][]byte) {
	original := make([]byte, m.source.Size())
	_, _ = m.source.ReadAt(original, 0)
	doubtful := ambiguous(all(m.root))
	for _, q := range all(m.root) {
		if q.gone() || q.parent == nil || slices.ContainsFunc(all(q), func(r *Part) bool { return m.edits.parts[r] != nil }) {
			continue
		}
		p.Each(func(start, count int64, data []byte) {
			if start < q.end && start+count > q.start {
				t.Fatalf("part %s at %d..%d was not edited, and %d..%d is replaced by %q", q.ID(), q.start, q.end, start, start+count, data)
			}
		})
		unclosed := func(r *Part) bool { return r.unclosed }
		if !doubtful || !slices.ContainsFunc(all(q), unclosed) {
			untouched = append(untouched, original[q.start:q.end])
		}
	}
	return untouched
}

// ambiguous reports whether a multipart that is not closed may have to be, with
// what is in it, before anything can be put behind one around it.
func ambiguous(parts []*Part) bool {
	return slices.ContainsFunc(parts, func(p *Part) bool {
		for q := p.parent; q != nil; q = q.parent {
			if p.unclosed && p.takes(q.boundary) {
				return true
			}
		}
		return false
	})
}

func lastLeaf(p *Part) *Part {
	for len(p.children) > 0 {
		p = p.children[len(p.children)-1]
	}
	return p
}

func checkMessage(t testing.TB, f *forge, b []byte) {
	m := NewBytes(b)
	parts := all(m.Root())
	for _, p := range parts {
		read(t, p)
	}
	if len(parts) < 2 && len(m.Root().RawHeader())+int(m.Root().BodySize()) > len(b) {
		t.Fatal("header and body are longer than the message")
	}
	for range f.IntN(6) {
		f.edit(t, pick(f, parts...), pick(f, parts...))
	}
	p, err := m.Patch(fixed)
	if err != nil {
		t.Fatal(err)
	}
	untouched := checkUntouched(t, m, p)
	out, err := m.Bytes(fixed, 1<<24)
	if err != nil {
		t.Fatal(err)
	}
	if m.Edits() == 0 && !bytes.Equal(out, b) {
		t.Fatalf("unedited %q is written as %q", b, out)
	}
	again := all(NewBytes(out).Root())
	for _, raw := range untouched {
		// The line end of a delimiter may end a header that has no end, and be
		// completed by a CR in front of it.
		if !slices.ContainsFunc(again, func(q *Part) bool {
			now := out[q.start:q.end]
			return bytes.Equal(now, raw) || bytes.Equal(now, bytes.TrimSuffix(raw, []byte("\r"))) ||
				lastLeaf(q).BodySize() == 0 && bytes.Equal(trimLineEnd(now), raw)
		}) {
			t.Fatalf("part %q of %q\nis not among those of %q", raw, b, out)
		}
	}
}

func TestMalformed(t *testing.T) {
	nested := 0
	for i := range uint64(*messages) {
		f := &forge{Rand: rand.New(rand.NewPCG(*seed+i, 0))}
		b := f.message()
		func() {
			defer func() {
				if r := recover(); r != nil || t.Failed() {
					t.Errorf("-seed=%d -messages=1: %q", *seed+i, b)
					if r != nil {
						panic(r)
					}
				}
			}()
			checkMessage(t, f, b)
		}()
		if len(all(NewBytes(b).Root())) > 3 {
			nested++
		}
	}
	t.Logf("%d messages, %d of them with more than two parts", *messages, nested)
	if *messages >= 1000 && nested < *messages/10 {
		t.Error("too few have parts")
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(crlfs(mixed)), uint64(1))
	f.Add([]byte(crlfs(letter)), uint64(2))
	f.Add([]byte(head+"--b\n--b\nA: b\n--b"), uint64(3))
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		checkMessage(t, &forge{Rand: rand.New(rand.NewPCG(seed, 0))}, b)
	})
}

// repeated is a message of which only the beginning is in memory.
type repeated struct {
	head, unit string
	size       int64
}

func (r repeated) Size() int64 { return r.size }

func (r repeated) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) && off+int64(n) < r.size {
		at := off + int64(n)
		part := ""
		if at < int64(len(r.head)) {
			part = r.head[at:]
		} else {
			part = r.unit[(at-int64(len(r.head)))%int64(len(r.unit)):]
		}
		n += copy(b[n:min(int64(len(b)), r.size-off)], part)
	}
	if n < len(b) {
		err = io.EOF
	}
	return n, err
}

// TestMemory indexes large messages made to cost as much as possible. The index
// may grow with the number of parts, which is bounded, and not with the bytes.
func TestMemory(t *testing.T) {
	const size = 32 << 20
	lines := strings.Repeat("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n", 100)
	for name, r := range map[string]repeated{
		"a body":           {head + "--b\n\n", lines, size},
		"a line":           {head + "--b\n\n", strings.Repeat("x", 5000), size},
		"a header":         {"", "A: " + lines, size},
		"a header line":    {"A: ", strings.Repeat("x", 5000), size},
		"dashes":           {head + "--b\n\n", strings.Repeat("--\n", 500), size},
		"delimiters":       {head, strings.Repeat("--b\n", 500), size},
		"header of a part": {head + "--b\n", "A: " + lines, size},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m := New(r, Limits{})
		n := len(all(m.Root()))
		m.Root().Header("Subject", 0, Text)
		v, err := m.View(fixed)
		runtime.ReadMemStats(&after)
		if m.Err() != nil || err != nil || v.Size() != size {
			t.Errorf("%s: %v, %v", name, m.Err(), err)
		}
		const limit = 16 << 20
		if used := after.TotalAlloc - before.TotalAlloc; used > limit {
			t.Errorf("%s: %d bytes allocated for %d parts", name, used, n)
		} else {
			t.Logf("%s: %d KB for %d parts", name, used>>10, n)
		}
	}
}
