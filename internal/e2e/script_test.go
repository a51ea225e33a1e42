package e2e

import (
	"net"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// scripted is a running configuration whose scripts decide everything: who may
// send, to whom, by which job, when and with which name.
const scripted = `
servers:
  - id: inbound
    transport: out
    hostname: mta.test
    resolve: { ptr: false }
    phases:
      connect: { hook: greet }
      helo: { hook: name }
      auth: { hook: login }
      mailfrom: { hook: sender }
      rcptto: { hook: { id: recipient, recipientdomains: { "*.closed.example": closed } } }
      eod: { hook: queue }
      disconnect: { hook: over }
scripting:
  hooks:
    connect: [ { id: greet, data: 'Accept(["reason" => "scripted.test ready"]);' } ]
    helo: [ { id: name, data: 'if ($arguments["host"] == "bad.test") Reject("not you"); $context = ["greeted" => $arguments["host"]];' } ]
    auth: [ { id: login, data: 'if ($arguments["username"] == "joe" and $arguments["password"] == "secret") Accept(); Reject();' } ]
    mailfrom: [ { id: sender, data: 'if ($arguments["sender"] == "spam@example.org") Defer("later"); Accept();' } ]
    rcptto:
      - { id: recipient, data: 'Accept(["transportid" => "out", "recipient" => ["localpart" => str_lower($arguments["address"]["localpart"]), "domain" => $arguments["address"]["domain"]]]);' }
      - { id: closed, data: 'Reject(["we are", "closed"], ["reply_codes" => ["code" => 553, "enhanced" => [5, 1, 1]]]);' }
    eod:
      - id: queue
        data: |
          foreach ($transaction["recipients"] as $r)
              $arguments["mail"]->queue($transaction["senderaddress"], $r["address"], $r["transportid"],
                  ["jobid" => "job-7", "metadata" => ["greeted" => $context["greeted"]]]);
          Accept(["reason" => "thanks for " . $transaction["id"]]);
    disconnect: [ { id: over, data: 'Pass();' } ]
    predelivery: |
      if ($arguments["retry"] == 0 and $message["recipientaddress"]["localpart"] == "hold")
          Queue(["hold" => true, "reason" => "by script"]);
      $context = $message["jobid"];
      Try(["helo" => "delivery.test"]);
    postdelivery: |
      if ($arguments["attempt"]["result"]["code"] == 550) Delete();
      if ($context != "job-7") throw Exception("no context");
`

// TestScripts runs a script in every phase but proxy and looks at what the
// peer, the next hop and the queue see of it.
func TestScripts(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newMTA(t)
	m.running(scripted)
	m.running(transportTo(far.Addr()))
	m.start()

	conn, err := net.Dial("tcp", m.smtp)
	must(t, err)
	c := newClient(t, conn)
	c.expect("220 scripted.test ready")
	c.say("EHLO bad.test", "554 5.7.1 not you")
	if offered := strings.Join(c.ehlo(), ","); !strings.Contains(offered, "AUTH PLAIN LOGIN") {
		t.Errorf("announced %s", offered)
	}
	c.say("AUTH PLAIN AGpvZQB3cm9uZw==", "535")
	c.say("AUTH PLAIN AGpvZQBzZWNyZXQ=", "235")
	c.say("MAIL FROM:<spam@example.org>", "450")
	c.say("MAIL FROM:<ann@example.org>", "250")
	c.say("RCPT TO:<x@a.closed.example>", "553-5.1.1 we are\n553 5.1.1 closed")
	for _, to := range []string{"JOE", "550", "hold"} {
		c.say("RCPT TO:<"+to+"@open.example>", "250")
	}
	c.say("DATA", "354")
	c.say("Subject: scripted\r\n\r\nHello.\r\n.", "250 2.0.0 thanks for ")

	if got := far.wait(t, 1)[0]; got.Helo != "delivery.test" || got.to() != "joe@open.example" {
		t.Errorf("the next hop saw %+v", got.Message)
	}
	m.waitCount(1)
	m.waitCount(1, "--state", "HOLD", "--jobid", "job-7", "--metadata", "greeted=client.test", "--reason", "by script")
	if strings.Contains(m.err.String(), "script failed") {
		t.Errorf("a script failed:\n%s", m.err.String())
	}
}

// TestScriptErrors: a configuration whose script does not compile is refused
// whole, and one that fails while it runs ends as its phase has it, with place
// and line in the log.
func TestScriptErrors(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newMTA(t)
	m.running(scripted)
	m.running(transportTo(far.Addr()))
	m.running(`{ scripting: { hooks: { eod: [ { id: queue, data: "Accept(;" } ] } } }`)
	refused := run(t, "smtpd", "--check", "-c", m.path("smtpd.yaml")).expectCode(1)
	expectContains(t, refused.err.String(), "eod/queue.hsl:1:8")

	m.running(`{ scripting: { hooks: { eod: [ { id: queue, data: "$x = [];\nthrow Exception(\"broken\");" } ] } } }`)
	m.start()
	conn, err := net.Dial("tcp", m.smtp)
	must(t, err)
	c := newClient(t, conn)
	c.expect("220")
	c.say("EHLO client.test", "250")
	c.say("MAIL FROM:<a@example.org>", "250")
	c.say("RCPT TO:<b@open.example>", "250")
	c.say("DATA", "354")
	c.say("Subject: x\r\n\r\nx\r\n.", "421")
	eventually(t, "the failure in the log", func() bool { return strings.Contains(m.err.String(), "eod/queue.hsl:2:") })
	if n := m.count(); n != 0 {
		t.Errorf("%d entries were queued by a script that failed", n)
	}

	m.running(`{ scripting: { hooks: { eod: [ { id: queue, data: "nonsense(" } ] } } }`)
	expectContains(t, m.tryCtl("config", "reload").expectCode(1).err.String(), "eod/queue.hsl:1")
}
