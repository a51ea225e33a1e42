package mime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gomessage "github.com/emersion/go-message"

	"github.com/posthaste-mta/posthaste/internal/message/transfer"
)

// corpus calls f with each of the real messages in a folder beside the checkout.
func corpus(t *testing.T, f func(t *testing.T, name string, b []byte)) {
	folder := filepath.Join("..", "..", "..", "..", "shared", "vectors")
	files, _ := filepath.Glob(filepath.Join(folder, "*", "*.eml"))
	if len(files) == 0 {
		t.Skipf("no messages in %s", folder)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f(t, filepath.Base(file), []byte(transfer.CRLF(string(b)))) // as it comes by SMTP
	}
	t.Logf("%d messages", len(files))
}

// TestCorpus reads real messages and compares with what go-message and the
// standard library make of them, where they make something of them.
func TestCorpus(t *testing.T) {
	agreed := 0
	corpus(t, func(t *testing.T, name string, b []byte) {
		m := NewBytes(b)
		theirs, err := gomessage.Read(bytes.NewReader(b))
		if err != nil && !gomessage.IsUnknownCharset(err) && !gomessage.IsUnknownEncoding(err) {
			if !isBroken(m.Root()) {
				t.Errorf("%s: go-message gives up: %v", name, err)
			}
			return
		}
		if isBroken(m.Root()) {
			return
		}
		if ours, other := leaves(t, m.Root()), otherLeaves(theirs); ours != other {
			t.Errorf("%s: %s", name, difference(ours, other))
			return
		}
		agreed++
		compareMessageID(t, name, m, b)
		if out, err := m.Bytes(fixed, 1<<30); err != nil || !bytes.Equal(out, b) {
			t.Errorf("%s does not come out as it went in: %v", name, err)
		}
	})
	t.Logf("%d agree", agreed)
	if agreed < 150 && !t.Skipped() {
		t.Error("too few")
	}
}

// isBroken reports whether go-message gives up on a part for its header, or for
// want of a delimiter.
func isBroken(root *Part) bool {
	return slices.ContainsFunc(all(root), func(p *Part) bool {
		return slices.Contains(p.Errors(), BadHeader) || p.isMultipart() && len(p.Parts()) == 0
	})
}

// difference shows where two texts begin to differ.
func difference(a, b string) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	from := max(0, i-60)
	return fmt.Sprintf("%q, %q", a[from:min(len(a), i+80)], b[from:min(len(b), i+80)])
}

// leaves shows the types and decoded sizes of all parts without parts.
func leaves(t *testing.T, p *Part) string {
	var b strings.Builder
	for _, q := range all(p) {
		if len(q.Parts()) > 0 {
			continue
		}
		kind, ok := q.Type()
		if !ok {
			kind = "text/plain"
		}
		body, err := q.Content(true, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(kind + " " + digest(body) + "; ")
	}
	return b.String()
}

func otherLeaves(e *gomessage.Entity) string {
	if r := e.MultipartReader(); r != nil {
		var b strings.Builder
		for {
			part, err := r.NextPart()
			if err != nil && part == nil {
				return b.String()
			}
			b.WriteString(otherLeaves(part))
		}
	}
	kind, _, _ := e.Header.ContentType()
	kind, _, _ = strings.Cut(kind, ";")
	body, _ := io.ReadAll(e.Body)
	return kind + " " + digest(body) + "; "
}

// digest shows a body without what charset conversion and the handling of line
// ends change: the letters in ASCII.
func digest(body []byte) string {
	var b strings.Builder
	for _, c := range body {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func compareMessageID(t *testing.T, name string, m *Message, b []byte) {
	theirs, err := mail.ReadMessage(bytes.NewReader(b))
	if err != nil {
		return
	}
	want := strings.TrimSpace(theirs.Header.Get("Message-Id"))
	if got, _ := m.Root().Header("Message-ID", 0, Unfolded); got != want {
		t.Errorf("%s: Message-ID %q, want %q", name, got, want)
	}
}

// TestWellFormed compares with mime/multipart on messages that it reads.
func TestWellFormed(t *testing.T) {
	root := NewBytes([]byte(crlfs(mixed))).Root()
	r := multipart.NewReader(root.RawBody(), "b")
	for _, p := range root.Parts() {
		part, err := r.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(p.RawBody()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", p.ID(), got, err, want)
		}
	}
	if _, err := r.NextRawPart(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// TestEditsOfCorpus edits real messages and lets others read the result.
func TestEditsOfCorpus(t *testing.T) {
	corpus(t, func(t *testing.T, name string, b []byte) {
		m := NewBytes(b)
		before := leaves(t, m.Root())
		ok(t, m.Root().AddHeader("X-Added", "first", 0))
		ok(t, m.Root().AppendPart(entity("Content-Type: text/plain\n\nfooter\n"), ""))
		out, err := m.Bytes(fixed, 1<<30)
		if err != nil {
			t.Fatal(name, err)
		}
		if after := leaves(t, NewBytes(out).Root()); after != before+"text/plain footer; " {
			t.Errorf("%s: %s", name, difference(before, after))
		}
		theirs, err := gomessage.Read(bytes.NewReader(out))
		if isBroken(m.Root()) {
			return
		}
		if err != nil && !gomessage.IsUnknownCharset(err) {
			t.Errorf("%s: go-message gives up: %v", name, err)
			return
		}
		if got := otherLeaves(theirs); got != before+"text/plain footer; " {
			t.Errorf("%s: %s", name, difference(before, got))
		}
	})
}
