package dns

import (
	"strings"
	"testing"

	wire "github.com/miekg/dns"
)

// Whatever an upstream sends is converted without panic, and what is said about
// it stays consistent.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"a.example. 300 IN A 192.0.2.1", "a.example. 300 IN TXT \"a\\000b\" \"\"", "a.example. 1 IN CNAME a.example.",
		"a.example. 1 IN SOA . . 1 2 3 4 5", "a.example. 1 IN TLSA 3 1 1 aa", "a.example. 0 IN MX 0 .",
	} {
		rr, err := wire.NewRR(s)
		if err != nil {
			f.Fatal(err)
		}
		m := new(wire.Msg).SetQuestion("a.example.", rr.Header().Rrtype)
		m.Response = true
		m.Answer, m.Ns = []wire.RR{rr}, []wire.RR{rr}
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(wire.Msg)
		if m.Unpack(b) != nil {
			return
		}
		q := question{"a.example", TypeMX}
		if len(m.Question) > 0 {
			q = question{plain(m.Question[0].Name), Type(m.Question[0].Qtype)}
		}
		answers(m, newRequest(q))
		a := newAnswer(q, m, &upstream{addr: "192.0.2.53:53"})
		for _, r := range a.Records {
			if r.Data == nil || r.Name == "" {
				t.Fatalf("record without name or data: %+v", r)
			}
			_ = r.Data.String()
		}
		if ttl, _ := a.lifetime(); ttl < 0 {
			t.Fatalf("negative lifetime %v", ttl)
		}
		_, found := a.chain()
		if err := a.Err(); err == nil && !found && a.Type != TypeANY {
			t.Fatal("no data and no error")
		}
	})
}

func FuzzCanonical(f *testing.F) {
	f.Add("Example.COM.")
	f.Add("bücher.example")
	f.Add(".")
	f.Fuzz(func(t *testing.T, s string) {
		name, err := canonical(s)
		if err != nil {
			return
		}
		again, err := canonical(name)
		if err != nil || again != name || strings.ToLower(name) != name {
			t.Fatalf("%q: %q, again %q, %v", s, name, again, err)
		}
	})
}
