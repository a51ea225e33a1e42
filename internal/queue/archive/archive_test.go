package archive

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/envelope"
)

var alike = []cmp.Option{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})}

func sample(n byte) *Message {
	return &Message{
		Envelope: &envelope.Message{
			ID: envelope.ID{n}, Received: time.UnixMilli(1700000000123), ServerID: "in",
			Subject: "Hello", Size: 12,
			Recipients: []envelope.Recipient{
				{Number: 1, Sender: address.Address{Local: "a", Domain: "x.test"}, Address: address.Address{Local: "b", Domain: "y.test"}, Transport: "out"},
				{Number: 4, Sender: address.Address{Local: "a", Domain: "x.test"}, Address: address.Address{Local: "c", Domain: "y.test"}, Metadata: map[string]string{"k": "v"}},
			},
		},
		States: []envelope.State{{Retry: 3, Due: time.UnixMilli(1700000900000), Reason: "451 later"}, {Hold: true}},
	}
}

type failing struct{ text string }

func (f failing) WriteTo(w io.Writer) (int64, error) {
	n, _ := io.WriteString(w, f.text)
	return int64(n), errors.New("disk gone")
}

func write(t testing.TB, bodies ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	for i, body := range bodies {
		if err := w.Add(sample(byte(i+1)), strings.NewReader(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func read(raw []byte) (messages []*Message, bodies []string, err error) {
	r := NewReader(bytes.NewReader(raw))
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return messages, bodies, nil
		}
		if err != nil {
			return messages, bodies, err
		}
		var body bytes.Buffer
		if _, err := r.WriteTo(&body); err != nil {
			return messages, bodies, err
		}
		messages, bodies = append(messages, m), append(bodies, body.String())
	}
}

func TestRoundTrip(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 3*maxPiece/16) + "tail"
	raw := write(t, "short\r\n", "", long)
	messages, bodies, err := read(append(bytes.Clone(raw), raw...)) // joined
	if err != nil {
		t.Fatal(err)
	}
	if len(messages) != 6 {
		t.Fatalf("%d messages, want 6", len(messages))
	}
	for i, want := range []string{"short\r\n", "", long, "short\r\n", "", long} {
		if bodies[i] != want {
			t.Errorf("body %d differs", i)
		}
		if diff := cmp.Diff(sample(byte(i%3+1)), messages[i], alike...); diff != "" {
			t.Errorf("message %d: %s", i, diff)
		}
	}
}

func TestNextPassesOverBodies(t *testing.T) {
	r := NewReader(bytes.NewReader(write(t, "one", strings.Repeat("x", 2*maxPiece), "three")))
	for i := range 3 {
		if m, err := r.Next(); err != nil || m.Envelope.ID != (envelope.ID{byte(i + 1)}) {
			t.Fatalf("message %d: %v, %v", i, m, err)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Fatalf("at the end: %v", err)
	}
}

func TestAbandoned(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	if err := w.Add(sample(1), failing{"half of it"}); err == nil || w.Err() != nil {
		t.Fatalf("Add: %v, archive: %v", err, w.Err())
	}
	if err := w.Add(sample(2), strings.NewReader("whole")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := NewReader(&out)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.WriteTo(io.Discard); !errors.Is(err, ErrAbandoned) {
		t.Fatalf("abandoned body: %v", err)
	}
	if m, err := r.Next(); err != nil || m.Envelope.ID != (envelope.ID{2}) {
		t.Fatalf("the next message: %v, %v", m, err)
	}
}

// TestDamage: no single bit of an archive can change unnoticed, and any cut is
// noticed. Foreign frames in lower case are passed over.
func TestDamage(t *testing.T) {
	raw := write(t, "a body")
	for i := range len(raw) * 8 {
		bad := bytes.Clone(raw)
		bad[i/8] ^= 1 << (i % 8)
		if _, _, err := read(bad); err == nil {
			t.Fatalf("bit %d flipped and nobody noticed", i)
		}
	}
	for n := range len(raw) {
		if _, _, err := read(raw[:n]); err == nil {
			t.Fatalf("cut at %d and nobody noticed", n)
		}
	}
	if _, _, err := read(raw[:len(raw)-1]); !errors.Is(err, ErrTruncated) {
		t.Errorf("cut: %v, want ErrTruncated", err)
	}
	newer := bytes.Clone(raw)
	newer[len(magic)-1]++
	if _, _, err := read(newer); !errors.Is(err, ErrVersion) {
		t.Errorf("next version: %v, want ErrVersion", err)
	}
	if _, _, err := read([]byte("From: a@b\r\n\r\n")); !errors.Is(err, ErrFormat) {
		t.Errorf("a mail: %v, want ErrFormat", err)
	}
}

func TestForeignFrame(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	w.begin()
	w.frame('n', []byte("a note of the future"))
	if err := w.Add(sample(1), strings.NewReader("body")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if m, _, err := read(out.Bytes()); err != nil || len(m) != 1 {
		t.Fatalf("%d messages, %v", len(m), err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(write(f, "a body"))
	f.Add(write(f, "one", "", "two"))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, raw []byte) {
		messages, bodies, err := read(raw)
		if err != nil {
			return
		}
		var out bytes.Buffer
		w := NewWriter(&out)
		for i, m := range messages {
			if err := w.Add(m, strings.NewReader(bodies[i])); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		again, bodiesAgain, err := read(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(messages, again, alike...); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(bodies, bodiesAgain); diff != "" {
			t.Fatal(diff)
		}
	})
}
