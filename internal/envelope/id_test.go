package envelope

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestNewID(t *testing.T) {
	for version, make := range map[uuid.Version]func() ID{4: NewID, 1: NewTimeID} {
		seen := map[ID]bool{}
		for range 1000 {
			id := make()
			if seen[id] {
				t.Fatalf("version %d: %v came twice", version, id)
			}
			seen[id] = true
			u, err := uuid.Parse(id.String())
			if err != nil || u != uuid.UUID(id) {
				t.Fatalf("%v is %v, %v", id, u, err)
			}
			if u.Version() != version || u.Variant() != uuid.RFC4122 {
				t.Fatalf("%v has version %d, variant %d", id, u.Version(), u.Variant())
			}
		}
	}
}

func TestNewTimeIDCarriesTheTime(t *testing.T) {
	before, _, err := uuid.GetTime()
	if err != nil {
		t.Fatal(err)
	}
	id := uuid.UUID(NewTimeID())
	if id.Time() < before || id.Time() > before+1e7 {
		t.Errorf("id of %d, clock stood at %d", id.Time(), before)
	}
	if id.NodeID()[0]&1 == 0 {
		t.Error("node could be a network card")
	}
}

func TestParseID(t *testing.T) {
	const text = "4f2a0000-1111-2222-3333-44445555abcd"
	for _, s := range []string{text, strings.ToUpper(text)} {
		if id, err := ParseID(s); err != nil || id.String() != text {
			t.Errorf("%q: %v, %v", s, id, err)
		}
	}
	for _, s := range []string{"", text[1:], text + "0", "{" + text + "}", strings.Replace(text, "-", "0", 1),
		strings.Replace(text, "4f", "4g", 1), strings.Replace(text, "a00", "-a0", 1)} {
		if _, err := ParseID(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}

func TestIDAsText(t *testing.T) {
	id := NewID()
	b, err := json.Marshal(id)
	if err != nil || string(b) != `"`+id.String()+`"` {
		t.Fatal(string(b), err)
	}
	var got ID
	if err := json.Unmarshal(b, &got); err != nil || got != id {
		t.Fatal(got, err)
	}
	if id.IsZero() || !(ID{}).IsZero() {
		t.Error("IsZero")
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("4f2a0000-1111-2222-3333-44445555abcd")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			return
		}
		if id.String() != strings.ToLower(s) {
			t.Fatalf("%q prints as %v", s, id)
		}
	})
}

func BenchmarkNewID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		NewID()
	}
}
