package dns_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/dns/dnstest"
)

const mailZone = `
	three.example.   300 IN MX 10 a.three.example.
	three.example.   300 IN MX 20 b.three.example.
	three.example.   300 IN MX 30 c.three.example.
	a.three.example. 300 IN A 192.0.2.1
	b.three.example. 300 IN A 192.0.2.2
	c.three.example. 300 IN A 192.0.2.3

	equal.example.   300 IN MX 10 a.three.example.
	equal.example.   300 IN MX 10 b.three.example.
	equal.example.   300 IN MX 10 c.three.example.

	implicit.example. 300 IN A 192.0.2.10
	alias.example.    300 IN CNAME three.example.
	plainalias.example. 300 IN CNAME implicit.example.
	null.example.     300 IN MX 0 .
	empty.example.    300 IN TXT "no mail"
	dangling.example. 300 IN MX 10 gone.example.
	half.example.     300 IN MX 10 gone.example.
	half.example.     300 IN MX 20 a.three.example.
	shaky.example.    300 IN MX 10 broken.example.
	shaky.example.    300 IN MX 20 a.three.example.
	down.example.     300 IN MX 10 broken.example.
	down.example.     300 IN MX 20 gone.example.
	six.example.      300 IN MX 10 mx.six.example.
	mx.six.example.   300 IN AAAA 2001:db8::6
	dual.example.     300 IN A 192.0.2.11
	dual.example.     300 IN A 192.0.2.12
	dual.example.     300 IN A 192.0.2.13
	dual.example.     300 IN AAAA 2001:db8::11
	aliasmx.example.  300 IN MX 10 m.aliasmx.example.
	m.aliasmx.example. 300 IN CNAME a.three.example.
	xn--bcher-kva.example. 300 IN MX 10 a.three.example.
	literalmx.example. 300 IN MX 10 192.0.2.44.
`

func mailResolver(t *testing.T) (*dns.Resolver, *dnstest.Server) {
	srv := dnstest.New(t, mailZone)
	srv.Fault("broken.example", "*", dnstest.Fault{RCode: "SERVFAIL"})
	srv.Fault("servfail.example", "MX", dnstest.Fault{RCode: "SERVFAIL"})
	return resolver(t, srv), srv
}

func show(hosts []dns.Host) []string {
	var out []string
	for _, h := range hosts {
		out = append(out, fmt.Sprintf("%d %s %s", h.Preference, h.Name, h.Addr))
	}
	return out
}

func TestDestinations(t *testing.T) {
	r, _ := mailResolver(t)
	own := func(names ...string) func(string, netip.Addr) bool {
		return func(n string, a netip.Addr) bool {
			return slices.Contains(names, n) || slices.Contains(names, a.String())
		}
	}
	not := func(name string) func(string) bool { return func(s string) bool { return s != name } }
	a, b, c := "10 a.three.example 192.0.2.1", "20 b.three.example 192.0.2.2", "30 c.three.example 192.0.2.3"
	for name, test := range map[string]struct {
		search dns.Search
		want   []string
		err    error
	}{
		"by preference":       {dns.Search{Domain: "three.example"}, []string{a, b, c}, nil},
		"in capitals":         {dns.Search{Domain: "THREE.example."}, []string{a, b, c}, nil},
		"alias of domain":     {dns.Search{Domain: "alias.example"}, []string{a, b, c}, nil},
		"alias of host":       {dns.Search{Domain: "aliasmx.example"}, []string{"10 m.aliasmx.example 192.0.2.1"}, nil},
		"U-labels":            {dns.Search{Domain: "bücher.example"}, []string{a}, nil},
		"no MX":               {dns.Search{Domain: "implicit.example"}, []string{"0 implicit.example 192.0.2.10"}, nil},
		"no MX, alias":        {dns.Search{Domain: "plainalias.example"}, []string{"0 plainalias.example 192.0.2.10"}, nil},
		"null MX":             {dns.Search{Domain: "null.example"}, nil, dns.ErrNullMX},
		"no such domain":      {dns.Search{Domain: "gone.example"}, nil, dns.ErrNXDomain},
		"nothing for mail":    {dns.Search{Domain: "empty.example"}, nil, dns.ErrNoData},
		"host is missing":     {dns.Search{Domain: "dangling.example"}, nil, dns.ErrNXDomain},
		"one host is missing": {dns.Search{Domain: "half.example"}, []string{"20 a.three.example 192.0.2.1"}, nil},
		"one host fails":      {dns.Search{Domain: "shaky.example"}, []string{"20 a.three.example 192.0.2.1"}, nil},
		"hope remains":        {dns.Search{Domain: "down.example"}, nil, dns.ErrServer},
		"domain fails":        {dns.Search{Domain: "servfail.example"}, nil, dns.ErrServer},
		"IPv6 only":           {dns.Search{Domain: "six.example"}, []string{"10 mx.six.example 2001:db8::6"}, nil},
		"IPv6 only, not ours": {dns.Search{Domain: "six.example", Families: dns.IPv4}, nil, dns.ErrFamily},
		"address as MX name":  {dns.Search{Domain: "literalmx.example"}, []string{"10 192.0.2.44 192.0.2.44"}, nil},
		"literal":             {dns.Search{Domain: "[192.0.2.9]"}, []string{"0  192.0.2.9"}, nil},
		"literal, IPv6":       {dns.Search{Domain: "[IPv6:2001:db8::9]"}, []string{"0  2001:db8::9"}, nil},
		"literal, not ours":   {dns.Search{Domain: "[IPv6:2001:db8::9]", Families: dns.IPv4}, nil, dns.ErrFamily},
		"literal, ourselves":  {dns.Search{Domain: "[192.0.2.9]", Own: own("192.0.2.9")}, nil, dns.ErrLoop},
		"bare address":        {dns.Search{Domain: "192.0.2.9"}, []string{"0  192.0.2.9"}, nil},
		"localhost":           {dns.Search{Domain: "localhost", Families: dns.IPv4}, []string{"0 localhost 127.0.0.1"}, nil},
		"no name":             {dns.Search{Domain: "a..b"}, nil, dns.ErrName},
		"no literal":          {dns.Search{Domain: "[nonsense"}, nil, dns.ErrNXDomain},
		"own name":            {dns.Search{Domain: "three.example", Own: own("b.three.example")}, []string{a}, nil},
		"own address":         {dns.Search{Domain: "three.example", Own: own("192.0.2.2")}, []string{a}, nil},
		"own best":            {dns.Search{Domain: "three.example", Own: own("a.three.example")}, nil, dns.ErrLoop},
		"own among equals":    {dns.Search{Domain: "equal.example", Own: own("c.three.example")}, nil, dns.ErrLoop},
		"own, unresolved":     {dns.Search{Domain: "half.example", Own: own("gone.example")}, nil, dns.ErrLoop},
		"own implicit":        {dns.Search{Domain: "implicit.example", Own: own("192.0.2.10")}, nil, dns.ErrLoop},
		"excluded":            {dns.Search{Domain: "three.example", Accept: not("a.three.example")}, []string{b, c}, nil},
		"all excluded":        {dns.Search{Domain: "aliasmx.example", Accept: not("m.aliasmx.example")}, nil, dns.ErrExcluded},
	} {
		for _, round := range []string{"asked", "cached"} {
			hosts, err := r.Destinations(short(t), test.search)
			if !errors.Is(err, test.err) || cmp.Diff(test.want, show(hosts)) != "" {
				t.Errorf("%s, %s: got %q, %v", name, round, show(hosts), err)
			}
		}
	}
}

func TestHosts(t *testing.T) {
	r, _ := mailResolver(t)
	for name, test := range map[string]struct {
		names    []string
		families dns.Families
		want     []string
		err      error
	}{
		"in the order given": {[]string{"b.three.example", "192.0.2.7", "A.three.example."}, 0,
			[]string{"0 b.three.example 192.0.2.2", "1 192.0.2.7 192.0.2.7", "2 a.three.example 192.0.2.1"}, nil},
		"one is missing":  {[]string{"gone.example", "a.three.example"}, 0, []string{"1 a.three.example 192.0.2.1"}, nil},
		"all are missing": {[]string{"gone.example", "empty.example"}, 0, nil, dns.ErrNXDomain},
		"hope remains":    {[]string{"gone.example", "broken.example"}, 0, nil, dns.ErrServer},
		"other family":    {[]string{"mx.six.example"}, dns.IPv4, nil, dns.ErrFamily},
		"other literal":   {[]string{"::1"}, dns.IPv4, nil, dns.ErrFamily},
	} {
		hosts, err := r.Hosts(short(t), test.names, test.families, dns.Seed{})
		if !errors.Is(err, test.err) || cmp.Diff(test.want, show(hosts)) != "" {
			t.Errorf("%s: got %q, %v", name, show(hosts), err)
		}
	}
}

func TestEqualHostsShuffle(t *testing.T) {
	r, _ := mailResolver(t)
	seen := map[string]bool{}
	for retry := range uint32(60) {
		s := dns.Search{Domain: "equal.example", Seed: dns.Seed{ID: [16]byte{1, 2, 3}, Retry: retry}}
		first, err := r.Destinations(short(t), s)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := r.Destinations(short(t), s)
		if d := cmp.Diff(show(first), show(again)); d != "" {
			t.Fatalf("not reproducible: %s", d)
		}
		seen[strings.Join(show(first), ",")] = true
	}
	if len(seen) != 6 {
		t.Errorf("%d of 6 orders came up", len(seen))
	}
}

func TestFamiliesTakeTurns(t *testing.T) {
	r, _ := mailResolver(t)
	firsts := map[bool]int{}
	for retry := range uint32(40) {
		hosts, err := r.Destinations(short(t), dns.Search{Domain: "dual.example", Seed: dns.Seed{Retry: retry}})
		if err != nil || len(hosts) != 4 {
			t.Fatalf("got %v, %v", hosts, err)
		}
		firsts[hosts[0].Addr.Is4()]++
		if hosts[0].Addr.Is4() == hosts[1].Addr.Is4() {
			t.Errorf("%v: one family first", show(hosts))
		}
	}
	if len(firsts) != 2 {
		t.Errorf("one family always comes first: %v", firsts)
	}
}

func TestDomainCache(t *testing.T) {
	r, srv := mailResolver(t)
	for range 5 {
		if _, err := r.Destinations(short(t), dns.Search{Domain: "three.example"}); err != nil {
			t.Fatal(err)
		}
	}
	m := r.Metrics()
	if m.DomainHits.Load() != 4 || m.DomainMisses.Load() != 1 || m.DomainSize() != 1 || m.CacheHits.Load() != 0 {
		t.Errorf("hits %d misses %d size %v, %d smaller hits",
			m.DomainHits.Load(), m.DomainMisses.Load(), m.DomainSize(), m.CacheHits.Load())
	}
	r.Clear("three.example")
	if _, err := r.Destinations(short(t), dns.Search{Domain: "three.example"}); err != nil {
		t.Fatal(err)
	}
	if srv.Count("three.example", "MX") != 2 || srv.Count("a.three.example", "A") != 2 {
		t.Error("Clear left something behind")
	}
}

// A zone with very many hosts costs a bounded number of questions.
func TestManyHosts(t *testing.T) {
	var zone strings.Builder
	for i := range 200 {
		fmt.Fprintf(&zone, "many.example. 300 IN MX %d h%d.many.example.\n", i, i)
		fmt.Fprintf(&zone, "wide.example. 300 IN A 192.0.2.%d\n", i)
	}
	srv := dnstest.New(t, zone.String())
	r := resolver(t, srv, func(o *dns.Options) { o.Timeout = 5 * time.Second })
	if _, err := r.Destinations(short(t), dns.Search{Domain: "many.example", Families: dns.IPv4}); !errors.Is(err, dns.ErrNXDomain) {
		t.Errorf("got %v", err)
	}
	if srv.Count("h19.many.example", "A") != 1 || srv.Count("h20.many.example", "A") != 0 {
		t.Error("not the best 20 hosts were looked up")
	}
	hosts, err := r.Destinations(short(t), dns.Search{Domain: "wide.example"})
	if err != nil || len(hosts) != 16 {
		t.Errorf("got %d hosts, %v", len(hosts), err)
	}
}

func BenchmarkDestinationsCached(b *testing.B) {
	srv := dnstest.Pipe(b, mailZone)
	r, err := dns.New(dns.Options{Servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53")},
		Dial: srv.Dial, CacheSize: 100, DomainCacheSize: 100})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Stop()
	s := dns.Search{Domain: "three.example"}
	b.ReportAllocs()
	for b.Loop() {
		s.Seed.Retry++
		if _, err := r.Destinations(b.Context(), s); err != nil {
			b.Fatal(err)
		}
	}
}
