package mime

import (
	"errors"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/message/field"
)

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
