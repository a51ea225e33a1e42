package offline_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/queue/archive"
	"github.com/posthaste-mta/posthaste/internal/queue/offline"
	"github.com/posthaste-mta/posthaste/internal/spool"
)

// filled is a spool with two messages: of the first, the second recipient is
// done and the third deferred; the second has an envelope that means nothing.
func filled(t *testing.T) (dir string, id envelope.ID) {
	t.Helper()
	dir = t.TempDir()
	s, err := spool.Open(spool.Options{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Recover(t.Context(), func(spool.Recovered) error { return nil }); err != nil {
		t.Fatal(err)
	}
	m := envelope.Message{ID: envelope.NewID(), Received: time.UnixMilli(1e12)}
	for i := range uint32(3) {
		to, err := address.Parse(fmt.Sprintf("user%d@example.net", i+1))
		if err != nil {
			t.Fatal(err)
		}
		m.Recipients = append(m.Recipients, envelope.Recipient{Number: i + 1, Address: to, Transport: "mx", Hold: i == 0})
	}
	h := commit(t, s, "one\r\n", m.Append(nil), 3)
	commit(t, s, "two\r\n", []byte{0xff}, 1)
	s.Done(h, 2)
	st := envelope.State{Retry: 4, Due: time.UnixMilli(2e12), Reason: "451 later", Transport: "backup"}
	s.SetState(h, 3, st.Append(nil))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, m.ID
}

func commit(t *testing.T, s *spool.Store, body string, env []byte, entries int) spool.Handle {
	t.Helper()
	m := s.NewMessage()
	if _, err := io.WriteString(m, body); err != nil {
		t.Fatal(err)
	}
	h, err := m.Commit(t.Context(), env, entries)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestWalk(t *testing.T) {
	dir, id := filled(t)
	var got []string
	var damage []error
	err := offline.Walk(t.Context(), dir, offline.Visitor{
		Damaged: func(err error) { damage = append(damage, err) },
		Message: func(m *offline.Message) error {
			for _, e := range m.Entries() {
				got = append(got, fmt.Sprintf("%v %d %s %s %d %q %s %s", m.Envelope.ID == id, e.Number, e.Address, e.Transport(), e.State.Retry, e.State.Reason,
					e.Status(time.UnixMilli(1e12)), e.Status(time.UnixMilli(3e12))))
			}
			return nil
		},
	})
	want := "[true 1 user1@example.net mx 0 \"\" HOLD HOLD true 3 user3@example.net backup 4 \"451 later\" DEFER ACTIVE]"
	if fmt.Sprint(got) != want || err != nil {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
	if len(damage) != 1 {
		t.Errorf("damage: %v", damage)
	}
}

func TestExport(t *testing.T) {
	dir, id := filled(t)
	var b bytes.Buffer
	sum, err := offline.Export(t.Context(), dir, archive.NewWriter(&b), func(error) {})
	if sum != (offline.Summary{Messages: 1, Entries: 2, Bytes: 5, Damaged: 1}) || err != nil {
		t.Errorf("%+v, %v", sum, err)
	}
	r := archive.NewReader(&b)
	m, err := r.Next()
	if err != nil || m.Envelope.ID != id || len(m.States) != 2 || !m.States[0].Hold || m.States[1].Reason != "451 later" {
		t.Fatalf("%+v, %v", m, err)
	}
	var body bytes.Buffer
	if _, err := r.WriteTo(&body); err != nil || body.String() != "one\r\n" {
		t.Errorf("%q, %v", body.String(), err)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestFind(t *testing.T) {
	dir, id := filled(t)
	refusal := errors.New("refused")
	for _, want := range []error{nil, refusal} {
		calls := 0
		if err := offline.Find(t.Context(), dir, id, func(*offline.Message) error { calls++; return want }); !errors.Is(err, want) || calls != 1 {
			t.Errorf("%v after %d calls, want %v", err, calls, want)
		}
	}
	if err := offline.Find(t.Context(), dir, envelope.NewID(), nil); !errors.Is(err, offline.ErrNone) {
		t.Errorf("another id: %v", err)
	}
}
