package script_test

import (
	"crypto/tls"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/sink"
)

// TestTry makes an attempt with each option of Try and looks at what the peer and
// the log saw of it.
func TestTry(t *testing.T) {
	certificate, err := sink.SelfSigned("mx.mail.example")
	if err != nil {
		t.Fatal(err)
	}
	secure := sink.Options{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}}
	timesOut := []string{"* mail stall"}
	for name, c := range map[string]struct {
		options sink.Options
		rules   []string
		try     string
		saw     string // part of the message, or "" for none
		ended   string // the conclusion; "": delivered
		log     string // part of the log
		change  func(*delivery.Transport)
	}{
		"nothing":        {try: `[]`, saw: "mta.example 127.0.0.1 ESMTP: <a@example.org> SIZE=51 <b@mail.example>: Subject: hi"},
		"host and port":  {try: `["host" => "mx.mail.example", "port" => PORT]`, saw: "<b@mail.example>", log: "by mx.mail.example [127.0.0.1]:", change: nowhere},
		"lookup-mx":      {try: `["host" => "lookup-mx", "port" => PORT]`, saw: "<b@mail.example>", log: "by mx.mail.example [127.0.0.1]:", change: nowhere},
		"another domain": {try: `["host" => "lookup-mx:mail.example", "port" => PORT, "mx_exclude" => ["mx.mail.example"]]`, saw: "<b@", log: "by mx2.mail.example [127.0.0.1]:", change: nowhere},
		"mx_include":     {try: `["host" => "lookup-mx", "port" => PORT, "mx_include" => ["mx2.mail.example"]]`, saw: "<b@", log: "by mx2.mail.example [127.0.0.1]:"},
		"all excluded":   {try: `["host" => "lookup-mx", "mx_exclude" => ["*.mail.example"]]`, ended: "bounced", log: "all mail exchanges of the domain are excluded"},
		"sender":         {try: `["sender" => "c@example.org"]`, saw: ": <c@example.org> SIZE=51 <b@mail.example>"},
		"no sender":      {try: `["sender" => ""]`, saw: ": <> SIZE=51 <b@mail.example>"},
		"sender with parameters": {try: `["sender" => ["localpart" => "c", "domain" => "example.org", "params" => ["RET" => "FULL", "ENVID" => "e1"]]]`,
			saw: ": <c@example.org> SIZE=51 RET=FULL ENVID=e1 <b@mail.example>"},
		"recipient": {try: `["recipient" => ["localpart" => "d", "domain" => "example.net"]]`, saw: "<a@example.org> SIZE=51 <d@example.net>:", log: "delivered <b@mail.example>"},
		"recipient with parameters": {try: `["recipient" => ["localpart" => "d", "domain" => "example.net", "params" => ["NOTIFY" => "NEVER", "ORCPT" => "rfc822;z@example.net"]]]`,
			saw: "<d@example.net> NOTIFY=NEVER ORCPT=rfc822;z@example.net:"},
		"helo":                         {try: `["helo" => "try.example"]`, saw: "try.example 127.0.0.1"},
		"helo over address":            {try: `["helo" => "try.example"]`, saw: "try.example 127.0.0.2", change: fromTwo},
		"sourceip by id":               {try: `["sourceip" => ["two"]]`, saw: "two.example 127.0.0.2", log: "Connecting from [127.0.0.2] to [127.0.0.1]:"},
		"sourceip":                     {try: `["sourceip" => [["address" => "127.0.0.4", "helo" => "four.example"]]]`, saw: "four.example 127.0.0.4", log: "Connecting from [127.0.0.4]"},
		"sourceip as array":            {try: `["sourceip" => [["id" => "two", "helo" => "zwei.example"]]]`, saw: "zwei.example 127.0.0.2"},
		"sourceip in order":            {try: `["sourceip" => ["192.0.2.7", "127.0.0.5", "127.0.0.6"], "sourceip_random" => false]`, saw: "127.0.0.5", log: "Connecting from [192.0.2.7]"},
		"nonlocal_source":              {try: `["sourceip" => ["192.0.2.7"], "nonlocal_source" => true, "connect_timeout" => 0.05]`, ended: "deferred", log: "connect to "},
		"missing sourceip":             {try: `["sourceip" => ["192.0.2.7"]]`, ended: "deferred", log: "source address 192.0.2.7 cannot be used"},
		"sasl":                         {options: sink.Options{Auth: true}, try: `["saslusername" => "joe", "saslpassword" => "pw"]`, saw: "ESMTPA joe"},
		"tls":                          {options: secure, try: `["tls" => "require", "tls_protocols" => "TLSv1.2", "tls_sni" => true]`, saw: "ESMTPS", log: "(TLSv1.2)"},
		"tls that cannot be verified":  {options: secure, try: `["tls" => "require_verify", "tls_default_ca" => true, "tls_verify_host" => true]`, ended: "deferred", log: "certificate is not trusted"},
		"tls by another name":          {options: secure, try: `["tls" => "require_verify", "tls_verify_name" => ["x.example"]]`, ended: "deferred", log: "certificate is not trusted"},
		"tls that is not offered":      {try: `["tls" => "require"]`, ended: "deferred", log: "the host does not offer STARTTLS"},
		"tls with a certificate":       {options: secure, try: `["tls" => "require", "tls_client_cert" => "ours", "tls_ciphers" => "ECDHE-RSA-AES128-GCM-SHA256", "tls_sni" => "mx.mail.example"]`, saw: "ESMTPS"},
		"dane_require":                 {options: secure, try: `["tls" => "dane_require"]`, ended: "deferred", log: "no validated TLSA record"},
		"xclient of those who take it": {try: `["xclient" => ["ADDR" => "192.0.2.9"]]`, saw: "<b@mail.example>"},
		"lmtp":                         {options: sink.Options{LMTP: true}, try: `["protocol" => "lmtp"]`, saw: " LMTP: "},
		"timeout":                      {rules: timesOut, try: `["timeout" => ["MAIL" => 0.01]]`, ended: "deferred", log: "timed out in reply to MAIL"},
		"connect_timeout":              {try: `["host" => "127.0.0.1", "port" => 1, "connect_timeout" => 5]`, ended: "deferred", log: "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			peer := newFar(t, c.options, c.rules...)
			var change []func(*delivery.Transport)
			if c.change != nil {
				change = append(change, c.change)
			}
			p := newPost(t, peer, "Try("+c.try+");", "", change...)
			p.submit("b@mail.example")
			ended := c.ended
			if ended == "" {
				ended = "delivered"
			}
			p.wait(ended + " b@mail.example")
			if saw := strings.Join(peer.took(), "\n"); c.ended != "bounced" && ((saw == "") != (c.saw == "") || !strings.Contains(saw, c.saw)) {
				t.Errorf("the peer saw %q", saw)
			}
			if log, _ := p.said(); !strings.Contains(log, c.log) {
				t.Errorf("the log said %s", log)
			}
			if len(p.failures()) > 0 {
				t.Errorf("scripts failed: %q", p.failures())
			}
		})
	}
}

// nowhere makes a transport lead to a port where nobody is, so that only an option
// finds the way.
func nowhere(t *delivery.Transport) { t.Port = 1 }

func fromTwo(t *delivery.Transport) {
	t.Helo = "transport.example"
	t.Sources = []delivery.Source{{ID: "two", Addr: netip.MustParseAddr("127.0.0.2"), Hostname: "two.example"}}
}

// TestTryMistakes: what Try cannot do ends as an error of the script.
func TestTryMistakes(t *testing.T) {
	for try, want := range map[string]string{
		`["plugin" => ["id" => "x"]]`:        "there are no delivery plugins",
		`["tls" => "maybe"]`:                 `unknown TLS mode "maybe"`,
		`["sourceip" => ["x"]]`:              `"x" is neither a configured id`,
		`["proxyprotocol" => ["port" => 1]]`: "it needs a server",
		`["dsn" => ["success" => "maybe"]]`:  "success is delivered or relayed",
		`["dsn" => ["transportid" => "x"]]`:  `there is no transport "x"`,
		`["recipient" => ""]`:                "the recipient is empty",
		`["port" => 70000]`:                  "70000 is no port",
		`["sender" => ["localpart" => "a"]]`: "an address needs localpart and domain",
	} {
		peer := newFar(t, sink.Options{})
		p := newPost(t, peer, "Try("+try+");", "")
		p.submit("b@example.net")
		v := p.entry("deferred", func(v *queue.View) bool { return v.State == queue.StateDefer })
		if v.Reason != "pre-delivery script failed" || v.Retry != 0 || len(p.failures()) == 0 || !strings.Contains(p.failures()[0], want) {
			t.Errorf("%s: %+v, %q", try, v, p.failures())
		}
	}
}

// TestTryPooling: pooling is what the script says, and the connection is used
// again.
func TestTryPooling(t *testing.T) {
	peer := newFar(t, sink.Options{})
	p := newPost(t, peer, `Try(["pooling" => ["enabled" => true, "timeout" => 30, "transactions" => 2, "evictable" => false]]);`,
		`echo $arguments["attempt"]["connection"]["transactions"];`)
	for _, to := range []string{"b@example.net", "c@example.net", "d@example.net"} {
		p.submit(to)
		p.wait("delivered " + to)
	}
	if _, echo := p.said(); echo != "1\n2\n1" {
		t.Errorf("transactions were %q", echo)
	}
}

// TestTryJob: the job changes, for good.
func TestTryJob(t *testing.T) {
	peer := newFar(t, sink.Options{}, "* rcpt reply 451 4.2.0 later")
	p := newPost(t, peer, `Try(["jobid" => $message["jobid"] . "b"]);`, `echo $message["jobid"];`)
	p.submit("b@example.net")
	v := p.entry("deferred", func(v *queue.View) bool { return v.State == queue.StateDefer && v.Retry == 1 })
	if _, echo := p.said(); echo != "job-1b" || v.Job != "job-1b" {
		t.Errorf("the script saw %s, the entry has %s", echo, v.Job)
	}
}

// TestTrySuccess: who asked for a report on success gets it from us, as the script
// says, and the host is not asked for one.
func TestTrySuccess(t *testing.T) {
	for kind, notify := range map[string]envelope.Notify{"delivered": envelope.NotifySuccess, "relayed": envelope.NotifySuccess | envelope.NotifyFailure} {
		peer := newFar(t, sink.Options{})
		p := newPost(t, peer, `if ($message["sender"] == "") Try(); Try(["dsn" => ["success" => "`+kind+`", "from_name" => "Reporter"]]);`,
			`if ($message["sender"] != "") echo $arguments["dsn"]["action"] . json_encode(isset($arguments["action"]));`)
		p.submit("b@example.net", func(m *envelope.Message) { m.Recipients[0].Notify = notify })
		p.wait("delivered a@example.org")
		took := strings.Join(peer.took(), "\n")
		want := "<b@example.net> NOTIFY=FAILURE:"
		if kind == "delivered" {
			want = "<b@example.net> NOTIFY=NEVER:"
		}
		if !strings.Contains(took, want) || !strings.Contains(took, "Action: "+kind) || !strings.Contains(took, "From: Reporter <") {
			t.Errorf("%s: the peer saw %s", kind, took)
		}
		if _, echo := p.said(); !strings.HasPrefix(echo, kind) {
			t.Errorf("%s: the script saw %s", kind, echo)
		}
	}
}

// TestQueueBeforeAttempt looks at the entry after each option of Queue in
// predelivery.
func TestQueueBeforeAttempt(t *testing.T) {
	for options, good := range map[string]func(*queue.View) bool{
		`[]`: func(v *queue.View) bool {
			return v.State == queue.StateDefer && v.Retry == 1 && time.Until(v.Due) > 50*time.Minute
		},
		`["delay" => 600, "reason" => "wait a little"]`: func(v *queue.View) bool {
			return v.State == queue.StateDefer && v.Retry == 1 && v.Reason == "wait a little" && time.Until(v.Due) < 11*time.Minute
		},
		`["delay" => 600, "increment_retry" => false]`: func(v *queue.View) bool { return v.State == queue.StateDefer && v.Retry == 0 },
		`["delay" => 600, "reset_retry" => true]`:      func(v *queue.View) bool { return v.State == queue.StateDefer && v.Retry == 0 },
		`["hold" => true, "transportid" => "other"]`: func(v *queue.View) bool {
			return v.State == queue.StateHold && v.Transport == "other"
		},
	} {
		peer := newFar(t, sink.Options{})
		p := newPost(t, peer, "SetMetaData([\"k\" => \"v\"]); Queue("+options+");", `echo "never";`)
		p.submit("b@example.net")
		v := p.entry(options, good)
		if v.Metadata()["k"] != "v" {
			t.Errorf("%s: metadata is %v", options, v.Metadata())
		}
		if _, echo := p.said(); echo != "" || len(peer.took()) > 0 {
			t.Errorf("%s: postdelivery ran, or an attempt was made", options)
		}
	}
}

// TestQueueAtOnce: no delay is still a second, lest an entry goes round for ever.
func TestQueueAtOnce(t *testing.T) {
	peer := newFar(t, sink.Options{})
	p := newPost(t, peer, `if ($arguments["retry"] == 0) Queue(["delay" => 0]); Try();`, "")
	begin := time.Now()
	p.submit("b@example.net")
	p.wait("delivered")
	if took := time.Since(begin); took < time.Second {
		t.Errorf("tried again after %s", took)
	}
}

// TestEndsBeforeAttempt: Bounce and Delete in predelivery run postdelivery, which
// is told why and may decide otherwise.
func TestEndsBeforeAttempt(t *testing.T) {
	for pre, want := range map[string]struct{ post, ended, echo, report string }{
		`Bounce(["reason" => "no such\nthing", "dsn" => ["subject_prepend" => "[x]"]]);`: {"", "bounced b@", `BOUNCE false failed [5,0,0] x-error 554 5.0.0 no such thing 1`, "Subject: [x] Your message could not be delivered"},
		`Delete(["reason" => "spam"]);`:           {"", "deleted b@", `DELETE false failed [5,0,0] x-error 554 5.0.0 spam 1`, ""},
		`Delete(["reason" => "spam"]); // or not`: {`Bounce(["dsn" => ["from_name" => "Postmaster"]]);`, "bounced b@", `DELETE false failed [5,0,0] x-error 554 5.0.0 spam 1`, "From: Postmaster <"},
		`Bounce();`: {`Queue(["hold" => true, "reason" => "second thoughts"]);`, "deferred b@", "BOUNCE false failed", ""},
	} {
		peer := newFar(t, sink.Options{})
		p := newPost(t, peer, `if ($message["sender"] == "") Try(); `+pre, `if ($message["sender"] == "") Default();
			$d = $arguments["dsn"];
			echo $arguments["action"] . " " . json_encode(isset($arguments["attempt"])) . " " . $d["action"] . " " . json_encode($d["status"]) . " " . $d["diagnostictype"] . " " . $d["diagnosticcode"] . " " . $d["id"]["queue"];
			`+want.post)
		p.submit("b@example.net")
		p.wait(want.ended)
		if want.report != "" {
			p.wait("delivered a@example.org")
		}
		took := strings.Join(peer.took(), "\n")
		_, echo := p.said()
		if !strings.HasPrefix(echo, want.echo) || !strings.Contains(took, want.report) || want.report == "" && took != "" || len(p.failures()) > 0 {
			t.Errorf("%s: echoed %s; the peer saw %s; failed %q", pre, echo, took, p.failures())
		}
	}
}

// TestExpiry: an entry that runs out of retries says so, and a script may keep it
// beyond.
func TestExpiry(t *testing.T) {
	peer := newFar(t, sink.Options{}, "b@* rcpt reply 451 later")
	p := newPost(t, peer, `if ($arguments["retry"] == 0) Queue(["delay" => 1]);`, `
		if ($message["sender"] == "") Default();
		echo $arguments["retry"] . json_encode($arguments["expired"]) . $arguments["action"];
		if ($arguments["retry"] == 1) Queue(["hold" => true, "reset_retry" => true]);`)
	p.submit("b@example.net")
	p.entry("held", func(v *queue.View) bool { return v.State == queue.StateHold && v.Retry == 0 })
	if _, echo := p.said(); echo != "1trueBOUNCE" {
		t.Errorf("the script saw %s", echo)
	}
}

// TestAfterDelivery: what has arrived cannot be queued, bounced or deleted.
func TestAfterDelivery(t *testing.T) {
	for _, call := range []string{`Queue()`, `Bounce()`, `Delete()`} {
		peer := newFar(t, sink.Options{})
		p := newPost(t, peer, "", `try { `+call+`; } catch ($e) { echo $e->message(); }`)
		p.submit("b@example.net")
		p.wait("delivered b@example.net")
		if _, echo := p.said(); !strings.HasSuffix(echo, "the message has been delivered") {
			t.Errorf("%s: %q", call, echo)
		}
		if len(peer.took()) != 1 {
			t.Errorf("%s: the peer saw %q", call, peer.took())
		}
	}
}

// TestQueueAfterAttempt looks at the entry after each option of Queue in
// postdelivery.
func TestQueueAfterAttempt(t *testing.T) {
	for options, good := range map[string]func(*queue.View) bool{
		`["delay" => 600, "reason" => "by script"]`: func(v *queue.View) bool {
			return v.Retry == 1 && v.Reason == "by script" && time.Until(v.Due) < 11*time.Minute
		},
		`["increment_retry" => false]`: func(v *queue.View) bool { return v.Retry == 0 && time.Until(v.Due) > 50*time.Minute },
		`["reset_retry" => true]`:      func(v *queue.View) bool { return v.Retry == 0 && time.Until(v.Due) > 50*time.Minute },
		`["transportid" => "other"]`:   func(v *queue.View) bool { return v.Retry == 1 && v.Transport == "other" },
		`["hold" => true]`:             func(v *queue.View) bool { return v.State == queue.StateHold },
	} {
		peer := newFar(t, sink.Options{}, "* rcpt reply 451 later")
		p := newPost(t, peer, `SetMetaData(["before" => "1"]);`, `$m = GetMetaData(); $m["after"] = "2"; SetMetaData($m); Queue(`+options+`);`)
		p.submit("b@example.net")
		v := p.entry(options, func(v *queue.View) bool {
			return v.State != queue.StateSending && v.State != queue.StateUnknown && good(v)
		})
		if m := v.Metadata(); m["before"] != "1" || m["after"] != "2" {
			t.Errorf("%s: metadata is %v", options, m)
		}
	}
}

// TestDelayReport: a script has the sender told of a delay.
func TestDelayReport(t *testing.T) {
	peer := newFar(t, sink.Options{}, "b@* rcpt reply 451 4.3.0 busy")
	p := newPost(t, peer, "", `if ($message["sender"] != "") Queue(["dsn_delayed" => true, "dsn" => ["subject_prepend" => "Wait:"]]);`)
	p.submit("b@example.net")
	p.wait("delivered a@example.org")
	took := strings.Join(peer.took(), "\n")
	if !strings.Contains(took, "Subject: Wait: Your message is delayed") || !strings.Contains(took, "Action: delayed") {
		t.Errorf("the peer saw %s", took)
	}
}
