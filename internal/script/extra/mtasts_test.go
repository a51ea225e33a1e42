package extra_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/network"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script/extra"
)

// textZone are a DNS of nothing but TXT records.
type textZone map[string][]string

func (z textZone) Resolve(_ context.Context, q network.Question) (network.Answer, error) {
	a := network.Answer{}
	for _, text := range z[q.Host] {
		a.Records = append(a.Records, network.Record{Text: text})
	}
	if a.Records == nil {
		a.Status = "NXDOMAIN"
	}
	return a, nil
}

// runZone is run with a DNS.
func runZone(t *testing.T, zone textZone, m *extra.Modules, script string) string {
	t.Helper()
	l := stdlib.New(stdlib.Options{Resolver: zone})
	program, err := hsl.Compile("test", script, hsl.Options{Library: l, Loader: resolve.AddOns{Modules: m}})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	_, err = program.Run(t.Context(), hsl.Execution{Setup: value.Setup{Echo: func(s string) { lines = append(lines, s) }}})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func TestMTASTS(t *testing.T) {
	policy := "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 86400\n"
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		if strings.HasPrefix(r.Host, "mta-sts.bad.") {
			fmt.Fprint(w, "nonsense")
			return
		}
		fmt.Fprint(w, policy)
	}))
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	p, _, err := extra.NewPlugins(nil, extra.Host{STS: &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"}, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", s.Listener.Addr().String())
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	m := extra.New(extra.Options{Plugins: p})
	zone := textZone{"_mta-sts.example.com": {"v=STSv1; id=1"}, "_mta-sts.bad.example.com": {"v=STSv1; id=1"}}
	got := runZone(t, zone, m, `import { mta_sts } from "extras://mta-sts";
		echo mta_sts("none.example.com"); echo mta_sts("[192.0.2.1]"); echo mta_sts("EXAMPLE.com."); echo mta_sts("bad.example.com");`)
	want := `false
false
["policy"=>["version"=>"STSv1","mode"=>"enforce","max_age"=>86400,"mx"=>[0=>"mx.example.com"]],"policy-string"=>''version: STSv1
mode: enforce
mx: mx.example.com
max_age: 86400'']
["error"=>''mtasts: version is "", want STSv1'',"tlsrpt"=>"sts-policy-invalid","policy-string"=>"nonsense"]`
	if got != want {
		t.Errorf("got %s", got)
	}
}

func TestTLSReport(t *testing.T) {
	const message = `["recipientaddress" => ["domain" => "a.test"]]`
	check(t, extra.New(extra.Options{}), "tls-rpt", []stdlibtest.Case{
		{`tls_rpt(["localip" => "192.0.2.1", "remoteip" => "192.0.2.2", "remotemx" => "mx.a.test", "tls" => ["started" => true]], ` + message + `)`,
			`["policy-domain"=>"a.test","policy-type"=>"no-policy-found","result-type"=>"success","sending-mta-ip"=>"192.0.2.1","receiving-mx-hostname"=>"mx.a.test","receiving-ip"=>"192.0.2.2"]`},
		{`tls_rpt([], ` + message + `)`, `none`},
		{`tls_rpt(["tls" => ["started" => false]], ` + message + `, false)`, `none`},
		{`tls_rpt(["tls" => ["started" => false, "tlsrpt" => "certificate-expired", "peercert" => ["error" => "expired"], "tlsa" => ["records" => [["usage" => 3, "selector" => 1, "mtype" => 1, "data" => "ab"]]]]], ` + message + `)`,
			`["policy-domain"=>"a.test","policy-type"=>"tlsa","policy-string"=>[0=>"3 1 1 ab"],"result-type"=>"certificate-expired","failure-reason-code"=>"expired"]`},
		{`tls_rpt([], ` + message + `, ["error" => "x", "tlsrpt" => "sts-policy-invalid", "policy-string" => "a\nb"])`,
			`["policy-domain"=>"a.test","policy-type"=>"sts","policy-string"=>[0=>"a",1=>"b"],"mx-host"=>[],"result-type"=>"sts-policy-invalid"]`},
		{`tls_rpt(["tls" => ["started" => true]], ` + message + `, ["policy" => ["mx" => ["m"]], "policy-string" => "a"])`,
			`["policy-domain"=>"a.test","policy-type"=>"sts","policy-string"=>[0=>"a"],"mx-host"=>[0=>"m"],"result-type"=>"success"]`},
	})
	zone := textZone{"_smtp._tls.a.test": {"v=TLSRPTv1; rua=mailto:x@a.test", "other"}, "_smtp._tls.b.test": {"v=TLSRPTv1;", "v=TLSRPTv1;"}}
	got := runZone(t, zone, extra.New(extra.Options{}), `import { tls_rpt_fetch_dnstxt as f } from "extras://tls-rpt"; echo f("a.test"); echo f("b.test"); echo f("c.test"); echo f("");`)
	if got != "v=TLSRPTv1; rua=mailto:x@a.test\nfalse\nfalse\nfalse" {
		t.Errorf("got %s", got)
	}
}
