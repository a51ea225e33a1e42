package script

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/session"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// TestSessionFunctions runs each function of each phase of a session and prints
// the verdict that comes of it.
func TestSessionFunctions(t *testing.T) {
	const refusal = `("a\nb", ["reply_codes" => ["code" => %d, "enhanced" => [%d, 7, 0]], "disconnect" => true]);`
	reject, defers := "Reject"+fmt.Sprintf(refusal, 551, 5), "Defer"+fmt.Sprintf(refusal, 452, 4)
	for _, c := range []struct {
		phase  session.Phase
		script string
		want   string
	}{
		{session.PhaseConnect, `Accept(["reason" => "hi", "remoteip" => "192.0.2.9", "remoteptr" => "x.example"]);`, "accept 0 [hi] ip=192.0.2.9 ptr=x.example"},
		{session.PhaseConnect, reject, "reject 551 5.7.0 [a b] hangs up"},
		{session.PhaseConnect, defers, "defer 452 4.7.0 [a b] hangs up"},
		{session.PhaseConnect, ``, "accept 0 []"},
		{session.PhaseConnect, `throw 1;`, "defer 0 []"},
		{session.PhaseProxy, `Pass(["command" => "NOOP", "next" => true]);`, "accept 0 [] line=NOOP next"},
		{session.PhaseProxy, `Reply("no", ["reply_codes" => ["code" => 500], "next" => true]);`, "reply 500 [no] next"},
		{session.PhaseProxy, ``, "accept 0 []"},
		{session.PhaseProxy, `throw 1;`, "reply 421 []"},
		{session.PhaseHelo, `Accept(["extensions" => ["SIZE 1", "DSN"], "host" => "h.example", "reason" => ["a", "b"]]);`, "accept 0 [a b] host=h.example extensions=SIZE 1,DSN"},
		{session.PhaseHelo, reject, "reject 551 5.7.0 [a b] hangs up"},
		{session.PhaseHelo, defers, "defer 452 4.7.0 [a b] hangs up"},
		{session.PhaseAuth, `Accept(["username" => "joe"]);`, "accept 0 [] user=joe"},
		{session.PhaseAuth, reject, "reject 551 5.7.0 [a b] hangs up"},
		{session.PhaseAuth, defers, "defer 452 4.7.0 [a b] hangs up"},
		{session.PhaseAuth, `Reply("challenge");`, "reply 0 [challenge]"},
		{session.PhaseAuth, ``, "reject 0 []"},
		{session.PhaseAuth, `throw 1;`, "defer 0 []"},
		{session.PhaseMailFrom, `Accept(["sender" => "x@y.example"]);`, "accept 0 [] sender=x@y.example"},
		{session.PhaseMailFrom, `Accept(["sender" => ""]);`, "accept 0 [] sender="},
		{session.PhaseMailFrom, reject, "reject 551 5.7.0 [a b] hangs up"},
		{session.PhaseMailFrom, defers, "defer 452 4.7.0 [a b] hangs up"},
		{session.PhaseRcptTo, `Accept(["recipient" => ["localpart" => "x", "domain" => "y.example"], "transportid" => "t"]);`, "accept 0 [] recipient=x@y.example transport=t"},
		{session.PhaseRcptTo, reject, "reject 551 5.7.0 [a b] hangs up"},
		{session.PhaseRcptTo, defers, "defer 452 4.7.0 [a b] hangs up"},
		{session.PhaseEndOfData, `Accept(["reason" => "ok"]);`, "accept 0 [ok]"},
		{session.PhaseEndOfData, reject, "reject 551 5.7.0 [a b] hangs up"},
		{session.PhaseEndOfData, defers, "defer 452 4.7.0 [a b] hangs up"},
		{session.PhaseEndOfData, ``, "defer 0 []"},
		{session.PhaseEndOfData, `throw 1;`, "defer 0 []"},
		{session.PhaseDisconnect, `Pass();`, ""},
	} {
		t.Run(c.phase.String()+" "+c.script, func(t *testing.T) {
			if got := decide(t.Context(), engine(t, c.phase, c.script), c.phase); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestVariables lets scripts print what they are given.
func TestVariables(t *testing.T) {
	for _, c := range []struct {
		phase session.Phase
		show  string
		want  string
	}{
		{session.PhaseConnect, `$arguments["remoteip"] . $arguments["remoteport"] . $arguments["localip"] . $arguments["serverid"]`, "192.0.2.14000192.0.2.2inbound"},
		{session.PhaseHelo, `$arguments["verb"] . $arguments["host"] . length($arguments["extensions"])`, "EHLOme.example2"},
		{session.PhaseAuth, `$arguments["mechanism"] . $arguments["username"] . $arguments["password"]`, "PLAINjoepw"},
		{session.PhaseMailFrom, `$arguments["sender"] . $arguments["address"]["localpart"] . $arguments["params"]["SIZE"]`, "ann@example.orgAnn10"},
		{session.PhaseRcptTo, `$arguments["recipient"] . $arguments["address"]["localpart"] . $arguments["transportid"]`, "joe@example.netJoeout"},
		{session.PhaseEndOfData, `$transaction["sender"] . $transaction["recipients"][0]["recipient"] . $transaction["recipients"][0]["transportid"] . $connection["helo"]["host"]`, "ann@example.orgjoe@example.netoutme.example"},
		{session.PhaseDisconnect, `$arguments["close"] . $arguments["reply"]["code"] . $arguments["reply"]["state"]`, "local221QUIT"},
		{session.PhaseProxy, `$arguments["command"]`, "NOOP"},
	} {
		t.Run(c.phase.String(), func(t *testing.T) {
			var said string
			e, err := New(Options{
				Library: stdlib.New(stdlib.Options{}),
				Source:  Source{Hooks: map[string]map[string]string{c.phase.String(): {"h": "echo " + c.show + ";"}}},
				Events: Events{
					Echoed: func(_, _, _, text string) { said += strings.TrimSuffix(text, "\n") },
					Failed: func(_, _, _, detail string) { t.Error(detail) },
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			s, err := e.Session(Server{ID: "inbound", Hooks: map[session.Phase]string{c.phase: "h"}})
			if err != nil {
				t.Fatal(err)
			}
			decide(t.Context(), s, c.phase)
			if said != c.want {
				t.Errorf("it said %q, want %q", said, c.want)
			}
		})
	}
}

// TestQueueFunctions runs each function of the phases of the queue.
func TestQueueFunctions(t *testing.T) {
	for _, c := range []struct{ phase, script, want string }{
		{predelivery, `// nothing`, "default"},
		{predelivery, `Try(["host" => "h.example", "port" => 26, "helo" => "x", "tls" => "require", "jobid" => "j", "sender" => "a@b.example", "timeout" => ["MAIL" => 3], "mx_exclude" => ["*.bad.example"]]);`,
			"default servers=[h.example] port=26 helo=x tls=require job=j sender=a@b.example timeout=3s exclude=[*.bad.example]"},
		{predelivery, `Queue(["delay" => 60, "reason" => "wait", "increment_retry" => false, "transportid" => "t"]);`, "requeue 1m0s wait kept transport=t"},
		{predelivery, `Queue(["hold" => true, "reset_retry" => true]);`, "requeue hold reset"},
		{predelivery, `Bounce(["reason" => "no"]);`, "bounce no"},
		{predelivery, `Delete();`, "delete"},
		{predelivery, `SetMetaData(["a" => "1"]); $m = GetMetaData(); if ($m["a"] != "1") throw 1; Try();`, "default metadata=map[a:1]"},
		{predelivery, `throw 1;`, "requeue 5m0s pre-delivery script failed kept"},
		{postdelivery, `Default();`, "default"},
		{postdelivery, `if ($arguments["attempt"]["result"]["code"] == 451 and $arguments["attempt"]["result"]["state"] == "RCPT" and $arguments["action"] == "QUEUE" and $arguments["retry"] == 2) Queue(["delay" => 5, "dsn_delayed" => true]);`, "requeue 5s notify"},
		{postdelivery, `Bounce(["dsn" => ["recipient" => "x@y.example", "subject_prepend" => "Re:", "headers" => ["X-A: b"]]]);`, "bounce report=x@y.example Re: [X-A: b]"},
		{postdelivery, `Delete();`, "delete"},
		{postdelivery, `throw 1;`, "default"},
	} {
		t.Run(c.phase+" "+c.script, func(t *testing.T) {
			if got := decideQueue(t, c.phase, c.script); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestUnknownFunctions: a function of another phase does not compile.
func TestUnknownFunctions(t *testing.T) {
	for phase, call := range map[string]string{
		"connect": "Try();", "rcptto": `Pass();`, "eod": "Default();", "predelivery": "Accept();", "postdelivery": "Try();", "disconnect": "Reject();",
	} {
		source := Source{Hooks: map[string]map[string]string{phase: {"h": call}}}
		if _, err := New(Options{Library: stdlib.New(stdlib.Options{}), Source: source}); err == nil {
			t.Errorf("%s has %s", phase, call)
		}
	}
}

// TestEntries: what queue() of a message asks for.
func TestEntries(t *testing.T) {
	s := engine(t, session.PhaseEndOfData, `
		$id = $arguments["mail"]->queue("", ["localpart" => "x", "domain" => "y.example"], "t",
			["jobid" => "j", "tenantid" => "n", "hold" => true, "quotas" => ["q"], "metadata" => ["k" => "v"], "delay" => 60]);
		if ($id["queue"] != 1) throw 1;
		Accept();`)
	tx := transaction()
	m := session.NewMail(tx, bytes.NewReader(nil), nil)
	if v := s.EndOfData(t.Context(), client(), tx, m); v.Action != session.Accept {
		t.Fatalf("verdict %+v", v)
	}
	r := m.Queued()[0]
	if !r.Sender.IsNull() || r.Address.String() != "x@y.example" || r.Transport != "t" || r.Job != "j" || r.Tenant != "n" ||
		!r.Hold || r.Quotas[0] != "q" || r.Metadata["k"] != "v" || r.NotBefore.IsZero() {
		t.Errorf("queued %+v", r)
	}
}

func transaction() *session.Transaction {
	return &session.Transaction{
		Sender: address.Address{Local: "Ann", Domain: "example.org"}, Params: smtp.Params{{Key: "SIZE", Value: "10"}},
		Recipients: []session.Recipient{{Address: address.Address{Local: "Joe", Domain: "example.net"}, Transport: "out"}},
	}
}

// TestFlatMail: without the parts of messages there is only the whole.
func TestFlatMail(t *testing.T) {
	const text = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"
	for flat, want := range map[bool]session.Action{true: session.Reject, false: session.Accept} {
		s := engine(t, session.PhaseEndOfData, `if ($arguments["mail"]->getParts()) Accept(); Reject();`)
		s.flat = flat
		tx := transaction()
		if v := s.EndOfData(t.Context(), client(), tx, session.NewMail(tx, strings.NewReader(text), nil)); v.Action != want {
			t.Errorf("flat %v: %+v", flat, v)
		}
	}
}

// TestMailEnds: a message that is carried on in $context has no bytes after its
// hook.
func TestMailEnds(t *testing.T) {
	for use, want := range map[string]session.Action{
		`$context->getHeader("a");`: session.Defer, `$context->toString();`: session.Defer, `$context->queue("", "a@b.example", "t");`: session.Defer,
		`echo $context;`: session.Accept,
	} {
		s := engine(t, session.PhaseEndOfData, `
			if ($context) { `+use+` Accept(); }
			$context = $arguments["mail"];
			Accept();`)
		tx, c := transaction(), client()
		mail := session.NewMail(tx, strings.NewReader("a: b\r\n\r\n"), nil)
		if v := s.EndOfData(t.Context(), c, tx, mail); v.Action != session.Accept {
			t.Fatalf("first: %+v", v)
		}
		if v := s.EndOfData(t.Context(), c, tx, mail); v.Action != want {
			t.Errorf("%s: %+v", use, v)
		}
	}
}

// TestLegacyMail: what older scripts call instead of methods of the message.
func TestLegacyMail(t *testing.T) {
	s := engine(t, session.PhaseEndOfData, `
		if (MIME("0")->getHeader("Subject") != "hi") Reject("subject");
		if (MIME("7") !== none) Reject("part 7");
		if (DKIMVerify("DKIM-Signature: v=1", ["dns_function" => function ($x) { return []; }])["result"] != "permerror") Reject("verify");
		if (DKIMSign("s", "d.example", "no key") !== none) Reject("sign");
		MIME("0")->addHeader("X-Old", "yes");
		$arguments["mail"]->queue("", "a@b.example", "t");
		Accept();`)
	tx := transaction()
	m := session.NewMail(tx, strings.NewReader("Subject: hi\r\n\r\n"), nil)
	if v := s.EndOfData(t.Context(), client(), tx, m); v.Action != session.Accept {
		t.Fatalf("%+v", v)
	}
	if len(m.Queued()[0].Patch) == 0 {
		t.Error("edits of the part are not those of the message")
	}
}
