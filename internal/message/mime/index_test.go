package mime

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// crlfs returns text with CRLF for its line ends.
func crlfs(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

// outline shows the structure of a part: its ID, its type, its body in brackets,
// what is wrong with it, and its parts.
func outline(t testing.TB, p *Part) string {
	t.Helper()
	var b strings.Builder
	kind, ok := p.Type()
	if !ok {
		kind = "-"
	}
	b.WriteString(p.ID() + " " + kind)
	for _, e := range p.Errors() {
		b.WriteString(" " + string(e))
	}
	if len(p.Parts()) == 0 {
		body, err := io.ReadAll(p.RawBody())
		if err != nil {
			t.Fatal(err)
		}
		return b.String() + " [" + strings.ReplaceAll(string(body), "\r\n", "~") + "]"
	}
	for _, c := range p.Parts() {
		b.WriteString(" {" + outline(t, c) + "}")
	}
	return b.String()
}

const head = "Content-Type: multipart/mixed; boundary=b\n\n"

func TestStructure(t *testing.T) {
	inner := "Content-Type: multipart/alternative; boundary=i\n\n"
	tests := []struct{ name, in, want string }{
		{"empty", "", "0 - []"},
		{"header alone", "A: b\n", "0 - []"},
		{"body", "A: b\n\nhello\n", "0 - [hello~]"},
		{"no header", "\nhello", "0 - [hello]"},
		{"two parts", head + "pre\n--b\n\none\n--b\nContent-Type: Text/HTML\n\ntwo\n\n--b--\nepi\n",
			"0 multipart/mixed {1 - [one]} {2 text/html [two~]}"},
		{"at the start of the body", head + "--b\n\none\n--b--", "0 multipart/mixed {1 - [one]}"},
		{"space behind a boundary", head + "--b \t\n\none\n--b-- \n", "0 multipart/mixed {1 - [one]}"},
		{"not a boundary", head + "--b\n\none\n--bb\n --b\n--b-\n--b--x\n--b--\n",
			"0 multipart/mixed {1 - [one~--bb~ --b~--b-~--b--x]}"},
		{"unclosed", head + "--b\n\none\n--b\n\ntwo\n", "0 multipart/mixed unclosed_boundary {1 - [one]} {2 - [two~]}"},
		{"no delimiter", head + "text\n", "0 multipart/mixed unclosed_boundary [text~]"},
		{"closed at once", head + "text\n--b--\n", "0 multipart/mixed [text~--b--~]"},
		{"no boundary", "Content-Type: multipart/mixed\n\n--b\n", "0 multipart/mixed bad_header [--b~]"},
		{"empty parts", head + "--b\n--b\n\n--b\nA: b\n--b\nA: b\n\n--b--\n",
			"0 multipart/mixed {1 - []} {2 - []} {3 - []} {4 - []}"},
		{"nested", head + "--b\n" + inner + "--i\n\none\n--i\n\ntwo\n--i--\n--b\n\nthree\n--b--\n",
			"0 multipart/mixed {1 multipart/alternative {1.1 - [one]} {1.2 - [two]}} {2 - [three]}"},
		{"nested and unclosed", head + "--b\n" + inner + "--i\n\none\n\n--b\n\ntwo\n--b--\n",
			"0 multipart/mixed {1 multipart/alternative unclosed_boundary {1.1 - [one~]}} {2 - [two]}"},
		{"delimiter in the header", head + "--b\nContent-Type: text/plain\n--b\n\ntwo\n--b--\n",
			"0 multipart/mixed {1 text/plain []} {2 - [two]}"},
		{"the same boundary twice", head + "--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n--b\n\ntwo\n--b--\n",
			"0 multipart/mixed {1 multipart/mixed {1.1 - [one]}} {2 - [two]}"},
		{"line that is no field", "A: b\nrubbish\nContent-Type: text/plain\n\nx", "0 text/plain bad_header [x]"},
		{"type without subtype", "Content-Type: text\n\nx", "0 - [x]"},
		{"message", "Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=x\n\n--x\n",
			"0 message/rfc822 [Content-Type: multipart/mixed; boundary=x~~--x~]"},
		{"behind the end", head + "--b\n\none\n--b--\n--b\n\ntwo\n--b--\n", "0 multipart/mixed {1 - [one]}"},
		{"boundary with spaces", "Content-Type: multipart/mixed; boundary=\" b \"\n\n-- b \n\none\n-- b--\n",
			"0 multipart/mixed {1 - [one]}"},
		{"quoted boundary", "Content-Type: multipart/mixed;\n boundary=\"a b;c\"\n\n--a b;c\n\none\n--a b;c--\n",
			"0 multipart/mixed {1 - [one]}"},
	}
	for _, tt := range tests {
		m := NewBytes([]byte(crlfs(tt.in)))
		if got := outline(t, m.Root()); got != tt.want || m.Err() != nil {
			t.Errorf("%s: %s, %v\nwant %s", tt.name, got, m.Err(), tt.want)
		}
		bare := NewBytes([]byte(tt.in)) // LF alone
		if got := outline(t, bare.Root()); got != strings.ReplaceAll(tt.want, "~", "\n") {
			t.Errorf("%s with LF: %s", tt.name, got)
		}
	}
}

func TestLimits(t *testing.T) {
	nested := strings.Repeat(head+"--b\n", 5) + "\nx\n--b--\n"
	m := New(strings.NewReader(nested), Limits{Depth: 3})
	if got := m.Root().ByID("1.1.1"); got == nil || len(got.Parts()) > 0 || m.Root().ByID("1.1.1.1") != nil {
		t.Error(outline(t, m.Root()))
	}
	many := head + strings.Repeat("--b\n\nx\n", 10) + "--b--\nepilogue\n"
	m = New(strings.NewReader(many), Limits{Parts: 3})
	if got := outline(t, m.Root()); !strings.HasPrefix(got, "0 multipart/mixed {1 - [x]} {2 - [x]} {3 - [x\n--b\n\nx") {
		t.Error(got)
	}
	if text, _ := m.Root().Epilogue(); text != "epilogue\n" {
		t.Errorf("epilogue %q", text)
	}
	long := "A: b\n" + strings.Repeat("x", 50) + ": y\nC: d\n\nbody"
	m = New(strings.NewReader(long), Limits{Header: 40})
	if names := m.Root().HeaderNames(); !slices.Equal(names, []string{"a"}) {
		t.Errorf("names %q", names)
	}
	if got := outline(t, m.Root()); got != "0 - bad_header [body]" {
		t.Error(got)
	}
}

func TestFieldLimit(t *testing.T) {
	m := New(strings.NewReader("A: 1\r\nB: 2\r\nC: 3\r\n\r\nbody"), Limits{Fields: 2})
	p := m.Root()
	if names := p.HeaderNames(); !slices.Equal(names, []string{"a", "b"}) || !slices.Contains(p.Errors(), BadHeader) {
		t.Errorf("%q, %q", names, p.Errors())
	}
	must[int](t)(p.SetHeader("D", "4", All, 0))
	ok(t, p.SetBody("new", ""))
	if got := edited(t, m); got != "A: 1\nB: 2\nD: 4\nC: 3\n\nnew" {
		t.Errorf("%q", got)
	}
}

const letter = "Received: from a.example\n\tby b.example; Mon, 2 Jan 2006 15:04:05 -0700\n" +
	"received: from c.example\n" +
	"From: =?utf-8?q?J=C3=BCrg?= <j@example.com>\n" +
	"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n =?iso-8859-1?b?IGF1cyBL9mxu?=\n" +
	"X-Raw: \xcf\xf0\xe8\xe2\xe5\xf2\n" +
	"Content-Type: text/plain; charset=windows-1251;\n name=\"=?utf-8?q?=C3=BC.txt?=\"\n" +
	"Content-Transfer-Encoding: Quoted-Printable (why not)\n" +
	"rubbish\n" +
	"\nGr=C3=BC=C3=9Fe=\n!\n"

func TestHeader(t *testing.T) {
	p := NewBytes([]byte(crlfs(letter))).Root()
	tests := []struct {
		name  string
		index int
		form  Reading
		want  string
	}{
		{"Subject", 0, Text, "Grüße aus Köln"},
		{"SUBJECT", 0, Unfolded, "=?utf-8?q?Gr=C3=BC=C3=9Fe?= =?iso-8859-1?b?IGF1cyBL9mxu?="},
		{"subject", 0, Whole, "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?iso-8859-1?b?IGF1cyBL9mxu?=\r\n"},
		{"From", 0, Text, "Jürg <j@example.com>"},
		{"x-raw", 0, Text, "Привет"},
		{"x-raw", 0, Unfolded, "\xcf\xf0\xe8\xe2\xe5\xf2"},
		{"Received", 0, Text, "from a.example\tby b.example; Mon, 2 Jan 2006 15:04:05 -0700"},
		{"Received", 1, Text, "from c.example"},
	}
	for _, tt := range tests {
		if got, ok := p.Header(tt.name, tt.index, tt.form); !ok || got != tt.want {
			t.Errorf("%s %d: %q, %v, want %q", tt.name, tt.index, got, ok, tt.want)
		}
	}
	for name, index := range map[string]int{"Received": 2, "To": 0, "Subject": -1, "rubbish": 0, "": 0} {
		if got, ok := p.Header(name, index, Text); ok {
			t.Errorf("%s %d: %q", name, index, got)
		}
	}
	if got := p.Headers("RECEIVED", Unfolded); len(got) != 2 || got[1] != "from c.example" {
		t.Errorf("%q", got)
	}
	if got := p.Headers("Received", Whole); len(got) != 2 || got[1] != "received: from c.example\r\n" {
		t.Errorf("%q", got)
	}
	if got := p.Headers("To", Text); len(got) != 0 {
		t.Errorf("%q", got)
	}
	want := []string{"received", "received", "from", "subject", "x-raw", "content-type", "content-transfer-encoding"}
	if got := p.HeaderNames(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestPartProperties(t *testing.T) {
	m := NewBytes([]byte(crlfs(letter)))
	p := m.Root()
	if kind, ok := p.Type(); !ok || kind != "text/plain" {
		t.Errorf("type %q, %v", kind, ok)
	}
	if got, ok := p.TypeParameter("Charset"); !ok || got != "windows-1251" {
		t.Errorf("charset %q, %v", got, ok)
	}
	if got, ok := p.TypeParameter("boundary"); ok {
		t.Errorf("boundary %q", got)
	}
	if got, ok := p.FileName(); !ok || got != "ü.txt" {
		t.Errorf("file name %q, %v", got, ok)
	}
	if p.Size() != int64(len(crlfs(letter))) || p.ID() != "0" || p.Message() != m {
		t.Errorf("%d %s", p.Size(), p.ID())
	}
	if got, err := p.Content(true, 100); err != nil || string(got) != "Grüße!\r\n" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := p.Content(false, 100); err != nil || string(got) != "Gr=C3=BC=C3=9Fe=\r\n!\r\n" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := p.Content(true, 3); !errors.Is(err, ErrTooLarge) || m.Err() != nil {
		t.Errorf("%v, %v", err, m.Err())
	}
	if !p.HasBody() || NewBytes([]byte("A: b\r\n")).Root().HasBody() {
		t.Error("HasBody")
	}
	disposition := "Content-Disposition: attachment; filename*=utf-8''%C3%BC.pdf\nContent-Type: x/y; name=other\n\n"
	if got, ok := NewBytes([]byte(disposition)).Root().FileName(); !ok || got != "ü.pdf" {
		t.Errorf("file name %q, %v", got, ok)
	}
	if got, ok := NewBytes([]byte("Content-Disposition: inline\n\n")).Root().FileName(); ok {
		t.Errorf("file name %q", got)
	}
}

const mixed = "Subject: x\n" + head + "preamble\n\n--b\nContent-Type: multipart/alternative; boundary=\"i\"\n\n" +
	"--i\nContent-Type: text/plain\n\nplain\n--i\nContent-Type: text/html\n\n<b>html</b>\n--i--\n" +
	"--b\nContent-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\naGVs\nbG8=\n" +
	"--b\nContent-Type: Text/Plain\nContent-Disposition: attachment; filename=b.TXT\n\nb\n--b--\nepilogue\n"

func ids(parts []*Part) (list []string) {
	for _, p := range parts {
		list = append(list, p.ID())
	}
	return list
}

func TestFind(t *testing.T) {
	root := NewBytes([]byte(crlfs(mixed))).Root()
	text := root.FindByType(func(kind string) bool { return strings.HasPrefix(kind, "text/") })
	if got := ids(text); !slices.Equal(got, []string{"1.1", "1.2", "3"}) {
		t.Errorf("%q", got)
	}
	if got := ids(root.ByID("1").FindByType(func(string) bool { return true })); !slices.Equal(got, []string{"1.1", "1.2"}) {
		t.Errorf("%q", got)
	}
	if got := ids(root.FindByFileName(func(string) bool { return true })); !slices.Equal(got, []string{"2", "3"}) {
		t.Errorf("%q", got)
	}
	if got := ids(root.Parts()); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("%q", got)
	}
	for _, id := range []string{"0", "1", "1.2", "3"} {
		if p := root.ByID(id); p == nil || p.ID() != id || p.ByID(id) != p {
			t.Errorf("%s: %v", id, p)
		}
	}
	for _, id := range []string{"", "4", "1.3", "0.1", "01", "1.", "x", "-1", "1.1.1"} {
		if p := root.ByID(id); p != nil {
			t.Errorf("%s: %s", id, p.ID())
		}
	}
	if p := root.ByID("1").ByID("2"); p != nil {
		t.Error("2 is not below 1")
	}
	if p := root.ByID("1").ByID("1.2"); p == nil {
		t.Error("1.2 is below 1")
	}
	if got, err := root.ByID("2").Content(true, 100); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestMargins(t *testing.T) {
	root := NewBytes([]byte(crlfs(mixed))).Root()
	if got, ok := root.Preamble(); !ok || got != "preamble\r\n" {
		t.Errorf("preamble %q, %v", got, ok)
	}
	if got, ok := root.Epilogue(); !ok || got != "epilogue\r\n" {
		t.Errorf("epilogue %q, %v", got, ok)
	}
	inner := root.ByID("1")
	if got, ok := inner.Preamble(); !ok || got != "" {
		t.Errorf("preamble %q, %v", got, ok)
	}
	if got, ok := inner.Epilogue(); !ok || got != "" {
		t.Errorf("epilogue %q, %v", got, ok)
	}
	if got, ok := root.ByID("2").Preamble(); ok {
		t.Errorf("preamble %q", got)
	}
	if got, ok := root.ByID("2").Epilogue(); ok {
		t.Errorf("epilogue %q", got)
	}
	unclosed := NewBytes([]byte(head + "text")).Root()
	if got, ok := unclosed.Preamble(); !ok || got != "text" {
		t.Errorf("preamble %q, %v", got, ok)
	}
	if got, ok := unclosed.Epilogue(); !ok || got != "" {
		t.Errorf("epilogue %q, %v", got, ok)
	}
}

// short is an original of which not all can be read.
type short struct {
	*strings.Reader
	size int64
}

func (s short) Size() int64 { return s.size }

func TestReadErrors(t *testing.T) {
	text := crlfs(mixed)
	for _, kept := range []int{0, 5, 20, 100, len(text) - 1} {
		m := New(short{strings.NewReader(text[:kept]), int64(len(text))}, Limits{})
		_ = outlineAnyway(m.Root())
		m.Root().Header("Subject", 0, Text)
		if m.Err() == nil {
			t.Errorf("%d bytes: no error", kept)
		}
		if _, err := m.View(fixed); err == nil {
			t.Errorf("%d bytes: no error from View", kept)
		}
	}
}

func outlineAnyway(p *Part) (n int) {
	for _, c := range p.Parts() {
		n += outlineAnyway(c)
		_, _ = c.Content(true, 1<<20)
	}
	return n + 1
}
