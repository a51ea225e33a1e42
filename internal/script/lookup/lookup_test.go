package lookup_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/dns/dnstest"
	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/engine"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script/lookup"
)

const zone = `
	example.com.      300 IN A 192.0.2.1
	example.com.      300 IN MX 20 b.example.com.
	example.com.      300 IN MX 10 a.example.com.
	example.com.      300 IN TXT "v=spf1 mx ptr:example.com " "-all"
	example.com.      300 IN SOA ns.example.com. host.example.com. 1 2 3 4 5
	a.example.com.    300 IN A 192.0.2.2
	a.example.com.    300 IN AAAA 2001:db8::2
	alias.example.com. 300 IN CNAME example.com.
	b.example.com.    300 IN A 192.0.2.3
	null.example.com. 300 IN MX 0 .
	null.example.com. 300 IN TXT "v=spf1 mx -all"
	_25._tcp.a.example.com. 300 IN TLSA 3 1 1 00ff
	_s._tcp.example.com. 300 IN SRV 1 2 3 a.example.com.
	example.com.      300 IN CAA 0 issue "ca.example"
	example.com.      300 IN NS ns.example.com.
	2.2.0.192.in-addr.arpa. 300 IN PTR a.example.com.
	9.2.0.192.in-addr.arpa. 300 IN PTR other.example.com.
	other.example.com. 300 IN A 192.0.2.9
`

// newResolver returns a Resolver of the zone and the server behind it.
func newResolver(t *testing.T, zone string) (*lookup.Resolver, *dnstest.Server) {
	t.Helper()
	srv := dnstest.New(t, zone)
	r, err := dns.New(dns.Options{Servers: []netip.AddrPort{srv.Addr()}, Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return lookup.New(func() *dns.Resolver { return r }), srv
}

// eval runs a script that echoes once.
func eval(t *testing.T, r *lookup.Resolver, script string) (echoed string) {
	t.Helper()
	library := stdlib.New(stdlib.Options{Resolver: r, Engine: engine.Options{Sender: r}})
	p, err := hsl.Compile("test", script, hsl.Options{Library: library})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(t.Context(), hsl.Execution{Setup: value.Setup{Echo: func(s string) { echoed += s }}}); err != nil {
		t.Errorf("%s: %v", script, err)
	}
	return echoed
}

// TestQuery asks for every type as scripts do.
func TestQuery(t *testing.T) {
	r, srv := newResolver(t, zone)
	srv.Fault("fail.example.com", "*", dnstest.Fault{RCode: "SERVFAIL"})
	srv.Fault("refused.example.com", "*", dnstest.Fault{RCode: "REFUSED"})
	srv.Fault("silent.example.com", "*", dnstest.Fault{Drop: true})
	for _, c := range []struct{ arguments, want string }{
		{`"example.com"`, `["result"=>[0=>"192.0.2.1"],"dnssec"=>false]`},
		{`"Alias.Example.com."`, `["result"=>[0=>"192.0.2.1"],"dnssec"=>false]`},
		{`"example.com", ["type" => "mx"]`, `["result"=>[0=>"a.example.com",1=>"b.example.com"],"dnssec"=>false]`},
		{`"a.example.com", ["type" => "aaaa"]`, `["result"=>[0=>"2001:db8::2"],"dnssec"=>false]`},
		{`"example.com", ["type" => "txt"]`, `["result"=>[0=>"v=spf1 mx ptr:example.com -all"],"dnssec"=>false]`},
		{`"alias.example.com", ["type" => "cname"]`, `["result"=>[0=>"example.com"],"dnssec"=>false]`},
		{`"2.2.0.192.in-addr.arpa", ["type" => "ptr"]`, `["result"=>[0=>"a.example.com"],"dnssec"=>false]`},
		{`"192.0.2.2", ["type" => "ptr"]`, `["result"=>[0=>"a.example.com"],"dnssec"=>false]`},
		{`"example.com", ["type" => "ns"]`, `["result"=>[0=>"ns.example.com"],"dnssec"=>false]`},
		{`"example.com", ["type" => "mx", "extended_result" => true]`, `["result"=>[0=>["ttl"=>300,"result"=>"a.example.com","preference"=>10],1=>["ttl"=>300,"result"=>"b.example.com","preference"=>20]],"dnssec"=>false]`},
		{`"example.com", ["type" => "soa", "extended_result" => true]`, `["result"=>[0=>["ttl"=>300,"result"=>"ns.example.com","mname"=>"ns.example.com","rname"=>"host.example.com","serial"=>1,"refresh"=>2,"retry"=>3,"expire"=>4,"minimum"=>5]],"dnssec"=>false]`},
		{`"_s._tcp.example.com", ["type" => "srv", "extended_result" => true]`, `["result"=>[0=>["ttl"=>300,"result"=>"a.example.com","priority"=>1,"weight"=>2,"port"=>3,"target"=>"a.example.com"]],"dnssec"=>false]`},
		{`"_25._tcp.a.example.com", ["type" => "tlsa", "extended_result" => true]`, `["result"=>[0=>["ttl"=>300,"result"=>"3 1 1 00ff","usage"=>3,"selector"=>1,"mtype"=>1,"data"=>"00ff"]],"dnssec"=>false]`},
		{`"example.com", ["type" => "caa", "extended_result" => true]`, `["result"=>[0=>["ttl"=>300,"result"=>''0 issue "ca.example"'',"flags"=>0,"tag"=>"issue","value"=>"ca.example"]],"dnssec"=>false]`},
		{`"none.example.com"`, `["error"=>"NXDOMAIN","dnssec"=>false]`},
		{`"a..b"`, `["error"=>"NXDOMAIN","dnssec"=>false]`},
		{`"b.example.com", ["type" => "txt"]`, `["error"=>"NO_DATA","dnssec"=>false]`},
		{`"fail.example.com"`, `["error"=>"SERVFAIL","dnssec"=>false]`},
		{`"refused.example.com"`, `["error"=>"REFUSED","dnssec"=>false]`},
		{`"silent.example.com", ["timeout" => 0.1]`, `["error"=>"TRY_AGAIN","dnssec"=>false]`},
	} {
		if got := eval(t, r, "echo dns_query("+c.arguments+");"); got != c.want {
			t.Errorf("dns_query(%s)\n got %s\nwant %s", c.arguments, got, c.want)
		}
	}
	srv.Validate(true)
	if got := eval(t, r, `echo dns_query("a.example.com")["dnssec"];`); got != "true" {
		t.Errorf("a validated answer: dnssec is %q", got)
	}
	if got := eval(t, r, `echo length(dns_query("example.com", ["type" => "any"])["result"]) > 3;`); got != "true" {
		t.Errorf("any: %q", got)
	}
}

// TestServers asks others than the configured.
func TestServers(t *testing.T) {
	r, _ := newResolver(t, zone)
	other := dnstest.New(t, "example.com. 300 IN A 198.51.100.1\nexample.com. 300 IN TXT \"v=spf1 ip4:198.51.100.7 -all\"")
	at := fmt.Sprintf(`"servers" => [%q], "port" => %d`, other.Addr().Addr(), other.Addr().Port())
	if got := eval(t, r, `echo dns_query("example.com", [`+at+`])["result"][0];`); got != "198.51.100.1" {
		t.Errorf("dns_query said %q", got)
	}
	if got := eval(t, r, `echo spf_query("198.51.100.7", "x", "example.com", [`+at+`])["result"];`); got != "pass" {
		t.Errorf("spf_query said %q", got)
	}
}

func TestSenders(t *testing.T) {
	r, srv := newResolver(t, zone)
	srv.Fault("fail.example.com", "*", dnstest.Fault{RCode: "SERVFAIL"})
	for _, c := range []struct{ arguments, want string }{
		{`"192.0.2.2", "x", "joe@example.com"`, "pass"},    // an exchange
		{`"2001:db8::2", "x", "joe@example.com"`, "pass"},  // by IPv6
		{`"192.0.2.9", "x", "example.com"`, "pass"},        // by its name
		{`"192.0.2.77", "x", "joe@example.com"`, "fail"},   //
		{`"192.0.2.2", "example.com", ""`, "pass"},         // the greeting
		{`"192.0.2.2", "x", "a@null.example.com"`, "fail"}, // has no exchange
		{`"192.0.2.2", "x", "a@none.example.com"`, "none"}, //
		{`"192.0.2.2", "x", "a@b.example.com"`, "none"},    //
		{`"192.0.2.2", "x", "a@fail.example.com"`, "temperror"},
		{`"here", "x", "a@example.com"`, "permerror"},
	} {
		if got := eval(t, r, "echo spf_query("+c.arguments+`)["result"];`); got != c.want {
			t.Errorf("spf_query(%s) is %s, want %s", c.arguments, got, c.want)
		}
	}
}

// TestChecks: what packages dkim and dmarc look up.
func TestChecks(t *testing.T) {
	r, srv := newResolver(t, zone)
	srv.Fault("fail.example.com", "*", dnstest.Fault{RCode: "SERVFAIL"})
	if texts, err := r.TXT(t.Context(), "none.example.com"); err != nil || texts != nil {
		t.Errorf("nothing there: %q, %v", texts, err)
	}
	_, err := r.TXT(t.Context(), "fail.example.com")
	if temporary, ok := err.(interface{ Temporary() bool }); !ok || !temporary.Temporary() {
		t.Errorf("no answer: %v", err)
	}
	for domain, want := range map[string]bool{"example.com": true, "none.example.com": false, "null.example.com": true} {
		if is, err := r.Exists(t.Context(), domain); is != want || err != nil {
			t.Errorf("%s exists: %v, %v", domain, is, err)
		}
	}
	if _, err := r.Exists(t.Context(), "fail.example.com"); err == nil {
		t.Error("no answer says that a domain exists")
	}
}
