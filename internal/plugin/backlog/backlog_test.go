package backlog_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/plugin/backlog"
)

func open(t testing.TB, dir string, o backlog.Options) *backlog.Log {
	t.Helper()
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	l, err := backlog.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func add(t testing.TB, l *backlog.Log, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := l.Append(text); err != nil {
			t.Fatal(err)
		}
	}
}

// take peeks at up to n records and removes them.
func take(t *testing.T, l *backlog.Log, n int) []string {
	t.Helper()
	b, err := l.Peek(n, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Advance(b); err != nil {
		t.Fatal(err)
	}
	return b.Texts
}

func numbered(from, to int) (all []string) {
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprintf("record %d", i))
	}
	return all
}

// TestOrder: what is appended comes out in order, over many segments and several
// lives of the queue, and files that are through are deleted.
func TestOrder(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, backlog.Options{SegmentBytes: 64})
	add(t, l, numbered(0, 20)...)
	got := take(t, l, 7)
	if n, bytes := l.Len(); n != 13 || bytes != 3*16+10*17 {
		t.Errorf("%d records of %d bytes wait", n, bytes)
	}
	l.Close()
	l = open(t, dir, backlog.Options{SegmentBytes: 64})
	add(t, l, numbered(20, 30)...)
	for len(got) < 30 {
		part := take(t, l, 4)
		if len(part) == 0 {
			t.Fatalf("only %d records", len(got))
		}
		got = append(got, part...)
	}
	if !slices.Equal(got, numbered(0, 30)) {
		t.Errorf("got %q", got)
	}
	if n, bytes := l.Len(); n != 0 || bytes != 0 {
		t.Errorf("%d records of %d bytes wait", n, bytes)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.backlog")); len(files) != 1 {
		t.Errorf("left are %v", files)
	}
}

// TestPeekAgain: what is not removed comes again, also after a crash.
func TestPeekAgain(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, backlog.Options{})
	add(t, l, "a", "b")
	for range 2 {
		if b, err := l.Peek(10, 1<<20); err != nil || !slices.Equal(b.Texts, []string{"a", "b"}) {
			t.Errorf("got %q, %v", b.Texts, err)
		}
	}
	l.Close()
	l = open(t, dir, backlog.Options{})
	select {
	case <-l.More():
	default:
		t.Error("nothing says that there is more")
	}
	if b, err := l.Peek(10, 1<<20); err != nil || !slices.Equal(b.Texts, []string{"a", "b"}) {
		t.Errorf("after a start: %q, %v", b.Texts, err)
	}
	if b, _ := l.Peek(10, 1); len(b.Texts) != 1 {
		t.Errorf("a small batch has %q", b.Texts)
	}
}

// TestFull: what does not fit is refused, and fits again after some was removed.
func TestFull(t *testing.T) {
	l := open(t, t.TempDir(), backlog.Options{MaxBytes: 40})
	add(t, l, "12345678", "12345678")
	if err := l.Append("12345678"); !errors.Is(err, backlog.ErrFull) {
		t.Errorf("a third: %v", err)
	}
	take(t, l, 1)
	add(t, l, "12345678")
	if err := l.Clear(); err != nil {
		t.Error(err)
	}
	if n, _ := l.Len(); n != 0 || len(take(t, l, 5)) != 0 {
		t.Errorf("%d wait after clear", n)
	}
	add(t, l, "x")
	if got := take(t, l, 5); !slices.Equal(got, []string{"x"}) {
		t.Errorf("after clear: %q", got)
	}
}

// TestCutAnywhere: a crash in the middle of a write leaves all records before it,
// and the queue goes on behind them.
func TestCutAnywhere(t *testing.T) {
	source := t.TempDir()
	l := open(t, source, backlog.Options{})
	add(t, l, "one", "two")
	l.Close()
	name := "0000000000000001.backlog"
	whole, err := os.ReadFile(filepath.Join(source, name))
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) + 1 {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, dir, backlog.Options{})
		add(t, l, "three")
		want := []string{"one", "two"}[:cut/11]
		if got := take(t, l, 5); !slices.Equal(got, append(slices.Clone(want), "three")) {
			t.Errorf("cut at %d: %q", cut, got)
		}
		l.Close()
	}
}

// TestDamage: a record that has changed is not delivered, and those of later
// segments are.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, backlog.Options{SegmentBytes: 40})
	add(t, l, numbered(0, 6)...) // two to a segment
	l.Close()
	first := filepath.Join(dir, "0000000000000001.backlog")
	data, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	data[20] ^= 1 // in the second record
	if err := os.WriteFile(first, data, 0o600); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, backlog.Options{SegmentBytes: 40})
	got := take(t, l, 10)
	if _, err := l.Peek(10, 1<<20); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("the damage is not told: %v", err)
	}
	got = append(got, take(t, l, 10)...)
	if want := append(numbered(0, 1), numbered(2, 6)...); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if n, bytes := l.Len(); n != 0 || bytes != 0 {
		t.Errorf("%d records of %d bytes wait", n, bytes)
	}
}

// TestMark: a torn note of the reader leaves the one before it.
func TestMark(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, backlog.Options{})
	add(t, l, "a", "b", "c")
	take(t, l, 1)
	take(t, l, 1)
	l.Close()
	path := filepath.Join(dir, "position")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		torn := slices.Clone(data)
		torn[i] ^= 0xff
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, dir, backlog.Options{})
		b, err := l.Peek(5, 1<<20)
		if err != nil || len(b.Texts) == 0 || b.Texts[len(b.Texts)-1] != "c" || len(b.Texts) > 3 {
			t.Errorf("byte %d: %q, %v", i, b.Texts, err)
		}
		l.Close()
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, backlog.Options{})
	if _, err := backlog.Open(dir, backlog.Options{}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second one: %v", err)
	}
	l.Close()
	if err := l.Append("x"); !errors.Is(err, backlog.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "metastore"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := backlog.Open(other, backlog.Options{}); err == nil || !strings.Contains(err.Error(), "jlog queue of another program") {
		t.Errorf("a jlog queue: %v", err)
	}
}

// TestConcurrent: nothing is lost between many writers and a reader.
func TestConcurrent(t *testing.T) {
	l := open(t, t.TempDir(), backlog.Options{SegmentBytes: 512})
	const writers, each = 6, 40
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := l.Append(fmt.Sprint(w, " ", i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	next := map[string]int{}
	for n := 0; n < writers*each; {
		<-l.More()
		for {
			got := take(t, l, 7)
			if len(got) == 0 {
				break
			}
			for _, text := range got {
				w, i, _ := strings.Cut(text, " ")
				if i != fmt.Sprint(next[w]) {
					t.Errorf("%q comes where %d is due", text, next[w])
				}
				next[w]++
			}
			n += len(got)
		}
	}
	wg.Wait()
}

// BenchmarkAppend: 1.2 µs per record of 500 bytes without sync.
func BenchmarkAppend(b *testing.B) {
	l := open(b, b.TempDir(), backlog.Options{NoSync: true, MaxBytes: 1 << 40})
	text := strings.Repeat("x", 500)
	for b.Loop() {
		add(b, l, text)
		if n, _ := l.Len(); n == 1000 {
			if err := l.Clear(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// FuzzOpen: whatever stands in the files, the queue opens, is read to its end and
// takes more.
func FuzzOpen(f *testing.F) {
	f.Add([]byte("\x03\x00\x00\x00\x00\x00\x00\x00abc"), []byte{1})
	f.Fuzz(func(t *testing.T, segment, position []byte) {
		dir := t.TempDir()
		for name, data := range map[string][]byte{"0000000000000001.backlog": segment, "position": position} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		l := open(t, dir, backlog.Options{NoSync: true})
		add(t, l, "last")
		for {
			b, err := l.Peek(3, 1<<20)
			if err != nil {
				continue // says so once for each damage
			}
			if err := l.Advance(b); err != nil {
				t.Fatal(err)
			}
			if len(b.Texts) == 0 {
				break
			}
		}
		if n, bytes := l.Len(); n != 0 || bytes != 0 {
			t.Errorf("%d records of %d bytes wait", n, bytes)
		}
	})
}
