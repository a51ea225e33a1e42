package delivery_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/dns/dnstest"
)

const zone = `
	example.net.     300 IN MX 10 mx1.example.net.
	example.net.     300 IN MX 20 mx2.example.net.
	mx1.example.net. 300 IN A 192.0.2.1
	mx2.example.net. 300 IN A 192.0.2.2
	other.example.   300 IN MX 10 mx3.other.example.
	mx3.other.example. 300 IN A 192.0.2.3
	plain.example.   300 IN A 192.0.2.4
	null.example.    300 IN MX 0 .
	empty.example.   300 IN TXT "x"
	six.example.     300 IN AAAA 2001:db8::6
	relay.example.   300 IN A 192.0.2.5
	relay.example.   300 IN AAAA 2001:db8::5
`

func resolving(t *testing.T, o delivery.Options, records ...string) *delivery.Courier {
	t.Helper()
	srv := dnstest.New(t, zone+strings.Join(records, "\n"))
	srv.Fault("broken.example", "*", dnstest.Fault{RCode: "SERVFAIL"})
	r, err := dns.New(dns.Options{Servers: []netip.AddrPort{srv.Addr()}, CacheSize: 100, DomainCacheSize: 100})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return delivery.New(r, o, delivery.Events{})
}

func TestResolve(t *testing.T) {
	c := resolving(t, delivery.Options{
		Own: func(name string, a netip.Addr) bool { return name == "mx3.other.example" },
	})
	four := []delivery.Source{{Addr: netip.MustParseAddr("198.51.100.1")}}
	mx := "10 mx1.example.net[192.0.2.1]:25, 20 mx2.example.net[192.0.2.2]:25"
	for name, test := range map[string]struct {
		domain    string
		transport delivery.Transport
		override  *delivery.Transport
		want      string // hosts, or status, code and cause
	}{
		"by MX":            {"example.net", delivery.Transport{}, nil, mx},
		"said so":          {"example.net", delivery.Transport{Servers: []string{"lookup-mx"}}, nil, mx},
		"other port":       {"plain.example", delivery.Transport{Port: 2525}, nil, "0 plain.example[192.0.2.4]:2525"},
		"another domain":   {"plain.example", delivery.Transport{Servers: []string{"lookup-mx:example.net"}}, nil, mx},
		"included":         {"example.net", delivery.Transport{MXInclude: []string{"*.other", "MX2.*", "mx2.example.net"}}, nil, "20 mx2.example.net[192.0.2.2]:25"},
		"excluded":         {"example.net", delivery.Transport{MXInclude: []string{"*.example.net"}, MXExclude: []string{"mx1.Example.net."}}, nil, "20 mx2.example.net[192.0.2.2]:25"},
		"all excluded":     {"example.net", delivery.Transport{MXExclude: []string{"*.example.net"}}, nil, "failed 5.1.2 excluded"},
		"one label only":   {"example.net", delivery.Transport{MXExclude: []string{"*.net"}}, nil, mx},
		"static host":      {"example.net", delivery.Transport{Servers: []string{"relay.example"}, Families: dns.IPv4}, nil, "0 relay.example[192.0.2.5]:25"},
		"static, missing":  {"example.net", delivery.Transport{Servers: []string{"typo.example"}}, nil, "deferred 4.3.5 nxdomain"},
		"static address":   {"example.net", delivery.Transport{Servers: []string{"192.0.2.9"}, Port: 26}, nil, "0 192.0.2.9:26"},
		"addresses":        {"example.net", delivery.Transport{Servers: []string{"192.0.2.9", "2001:db8::9"}}, nil, "0 192.0.2.9:25, 1 [2001:db8::9]:25"},
		"address of Try":   {"example.net", delivery.Transport{}, &delivery.Transport{Servers: []string{"192.0.2.9"}, Port: 27}, "0 192.0.2.9:27"},
		"host of Try":      {"example.net", delivery.Transport{Servers: []string{"192.0.2.9"}}, &delivery.Transport{Servers: []string{"plain.example"}}, "0 plain.example[192.0.2.4]:25"},
		"list":             {"example.net", delivery.Transport{Servers: []string{"plain.example", "192.0.2.8", "lookup-mx", "192.0.2.9"}}, nil, "0 plain.example[192.0.2.4]:25, 1 192.0.2.8:25, 12 mx1.example.net[192.0.2.1]:25, 22 mx2.example.net[192.0.2.2]:25, 23 192.0.2.9:25"},
		"list, last works": {"null.example", delivery.Transport{Servers: []string{"lookup-mx", "192.0.2.9"}}, nil, "0 192.0.2.9:25"},
		"literal":          {"[192.0.2.7]", delivery.Transport{}, nil, "0 192.0.2.7:25"},
		"null MX":          {"null.example", delivery.Transport{}, nil, "failed 5.1.10 nullmx"},
		"no domain":        {"nowhere.example", delivery.Transport{}, nil, "failed 5.1.2 nxdomain"},
		"nothing there":    {"empty.example", delivery.Transport{}, nil, "failed 5.1.2 nodata"},
		"other family":     {"six.example", delivery.Transport{Families: dns.IPv4}, nil, "failed 5.1.2 ipfamily"},
		"family of source": {"six.example", delivery.Transport{Sources: four}, nil, "failed 5.1.2 ipfamily"},
		"no such source":   {"six.example", delivery.Transport{Sources: four, Families: dns.IPv6}, nil, "deferred 4.3.5 "},
		"server failure":   {"broken.example", delivery.Transport{}, nil, "deferred 4.4.3 other"},
		"ourselves":        {"other.example", delivery.Transport{}, nil, "failed 5.4.6 other"},
		"no name at all":   {"", delivery.Transport{}, nil, "failed 5.1.2 other"},
	} {
		a := attempt(t, &test.transport)
		a.Recipient.Domain, a.Override = test.domain, test.override
		d, out := c.Resolve(t.Context(), a)
		got := ""
		if out != nil {
			cause := ""
			if out.DNS != 0 {
				cause = out.DNS.String()
			}
			got = fmt.Sprintf("%s %s %s", out.Status, out.EnhancedCode(), cause)
			if out.Stage != delivery.StageResolve || out.FromPeer || out.Err == nil || out.Reply.Text() == "" || d != nil {
				t.Errorf("%s: %+v", name, out)
			}
		} else {
			var list []string
			for i := range d.Hosts {
				list = append(list, fmt.Sprintf("%d %s", d.Hosts[i].Preference, &d.Hosts[i]))
			}
			got = strings.Join(list, ", ")
		}
		if got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, test.want)
		}
	}
}

func TestQueryShowsTheOrderOfAnAttempt(t *testing.T) {
	c := resolving(t, delivery.Options{})
	a := attempt(t, &delivery.Transport{})
	a.ID, a.Retry = [16]byte{5}, 3
	want, _ := c.Resolve(t.Context(), a)
	got, out := c.Query(t.Context(), "example.net", a.ID, a.Retry)
	if out != nil || cmp.Diff(want.Hosts, got.Hosts, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })) != "" {
		t.Errorf("%+v, want %+v, %v", got, want, out)
	}
}

func TestFixed(t *testing.T) {
	four := []delivery.Source{{Addr: netip.MustParseAddr("198.51.100.1")}}
	for name, c := range map[string]struct {
		transport delivery.Transport
		fixed     bool
	}{
		"addresses":     {delivery.Transport{Servers: []string{"192.0.2.1", "::1"}}, true},
		"mapped":        {delivery.Transport{Servers: []string{"::ffff:192.0.2.1"}, Families: dns.IPv4}, true},
		"by MX":         {delivery.Transport{}, false},
		"host":          {delivery.Transport{Servers: []string{"192.0.2.1", "mx.example"}}, false},
		"not reachable": {delivery.Transport{Servers: []string{"::1"}, Sources: four}, false},
	} {
		if d := c.transport.Fixed(); (d != nil) != c.fixed {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestNullMXReply(t *testing.T) {
	a := attempt(t, &delivery.Transport{})
	a.Recipient.Domain = "null.example"
	_, out := resolving(t, delivery.Options{}).Resolve(t.Context(), a)
	if out.Reply.Code != 556 || !errors.Is(out.Err, dns.ErrNullMX) { // RFC 7505 §4.1
		t.Errorf("%v %v", out.Reply, out.Err)
	}
}
