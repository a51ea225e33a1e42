package dkim_test

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/dkim"
)

// The reference: the words of RFC 6376 §3.4.3 and §3.4.4 one after the other over
// the whole body.

func simple(body string) string {
	for strings.HasSuffix(body, "\r\n") {
		body = strings.TrimSuffix(body, "\r\n")
	}
	return body + "\r\n"
}

var (
	runs = regexp.MustCompile("[ \t]+")
)

func relaxed(body string) string {
	var lines []string
	for line := range strings.SplitSeq(body, "\r\n") {
		lines = append(lines, runs.ReplaceAllString(strings.TrimRight(line, " \t"), " "))
	}
	body = strings.Join(lines, "\r\n")
	for strings.HasSuffix(body, "\r\n") {
		body = strings.TrimSuffix(body, "\r\n")
	}
	if body == "" {
		return ""
	}
	return body + "\r\n"
}

// checkBody compares the hashes of a body given in pieces of that size with those
// of its reference form.
func checkBody(t *testing.T, body string, size int) {
	t.Helper()
	forms := map[dkim.Canonicalization]string{dkim.Simple: simple(body), dkim.Relaxed: relaxed(body)}
	lengths := []int64{dkim.Whole, 0, 1, 7, int64(len(body) / 2), int64(len(body)), int64(len(body) + 2), 1 << 40}
	var b dkim.Body
	for c := range forms {
		for _, n := range lengths {
			b.Want(dkim.BodyHash{Canonicalization: c, Hash: crypto.SHA256, Length: n})
			b.Want(dkim.BodyHash{Canonicalization: c, Hash: crypto.SHA1, Length: n})
		}
	}
	for rest := body; rest != ""; {
		n := min(size, len(rest))
		_, _ = b.Write([]byte(rest[:n]))
		rest = rest[n:]
	}
	_ = b.Close()
	for c, form := range forms {
		if n := b.Length(c); n != int64(len(form)) {
			t.Errorf("%q in pieces of %d, %s: %d bytes, want %d", body, size, c, n, len(form))
		}
		for _, n := range lengths {
			checkSum(t, &b, dkim.BodyHash{Canonicalization: c, Hash: crypto.SHA256, Length: n}, form)
			checkSum(t, &b, dkim.BodyHash{Canonicalization: c, Hash: crypto.SHA1, Length: n}, form)
		}
	}
}

func checkSum(t *testing.T, b *dkim.Body, w dkim.BodyHash, form string) {
	t.Helper()
	got, err := b.Sum(w)
	if w.Length > int64(len(form)) {
		if !errors.Is(err, dkim.ErrBodyLength) {
			t.Errorf("%+v of %d bytes: %x, %v", w, len(form), got, err)
		}
		return
	}
	if w.Length >= 0 {
		form = form[:w.Length]
	}
	want256, want1 := sha256.Sum256([]byte(form)), sha1.Sum([]byte(form))
	want := want256[:]
	if w.Hash == crypto.SHA1 {
		want = want1[:]
	}
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%+v of %q: %x, %v", w, form, got, err)
	}
}

var bodies = []string{
	"", "\r\n", "\r\n\r\n", " ", " \t\r\n", "\t\r\n\r\n \r\n", "a", "a\r\n", "a\r\n\r\n\r\n", "a \r\n", "a \t b",
	" C \r\nD \t E\r\n\r\n\r\n", // RFC 6376 §3.4.5
	"\r", "\n", "\r\r\n", "\r\n\r", "a\r", "a \r", "a \r\r\n", "a\rb\nc\r\n", "a\n\n\n", "a\n\r\n\r\n", " \n \r \r\n",
	"\r\n\r\na", "a\r\n\r\n\r\n\r\nb\r\n \r\n", "a\r\n\r", "a\r\n\n", "a \n", "\n ", "\r \r\n",
	strings.Repeat("word  and word \r\n", 400) + strings.Repeat("\r\n", 700) + "x",
	strings.Repeat("x", 5000) + "  " + strings.Repeat("y", 2047) + "\r\n",
}

func TestBody(t *testing.T) {
	for _, body := range bodies {
		for _, size := range []int{1, 2, 3, 5, 64, 1 << 20} {
			checkBody(t, body, size)
		}
	}
}

func FuzzBody(f *testing.F) {
	for i, body := range bodies {
		f.Add(body, i)
	}
	f.Fuzz(func(t *testing.T, body string, size int) {
		checkBody(t, body, max(1, size&0xff))
		// Bytes that matter are rare in what a fuzzer makes.
		checkBody(t, strings.Map(func(r rune) rune { return rune("\r\n \ta"[uint(r)%5]) }, body), max(1, size&0xf))
	})
}

func TestBodyNotWanted(t *testing.T) {
	var b dkim.Body
	b.Want(dkim.BodyHash{Hash: crypto.SHA256, Length: 5})
	_, _ = b.Write([]byte("hello"))
	b.Want(dkim.BodyHash{Hash: crypto.SHA1, Length: 5}) // too late
	_ = b.Close()
	for _, w := range []dkim.BodyHash{
		{Hash: crypto.SHA256, Length: dkim.Whole},
		{Hash: crypto.SHA1, Length: 5},
		{Canonicalization: dkim.Simple, Hash: crypto.SHA256, Length: 5},
	} {
		if sum, err := b.Sum(w); err == nil {
			t.Errorf("%+v: %x", w, sum)
		}
	}
}

func TestFieldForms(t *testing.T) {
	for _, c := range []struct{ field, relaxed, simple string }{
		// RFC 6376 §3.4.5
		{"A: X\r\n", "a:X\r\n", "A: X\r\n"},
		{"B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n", "B : Y\t\r\n\tZ  \r\n"},
		{"C:\r\n", "c:\r\n", "C:\r\n"},
		{"C: \r\n \r\n", "c:\r\n", "C: \r\n \r\n"},
		{"D:e", "d:e\r\n", "D:e\r\n"},
		{"D:a\n b\n", "d:a b\r\n", "D:a\n b\n"},            // bare LF folds
		{"D:a\rb\r \r\n", "d:a\rb\r\r\n", "D:a\rb\r \r\n"}, // bare CR is a byte
		{"SubJect:a:b\r\n\t\r\n c\r\n", "subject:a:b c\r\n", "SubJect:a:b\r\n\t\r\n c\r\n"},
	} {
		if got := string(dkim.Relaxed.AppendField(nil, []byte(c.field))); got != c.relaxed {
			t.Errorf("%q relaxed: %q, want %q", c.field, got, c.relaxed)
		}
		if got := string(dkim.Simple.AppendField(nil, []byte(c.field))); got != c.simple {
			t.Errorf("%q simple: %q, want %q", c.field, got, c.simple)
		}
	}
}

func TestSignatureForms(t *testing.T) {
	for _, c := range []struct{ field, relaxed, simple string }{
		{"DKIM-Signature: a=1;\r\n b = x y\r\n z ; bh=b=\r\n", "dkim-signature:a=1; b =; bh=b=", "DKIM-Signature: a=1;\r\n b =; bh=b="},
		{"DKIM-Signature: bh=1; b=abc\r\n", "dkim-signature:bh=1; b=", "DKIM-Signature: bh=1; b="},
		{"DKIM-Signature: bh=1; b=abc;\r\n", "dkim-signature:bh=1; b=;", "DKIM-Signature: bh=1; b=;"},
	} {
		_, value, _ := strings.Cut(strings.TrimSuffix(c.field, "\r\n"), ":")
		tags, err := dkim.ParseTags(value)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(dkim.Relaxed.AppendSignature(nil, []byte(c.field), tags)); got != c.relaxed {
			t.Errorf("relaxed: %q, want %q", got, c.relaxed)
		}
		if got := string(dkim.Simple.AppendSignature(nil, []byte(c.field), tags)); got != c.simple {
			t.Errorf("simple: %q, want %q", got, c.simple)
		}
	}
}

func BenchmarkBody(b *testing.B) {
	body := []byte(strings.Repeat("The quick brown fox jumps over the lazy dog, again and again.\r\n", 160))
	for _, c := range []dkim.Canonicalization{dkim.Relaxed, dkim.Simple} {
		b.Run(c.String(), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				var h dkim.Body
				h.Want(dkim.BodyHash{Canonicalization: c, Hash: crypto.SHA256, Length: dkim.Whole})
				_, _ = h.Write(body)
				_ = h.Close()
			}
		})
	}
}
