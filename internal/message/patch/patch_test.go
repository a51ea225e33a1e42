package patch

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func apply(t testing.TB, p *Patch, original string) string {
	t.Helper()
	v, err := p.Apply(strings.NewReader(original))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if n, err := v.WriteTo(&b); err != nil || n != v.Size() || n != int64(b.Len()) {
		t.Fatalf("wrote %d of %d: %v", n, v.Size(), err)
	}
	if err := iotest.TestReader(io.NewSectionReader(v, 0, v.Size()), b.Bytes()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPatch(t *testing.T) {
	const original = "0123456789"
	for _, c := range []struct {
		name string
		edit func(*Patch) error
		want string
	}{
		{"nothing", func(*Patch) error { return nil }, original},
		{"replace", func(p *Patch) error { return p.Replace(2, 3, []byte("abcd")) }, "01abcd56789"},
		{"remove", func(p *Patch) error { return p.Replace(0, 5, nil) }, "56789"},
		{"append", func(p *Patch) error { return p.Replace(10, 0, []byte("!")) }, "0123456789!"},
		{"insert in order", func(p *Patch) error {
			return errors.Join(p.Replace(3, 0, []byte("a")), p.Replace(3, 0, []byte("b")))
		}, "012ab3456789"},
		{"insert in front", func(p *Patch) error {
			return errors.Join(p.InsertBefore(0, []byte("a")), p.InsertBefore(0, []byte("b")))
		}, "ba0123456789"},
		{"side by side", func(p *Patch) error {
			return errors.Join(p.Replace(4, 2, []byte("b")), p.Replace(2, 2, []byte("a")), p.Replace(6, 1, nil))
		}, "01ab789"},
		{"again", func(p *Patch) error {
			return errors.Join(p.Replace(2, 2, []byte("a")), p.Replace(2, 2, []byte("b")))
		}, "01b456789"},
		{"cover several", func(p *Patch) error {
			return errors.Join(p.Replace(2, 1, []byte("a")), p.Replace(5, 0, []byte("b")), p.Replace(1, 8, []byte("-")))
		}, "0-9"},
		{"insert at both ends of another", func(p *Patch) error {
			return errors.Join(p.Replace(3, 2, []byte("x")), p.Replace(3, 0, []byte("a")), p.Replace(5, 0, []byte("b")))
		}, "012axb56789"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := new(Patch)
			if err := c.edit(p); err != nil {
				t.Fatal(err)
			}
			if got := apply(t, p, original); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			again, err := Decode(p.Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			if got := apply(t, again, original); got != c.want {
				t.Errorf("decoded: %q, want %q", got, c.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	p := new(Patch)
	if err := p.Replace(2, 4, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, e := range [][2]int64{{0, 3}, {5, 3}, {3, 1}, {3, 0}, {-1, 2}, {1, -1}} {
		if err := p.Replace(e[0], e[1], nil); !errors.Is(err, ErrRange) {
			t.Errorf("%v: %v", e, err)
		}
	}
	if _, err := p.Apply(strings.NewReader("01234")); !errors.Is(err, ErrRange) {
		t.Errorf("beyond the end: %v", err)
	}
}

func TestCovers(t *testing.T) {
	p := new(Patch)
	if err := errors.Join(p.Replace(2, 4, []byte("x")), p.Replace(6, 0, []byte("y")), p.Replace(8, 1, nil)); err != nil {
		t.Fatal(err)
	}
	for span, want := range map[[2]int64]bool{
		{2, 4}: true, {3, 1}: true, {3, 0}: true, {5, 1}: true, {8, 1}: true,
		{1, 2}: false, {5, 2}: false, {2, 0}: false, {6, 0}: false, {6, 1}: false, {7, 3}: false, {9, 0}: false,
	} {
		if got := p.Covers(span[0], span[1]); got != want {
			t.Errorf("%v: %v", span, got)
		}
	}
	var starts []int64
	p.Each(func(start, _ int64, _ []byte) { starts = append(starts, start) })
	if !slices.Equal(starts, []int64{2, 6, 8}) {
		t.Errorf("edits at %v", starts)
	}
}

// TestAgainstStrings edits single bytes at random, where the order of edits
// does not matter, and compares with a list of strings.
func TestAgainstStrings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		original := rapid.StringN(1, 40, 40).Draw(t, "original")
		cells := make([]string, len(original))
		for i := range cells {
			cells[i] = original[i : i+1]
		}
		p := new(Patch)
		for range rapid.IntRange(0, 20).Draw(t, "edits") {
			i := rapid.IntRange(0, len(cells)-1).Draw(t, "at")
			data := rapid.StringN(0, 3, 12).Draw(t, "data")
			cells[i] = data
			if err := p.Replace(int64(i), 1, []byte(data)); err != nil {
				t.Fatal(err)
			}
		}
		v, err := p.Apply(strings.NewReader(original))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := v.WriteTo(&b); err != nil || b.String() != strings.Join(cells, "") {
			t.Fatalf("%q, want %q, %v", b.String(), strings.Join(cells, ""), err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	p := new(Patch)
	_ = p.Replace(3, 4, []byte("x"))
	f.Add(p.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(p.Append(nil))
		if err != nil || again.Len() != p.Len() {
			t.Fatalf("not read again: %v", err)
		}
	})
}
