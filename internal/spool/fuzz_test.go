package spool

import (
	"bytes"
	"context"
	"os"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

var fuzzIdentity = identity{generation: 7, salt: 9}

func FuzzRecord(f *testing.F) {
	f.Add((&record{kind: recordMessage, number: 1, envelope: 5, count: 1}).append(nil, fuzzIdentity))
	f.Fuzz(func(t *testing.T, p []byte) {
		r, err := parseRecord(p, fuzzIdentity)
		if err != nil {
			return
		}
		again, err := parseRecord(r.append(nil, fuzzIdentity), fuzzIdentity)
		if err != nil || again != r {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}

func FuzzMarks(f *testing.F) {
	var w markWriter
	w.add(mark{kind: markState, home: 1 << 33, number: 1 << 41, entry: 3, stamp: 1 << 42, state: []byte("state")})
	w.add(mark{kind: markDone, home: 1 << 33, number: 1<<41 - 1, entry: 1})
	w.add(mark{kind: markGone, home: 1<<33 + 1, number: 5})
	w.add(mark{kind: markCut, home: 1, number: 4096})
	f.Add(w.buf)
	f.Fuzz(func(t *testing.T, p []byte) {
		var marks []mark
		if readMarks(p, func(m mark) { marks = append(marks, m) }) != nil {
			return
		}
		var w markWriter
		for _, m := range marks {
			w.add(m)
		}
		i := 0
		err := readMarks(w.buf, func(m mark) {
			if want := marks[i]; !sameFact(m, want) || m.stamp != want.stamp || !bytes.Equal(m.state, want.state) {
				t.Errorf("%+v became %+v", want, m)
			}
			i++
		})
		if err != nil || i != len(marks) {
			t.Errorf("%d marks of %d, %v", i, len(marks), err)
		}
	})
}

func FuzzIndex(f *testing.F) {
	w := newIndexWriter()
	w.message(record{kind: recordMessage, number: 5, count: 2, envelope: 8, body: 100}, 4096, []byte("envelope"))
	w.marks.add(mark{kind: markDone, home: 7, number: 5, entry: 1})
	f.Add(w.bytes(fuzzIdentity, 8192))
	f.Fuzz(func(t *testing.T, p []byte) {
		x, err := parseIndex(p, fuzzIdentity)
		if err != nil {
			return
		}
		_ = readMarks(x.marks, func(mark) {})
		_ = x.each(func(record, int64, []byte) error { return nil })
	})
}

// FuzzEntries gives the stream of messages anything at all, behind the checksum.
func FuzzEntries(f *testing.F) {
	f.Add([]byte{2, 0, 0, 1, 100, 5, 3, 'a', 'b', 'c'}, uint64(1))
	f.Fuzz(func(t *testing.T, p []byte, n uint64) {
		in := &entryReader{r: bytes.NewReader(p)}
		for range min(n, 100) {
			r, _ := in.entry()
			in.bytes(uint64(r.envelope))
			if in.err != nil {
				return
			}
		}
	})
}

// FuzzSegment puts anything behind a header and recovers it.
func FuzzSegment(f *testing.F) {
	id := fuzzIdentity
	r := record{kind: recordMessage, number: 1, count: 1, envelope: 8, envelopeCRC: checksum([]byte("envelope"))}
	f.Add(append(r.append(nil, id), "envelope"...))
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) > 32<<10 {
			return
		}
		mem := vfs.NewMem()
		g := &segment{identity: id, size: 64 << 10}
		file, err := mem.OpenFile("/spool/"+g.name(), os.O_CREATE|os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.writeHeaders(file, flagUsed); err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt(p, dataStart); err != nil {
			t.Fatal(err)
		}
		s := openTest(t, testOptions(mem))
		if err := s.Recover(context.Background(), func(Recovered) error { return nil }); err != nil {
			t.Error(err)
		}
	})
}
