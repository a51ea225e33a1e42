package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// spoolOf makes a closed spool of n messages of 2000 bytes, each committed by
// itself, and tells where each lies.
func spoolOf(t *testing.T, n int) (*vfs.Mem, []Scanned) {
	t.Helper()
	mem := vfs.NewMem()
	s := openTest(t, testOptions(mem))
	for i := range n {
		h := mustPut(t, s, fmt.Sprint("message ", i), bodyOf(i, 2000), 1)
		s.SetState(h, 1, fmt.Append(nil, "state ", i))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	where := make([]Scanned, n)
	err := Scan(context.Background(), mem, "/spool", Visitor{Message: func(m Scanned) error {
		var i int
		_, err := fmt.Sscanf(string(m.Envelope), "message %d", &i)
		where[i] = m
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	return mem, where
}

func overwrite(t *testing.T, mem *vfs.Mem, name string, off int64, data []byte) {
	t.Helper()
	f, err := mem.OpenFile("/spool/"+name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(data, off); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

func removeIndexes(t *testing.T, mem *vfs.Mem) {
	t.Helper()
	for _, name := range mem.Names() {
		if strings.HasSuffix(name, idxSuffix) {
			if err := mem.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestIndexMissingOrBad(t *testing.T) {
	spoil := map[string]func(mem *vfs.Mem, name string){
		"missing": func(mem *vfs.Mem, name string) { removeIndexes(t, mem) },
		"header":  func(mem *vfs.Mem, name string) { overwrite(t, mem, name, 30, []byte{1}) },
		"marks":   func(mem *vfs.Mem, name string) { overwrite(t, mem, name, indexHeader+5, []byte("bad")) },
		"end":     func(mem *vfs.Mem, name string) { overwrite(t, mem, name, 300, []byte("bad")) },
	}
	for name, fn := range spoil {
		t.Run(name, func(t *testing.T) {
			mem, where := spoolOf(t, 20)
			fn(mem, strings.TrimSuffix(where[0].File, segSuffix)+idxSuffix)
			for restart := range 2 {
				s := openTest(t, testOptions(mem))
				got := recoverAll(t, s)
				if len(got) != 20 || got["message 7"].states[1] != "state 7" {
					t.Errorf("%d messages, states %v", len(got), got["message 7"].states)
				}
				// The first restart makes the index anew, the second finds it.
				if want := int64(1 - restart); s.Metrics.Scanned.Load() != want {
					t.Errorf("restart %d: %d segments scanned, want %d", restart, s.Metrics.Scanned.Load(), want)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestBadRecord(t *testing.T) {
	for part, off := range map[string]int64{"header": 3, "envelope": recordHeader + 2, "body": recordHeader + 1000} {
		for policy, action := range []string{"left", "moved to ", "dropped"} {
			t.Run(part+" "+action, func(t *testing.T) {
				mem, where := spoolOf(t, 20)
				overwrite(t, mem, where[7].File, where[7].Offset+off, []byte("damage"))
				removeIndexes(t, mem)
				o := testOptions(mem)
				o.Corrupt = CorruptPolicy(policy)
				var seen []Corruption
				o.Events.Corrupt = func(c Corruption) { seen = append(seen, c) }
				s := openTest(t, o)
				got := recoverAll(t, s)
				if _, ok := got["message 7"]; ok || len(got) != 19 || got["message 8"].body != string(bodyOf(8, 2000)) {
					t.Errorf("%d messages", len(got))
				}
				checkDamage(t, seen, where[7], action)
				for _, m := range got {
					s.Done(m.handle, 1)
				}
				mustFlush(t, s)
				s.mu.Lock()
				if held := s.slots[0].phase == phaseSealed; held != (o.Corrupt == CorruptIgnore) {
					t.Errorf("segment is in phase %d", s.slots[0].phase)
				}
				s.mu.Unlock()
				aside := slices.ContainsFunc(mem.Names(), func(n string) bool { return strings.HasSuffix(n, badSuffix) })
				if aside != (o.Corrupt == CorruptRename) {
					t.Errorf("files %q", mem.Names())
				}
			})
		}
	}
}

func checkDamage(t *testing.T, seen []Corruption, where Scanned, action string) {
	t.Helper()
	if len(seen) != 1 {
		t.Fatalf("reported %+v", seen)
	}
	c := seen[0]
	if c.File != where.File || c.Offset != where.Offset || c.Length < 2000 || c.Length > 2200 ||
		!errors.Is(c.Err, ErrCorrupt) || !strings.HasPrefix(c.Action, action) {
		t.Errorf("reported %+v, want record at %d of %s %s", c, where.Offset, where.File, action)
	}
}

// A damaged body is found when it is read, even if the index is whole.
func TestBadBodyIsNotDelivered(t *testing.T) {
	mem, where := spoolOf(t, 3)
	overwrite(t, mem, where[1].File, where[1].Offset+recordHeader+500, []byte("damage"))
	s := openTest(t, testOptions(mem))
	found := 0
	err := s.Recover(context.Background(), func(r Recovered) error {
		found++
		b, err := s.Body(r.Handle)
		if err != nil {
			return err
		}
		defer b.Close()
		n, err := b.WriteTo(&strings.Builder{})
		if bad := string(r.Envelope) == "message 1"; bad != errors.Is(err, ErrCorrupt) || n != 2000 {
			t.Errorf("%s: %d bytes, %v", r.Envelope, n, err)
		}
		return nil
	})
	if err != nil || found != 3 {
		t.Errorf("%d messages, %v", found, err)
	}
}

func TestBadHeader(t *testing.T) {
	for policy, action := range []string{"left", "moved to 00000000.seg.corrupt", "dropped"} {
		t.Run(action, func(t *testing.T) {
			mem, where := spoolOf(t, 3)
			size := int64(64 << 10)
			overwrite(t, mem, where[0].File, 0, []byte("damage"))
			s := openTest(t, testOptions(mem))
			if got := recoverAll(t, s); len(got) != 3 {
				t.Errorf("%d messages with the second header", len(got))
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			overwrite(t, mem, where[0].File, size-sector, []byte("damage"))
			o := testOptions(mem)
			o.Corrupt = CorruptPolicy(policy)
			var seen []Corruption
			o.Events.Corrupt = func(c Corruption) { seen = append(seen, c) }
			s = openTest(t, o)
			if got := recoverAll(t, s); len(got) != 0 {
				t.Errorf("%d messages without header", len(got))
			}
			mustPut(t, s, "new", nil, 1)
			if len(seen) != 1 || seen[0].File != where[0].File || seen[0].Length != size || seen[0].Action != action {
				t.Errorf("reported %+v", seen)
			}
		})
	}
}

func TestForeignFiles(t *testing.T) {
	mem := vfs.NewMem()
	for _, name := range []string{"README", "1.seg", "ffffffff.seg", "body-1-2.tmp", "00000003.seg.new"} {
		if _, err := mem.OpenFile("/spool/"+name, os.O_CREATE, 0); err != nil {
			t.Fatal(err)
		}
	}
	o := testOptions(mem)
	o.TempDir = "/temp"
	for _, name := range []string{"/temp/body-9-9.tmp", "/temp/other"} {
		if _, err := mem.OpenFile(name, os.O_CREATE, 0); err != nil {
			t.Fatal(err)
		}
	}
	var foreign []string
	o.Events.Foreign = func(name string) { foreign = append(foreign, name) }
	s := openTest(t, o)
	mustPut(t, s, "message", nil, 1)
	if want := []string{"1.seg", "README", "ffffffff.seg"}; !slices.Equal(foreign, want) {
		t.Errorf("foreign %q, want %q", foreign, want)
	}
	for _, name := range mem.Names() {
		if strings.HasSuffix(name, tmpSuffix) || strings.HasSuffix(name, "3.seg.new") {
			t.Errorf("%s is still there", name)
		}
	}
	if !slices.Contains(mem.Names(), "/temp/other") {
		t.Error("somebody else's file was removed")
	}
}

// What a sender writes into a body must not pass for a record, not even where
// a damaged one makes recovery look for the next.
func TestForgedRecord(t *testing.T) {
	mem := vfs.NewMem()
	s := openTest(t, testOptions(mem))
	h := mustPut(t, s, "first", bodyOf(1, 100), 1)
	forged := record{kind: recordMessage, number: 1 << 50, count: 1, envelope: 6, envelopeCRC: checksum([]byte("forged"))}
	id := homeOf(s, h).identity
	id.salt++ // the only thing that he cannot know
	body := append(forged.append(nil, id), "forged  "...)
	mustPut(t, s, "carrier", body, 1)
	mustPut(t, s, "last", nil, 1)
	var carrier Scanned
	clone := mem.CrashClone(vfs.Everything, nil)
	err := Scan(context.Background(), clone, "/spool", Visitor{Message: func(m Scanned) error {
		if string(m.Envelope) == "carrier" {
			carrier = m
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, clone, carrier.File, carrier.Offset, []byte("damage"))
	got, err := scan(clone)
	if err != nil || len(got) != 2 {
		t.Errorf("%v, found %q", err, keys(got))
	}
}
