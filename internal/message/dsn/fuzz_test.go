package dsn

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

func bufioReader(s string) *bufio.Reader { return bufio.NewReader(strings.NewReader(s)) }

func FuzzReport(f *testing.F) {
	f.Add(uint8(1), original, "joe", "jane@example.org", "550 no", "mx.example.org", "X: y", "a\n\nb")
	f.Add(uint8(3), "\x00\r\r\n--=_BOUNDARY\r\n", "j\r\noe", "ü", "\xff", "a\nb", "", "")
	f.Add(uint8(5), strings.Repeat("x", 3000), strings.Repeat("y", 2000), ";", strings.Repeat("ü", 1500), "", ":", "x:")
	f.Fuzz(func(t *testing.T, flags uint8, original, local, orcpt, reply, host, extra, readable string) {
		r := &Report{
			Kind:     Failed + Kind(flags)%5,
			Host:     "mx1.example.com",
			Sender:   address.Address{Local: local, Domain: "example.com"},
			SMTPUTF8: flags&0x80 != 0,
			Full:     flags&0x40 != 0,
			EnvID:    orcpt,
			Recipients: []Recipient{{
				Address: address.Address{Local: local, Domain: host}, ORcpt: orcpt, Cause: reply, RemoteMTA: host,
				Reply:    smtp.Reply{Code: 550, Lines: []string{reply}},
				FromPeer: flags&0x20 != 0,
			}},
			Options: Options{Headers: []string{extra, "X: " + extra}, FromName: local, SubjectPrepend: reply, Readable: []byte(readable)},
		}
		if local == "" { // no report goes to nobody
			return
		}
		setOriginal(r, original)
		m, err := New(r)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if n, err := m.WriteTo(&b); err != nil || n != m.Size() || n != int64(b.Len()) {
			t.Fatalf("%d bytes written, %d announced, %d there, %v", n, m.Size(), b.Len(), err)
		}
		if name, _, _ := strings.Cut(extra, ":"); replaces(name) {
			return // a script may break the header of its own reports
		}
		check(t, r, m, []byte(b.String()))
	})
}

// replaces reports whether name is that of a field that a report has anyway.
func replaces(name string) bool {
	for _, own := range []string{"From", "To", "Subject", "Date", "Message-ID", "References", "Auto-Submitted"} {
		if strings.EqualFold(strings.TrimSpace(name), own) {
			return true
		}
	}
	return false
}

// 18 µs/op with the header of the original.
func BenchmarkNew(b *testing.B) {
	r := failure()
	b.ReportAllocs()
	for b.Loop() {
		m, err := New(r)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := m.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

// 560 MB/s, both readings together; what is held in memory does not grow with
// the original.
func BenchmarkReturnOneMegabyte(b *testing.B) {
	text := original + strings.Repeat(strings.Repeat("x", 76)+"\r\n", 1<<20/78)
	r := with(func(r *Report) { r.Full = true; setOriginal(r, text) })
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		m, err := New(r)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := m.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
