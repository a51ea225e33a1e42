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
