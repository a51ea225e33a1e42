package mime

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/message/field"
	"github.com/posthaste-mta/posthaste/internal/message/patch"
)

var fixed = time.Date(2006, 1, 2, 15, 4, 5, 0, time.FixedZone("", -7*3600))

// entity is an Entity with LF for its line ends.
type entity string

func (e entity) Entity() (io.WriterTo, int64, error) {
	text := crlfs(string(e))
	return strings.NewReader(text), int64(len(text)), nil
}

const extra = entity("Content-Type: x/y\n\nextra")

// uuids are the boundaries that are made.
var uuids = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// edited returns the edited message, with LF and with B1, B2 and so on for the
// boundaries that were made.
func edited(t testing.TB, m *Message) string {
	t.Helper()
	b, err := m.Bytes(fixed, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := m.View(fixed); err != nil || v.Size() != int64(len(b)) {
		t.Fatalf("view of %d bytes, %v, wrote %d", v.Size(), err, len(b))
	}
	var seen []string
	text := uuids.ReplaceAllStringFunc(string(b), func(id string) string {
		if !slices.Contains(seen, id) {
			seen = append(seen, id)
		}
		return "B" + string(rune('1'+slices.Index(seen, id)))
	})
	if strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") {
		t.Errorf("a line ends in LF alone: %q", text)
	}
	return strings.ReplaceAll(text, "\r\n", "\n")
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

const small = "A: 1\nB: 2\nA: 3\n\nbody\n"

func TestHeaderEdits(t *testing.T) {
	tests := []struct {
		name, in string
		edit     func(t *testing.T, p *Part)
		want     string
	}{
		{"nothing", small, func(*testing.T, *Part) {}, small},
		{"add", small, func(t *testing.T, p *Part) { ok(t, p.AddHeader("X", "y", field.Verbatim)) },
			"X: y\nA: 1\nB: 2\nA: 3\n\nbody\n"},
		{"add on top of what was added", small, func(t *testing.T, p *Part) {
			ok(t, p.AddHeader("X", "y", field.Verbatim))
			ok(t, p.AddHeader("Y", "a\r\n\tb", field.Verbatim))
		}, "Y: a\n\tb\nX: y\nA: 1\nB: 2\nA: 3\n\nbody\n"},
		{"add encoded", small, func(t *testing.T, p *Part) {
			ok(t, p.AddHeader("X", "ü", field.Q))
			ok(t, p.AddHeader("Y", "ü", field.B))
		}, "Y: =?utf-8?b?w7w=?=\nX: =?utf-8?q?=C3=BC?=\nA: 1\nB: 2\nA: 3\n\nbody\n"},
		{"add cannot end the header", small, func(t *testing.T, p *Part) {
			ok(t, p.AddHeader("X", "y\n\nbody", field.Verbatim))
		}, "X: y\n body\nA: 1\nB: 2\nA: 3\n\nbody\n"},
		{"add behind a line that would join", " odd\nA: 1\n\n", func(t *testing.T, p *Part) {
			ok(t, p.AddHeader("X", "y", field.Q))
		}, " odd\nX: y\nA: 1\n\n"},
		{"set", small, func(t *testing.T, p *Part) {
			if n := must[int](t)(p.SetHeader("b", "ü", All, field.Q)); n != 1 {
				t.Errorf("%d set", n)
			}
		}, "A: 1\nb: =?utf-8?q?=C3=BC?=\nA: 3\n\nbody\n"},
		{"set all", small, func(t *testing.T, p *Part) {
			if n := must[int](t)(p.SetHeader("A", "x", All, field.Q)); n != 2 {
				t.Errorf("%d set", n)
			}
		}, "A: x\nB: 2\n\nbody\n"},
		{"set one", small, func(t *testing.T, p *Part) {
			if n := must[int](t)(p.SetHeader("A", "x", 1, field.Q)); n != 1 {
				t.Errorf("%d set", n)
			}
			if n := must[int](t)(p.SetHeader("A", "x", 2, field.Q)); n != 0 {
				t.Errorf("%d set", n)
			}
		}, "A: 1\nB: 2\nA: x\n\nbody\n"},
		{"set verbatim", small, func(t *testing.T, p *Part) {
			must[int](t)(p.SetHeader("B", "x\r\n y\xff", All, field.Verbatim))
		}, "A: 1\nB: x\n y\xff\nA: 3\n\nbody\n"},
		{"set new", small, func(t *testing.T, p *Part) {
			if n := must[int](t)(p.SetHeader("C", "x", All, field.Q)); n != 1 {
				t.Errorf("%d set", n)
			}
			must[int](t)(p.SetHeader("D", "x", 0, field.Q))
			must[int](t)(p.SetHeader("C", "y", All, field.Q))
		}, "A: 1\nB: 2\nA: 3\nC: y\nD: x\n\nbody\n"},
		{"set what was deleted", small, func(t *testing.T, p *Part) {
			p.DelHeader("B", All)
			if n := must[int](t)(p.SetHeader("B", "x", All, field.Q)); n != 1 {
				t.Errorf("%d set", n)
			}
		}, "A: 1\nB: x\nA: 3\n\nbody\n"},
		{"set without empty line", "A: 1", func(t *testing.T, p *Part) {
			must[int](t)(p.SetHeader("B", "2", All, field.Q))
			must[int](t)(p.SetHeader("C", "3", All, field.Q))
		}, "A: 1\nB: 2\nC: 3"},
		{"set the last without a line end", "A: 1\nB: 2", func(t *testing.T, p *Part) {
			must[int](t)(p.SetHeader("B", "3", All, field.Q))
			must[int](t)(p.SetHeader("C", "4", All, field.Q))
		}, "A: 1\nB: 3\nC: 4"},
		{"delete the last without a line end", "A: 1\nB: 2", func(t *testing.T, p *Part) {
			p.DelHeader("B", All)
			must[int](t)(p.SetHeader("C", "4", All, field.Q))
		}, "A: 1\nC: 4\n"},
		{"add to nothing", "", func(t *testing.T, p *Part) { ok(t, p.AddHeader("X", "y", field.Q)) }, "X: y\n"},
		{"add to a body", "\nbody\n", func(t *testing.T, p *Part) { ok(t, p.AddHeader("X", "y", field.Q)) }, "X: y\n\nbody\n"},
		{"delete", small, func(t *testing.T, p *Part) {
			if n := p.DelHeader("a", All); n != 2 {
				t.Errorf("%d deleted", n)
			}
			if n := p.DelHeader("a", All); n != 0 {
				t.Errorf("%d deleted", n)
			}
		}, "B: 2\n\nbody\n"},
		{"delete each by its index", small, func(t *testing.T, p *Part) {
			for i := range p.Headers("A", Text) {
				if n := p.DelHeader("A", i); n != 1 {
					t.Errorf("%d: %d deleted", i, n)
				}
			}
			if n := p.DelHeader("A", 2); n != 0 {
				t.Errorf("%d deleted", n)
			}
		}, "B: 2\n\nbody\n"},
		{"delete what was added", small, func(t *testing.T, p *Part) {
			ok(t, p.AddHeader("A", "0", field.Q))
			if n := p.DelHeader("A", 0); n != 1 { // that of the original
				t.Errorf("%d deleted", n)
			}
			if n := p.DelHeader("A", All); n != 2 {
				t.Errorf("%d deleted", n)
			}
		}, "B: 2\n\nbody\n"},
		{"delete a line that is no field", "rubbish\nA: 1\n\n", func(t *testing.T, p *Part) {
			if n := p.DelHeader("", All); n != 0 {
				t.Errorf("%d deleted", n)
			}
		}, "rubbish\nA: 1\n\n"},
		{"rename", "A : 1\n 2\nB: x\na:y\n\n", func(t *testing.T, p *Part) {
			if n := must[int](t)(p.RenameHeader("a", "X-A")); n != 2 {
				t.Errorf("%d renamed", n)
			}
			if n := must[int](t)(p.RenameHeader("a", "X-A")); n != 0 {
				t.Errorf("%d renamed", n)
			}
		}, "X-A: 1\n 2\nB: x\nX-A:y\n\n"},
		{"rename and edit", small, func(t *testing.T, p *Part) {
			must[int](t)(p.SetHeader("A", "x", 0, field.Q))
			must[int](t)(p.RenameHeader("A", "C"))
			if n := p.DelHeader("A", 1); n != 0 {
				t.Errorf("%d deleted", n)
			}
			must[int](t)(p.SetHeader("C", "y", All, field.Q))
		}, "C: y\nB: 2\n\nbody\n"},
		{"date later", "Date: then\nA: 1\n\n", func(t *testing.T, p *Part) {
			if n := must[int](t)(p.SetDateLater()); n != 1 {
				t.Errorf("%d set", n)
			}
		}, "Date: Mon, 02 Jan 2006 15:04:05 -0700\nA: 1\n\n"},
		{"date later, none before", small, func(t *testing.T, p *Part) {
			must[int](t)(p.SetDateLater())
			must[int](t)(p.RenameHeader("Date", "X-Date"))
		}, "A: 1\nB: 2\nA: 3\nX-Date: Mon, 02 Jan 2006 15:04:05 -0700\n\nbody\n"},
		{"date settled", small, func(t *testing.T, p *Part) {
			must[int](t)(p.SetDateLater())
			p.Message().SettleDate(fixed.AddDate(1, 0, 0))
		}, "A: 1\nB: 2\nA: 3\nDate: Tue, 02 Jan 2007 15:04:05 -0700\n\nbody\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := NewBytes([]byte(crlfs(tt.in)))
			names := m.Root().HeaderNames()
			tt.edit(t, m.Root())
			if got := edited(t, m); got != tt.want {
				t.Errorf("%q\nwant %q", got, tt.want)
			}
			if !slices.Equal(m.Root().HeaderNames(), names) {
				t.Error("getters tell of edits")
			}
		})
	}
}

func TestBadNames(t *testing.T) {
	p := NewBytes([]byte(small)).Root()
	_, setErr := p.SetHeader("a b", "x", All, field.Q)
	_, renameErr := p.RenameHeader("A", "x\r\ny")
	for _, err := range []error{p.AddHeader("", "x", field.Q), setErr, renameErr} {
		if !errors.Is(err, field.ErrName) {
			t.Error(err)
		}
	}
	if n := p.Message().Edits(); n != 0 {
		t.Errorf("%d edits", n)
	}
}

func TestBodyEdits(t *testing.T) {
	german := strings.Repeat("Grüße aus Köln am Rhein\n", 2)
	quoted := strings.Repeat("Gr=C3=BC=C3=9Fe aus K=C3=B6ln am Rhein\n", 2)
	version := "MIME-Version: 1.0\n"
	tests := []struct {
		name, in string
		edit     func(t *testing.T, p *Part)
		want     string
	}{
		{"7bit", small, func(t *testing.T, p *Part) { ok(t, p.SetBody("new\nlines\r\n", "")) },
			"A: 1\nB: 2\nA: 3\n\nnew\nlines\n"},
		{"quoted-printable", small, func(t *testing.T, p *Part) { ok(t, p.SetBody(german, "")) },
			"A: 1\nB: 2\nA: 3\nContent-Transfer-Encoding: quoted-printable\n" + version + "\n" + quoted},
		{"base64", "MIME-Version: 1.0\nContent-Transfer-Encoding: 7bit\n\nx", func(t *testing.T, p *Part) { ok(t, p.SetBody("\x00\xff", "")) },
			"MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\nAP8=\n"},
		{"encoding stays", "content-transfer-encoding:  Quoted-Printable\n\nx", func(t *testing.T, p *Part) { ok(t, p.SetBody(german, "")) },
			"content-transfer-encoding:  Quoted-Printable\n\n" + quoted},
		{"back to 7bit", version + "Content-Transfer-Encoding: base64\n\nx", func(t *testing.T, p *Part) { ok(t, p.SetBody("y", "")) },
			version + "Content-Transfer-Encoding: 7bit\n\ny"},
		{"wanted base64", version + "\nx", func(t *testing.T, p *Part) { ok(t, p.SetBody("hello", "BASE64")) },
			version + "Content-Transfer-Encoding: base64\n\naGVsbG8=\n"},
		{"wanted 8bit", version + "\nx", func(t *testing.T, p *Part) { ok(t, p.SetBody("ü\r\n", "8bit")) },
			version + "Content-Transfer-Encoding: 8bit\n\nü\n"},
		{"wanted quoted-printable is as it is", version + "\nx", func(t *testing.T, p *Part) { ok(t, p.SetBody("=41", "quoted-printable")) },
			version + "Content-Transfer-Encoding: quoted-printable\n\n=41"},
		{"two encodings", version + "Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\nx",
			func(t *testing.T, p *Part) { ok(t, p.SetBody("y", "")) }, version + "Content-Transfer-Encoding: 7bit\n\ny"},
		{"data keeps its line ends", "Content-Type: x/y\n" + version + "\nx", func(t *testing.T, p *Part) { ok(t, p.SetBody("a long line, and\n", "")) },
			"Content-Type: x/y\n" + version + "Content-Transfer-Encoding: quoted-printable\n\na long line, and=0A"},
		{"type set later", "Content-Type: x/y\n\nx", func(t *testing.T, p *Part) {
			ok(t, p.SetBody("line\n", ""))
			must[int](t)(p.SetHeader("Content-Type", "text/plain", All, field.Q))
		}, "Content-Type: text/plain\n\nline\n"},
		{"message", "Content-Type: message/rfc822\n" + version + "\nx", func(t *testing.T, p *Part) { ok(t, p.SetBody("Subject: ü\r\n\r\n", "")) },
			"Content-Type: message/rfc822\n" + version + "Content-Transfer-Encoding: 8bit\n\nSubject: ü\n\n"},
		{"without empty line", "A: 1", func(t *testing.T, p *Part) { ok(t, p.SetBody("x", "")) }, "A: 1\n\nx"},
		{"and with a new field", "A: 1", func(t *testing.T, p *Part) { ok(t, p.SetBody("x", "8bit")) },
			"A: 1\nContent-Transfer-Encoding: 8bit\n" + version + "\nx"},
		{"parts go", mixed, func(t *testing.T, p *Part) {
			ok(t, p.ByID("1.1").AddHeader("X", "y", field.Q))
			ok(t, p.SetBody("x", ""))
			must[int](t)(p.SetHeader("Content-Type", "text/plain", All, field.Q))
			if err := p.ByID("1").SetBody("x", ""); !errors.Is(err, ErrGone) {
				t.Error(err)
			}
			if err := p.ByID("1.1").Remove(); !errors.Is(err, ErrGone) {
				t.Error(err)
			}
			if err := p.SetPreamble("x"); !errors.Is(err, ErrGone) {
				t.Error(err)
			}
		}, "Subject: x\nContent-Type: text/plain\n\nx"},
		{"of a part", mixed, func(t *testing.T, p *Part) { ok(t, p.ByID("1.2").SetBody("new", "")) },
			strings.Replace(mixed, "<b>html</b>", "new", 1)},
		{"of a part, in base64", mixed, func(t *testing.T, p *Part) { ok(t, p.ByID("2").SetBody("\x00\xff", "")) },
			strings.Replace(mixed, "aGVs\nbG8=", "AP8=\n", 1)},
		{"of an empty part", head + "--b\n--b--\n", func(t *testing.T, p *Part) { ok(t, p.ByID("1").SetBody("x", "")) },
			head + "--b\n\nx\n--b--\n"},
		{"of an empty part with a header", head + "--b\nA: b\n--b--\n", func(t *testing.T, p *Part) { ok(t, p.ByID("1").SetBody("x", "8bit")) },
			head + "--b\nA: b\nContent-Transfer-Encoding: 8bit\n\nx\n--b--\n"},
		{"looks like a delimiter", mixed, func(t *testing.T, p *Part) { ok(t, p.ByID("1.1").SetBody("--b--\n", "")) },
			strings.Replace(mixed, "text/plain\n\nplain", "text/plain\nContent-Transfer-Encoding: base64\n\nLS1iLS0K\n", 1)},
		{"preamble and epilogue", mixed, func(t *testing.T, p *Part) {
			ok(t, p.SetPreamble("before"))
			ok(t, p.SetEpilogue("after"))
			ok(t, p.ByID("1").SetPreamble("inside\n"))
			ok(t, p.ByID("1").SetEpilogue("inside"))
		}, strings.NewReplacer("preamble\n\n", "before\n", "epilogue", "after", "\n--i\nContent-Type: text/plain", "\ninside\n\n--i\nContent-Type: text/plain", "--i--", "--i--\ninside").Replace(mixed)},
		{"no preamble and epilogue", mixed, func(t *testing.T, p *Part) {
			ok(t, p.SetPreamble("before"))
			ok(t, p.SetPreamble(""))
			ok(t, p.SetEpilogue(""))
		}, strings.NewReplacer("preamble\n\n", "", "epilogue\n", "").Replace(mixed)},
		{"epilogue of the unclosed", head + "--b\n\nx\n", func(t *testing.T, p *Part) { ok(t, p.SetEpilogue("x")) },
			head + "--b\n\nx\n\n--b--\nx\n"},
		{"epilogue behind a bare end", head + "--b\n\nx\n--b--", func(t *testing.T, p *Part) { ok(t, p.SetEpilogue("x")) },
			head + "--b\n\nx\n--b--\nx\n"},
		{"preamble without body", strings.TrimSuffix(head, "\n"), func(t *testing.T, p *Part) { ok(t, p.SetPreamble("x")) }, head + "x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := NewBytes([]byte(crlfs(tt.in)))
			tt.edit(t, m.Root())
			if got := edited(t, m); got != tt.want {
				t.Errorf("%q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestBodyEditsRefused(t *testing.T) {
	m := NewBytes([]byte(crlfs(mixed)))
	root := m.Root()
	for _, tt := range []struct{ err, want error }{
		{root.SetBody("x", "uuencode"), ErrEncoding},
		{root.ByID("2").SetPreamble("x"), ErrType},
		{root.ByID("2").SetEpilogue("x"), ErrType},
		{root.SetPreamble("a\n--b \nc"), ErrBoundary},
		{root.ByID("1").SetEpilogue("--b--"), ErrBoundary},
		{root.Remove(), ErrWhole},
		{root.AppendPart(extra, "text/plain"), ErrType},
		{root.AppendPart(extra, `multipart/mixed; boundary="a`+"\u00fc"+`"`), ErrType},
		{root.AppendPart(entity("\n--b\nx"), ""), ErrBoundary},
		{root.ByID("1.1").ReplacePart(entity("\n\n--i--\n")), ErrBoundary},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%v, want %v", tt.err, tt.want)
		}
	}
	if m.Edits() != 0 {
		t.Errorf("%d edits", m.Edits())
	}
}

func TestRemoveAndReplace(t *testing.T) {
	const three = head + "pre\n--b\n\none\n--b\n\ntwo\n\n--b\nA: b\n--b--\nepi\n"
	const open = head + "--b\n\none\n--b\n\ntwo\n--b\n\nthree\n"
	remove := func(list ...string) func(*testing.T, *Part) {
		return func(t *testing.T, p *Part) {
			for _, id := range list {
				ok(t, p.ByID(id).Remove())
			}
		}
	}
	tests := []struct {
		name, in string
		edit     func(t *testing.T, p *Part)
		want     string
	}{
		{"first", three, remove("1"), head + "pre\n--b\n\ntwo\n\n--b\nA: b\n--b--\nepi\n"},
		{"middle", three, remove("2"), head + "pre\n--b\n\none\n--b\nA: b\n--b--\nepi\n"},
		{"last", three, remove("3"), head + "pre\n--b\n\none\n--b\n\ntwo\n\n--b--\nepi\n"},
		{"two", three, remove("3", "2"), head + "pre\n--b\n\none\n--b--\nepi\n"},
		{"all", three, remove("1", "2", "3"), head + "pre\n--b\n\n\n--b--\nepi\n"},
		{"last of the unclosed", open, remove("3"), head + "--b\n\none\n--b\n\ntwo"},
		{"two of the unclosed", open, remove("2", "3"), head + "--b\n\none"},
		{"first of the unclosed", open, remove("1"), head + "--b\n\ntwo\n--b\n\nthree\n"},
		{"all of the unclosed", open, remove("1", "2", "3"), head + "\n--b\n\n\n--b--\n"},
		{"nested", mixed, remove("1.1", "2"), "Subject: x\n" + head + "preamble\n\n--b\nContent-Type: multipart/alternative; boundary=\"i\"\n\n" +
			"--i\nContent-Type: text/html\n\n<b>html</b>\n--i--\n" +
			"--b\nContent-Type: Text/Plain\nContent-Disposition: attachment; filename=b.TXT\n\nb\n--b--\nepilogue\n"},
		{"gone", mixed, func(t *testing.T, p *Part) {
			ok(t, p.ByID("1.1").SetBody("x", ""))
			remove("1")(t, p)
			for _, err := range []error{
				p.ByID("1").Remove(), p.ByID("1").ReplacePart(extra), p.ByID("1").AppendPart(extra, ""),
				p.ByID("1.1").AddHeader("A", "b", field.Q), p.ByID("1.1").SetBody("x", ""), p.ByID("1").SetPreamble("x"),
			} {
				if !errors.Is(err, ErrGone) {
					t.Error(err)
				}
			}
			if p.ByID("1").DelHeader("Content-Type", All) != 0 {
				t.Error("a header was deleted")
			}
			remove("2")(t, p)
		}, "Subject: x\n" + head + "preamble\n\n--b\nContent-Type: Text/Plain\nContent-Disposition: attachment; filename=b.TXT\n\nb\n--b--\nepilogue\n"},
		{"replace", three, func(t *testing.T, p *Part) {
			ok(t, p.ByID("2").ReplacePart(entity("A: b\n\nold")))
			ok(t, p.ByID("2").ReplacePart(extra))
			if err := p.ByID("2").SetBody("x", ""); !errors.Is(err, ErrGone) {
				t.Error(err)
			}
		}, head + "pre\n--b\n\none\n--b\nContent-Type: x/y\n\nextra\n--b\nA: b\n--b--\nepi\n"},
		{"replace an empty part", three, func(t *testing.T, p *Part) { ok(t, p.ByID("3").ReplacePart(extra)) },
			head + "pre\n--b\n\none\n--b\n\ntwo\n\n--b\nContent-Type: x/y\n\nextra\n--b--\nepi\n"},
		{"replace by another part", mixed, func(t *testing.T, p *Part) { ok(t, p.ByID("1").ReplacePart(p.ByID("1.2"))) },
			strings.Replace(mixed, mixed[strings.Index(mixed, "Content-Type: multipart/alt"):strings.Index(mixed, "--i--\n")+6],
				"Content-Type: text/html\n\n<b>html</b>\n", 1)},
		{"replace the whole", "Subject: x\nContent-Type: text/html\nX: y\n\nold\n", func(t *testing.T, p *Part) {
			ok(t, p.ReplacePart(entity("Content-Type: x/y\nSubject: none\nContent-Transfer-Encoding: base64\n\naGk=\n")))
		}, "Subject: x\nX: y\nContent-Type: x/y\nContent-Transfer-Encoding: base64\nMIME-Version: 1.0\n\naGk=\n"},
		{"replace the whole by a part of it", mixed, func(t *testing.T, p *Part) { ok(t, p.ReplacePart(p.ByID("1.2"))) },
			"Subject: x\nContent-Type: text/html\nMIME-Version: 1.0\n\n<b>html</b>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := NewBytes([]byte(crlfs(tt.in)))
			tt.edit(t, m.Root())
			if got := edited(t, m); got != tt.want {
				t.Errorf("%q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestInsert(t *testing.T) {
	const plain = "Received: x\nContent-Type: text/plain;\n charset=utf-8\nSubject: y\nContent-Language: en\n\nbody\n"
	const one, two = entity("\none"), entity("Content-Type: a/b\n\ntwo")
	signed := `multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256`
	tests := []struct {
		name, in string
		edit     func(t *testing.T, p *Part)
		want     string
	}{
		{"around the whole", plain, func(t *testing.T, p *Part) { ok(t, p.AppendPart(one, "")) },
			"Received: x\nSubject: y\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B1\n\n" +
				"--B1\nContent-Type: text/plain;\n charset=utf-8\nContent-Language: en\n\nbody\n\n--B1\n\none\n--B1--\n"},
		{"both sides, twice", plain, func(t *testing.T, p *Part) {
			ok(t, p.AppendPart(one, ""))
			ok(t, p.AppendPart(two, ""))
			ok(t, p.PrependPart(one, "multipart/mixed"))
			ok(t, p.PrependPart(two, "Multipart/Mixed"))
		}, "Received: x\nSubject: y\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B1\n\n" +
			"--B1\nContent-Type: a/b\n\ntwo\n--B1\n\none\n" +
			"--B1\nContent-Type: text/plain;\n charset=utf-8\nContent-Language: en\n\nbody\n\n--B1\n\none\n--B1\nContent-Type: a/b\n\ntwo\n--B1--\n"},
		{"signed", "MIME-Version: 1.0\n" + mixed, func(t *testing.T, p *Part) { ok(t, p.AppendPart(one, signed)) },
			"MIME-Version: 1.0\nSubject: x\nContent-Type: multipart/signed; protocol=\"application/pkcs7-signature\";\n" +
				" micalg=sha-256; boundary=B1\n\n--B1\n" + strings.TrimPrefix(mixed, "Subject: x\n") + "\n--B1\n\none\n--B1--\n"},
		{"with its boundary", "MIME-Version: 1.0\n\nx\n", func(t *testing.T, p *Part) { ok(t, p.AppendPart(one, "multipart/related; boundary=own")) },
			"MIME-Version: 1.0\nContent-Type: multipart/related; boundary=own\n\n--own\n\nx\n\n--own\n\none\n--own--\n"},
		{"two layers", "MIME-Version: 1.0\n\nx", func(t *testing.T, p *Part) {
			ok(t, p.AppendPart(one, "multipart/alternative"))
			ok(t, p.PrependPart(two, ""))
			ok(t, p.SetBody("y", ""))
			ok(t, p.AddHeader("Subject", "z", field.Q))
			must[int](t)(p.SetHeader("Content-Type", "text/plain", All, field.Q))
		}, "Subject: z\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B1\n\n--B1\nContent-Type: a/b\n\ntwo\n" +
			"--B1\nContent-Type: multipart/alternative;\n boundary=B2\n\n--B2\nContent-Type: text/plain\n\ny\n--B2\n\none\n--B2--\n--B1--\n"},
		{"around the whole without a body", "Content-Language: en", func(t *testing.T, p *Part) { ok(t, p.AppendPart(one, "")) },
			"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B1\n\n--B1\nContent-Language: en\n\n\n--B1\n\none\n--B1--\n"},
		{"around an unended header", "A: b", func(t *testing.T, p *Part) { ok(t, p.AppendPart(one, "")) },
			"A: b\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B1\n\n--B1\n\n\n--B1\n\none\n--B1--\n"},
		{"among the parts", mixed, func(t *testing.T, p *Part) {
			ok(t, p.AppendPart(one, ""))
			ok(t, p.AppendPart(two, ""))
			ok(t, p.PrependPart(one, ""))
			ok(t, p.PrependPart(two, ""))
		}, strings.NewReplacer("preamble\n\n", "preamble\n\n--b\nContent-Type: a/b\n\ntwo\n--b\n\none\n",
			"\n--b--", "\n--b\n\none\n--b\nContent-Type: a/b\n\ntwo\n--b--").Replace(mixed)},
		{"beside a part", mixed, func(t *testing.T, p *Part) {
			ok(t, p.ByID("2").AppendPart(one, ""))
			ok(t, p.ByID("2").PrependPart(two, ""))
		}, strings.NewReplacer("--b\nContent-Type: application/pdf", "--b\nContent-Type: a/b\n\ntwo\n--b\nContent-Type: application/pdf",
			"bG8=\n", "bG8=\n--b\n\none\n").Replace(mixed)},
		{"around a part", mixed, func(t *testing.T, p *Part) { ok(t, p.ByID("1.1").AppendPart(one, "")) },
			strings.Replace(mixed, "--i\nContent-Type: text/plain\n\nplain",
				"--i\nContent-Type: multipart/mixed; boundary=B1\n\n--B1\nContent-Type: text/plain\n\nplain\n--B1\n\none\n--B1--", 1)},
		{"beside a part that goes", mixed, func(t *testing.T, p *Part) {
			ok(t, p.ByID("2").AppendPart(one, ""))
			ok(t, p.ByID("2").PrependPart(two, ""))
			ok(t, p.ByID("2").Remove())
			ok(t, p.ByID("1").Remove())
			ok(t, p.ByID("3").Remove())
		}, "Subject: x\n" + head + "preamble\n\n--b\nContent-Type: a/b\n\ntwo\n--b\n\none\n--b--\nepilogue\n"},
		{"around and instead", mixed, func(t *testing.T, p *Part) {
			ok(t, p.ByID("1.1").AppendPart(one, ""))
			ok(t, p.ByID("1.1").ReplacePart(two))
		}, strings.Replace(mixed, "--i\nContent-Type: text/plain\n\nplain",
			"--i\nContent-Type: multipart/mixed; boundary=B1\n\n--B1\nContent-Type: a/b\n\ntwo\n--B1\n\none\n--B1--", 1)},
		{"into the unclosed", head + "--b\n\nx\n", func(t *testing.T, p *Part) {
			ok(t, p.AppendPart(one, ""))
			ok(t, p.PrependPart(two, ""))
		}, head + "--b\nContent-Type: a/b\n\ntwo\n--b\n\nx\n\n--b\n\none\n--b--\n"},
		{"into one without parts", head + "x", func(t *testing.T, p *Part) { ok(t, p.PrependPart(one, "")) },
			head + "x\n--b\n\none\n--b--\n"},
		{"beside an empty part", head + "--b\n--b\nA: b\n--b--\n", func(t *testing.T, p *Part) {
			ok(t, p.ByID("1").AppendPart(one, ""))
			ok(t, p.ByID("2").AppendPart(two, ""))
		}, head + "--b\n\n--b\n\none\n--b\nA: b\n\n--b\nContent-Type: a/b\n\ntwo\n--b--\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := NewBytes([]byte(crlfs(tt.in)))
			tt.edit(t, m.Root())
			if got := edited(t, m); got != tt.want {
				t.Errorf("%q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestEntityOfPart(t *testing.T) {
	m := NewBytes([]byte(crlfs(mixed)))
	root := m.Root()
	ok(t, root.ByID("1.1").SetBody("new", ""))
	ok(t, root.ByID("1").AddHeader("X", "y", field.Q))
	ok(t, root.ByID("1").PrependPart(extra, "")) // beside it
	ok(t, m.Modify(int64(strings.Index(crlfs(mixed), "html<")), 4, []byte("HTML")))
	ok(t, m.Modify(0, 7, []byte("X"))) // outside
	b, err := flatten(root.ByID("1"))
	want := "X: y\nContent-Type: multipart/alternative; boundary=\"i\"\n\n--i\nContent-Type: text/plain\n\nnew\n" +
		"--i\nContent-Type: text/html\n\n<b>HTML</b>\n--i--"
	if err != nil || string(b) != crlfs(want) {
		t.Errorf("%q, %v\nwant %q", b, err, want)
	}
	if b, err := flatten(root); err != nil || !bytes.HasPrefix(b, []byte("X: x\r\n")) {
		t.Errorf("%q, %v", b, err)
	}
}

func TestModify(t *testing.T) {
	m := NewBytes([]byte(crlfs(small)))
	root := m.Root()
	ok(t, m.Modify(3, 1, []byte("one")))
	ok(t, m.Modify(0, 0, []byte("X: y\r\n")))
	ok(t, m.Modify(root.bodyStart, 4, []byte("text")))
	if err := m.Modify(root.bodyStart+2, 4, nil); !errors.Is(err, patch.ErrRange) {
		t.Error(err)
	}
	for _, span := range [][2]int64{{-1, 1}, {0, -1}, {0, 100}, {100, 0}} {
		if err := m.Modify(span[0], span[1], nil); !errors.Is(err, patch.ErrRange) {
			t.Errorf("%v: %v", span, err)
		}
	}
	if got := edited(t, m); got != "X: y\nA: one\nB: 2\nA: 3\n\ntext\n" {
		t.Errorf("%q", got)
	}
	id := m.Snapshot()
	must[int](t)(root.SetHeader("A", "x", 0, field.Q)) // covers one
	ok(t, root.SetBody("other", ""))                   // and another
	if got := edited(t, m); got != "X: y\nA: x\nB: 2\nA: 3\n\nother" {
		t.Errorf("%q", got)
	}
	m.Restore(id)
	ok(t, m.Modify(0, 12, []byte("C: 4\r\n"))) // covers a field
	root.DelHeader("B", All)
	if got := edited(t, m); got != "X: y\nC: 4\nA: 3\n\ntext\n" {
		t.Errorf("%q", got)
	}
	m.Restore(id)
	ok(t, m.Modify(10, 4, nil)) // cuts into one
	root.DelHeader("B", All)
	if _, err := m.View(fixed); !errors.Is(err, patch.ErrRange) {
		t.Error(err)
	}
}

func TestSnapshots(t *testing.T) {
	m := NewBytes([]byte(crlfs(small)))
	root := m.Root()
	none := m.Snapshot()
	ok(t, root.AddHeader("X", "1", field.Q))
	one := m.Snapshot()
	ok(t, root.SetBody("new", ""))
	ok(t, m.Modify(3, 1, []byte("0")))
	two := m.Snapshot()
	if m.Edits() != 3 || none == one || one == two {
		t.Error(m.Edits(), none, one, two)
	}
	want := map[int]string{
		none: small, one: "X: 1\n" + small, two: "X: 1\nA: 0\nB: 2\nA: 3\n\nnew",
	}
	for _, id := range []int{one, two, none, two, one} {
		if !m.Restore(id) {
			t.Fatal(id)
		}
		if got := edited(t, m); got != want[id] {
			t.Errorf("%d: %q", id, got)
		}
	}
	ok(t, root.AddHeader("Y", "2", field.Q)) // on another branch
	if got := edited(t, m); got != "Y: 2\nX: 1\n"+small {
		t.Errorf("%q", got)
	}
	if n := m.Reset(); n != 2 || m.Edits() != 0 || edited(t, m) != small {
		t.Errorf("%d dropped, %q", n, edited(t, m))
	}
	if m.Restore(0) || m.Restore(4) || !m.Restore(two) || edited(t, m) != want[two] {
		t.Error("restore")
	}
}

// TestGettersTellTheOriginal makes every kind of edit and looks again.
func TestGettersTellTheOriginal(t *testing.T) {
	m := NewBytes([]byte(crlfs(mixed)))
	root := m.Root()
	before := outline(t, root)
	must[int](t)(root.SetHeader("Subject", "new", All, field.Q))
	ok(t, root.ByID("1.1").SetBody("new", ""))
	ok(t, root.ByID("2").Remove())
	ok(t, root.ByID("3").ReplacePart(extra))
	ok(t, root.AppendPart(extra, "multipart/related"))
	ok(t, root.SetPreamble("new"))
	if got := outline(t, root); got != before {
		t.Errorf("%s\nwant %s", got, before)
	}
	if got, _ := root.Header("Subject", 0, Text); got != "x" {
		t.Errorf("%q", got)
	}
	if got, _ := root.Preamble(); got != "preamble\r\n" {
		t.Errorf("%q", got)
	}
	again := outline(t, NewBytes([]byte(crlfs(edited(t, m)))).Root())
	if want := "0 multipart/related {1 multipart/mixed {1.1 multipart/alternative {1.1.1 text/plain [new]} " +
		"{1.1.2 text/html [<b>html</b>]}} {1.2 x/y [extra]}} {2 x/y [extra]}"; again != want {
		t.Errorf("%s\nwant %s", again, want)
	}
}
