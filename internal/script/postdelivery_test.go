package script_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/policy"
	"github.com/posthaste-mta/posthaste/internal/sink"
)

// arguments is a script that shows all that postdelivery is told. What changes
// from run to run is checked and left out.
const arguments = `
	if ($message["sender"] == "") Default();
	$a = $arguments;
	if (isset($a["attempt"])) {
		if (!is_number($a["attempt"]["duration"])) echo "no duration";
		unset($a["attempt"]["duration"]);
		if (isset($a["attempt"]["connection"])) {
			if (!is_number($a["attempt"]["connection"]["id"])) echo "no id";
			unset($a["attempt"]["connection"]["id"]);
			$cert = $a["attempt"]["connection"]["tls"]["peercert"];
			if ($cert) {
				echo $cert["x509"]->subject()[0][1] . json_encode($cert["chain"]) . $cert["error"];
				unset($a["attempt"]["connection"]["tls"]["peercert"]);
			}
		}
	}
	if (isset($a["dsn"]["id"])) { echo json_encode(length($a["dsn"]["id"]["transaction"])); unset($a["dsn"]["id"]); }
	echo json_encode($a);
`

// TestPostArguments compares $arguments of postdelivery for each kind of end.
func TestPostArguments(t *testing.T) {
	certificate, err := sink.SelfSigned("far.example")
	if err != nil {
		t.Fatal(err)
	}
	secure := sink.Options{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}}
	for name, c := range map[string]struct {
		options sink.Options
		rules   []string
		pre     string
		to      string
		ended   string
		want    []string
	}{
		"delivered": {ended: "delivered", want: []string{
			`{"retry":0,"expired":false,"attempt":{"result":{"code":250,"enhanced":[2,0,0],"reason":["taken"],"state":"EOD"},"connection":{"transactions":1,"localip":"127.0.0.1","helo":"mta.example","remoteip":"127.0.0.1","remotemx":"","remotegreet":[`,
			`"tls":{"started":false}}}}`}},
		"deferred": {rules: []string{`* rcpt reply 451 4.2.2 full\nnow`}, ended: "deferred", want: []string{
			`{"retry":0,"expired":false,"action":"QUEUE","attempt":{"result":{"code":451,"enhanced":[4,2,2],"reason":["full","now"],"state":"RCPT"},`}},
		"refused": {to: "550@example.net", ended: "bounced", want: []string{
			"36\n", `{"retry":0,"expired":false,"action":"BOUNCE","attempt":{"result":{"code":550,`,
			`"dsn":{"action":"failed","status":[5,`, `"diagnostictype":"smtp","diagnosticcode":"550 `, `(in reply to RCPT)"}}`}},
		"from an address": {pre: `Try(["sourceip" => ["two"]]);`, ended: "delivered", want: []string{`"localip":"127.0.0.2","localipid":"two","helo":"two.example"`}},
		"with TLS": {options: secure, pre: `Try(["tls" => "require"]);`, ended: "delivered", want: []string{
			"far.example[]certificate is not trusted", `"tls":{"started":true,"protocol":"TLSv1.3","cipher":"TLS_`, `"keysize":`}},
		"without the TLS that was tried": {pre: `Try(["tls" => "optional"]);`, ended: "delivered", want: []string{`"tls":{"started":false,"tlsrpt":"starttls-not-supported"}`}},
		"TLS refused": {options: secure, pre: `Try(["tls" => "require_verify"]);`, ended: "deferred", want: []string{
			`"error":{"temporary":true,"message":"TLS handshake failed: certificate is not trusted`, `"type":"tls"},"connection":{`, `"tls":{"started":false,"tlsrpt":"certificate-not-trusted"}`}},
		"DANE": {options: secure, pre: `Try(["tls" => "dane"]);`, ended: "delivered", want: []string{`"tls":{"started":true,`}},
		"no connection": {pre: `Try(["port" => 1]);`, ended: "deferred", want: []string{
			`"action":"QUEUE","attempt":{"error":{"temporary":true,"message":"connect to 127.0.0.1:1: connection refused","type":"network"}}}`}},
		"closed": {rules: []string{"* mail drop"}, ended: "deferred", want: []string{`"error":{"temporary":true,"message":"connection closed by the host in reply to MAIL","type":"network"},"connection":{`}},
		"no domain": {pre: `Try(["host" => "lookup-mx"]);`, to: "b@nowhere.test", ended: "bounced", want: []string{
			`"attempt":{"error":{"temporary":false,"message":"the domain does not exist","type":"dns","dns":"nxdomain"}}`,
			`"dsn":{"action":"failed","status":[5,1,2],"diagnostictype":"x-error","diagnosticcode":"554 5.1.2 the domain does not exist"}`}},
		"mistake of ours": {pre: `Try(["sourceip" => ["192.0.2.7"]]);`, ended: "deferred", want: []string{`"message":"source address 192.0.2.7 cannot be used","type":"config"`}},
		"nonsense":        {rules: []string{"* mail reply 399 what"}, ended: "deferred", want: []string{`"code":399`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			peer := newFar(t, c.options, c.rules...)
			p := newPost(t, peer, c.pre, arguments)
			to := c.to
			if to == "" {
				to = "b@example.net"
			}
			p.submit(to)
			p.wait(c.ended + " " + to)
			_, echo := p.said()
			for _, want := range c.want {
				if !strings.Contains(echo, want) {
					t.Errorf("%s is not in %s", want, echo)
				}
			}
			if len(p.failures()) > 0 {
				t.Errorf("failed: %q", p.failures())
			}
		})
	}
}

// TestPostPolicy: postdelivery is told the grouping of the destination and the
// policies that bound the attempt.
func TestPostPolicy(t *testing.T) {
	peer := newFar(t, sink.Options{})
	p := newPost(t, peer, `Try(["host" => "lookup-mx", "port" => PORT]);`, `echo json_encode([$arguments["grouping"], $arguments["policy"]]);`)
	groupings := &policy.Groupings{}
	if err := groupings.Add("example", map[policy.Field][]string{policy.RemoteMX: {"*.mail.example"}}, nil); err != nil {
		t.Fatal(err)
	}
	changed := *p.settings
	changed.Groupings = groupings
	p.queue.Reload(&changed)
	rules := policy.NewRules(0, []policy.Policy{
		{Fields: policy.Of(policy.TransportID, policy.Grouping), Default: &policy.Limits{Concurrency: 3, Tag: "slow", Properties: map[string]any{"n": int64(5)}}},
		{Fields: policy.Of(policy.RemoteIP), Default: &policy.Limits{Concurrency: 9, Stop: true}},
	})
	if err := p.queue.SetPolicies(t.Context(), rules); err != nil {
		t.Fatal(err)
	}
	p.submit("b@mail.example")
	p.wait("delivered")
	want := `["&example",{"tags":["slow"],"policies":[{"fields":["transportid","grouping"],"tags":["slow"],"properties":{"n":"5"},"dynamic":[]},` +
		`{"fields":["remoteip"],"tags":[],"properties":[],"stop":true,"dynamic":[]}]}]`
	if _, echo := p.said(); echo != want {
		t.Errorf("the script saw %s, want %s", echo, want)
	}
}

// TestQueueMessage compares $message in both phases.
func TestQueueMessage(t *testing.T) {
	const show = `$m = $message; if ($m["ts"] < 1700000000) echo "when?"; unset($m["ts"]); if (isset($m["file"])) unset($m["file"]); echo json_encode($m);`
	peer := newFar(t, sink.Options{})
	p := newPost(t, peer, show+`Try(["recipient" => "Other@Example.net", "sender" => "", "jobid" => "j2"]);`, show)
	id := p.submit("B@Example.net", func(m *envelope.Message) {
		m.EnvID, m.Ret, m.Priority = "e1", envelope.RetHeaders, 1
		r := &m.Recipients[0]
		r.Tenant, r.Notify, r.ORcpt = "t1", envelope.NotifyFailure|envelope.NotifyDelay, "rfc822;z@example.net"
	})
	p.wait("delivered")
	_, echo := p.said()
	pre, post, _ := strings.Cut(echo, "\n")
	common := func(sender, recipient, job string) string {
		return `{"id":{"transaction":"` + id.String() + `","queue":1},"serverid":"inbound",` + sender + recipient +
			`"transportid":"out","tenantid":"t1","jobid":"` + job + `","priority":1,"size":51,"dsn":{"envid":"e1","ret":"HDRS","notify":["FAILURE","DELAY"],"orcpt":"rfc822;z@example.net"}}`
	}
	if want := common(`"sender":"a@example.org","senderaddress":{"localpart":"a","domain":"example.org"},`,
		`"recipient":"b@example.net","recipientaddress":{"localpart":"B","domain":"Example.net"},`, "job-1"); pre != want {
		t.Errorf("before: %s, want %s", pre, want)
	}
	if want := common(`"sender":"","senderaddress":{"localpart":"","domain":""},`,
		`"recipient":"other@example.net","recipientaddress":{"localpart":"Other","domain":"Example.net"},`, "j2"); post != want {
		t.Errorf("after: %s, want %s", post, want)
	}
}

// TestQueueContext: $context goes from the script before an attempt to the one
// behind it, and begins anew with the next attempt.
func TestQueueContext(t *testing.T) {
	peer := newFar(t, sink.Options{}, "* rcpt reply 451 later")
	p := newPost(t, peer, `if ($context) echo "kept"; $context = ["n" => $arguments["retry"]];`, `echo json_encode($context); if ($arguments["retry"] == 0) Queue(["delay" => 1]);`)
	p.submit("b@example.net")
	p.wait("deferred")
	p.wait("bounced")
	if _, echo := p.said(); !strings.HasPrefix(echo, "{\"n\":0}\n{\"n\":1}") {
		t.Errorf("echoed %s", echo)
	}
	// Without a script before the attempt there is none.
	alone := newPost(t, peer, "", `echo json_encode(isset($context)); Delete();`)
	alone.submit("b@example.net")
	alone.wait("deleted")
	if _, echo := alone.said(); echo != "false" {
		t.Errorf("without predelivery: %s", echo)
	}
}
