package network_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/network"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func TestFunctions(t *testing.T) {
	l := value.NewLibrary(nil, value.Declarations{Builtins: network.Builtins()})
	stdlibtest.New(t, l, value.Setup{}).Check(t, []stdlibtest.Case{
		{`inet_includes("192.0.2.1", "192.0.2.1")`, `true`},
		{`inet_includes("192.0.2.1", "192.0.2.77/24")`, `true`},
		{`inet_includes("192.0.3.1", "192.0.2.0/24")`, `false`},
		{`inet_includes("192.0.2.9", "192.0.2.1-192.0.2.9")`, `true`},
		{`inet_includes("192.0.2.10", "192.0.2.1-192.0.2.9")`, `false`},
		{`inet_includes("2001:db8::1", "2001:db8::/32")`, `true`},
		{`inet_includes("::ffff:192.0.2.1", "192.0.2.0/24")`, `true`},
		{`inet_includes("192.0.2.1", "::ffff:192.0.2.0/120")`, `true`},
		{`inet_includes("192.0.2.1", "::/0")`, `false`},
		{`inet_includes("192.0.2.1", "0.0.0.0/0")`, `true`},
		{`inet_includes("192.0.2", "192.0.2.0/24")`, `none`},
		{`inet_includes("192.0.2.1", "192.0.2.0/33")`, `none`},
		{`inet_includes("192.0.2.1", "192.0.2.0-::1")`, `none`},
		{`inet_includes("fe80::1%eth0", "fe80::/10")`, `none`},
		{`inet_pton("192.0.2.1")`, "''\xc0\x00\x02\x01''"},
		{`inet_pton("nonsense")`, `none`},
		{`inet_ntop(inet_pton("2001:db8::1"))`, `"2001:db8::1"`},
		{`inet_ntop("abc")`, `none`},
		{`inet_reverse("192.0.2.1")`, `"1.2.0.192.in-addr.arpa"`},
		{`inet_reverse("192.0.2.1", "bl.example")`, `"1.2.0.192.bl.example"`},
		{`inet_reverse("2001:db8::1")`, `"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"`},
		{`inet_reverse("x")`, `none`},
		{`domain_includes("Mail.Example.COM", "example.com")`, `true`},
		{`domain_includes("example.com", "example.com")`, `true`},
		{`domain_includes("example.com", ".example.com")`, `false`},
		{`domain_includes("a.example.com.", ".example.com")`, `true`},
		{`domain_includes("badexample.com", "example.com")`, `false`},
		{`domain_includes("example.com", "a.example.com")`, `false`},
		{`domain_includes(".example.com", "example.com")`, `false`},
		{`domain_includes("", "")`, `true`},
		{`domain_includes("com", "")`, `false`},
		{`domain_publicsuffix("www.Example.CO.UK")`, `"co.uk"`},
		{`domain_publicsuffix("example.blogspot.com")`, `"blogspot.com"`},
		{`domain_publicsuffix("com")`, `"com"`},
		{`domain_publicsuffix("localhost")`, `none`},
		{`domain_publicsuffix("example.nosuchtld")`, `none`},
		{`domain_publicsuffix("")`, `none`},
		{`domain_publicsuffix("食狮.公司.cn")`, `"公司.cn"`},
		{`domain_publicsuffix("食狮.xn--55qx5d.cn")`, `"xn--55qx5d.cn"`},
		{`idna_encode("Bücher.example")`, `"xn--bcher-kva.example"`},
		{`idna_encode("_dmarc.Example")`, `"_dmarc.Example"`},
		{`idna_encode("bücher。example")`, `"xn--bcher-kva.example"`},
		{`idna_encode("\xff.example")`, `none`},
		{`idna_decode("XN--bcher-kva.example")`, `"bücher.example"`},
		{`idna_decode("xn--a-ecp.example")`, `none`},
		{`idna_decode("plain.example")`, `"plain.example"`},
		{`url_parse("http://u:p@h:8080/p?q#f")`, `["schema"=>"http","username"=>"u","password"=>"p","hostname"=>"h","port"=>8080,"path"=>"/p","query"=>"q","fragment"=>"f"]`},
		{`url_parse("http://[::1]:25")`, `["schema"=>"http","hostname"=>"[::1]","port"=>25]`},
		{`url_parse("mailto:a%20b@c")`, `["schema"=>"mailto","path"=>"a%20b@c"]`},
		{`url_parse("/only/path?")`, `["path"=>"/only/path","query"=>""]`},
		{`url_parse("//host")`, `["hostname"=>"host"]`},
		{`url_parse("http://h:99999/")`, `none`},
		{`url_parse("http://h:x/")`, `none`},
		{`url_parse("http://[::1/")`, `none`},
		{`url_parse("a b")`, `none`},
		{`url_parse("")`, `none`},
	})
}

// records is a resolver that knows one name and tells what it was asked.
type records struct{ asked *network.Question }

func (r records) Resolve(ctx context.Context, q network.Question) (network.Answer, error) {
	*r.asked = q
	switch q.Host {
	case "example.com":
		return network.Answer{DNSSEC: true, Records: []network.Record{
			{TTL: time.Minute, Text: "mx2.example.com", Fields: []network.Field{{Name: "preference", Value: value.Int(20)}}},
			{TTL: time.Hour, Text: "mx1.example.com", Fields: []network.Field{{Name: "preference", Value: value.Int(10)}}},
		}}, nil
	case "slow.example.com":
		<-ctx.Done()
		return network.Answer{}, ctx.Err()
	case "refused.example.com":
		return network.Answer{Status: "REFUSED"}, nil
	case "down.example.com":
		return network.Answer{}, errors.New("network is unreachable")
	}
	return network.Answer{Status: "NXDOMAIN"}, nil
}

func TestQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked network.Question
		l := value.NewLibrary(nil, value.Declarations{Builtins: network.Resolving(records{&asked})})
		m := stdlibtest.New(t, l, value.Setup{Limits: value.Limits{Time: time.Minute}})
		m.Check(t, []stdlibtest.Case{
			{`dns_query("example.com", ["type" => "mx"])`, `["result"=>[0=>"mx1.example.com",1=>"mx2.example.com"],"dnssec"=>true]`},
			{
				`dns_query("example.com", ["type" => "MX", "extended_result" => true])`,
				`["result"=>[0=>["ttl"=>3600,"result"=>"mx1.example.com","preference"=>10],1=>["ttl"=>60,"result"=>"mx2.example.com","preference"=>20]],"dnssec"=>true]`,
			},
			{`dns_query("example.org")`, `["error"=>"NXDOMAIN","dnssec"=>false]`},
			{`dns_query("refused.example.com")`, `["error"=>"REFUSED","dnssec"=>false]`},
			{`dns_query("down.example.com")`, `["error"=>"TRY_AGAIN","dnssec"=>false]`},
			{`dns_query("slow.example.com", ["timeout" => 2])`, `["error"=>"TRY_AGAIN","dnssec"=>false]`},
			{`dns_query("x", ["type" => "nonsense"])`, `!dns_query: option type: want one of a, aaaa, mx, txt, cname, ns, ptr, soa, srv, caa, tlsa, any, got "nonsense"`},
			{`dns_query("x", ["port" => 0])`, `!dns_query: option port: want 1 to 65535, got 0`},
			{`dns_query("x", ["timeout" => -1])`, `!dns_query: option timeout: want seconds, got -1`},
			{`dns_query("x", ["servers" => ["ns.example.com"]])`, `!dns_query: option servers: want addresses, got "ns.example.com"`},
			{`dns_query("x", ["servers" => ["192.0.2.53"], "port" => 5353, "type" => "txt"])`, `["error"=>"NXDOMAIN","dnssec"=>false]`},
		})
		want := network.Question{Host: "x", Type: "txt", Servers: []netip.Addr{netip.MustParseAddr("192.0.2.53")}, Port: 5353}
		if fmt.Sprint(asked) != fmt.Sprint(want) {
			t.Errorf("asked %v, want %v", asked, want)
		}
		if got := m.Show(`dns_query("slow.example.com", ["timeout" => 3600])`); got != "!script exceeded its time limit of 1m0s" {
			t.Error(got)
		}
	})
}

func FuzzURL(f *testing.F) {
	l := value.NewLibrary(nil, value.Declarations{Builtins: network.Builtins()})
	m := stdlibtest.New(f, l, value.Setup{})
	f.Add("http://u:p@[::1]:80/p?q#f")
	f.Fuzz(func(t *testing.T, url string) {
		for _, name := range []string{"url_parse", "domain_publicsuffix", "idna_encode", "idna_decode"} {
			if _, err := m.Call(value.FromFunction(l.Function(name)), value.String(url)); err != nil {
				t.Fatal(name, err)
			}
		}
	})
}
