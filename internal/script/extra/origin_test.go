package extra_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/engine"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/network"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script/extra"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// texts are the TXT records of a DNS. "FAIL" stands for no answer, and a name with
// "" is there without a text. Hosts at 192.0.2.0/24 may send for every domain.
type texts map[string]string

func (z texts) Resolve(_ context.Context, q network.Question) (network.Answer, error) {
	switch text, ok := z[q.Host]; {
	case text == "FAIL":
		return network.Answer{}, errors.New("no answer")
	case !ok:
		return network.Answer{Status: "NXDOMAIN"}, nil
	case text == "":
		return network.Answer{Status: "NO_DATA"}, nil
	default:
		return network.Answer{Records: []network.Record{{Text: text}}}, nil
	}
}

func (z texts) CheckHost(_ context.Context, q engine.SenderQuery) (result, reason string) {
	if strings.HasPrefix(q.IP, "192.0.2.") {
		return "pass", "in the network"
	}
	return "fail", "not in the network"
}

// library is what scripts find in this DNS.
func (z texts) library() *value.Library {
	return mail.New(mail.Options{}).Library(stdlib.New(stdlib.Options{Resolver: z, Engine: engine.Options{Sender: z}}))
}

const imports = `
import { dmarc, dmarc_implementation, organizationalDomain, dnsWalk } from "extras://dmarc";
import { AuthenticationResults } from "extras://authentication-results";
import { ARC } from "extras://arc";
`

// say runs a script with the modules of this file, and expects what it prints.
func (z texts) say(t *testing.T, script string) string {
	t.Helper()
	out, err := runWith(t, z.library(), extra.New(extra.Options{}), imports+script)
	if err != nil {
		t.Errorf("%s: %v", script, err)
	}
	return out
}

// quote writes a text as a string of HSL.
func quote(text string) string {
	return `base64_decode("` + base64.StdEncoding.EncodeToString([]byte(text)) + `")`
}

// newKey makes a key and the text of its record.
func newKey(t *testing.T) (key, record string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
}

// TestDMARC checks messages that SPF and DKIM have proved or not, under policies
// of all kinds.
func TestDMARC(t *testing.T) {
	key, record := newKey(t)
	z := texts{
		"_dmarc.example.com": "v=DMARC1; p=reject; sp=quarantine; pct=100", "_dmarc.none.example": "v=DMARC1; p=none",
		"_dmarc.never.example": "v=DMARC1; p=reject; pct=0", "_dmarc.broken.example": "v=DMARC1; p=maybe", "_dmarc.slow.example": "FAIL",
		"s._domainkey.example.com": record, "s._domainkey.example.net": record,
	}
	signed := func(domain, from string) string {
		return `MailMessage::String(MailMessage::String("From: ` + from + `\r\nSubject: x\r\n\r\nHello\r\n")->signDKIM("s", "` + domain + `", ` + quote(key) + `)->toString())`
	}
	plain := func(from string) string { return `MailMessage::String("From: ` + from + `\r\n\r\nx\r\n")` }
	for _, c := range []struct{ name, mail, ip, domain, show, want string }{
		{"SPF", plain("a@example.com"), "192.0.2.1", "mail.example.com", `$r["result"] . $r["spf_align"] . $r["dkim_align"] . $r["spf"]["result"]`, "passpassfailpass"},
		{"DKIM", signed("example.com", "a@example.com"), "198.51.100.1", "example.net", `$r["result"] . $r["spf_align"] . $r["dkim_align"] . $r["dkim"][0]["result"]`, "passfailpasspass"},
		{"unaligned", signed("example.net", "a@example.com"), "192.0.2.1", "example.net", `$r["result"] . $r["spf_align"] . $r["dkim_align"]`, "rejectunalignedunaligned"},
		{"subdomain", plain("a@sub.example.com"), "198.51.100.1", "", `$r["result"] . $r["from"] . $r["pdomain"] . $r["policy"] . $r["dmarc"]["p"]`, "quarantinesub.example.comexample.comquarantinereject"},
		{"none", plain("a@none.example"), "198.51.100.1", "x.example", `$r["result"] . $r["pct-selected"]`, "nonetrue"},
		{"percentage", plain("a@never.example"), "198.51.100.1", "x.example", `$r["result"] . $r["policy"] . $r["pct-selected"]`, "quarantinerejectfalse"},
		{"no policy", plain("a@other.example"), "192.0.2.1", "x.example", `$r["result"] . $r["from"] . isset($r["pdomain"])`, "policy_absentother.examplefalse"},
		{"broken", plain("a@broken.example"), "192.0.2.1", "broken.example", `$r["result"]`, "permerror"},
		{"slow", plain("a@slow.example"), "192.0.2.1", "slow.example", `$r["result"]`, "temperror"},
		{"two authors", plain("a@example.com, b@example.net"), "192.0.2.1", "example.com", `$r["result"] . isset($r["reason"])`, "permerrortrue"},
		{"greeting", plain("a@example.com"), "192.0.2.1", "", `$r["result"]`, "pass"},
	} {
		script := fmt.Sprintf(`$r = dmarc(%s, "%s", "mx.example.com", "%s"); echo %s;`, c.mail, c.ip, c.domain, c.show)
		if got := z.say(t, script); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if got := z.say(t, `echo dmarc(`+signed("example.com", "a@example.com")+`, "198.51.100.1", "", "", ["maxdkimheaders" => 0])["result"];`); got != "reject" {
		t.Errorf("no signature is looked at: %s", got)
	}
	if got := z.say(t, `try { dmarc_implementation(`+plain("a@example.com")+`, "", "", "", function ($i, $h, $d) { return []; }, function ($n, $o) { throw "stop"; }, none); } catch ($e) { echo $e; }`); got != "stop" {
		t.Errorf("an exception of the function: %q", got)
	}
	if got := z.say(t, `$r = dmarc_implementation(`+signed("example.com", "a@example.com")+`, "1", "2", "3", function ($i, $h, $d) { return ["result" => $i . $h . $d]; }, `+
		`function ($n, $o) { return ["result" => [$n == "_dmarc.example.com" ? "v=DMARC1; p=reject" : "x"]]; }, function ($n) { return ["result" => `+quote(record)+`]; }, ["rfc9989" => true]); echo $r["result"] . $r["spf"]["result"];`); got != "pass123" {
		t.Errorf("with functions: %q", got)
	}
	if got := z.say(t, `echo organizationalDomain("a.b.example.com") . " " . (organizationalDomain("") ?? "none") . " " . length(dnsWalk("a.b.example.com"));`); got != "example.com none 1" {
		t.Errorf("organizations: %q", got)
	}
}

// TestAuthenticationResults makes a field of everything.
func TestAuthenticationResults(t *testing.T) {
	key, record := newKey(t)
	z := texts{"s._domainkey.example.com": record, "_dmarc.example.com": "v=DMARC1; p=reject"}
	script := `
		$m = MailMessage::String(MailMessage::String("From: a@example.com\r\n\r\nHello\r\n")->signDKIM("s", "example.com", ` + quote(key) + `)->toString());
		$broken = MailMessage::String(str_replace("Hello", "Hallo", $m->toString()));
		function head() { return AuthenticationResults(["hostname" => "mx"]); }
		$line = ["multiline" => false];
		echo head()->toString($line);
		echo head()->SPF(["result" => "fail"], "h.example", "")->toString($line);
		echo head()->SPF("softfail", "h.example", "a@b.example", ["smtp.remote-ip" => "::1", "smtp.mailfrom" => "c.example"])->toString($line);
		echo head()->TLS(["protocol" => "TLSv1.3", "cipher" => "TLS_AES_128_GCM_SHA256"])->TLS(none)->toString($line);
		echo pcre_match("(.*header.b=)", head()->DKIM($m)->toString($line))[1];
		echo pcre_match("(dkim=.*) header.i|(dkim=.*) header.d", head()->DKIM($broken)->toString($line))[2];
		echo head()->DKIM(MailMessage::String("x: y\r\n\r\n"))->toString($line);
		echo head()->DKIM([["result" => "temperror", "tags" => ["d" => "d.example"]]], ["policy.x" => "1"])->toString($line);
		echo head()->DMARC(dmarc($m, "192.0.2.1", "x", "example.com"))->DMARC(dmarc($broken, "198.51.100.1", "x", "x.example"))->DMARC(["result" => "policy_absent"])->toString($line);
		echo head()->addMethod("iprev", "pass", ["policy.iprev" => "192.0.2.1; dkim=pass"])->toString($line);
		echo length(str_split(head()->SPF("pass", "h", "a.example")->addMethod("arc", "none")->toString(), "\r\n"));
		echo AuthenticationResults()->toString($line) == gethostname() . "; none";
	`
	want := []string{
		"mx; none",
		"mx; spf=fail smtp.helo=h.example",
		"mx; spf=softfail smtp.remote-ip=::1 smtp.mailfrom=c.example",
		"mx; tls=pass smtp.version=TLSv1.3 smtp.cipher=TLS_AES_128_GCM_SHA256; tls=none",
		"mx; dkim=pass header.d=example.com header.s=s header.a=ed25519-sha256 header.b=",
		`dkim=fail reason="body hash did not verify"`,
		"mx; dkim=none",
		"mx; dkim=temperror header.d=d.example policy.x=1",
		"mx; dmarc=pass (p=reject dis=none) header.from=example.com; dmarc=fail (p=reject dis=reject) header.from=example.com; dmarc=none",
		`mx; iprev=pass policy.iprev="192.0.2.1; dkim=pass"`,
		"3",
		"true",
	}
	got := strings.Split(z.say(t, script), "\n")
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || strings.ReplaceAll(got[i], `"::1"`, "::1") != want[i] {
			t.Errorf("line %d:\n got %s\nwant %s", i+1, at(got, i), at(want, i))
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// TestARC seals a message several times with changes in between, as forwarders do.
func TestARC(t *testing.T) {
	key, record := newKey(t)
	z := texts{"s._domainkey.one.example": record, "s._domainkey.two.example": record}
	script := `
		$key = ` + quote(key) + `;
		$m = MailMessage::String("From: a@example.com\r\nSubject: x\r\n\r\nHello\r\n");
		$chain = ARC::chainValidate($m);
		echo $chain;
		echo ARC::seal($m, "s", "one.example", $key, $chain, AuthenticationResults(["hostname" => "mx.one"])->SPF("pass", "", "a.example")->toString());
		$m = MailMessage::String($m->toString());
		$chain = ARC::chainValidate($m);
		echo $chain["status"] . $chain["instance"] . $chain["oldestpass"] . $chain["domains"][0] . $chain["ar1"];
		$m->setHeader("Subject", "changed");
		echo ARC::seal($m, "s", "two.example", $key, $chain, AuthenticationResults(["hostname" => "mx.two"])->addMethod("arc", "pass"), ["id" => false]);
		$m = MailMessage::String($m->toString());
		$chain = ARC::chainValidate($m);
		echo $chain["status"] . $chain["instance"] . $chain["oldestpass"] . array_join($chain["domains"], ",") . $chain["arcset"][2]["aar"];
		echo $m->getHeaderNames();
		$broken = MailMessage::String(str_replace("Hello", "Hallo", $m->toString()));
		$chain = ARC::chainValidate($broken);
		echo $chain["status"] . pcre_match("message signature invalid", $chain["error"])[0];
		echo ARC::seal($broken, "s", "two.example", $key, $chain, "mx.two; arc=fail");
		echo ARC::seal(MailMessage::String($broken->toString()), "s", "two.example", $key, $chain, "mx.two; arc=fail");
		echo ARC::seal($m, "s", "two.example", "no key", $chain, "mx.two; arc=fail");
		echo ARC::seal($m, "s", "two.example", $key, ["status" => "none"], "mx.two; arc=fail");
	`
	want := `["status"=>"none"]
true
pass10one.examplemx.one; spf=pass smtp.mailfrom=a.example
true
pass22one.example,two.exampleARC-Authentication-Results: i=2; mx.two;
	arc=pass

[0=>"arc-seal",1=>"arc-message-signature",2=>"arc-authentication-results",3=>"arc-seal",4=>"arc-message-signature",5=>"arc-authentication-results",6=>"from",7=>"subject"]
failmessage signature invalid
true
false
false
false`
	if got := strings.ReplaceAll(z.say(t, script), "\r", ""); got != want {
		t.Errorf("it said\n%s", got)
	}
	for _, script := range []string{
		`try { ARC::seal(MailMessage::String("x"), "s", "d", "k", [], "mx; none"); } catch ($e) { echo "no"; }`,
		`try { ARC::seal(MailMessage::String("x"), "s", "d", "k", ["status" => "none"], ""); } catch ($e) { echo "no"; }`,
	} {
		if got := z.say(t, script); got != "no" {
			t.Errorf("%s: %s", script, got)
		}
	}
}

// TestARCVectors runs the published suite for validation through scripts.
func TestARCVectors(t *testing.T) {
	file, err := os.Open(filepath.Join(testenv.Vectors(t, "arc"), "arc-draft-validation-tests.yml"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	n := 0
	for d := yaml.NewDecoder(file); ; {
		var s struct {
			Records map[string]string `yaml:"txt-records"`
			Tests   yaml.Node
		}
		if err := d.Decode(&s); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		z := texts{}
		for name, text := range s.Records {
			z[name] = strings.Join(strings.Fields(text), "")
		}
		for i := 0; i+1 < len(s.Tests.Content); i += 2 {
			var v struct{ Message, CV string }
			if err := s.Tests.Content[i+1].Decode(&v); err != nil {
				t.Fatal(err)
			}
			n++
			want := strings.ToLower(strings.TrimSpace(v.CV))
			if want == "" {
				want = "fail" // RFC 8617 §5.2 steps 2 and 3
			}
			got := z.say(t, `echo ARC::chainValidate(MailMessage::String(`+quote(strings.ReplaceAll(v.Message, "\n", "\r\n"))+`))["status"];`)
			if got != want {
				t.Errorf("%s: %s, want %s", s.Tests.Content[i].Value, got, want)
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d vectors", n)
	}
}

// TestBIMI finds logos of domains, and of no others.
func TestBIMI(t *testing.T) {
	const mark = `v=BIMI1; l=https://example.com/a.svg; a=https://example.com/a.pem`
	z := texts{
		"default._bimi.example.com": mark, "sale._bimi.example.com": "v=BIMI1; l=https://example.com/sale.svg; avp=personal",
		"default._bimi.declined.example": "v=BIMI1; l=; a=", "default._bimi.broken.example": "v=BIMI1; l=http://x", "default._bimi.slow.example": "FAIL",
	}
	proven := func(from, record string) string {
		return `["result" => "pass", "from" => "` + from + `", "policy" => "reject", "dmarc" => ` + record + `, "dkim" => [["result" => "pass", "tags" => ["h" => "from : BIMI-Selector"]], ["result" => "permerror"]]]`
	}
	const reject = `["p" => "reject"]`
	const show = `($r["error"] ?? "") . ($r["class"] ?? "") . $r["authentication-results"] . ($r["domain"] ?? "") . ($r["selector"] ?? "") . ($r["record"]["l"] ?? "") . ($r["record"]["avp"] ?? "")`
	for _, c := range []struct{ header, dmarc, options, want string }{
		{"", proven("example.com", reject), "", "passexample.comdefaulthttps://example.com/a.svgbrand"},
		{"", proven("news.example.com", reject), "", "passexample.comdefaulthttps://example.com/a.svgbrand"},
		{`BIMI-Selector: v=BIMI1; s=sale\r\n`, proven("example.com", reject), "", "passexample.comsalehttps://example.com/sale.svgpersonal"},
		{`BIMI-Selector: v=BIMI1; s=sale\r\n`, strings.ReplaceAll(proven("example.com", reject), "BIMI-Selector", "to"), "", "passexample.comdefaulthttps://example.com/a.svgbrand"},
		{`BIMI-Selector: v=BIMI1; s=sale\r\n`, strings.ReplaceAll(proven("example.com", reject), "BIMI-Selector", "to"), `["allow_unsigned_selector" => true]`, "passexample.comsalehttps://example.com/sale.svgpersonal"},
		{`BIMI-Selector: v=BIMI1; s=sale\r\nBIMI-Selector: v=BIMI1; s=sale\r\n`, proven("example.com", reject), "", "passexample.comdefaulthttps://example.com/a.svgbrand"},
		{"", proven("other.example", reject), "", "bimi: no recorddnsnone"},
		{"", proven("slow.example", reject), "", "bimi: dns: TRY_AGAINdnstemperror"},
		{"", proven("declined.example", reject), "", "bimi: the domain shows no logobimideclined"},
		{"", proven("broken.example", reject), "", `bimi: malformed record: "http://x" is not by HTTPSbimifail`},
		{"", `["result" => "none"]`, "", "bimi: the message did not pass DMARCdmarcskipped"},
		{"", proven("example.com", `["p" => "reject", "sp" => "none"]`), "", "bimi: the policy is not quarantine or reject for all maildmarcskipped"},
		{"", proven("example.com", `["p" => "quarantine", "pct" => "50"]`), "", "bimi: the policy is not quarantine or reject for all maildmarcskipped"},
	} {
		options := ""
		if c.options != "" {
			options = ", " + c.options
		}
		got := z.say(t, `import { bimi } from "extras://bimi"; $r = bimi(MailMessage::String("`+c.header+`From: a@example.com\r\n\r\nx\r\n"), `+c.dmarc+options+`); echo `+show+`;`)
		if got != c.want {
			t.Errorf("%s %s:\n got %s\nwant %s", c.header, c.dmarc, got, c.want)
		}
	}
	if got := z.say(t, `import { bimi } from "extras://bimi"; $m = MailMessage::String("BIMI-Indicator: x\r\nBIMI-Location: y\r\nFrom: a@example.com\r\n\r\nx\r\n"); bimi($m, []); echo MailMessage::String($m->toString())->getHeaderNames();`); got != `[0=>"from"]` {
		t.Errorf("fields of the receiver stay: %s", got)
	}
	if got := z.say(t, `import { bimi_vmc } from "extras://bimi"; echo bimi_vmc(["record" => ["a" => "https://127.0.0.1:1/"]])["error"]; try { bimi_vmc(["record" => ["a" => "https://127.0.0.1:1/"]], ["x"]); } catch ($e) { echo "no"; }`); got != "bimi: no authorities are given\nno" {
		t.Errorf("bimi_vmc: %s", got)
	}
}

// TestBIMIMark fetches a certificate and takes the logo from it.
func TestBIMIMark(t *testing.T) {
	authority, leaf := issueMark(t, "example.com")
	z := texts{}
	script := `import { bimi_vmc, bimi_svg_check } from "extras://bimi";
		$r = bimi_vmc(["record" => ["a" => "https://example.com/a.pem"], "domain" => "%s", "selector" => "default"], [X509::String(` + quote(authority) + `, ["pem" => true])]);
		echo ($r["error"] ?? "") . ($r["indicator"] ?? "") . ($r["subject"][0][1] ?? "");`
	for domain, want := range map[string]string{"example.com": "<svg/>x", "example.net": "bimi: mark certificate: it is not for default._bimi.example.net, example.net"} {
		library := value.NewLibrary(z.library(), value.Declarations{Builtins: []*value.Builtin{served(leaf)}})
		got, err := runWith(t, library, extra.New(extra.Options{}), fmt.Sprintf(script, domain))
		if err != nil || got != want {
			t.Errorf("%s: %q, %v", domain, got, err)
		}
	}
}
