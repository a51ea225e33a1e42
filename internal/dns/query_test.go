package dns_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/dns/dnstest"
)

const zone = `
	example.com.       3600 IN SOA ns.example.com. host.example.com. 7 3600 600 86400 120
	example.com.       300 IN MX 20 Backup.example.com.
	example.com.       300 IN MX 10 mx.example.com.
	example.com.       300 IN TXT "v=spf1 " "-all"
	example.com.       300 IN TXT "quote\" \195\164 \\ end"
	example.com.       300 IN CAA 0 issue "ca.example"
	example.com.       300 IN NS ns.example.com.
	mx.example.com.    300 IN A 192.0.2.1
	mx.example.com.    300 IN AAAA 2001:db8::1
	backup.example.com. 300 IN A 192.0.2.2
	www.example.com.   300 IN CNAME web.example.com.
	web.example.com.   100 IN A 192.0.2.80
	lost.example.com.  300 IN CNAME nowhere.example.net.
	circle.example.com. 300 IN CNAME round.example.com.
	round.example.com. 300 IN CNAME circle.example.com.
	_25._tcp.mx.example.com. 300 IN TLSA 3 1 1 aabbcc
	_sip._tcp.example.com. 300 IN SRV 1 2 5060 sip.example.com.
	odd.example.com.   300 IN HINFO "a" "b"
	null.example.com.  300 IN MX 0 .
	1.2.0.192.in-addr.arpa. 300 IN PTR liar.example.com.
	1.2.0.192.in-addr.arpa. 300 IN PTR mx.example.com.
	2.2.0.192.in-addr.arpa. 300 IN PTR liar.example.com.
	liar.example.com.  300 IN A 192.0.2.99
	xn--bcher-kva.example. 300 IN MX 10 mx.example.com.
`

func TestQueryData(t *testing.T) {
	r := resolver(t, dnstest.New(t, zone))
	for _, c := range []struct {
		name string
		typ  dns.Type
		want []string
	}{
		{"example.com", dns.TypeMX, []string{"20 backup.example.com", "10 mx.example.com"}},
		{"EXAMPLE.com.", dns.TypeMX, []string{"20 backup.example.com", "10 mx.example.com"}},
		{"example.com", dns.TypeTXT, []string{"v=spf1 -all", `quote" ä \ end`}},
		{"example.com", dns.TypeSOA, []string{"ns.example.com host.example.com 7 3600 600 86400 120"}},
		{"example.com", dns.TypeNS, []string{"ns.example.com"}},
		{"example.com", dns.TypeCAA, []string{`0 issue "ca.example"`}},
		{"mx.example.com", dns.TypeA, []string{"192.0.2.1"}},
		{"mx.example.com", dns.TypeAAAA, []string{"2001:db8::1"}},
		{"www.example.com", dns.TypeA, []string{"web.example.com", "192.0.2.80"}},
		{"_25._tcp.mx.example.com", dns.TypeTLSA, []string{"3 1 1 aabbcc"}},
		{"_sip._tcp.example.com", dns.TypeSRV, []string{"1 2 5060 sip.example.com"}},
		{"odd.example.com", mustType(t, "hinfo"), []string{`"a" "b"`}},
		{"bücher.example", dns.TypeMX, []string{"10 mx.example.com"}},
	} {
		a, err := r.Query(short(t), c.name, c.typ)
		if err != nil || a.Err() != nil {
			t.Errorf("%s %s: %v %v", c.name, c.typ, err, a.Err())
			continue
		}
		var got []string
		for _, rec := range a.Records {
			got = append(got, rec.Data.String())
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s %s: %s", c.name, c.typ, d)
		}
	}
}

func mustType(t *testing.T, s string) dns.Type {
	t.Helper()
	typ, err := dns.ParseType(s)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

func TestParseType(t *testing.T) {
	for _, s := range []string{"A", "MX", "TLSA", "TYPE65280", "ANY"} {
		if got := mustType(t, s).String(); got != s {
			t.Errorf("%s prints as %s", s, got)
		}
	}
	for _, s := range []string{"", "mxx", "TYPE", "TYPE65536", "TYPE-1"} {
		if typ, err := dns.ParseType(s); err == nil {
			t.Errorf("%q is %v", s, typ)
		}
	}
}

func TestLookupErrors(t *testing.T) {
	srv := dnstest.New(t, zone)
	srv.Fault("broken.example.com", "*", dnstest.Fault{RCode: "SERVFAIL"})
	srv.Fault("refused.example.com", "*", dnstest.Fault{RCode: "REFUSED"})
	srv.Fault("silent.example.com", "*", dnstest.Fault{Drop: true})
	r := resolver(t, srv, func(o *dns.Options) { o.Timeout = 50e6; o.Retries = 1 })
	for _, c := range []struct {
		name      string
		want      error
		temporary bool
	}{
		{"nowhere.example.com", dns.ErrNXDomain, false},
		{"lost.example.com", dns.ErrNXDomain, false},
		{"mx.example.com", dns.ErrNoData, false},
		{"www.example.com", dns.ErrNoData, false},
		{"circle.example.com", dns.ErrNoData, false},
		{"null.example.com", dns.ErrNullMX, false},
		{"broken.example.com", dns.ErrServer, true},
		{"refused.example.com", dns.ErrServer, true},
		{"silent.example.com", dns.ErrTimeout, true},
		{"", dns.ErrName, false},
		{"a..b", dns.ErrName, false},
		{"\xff.example", dns.ErrName, false},
	} {
		_, err := r.MX(short(t), c.name)
		if !errors.Is(err, c.want) || dns.Temporary(err) != c.temporary {
			t.Errorf("%s: got %v, temporary %v", c.name, err, dns.Temporary(err))
		}
		var e *dns.Error
		if !errors.As(err, &e) || e.Error() == "" {
			t.Errorf("%s: error of type %T", c.name, err)
		}
	}
	if n := srv.Count("silent.example.com", "MX"); n != 2 {
		t.Errorf("asked %d times, want a try and a retry", n)
	}
	if n := srv.Count("broken.example.com", "MX"); n != 1 {
		t.Errorf("asked a failing upstream %d times, want once", n)
	}
}

func TestNobodyListens(t *testing.T) {
	r := start(t, dns.Options{Servers: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}})
	_, err := r.Query(short(t), "example.com", dns.TypeA)
	if !errors.Is(err, dns.ErrNetwork) || !dns.Temporary(err) {
		t.Errorf("got %v", err)
	}
}

func TestTransport(t *testing.T) {
	for name, c := range map[string]struct {
		fault dnstest.Fault
		count int
	}{
		"truncated": {dnstest.Fault{Truncate: true}, 2},
		"no EDNS":   {dnstest.Fault{NoEDNS: true}, 2},
		"forged":    {dnstest.Fault{Forge: true}, 1},
		"lost once": {dnstest.Fault{Drop: true, Times: 1}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			srv := dnstest.New(t, zone)
			srv.Fault("mx.example.com", "A", c.fault)
			r := resolver(t, srv, func(o *dns.Options) { o.Timeout = 200e6; o.Retries = 1 })
			set, err := r.Addresses(short(t), "mx.example.com", dns.IPv4)
			if err != nil || len(set.Values) != 1 || set.Values[0].String() != "192.0.2.1" {
				t.Errorf("got %v, %v", set.Values, err)
			}
			if n := srv.Count("mx.example.com", "A"); n != c.count {
				t.Errorf("asked %d times, want %d", n, c.count)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	srv := dnstest.New(t, zone)
	r := resolver(t, srv)
	for _, c := range []struct {
		host     string
		families dns.Families
		want     []string
		err      error
	}{
		{"mx.example.com", 0, []string{"192.0.2.1", "2001:db8::1"}, nil},
		{"mx.example.com", dns.IPv4, []string{"192.0.2.1"}, nil},
		{"mx.example.com", dns.IPv6, []string{"2001:db8::1"}, nil},
		{"www.example.com", 0, []string{"192.0.2.80"}, nil},
		{"backup.example.com", dns.IPv6, nil, dns.ErrNoData},
		{"localhost", 0, []string{"127.0.0.1", "::1"}, nil},
		{"a.Localhost.", dns.IPv4, []string{"127.0.0.1"}, nil},
		{"192.0.2.7", 0, []string{"192.0.2.7"}, nil},
		{"::ffff:192.0.2.7", dns.IPv4, []string{"192.0.2.7"}, nil},
		{"2001:db8::7", dns.IPv4, nil, dns.ErrFamily},
	} {
		set, err := r.Addresses(short(t), c.host, c.families)
		var got []string
		for _, a := range set.Values {
			got = append(got, a.String())
		}
		if !errors.Is(err, c.err) || cmp.Diff(c.want, got) != "" {
			t.Errorf("%s: got %v, %v", c.host, got, err)
		}
	}
	if srv.Count("localhost", "*") != 0 {
		t.Error("localhost was asked for")
	}
}

func TestReverseName(t *testing.T) {
	r := resolver(t, dnstest.New(t, zone))
	name, err := r.ReverseName(short(t), netip.MustParseAddr("::ffff:192.0.2.1"))
	if name != "mx.example.com" || err != nil {
		t.Errorf("got %q, %v", name, err)
	}
	for addr, want := range map[string]error{"192.0.2.2": dns.ErrNoData, "192.0.2.3": dns.ErrNXDomain} {
		if name, err := r.ReverseName(short(t), netip.MustParseAddr(addr)); name != "" || !errors.Is(err, want) {
			t.Errorf("%s: got %q, %v", addr, name, err)
		}
	}
}

func TestTXTAndTLSA(t *testing.T) {
	r := resolver(t, dnstest.New(t, zone))
	txt, err := r.TXT(short(t), "example.com")
	if err != nil || txt.Values[0] != "v=spf1 -all" {
		t.Errorf("got %q, %v", txt.Values, err)
	}
	tlsa, err := r.TLSA(short(t), "_25._tcp.mx.example.com")
	if err != nil || cmp.Diff(tlsa.Values, []dns.TLSA{{3, 1, 1, []byte{0xaa, 0xbb, 0xcc}}}) != "" {
		t.Errorf("got %v, %v", tlsa.Values, err)
	}
}

// The AD bit counts only from loopback or from whom the operator trusts.
func TestSecure(t *testing.T) {
	for name, c := range map[string]struct {
		validated, loopback, trust, want bool
	}{
		"validated on loopback": {true, true, false, true},
		"not validated":         {false, true, false, false},
		"validated elsewhere":   {true, false, false, false},
		"validated by a friend": {true, false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			srv := dnstest.New(t, zone)
			srv.Validate(c.validated)
			r := resolver(t, srv, func(o *dns.Options) {
				o.TrustAD = c.trust
				if !c.loopback {
					o.Dial = srv.Dial
					o.Servers = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53")}
				}
			})
			set, err := r.MX(short(t), "example.com")
			if err != nil || set.Secure != c.want {
				t.Errorf("secure is %v, %v", set.Secure, err)
			}
			a, _ := r.Query(short(t), "example.com", dns.TypeMX)
			if a.AuthenticData != c.validated {
				t.Errorf("AD is %v", a.AuthenticData)
			}
		})
	}
}

func TestResolvConf(t *testing.T) {
	first, second := dnstest.Pipe(t, "a.example. 300 IN A 192.0.2.1"), dnstest.Pipe(t, "a.example. 300 IN A 192.0.2.2")
	path := filepath.Join(t.TempDir(), "resolv.conf")
	write := func(s string) {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var asked []string
	o := dns.Options{ResolvConf: path}
	o.Dial = func(_ context.Context, network, address string) (net.Conn, error) {
		asked = append(asked, address)
		if address == "192.0.2.53:53" {
			return first.Dial(t.Context(), network, address)
		}
		return second.Dial(t.Context(), network, address)
	}
	write("# comment\nsearch example.com\nnameserver 192.0.2.53\nnameserver rubbish\n")
	r := start(t, o)
	for _, want := range []string{"192.0.2.53:53", "[2001:db8::53]:53"} {
		if _, err := r.Query(short(t), "a.example", dns.TypeA); err != nil {
			t.Fatal(err)
		}
		if asked[len(asked)-1] != want {
			t.Errorf("asked %v, want %s", asked, want)
		}
		write("nameserver 2001:db8::53\noptions edns0 trust-ad\n")
		if err := r.Configure(o); err != nil {
			t.Fatal(err)
		}
	}
	second.Validate(true)
	if a, err := r.Query(short(t), "a.example", dns.TypeA); err != nil || !a.Secure {
		t.Errorf("trust-ad is not obeyed: %v", err)
	}

	o.ResolvConf = t.TempDir() // a folder cannot be read
	if err := r.Configure(o); err == nil {
		t.Error("an unreadable file was accepted")
	}
	o.ResolvConf = filepath.Join(o.ResolvConf, "absent")
	if err := r.Configure(o); err != nil {
		t.Error(err)
	}
	if _, err := r.Query(short(t), "a.example", dns.TypeA); err != nil || asked[len(asked)-1] != "127.0.0.1:53" {
		t.Errorf("asked %v: %v", asked, err)
	}
}
