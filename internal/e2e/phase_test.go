package e2e

import (
	"encoding/base64"
	"net"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// phased is a running configuration that uses every function of every phase of a
// session, with every option; what the client does chooses among them.
const phased = `
servers:
  - id: inbound
    transport: out
    hostname: mta.test
    resolve: { ptr: false }
    phases:
      connect: { hook: h }
      proxy: { hook: h }
      helo: { hook: h }
      auth: { hook: h, mechanisms: [ X-TWICE ] }
      mailfrom: { hook: h }
      rcptto: { hook: { id: h } }
      eod: { hook: h }
      disconnect: { hook: h }
scripting:
  hooks:
    connect:
      - id: h
        data: |
          if ($arguments["remoteip"] == "198.51.100.8") Reject("no relays", ["disconnect" => true, "reply_codes" => ["code" => 554, "enhanced" => [5, 7, 2]]]);
          if ($arguments["remoteip"] == "198.51.100.9") Defer(["come", "again"], ["disconnect" => true, "reply_codes" => ["code" => 421, "enhanced" => [4, 7, 3]]]);
          $context = ["tlv" => ""];
          if (isset($arguments["proxytlv"])) $context["tlv"] = length($arguments["proxytlv"]) . "=" . $arguments["proxytlv"][3:];
          $context["proxy"] = $arguments["proxyip"];
          Accept(["reason" => "phased " . $arguments["serverid"], "remoteip" => "192.0.2.77", "remoteptr" => "named.test"]);
    proxy:
      - id: h
        data: |
          if ($arguments["command"] == "WHO") Reply($connection["remoteip"] . " " . $connection["remoteptr"] . " " . $context["tlv"] . " by " . $context["proxy"], ["next" => true]);
          if ($arguments["command"] == "NOT") Reply(["not", "here"], ["reply_codes" => ["code" => 550, "enhanced" => [5, 5, 9]], "next" => true]);
          if ($arguments["command"] == "GREET") Pass(["command" => "EHLO other.test", "next" => true]);
          if ($arguments["command"] == "BYE") Reply("gone", ["disconnect" => true, "reply_codes" => ["code" => 421, "enhanced" => [4, 3, 2]]]);
          if ($arguments["command"] == "THAT IS ALL") Reply("then on", ["next" => false]);
          Pass(["next" => true]);
    helo:
      - id: h
        data: |
          if ($arguments["host"] == "no.test") Reject("no name", ["reply_codes" => ["code" => 550, "enhanced" => [5, 7, 27]]]);
          if ($arguments["host"] == "later.test") Defer("no name yet", ["reply_codes" => ["code" => 451, "enhanced" => [4, 7, 27]]]);
          Accept(["extensions" => ["SIZE 5000", "AUTH X-TWICE", "DSN"], "host" => "renamed.test", "reason" => "pleased"]);
    auth:
      - id: h
        data: |
          if ($arguments["mechanism"] != "X-TWICE") Defer("what is that");
          if ($arguments["state"] == 0 and !isset($arguments["response"])) Reply("once");
          if ($arguments["response"] == "later") Defer("not now", ["reply_codes" => ["code" => 454, "enhanced" => [4, 7, 12]]]);
          if ($arguments["response"] == "wrong") Reject("not you", ["reply_codes" => ["code" => 535, "enhanced" => [5, 7, 1]]]);
          if ($arguments["state"] < 2) Reply("again " . $arguments["state"] . $arguments["response"]);
          Accept(["username" => "joe", "reason" => "it is joe", "reply_codes" => ["code" => 235, "enhanced" => [2, 7, 1]]]);
    mailfrom:
      - id: h
        data: |
          if ($arguments["address"]["localpart"] == "No") Reject("not from you", ["reply_codes" => ["code" => 553, "enhanced" => [5, 1, 8]]]);
          if ($arguments["address"]["localpart"] == "Later") Defer("not yet", ["reply_codes" => ["code" => 451, "enhanced" => [4, 1, 8]]]);
          Accept(["sender" => ["localpart" => "changed", "domain" => "example.org"], "reason" => "size " . $arguments["params"]["SIZE"], "reply_codes" => ["code" => 250, "enhanced" => [2, 1, 9]]]);
    rcptto:
      - id: h
        data: |
          if ($arguments["address"]["localpart"] == "no") Reject("not to them", ["reply_codes" => ["code" => 553, "enhanced" => [5, 1, 3]]]);
          if ($arguments["address"]["localpart"] == "later") Defer("they sleep", ["reply_codes" => ["code" => 452, "enhanced" => [4, 2, 2]]]);
          Accept(["recipient" => "moved@open.example", "transportid" => "out", "reason" => "was " . $arguments["transportid"], "reply_codes" => ["code" => 251, "enhanced" => [2, 1, 7]]]);
    eod:
      - id: h
        data: |
          $subject = $arguments["mail"]->getHeader("Subject");
          foreach ($transaction["recipients"] as $r)
              $arguments["mail"]->queue($transaction["senderaddress"], $r["address"], $r["transportid"], ["metadata" => ["who" => $connection["auth"]["username"], "helo" => $connection["helo"]["host"]]]);
          if ($subject == "no") Reject("not that", ["reply_codes" => ["code" => 554, "enhanced" => [5, 6, 0]]]);
          if ($subject == "later") Defer("not that yet", ["reply_codes" => ["code" => 451, "enhanced" => [4, 6, 0]]]);
          Accept(["reason" => "taken", "reply_codes" => ["code" => 250, "enhanced" => [2, 6, 0]]]);
    disconnect:
      - id: h
        data: |
          syslog(5, "closed by " . $arguments["close"] . " with " . $arguments["reply"]["code"] . " of " . $connection["remoteip"]);
          Pass();
`

// proxyWithFact is a PROXY header of version 2 with a fact of type 0xE0.
var proxyWithFact = "\r\n\r\n\x00\r\nQUIT\n" + "\x21\x11\x00\x12" +
	string([]byte{198, 51, 100, 7, 192, 0, 2, 1, 4444 >> 8, 4444 & 255, 0, 25}) + "\xe0\x00\x03abc"

// TestPhaseFunctions uses each function of each phase of a session over a socket,
// with its options, and looks at what the client, the next hop, the queue and the
// log saw of it.
func TestPhaseFunctions(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newMTA(t)
	m.listeners(listener("mx", m.smtp, "proxyprotocol: true"))
	m.running(phased)
	m.running(transportTo(far.Addr()))
	m.start()
	open := func(header string) *client {
		conn, err := net.Dial("tcp", m.smtp)
		must(t, err)
		c := newClient(t, conn)
		c.write(header)
		return c
	}
	for header, want := range map[string]string{"PROXY TCP4 198.51.100.8 192.0.2.1 4444 25\r\n": "554 5.7.2 no relays", "PROXY TCP4 198.51.100.9 192.0.2.1 4444 25\r\n": "421-4.7.3 come\n421 4.7.3 again"} {
		c := open(header)
		c.expect(want)
		expectClosed(t, c)
	}

	c := open(proxyWithFact)
	c.expect("220 phased inbound")
	c.say("WHO", "250 2.0.0 192.0.2.77 named.test 6=abc by 127.0.0.1")
	c.say("NOT", "550-5.5.9 not\n550 5.5.9 here")
	c.say("EHLO no.test", "550 5.7.27 no name")
	c.say("EHLO later.test", "451 4.7.27 no name yet")
	if got := c.say("GREET", "250-pleased"); !strings.Contains(got, "SIZE 5000") || !strings.Contains(got, "AUTH X-TWICE") || strings.Contains(got, "PIPELINING") {
		t.Errorf("announced %q", got)
	}
	code := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	c.say("AUTH X-TWICE "+code("later"), "454 4.7.12 not now")
	c.say("AUTH X-TWICE "+code("wrong"), "535 5.7.1 not you")
	c.say("AUTH X-TWICE", "334 "+code("once"))
	c.say("*", "501")
	c.say("AUTH X-TWICE", "334 "+code("once"))
	c.say(code("a"), "334 "+code("again 1a"))
	c.say(code("b"), "235 2.7.1 it is joe")
	c.say("MAIL FROM:<No@example.org>", "553 5.1.8 not from you")
	c.say("MAIL FROM:<Later@example.org>", "451 4.1.8 not yet")
	c.say("MAIL FROM:<ann@example.org> SIZE=99", "250 2.1.9 size 99")
	c.say("RCPT TO:<no@open.example>", "553 5.1.3 not to them")
	c.say("RCPT TO:<later@open.example>", "452 4.2.2 they sleep")
	for _, step := range []struct{ subject, want string }{{"no", "554 5.6.0 not that"}, {"later", "451 4.6.0 not that yet"}, {"yes", "250 2.6.0 taken"}} {
		c.say("RCPT TO:<bob@open.example>", "251 2.1.7 was out")
		c.say("DATA", "354")
		c.say("Subject: "+step.subject+"\r\n\r\nText.\r\n.", step.want)
		if step.subject != "yes" {
			c.say("MAIL FROM:<ann@example.org> SIZE=99", "250")
		}
	}
	c.say("BYE", "421 4.3.2 gone")
	expectClosed(t, c)
	m.expectPhases(far)

	c = open(proxyWithFact)
	c.expect("220")
	c.say("THAT IS ALL", "250 2.0.0 then on")
	c.say("WHO", "5")
	c.say("QUIT", "221")
	m.stop()
}

// expectPhases checks what the next hop and the log saw of TestPhaseFunctions.
func (m *mta) expectPhases(far *farEnd) {
	m.t.Helper()
	got := far.wait(m.t, 1)
	if a := got[0]; a.to() != "moved@open.example" || a.Sender.String() != "changed@example.org" {
		m.t.Errorf("the next hop saw %+v", a.Message)
	}
	eventually(m.t, "the disconnect hook", func() bool {
		return strings.Contains(m.program.err.String(), "closed by local with 421 of 192.0.2.77")
	})
	m.waitCount(0)
	if text := m.program.err.String(); strings.Contains(text, "script failed") {
		m.t.Errorf("a script failed:\n%s", text)
	}
}

// expectClosed checks that the other side has hung up.
func expectClosed(t testing.TB, c *client) {
	t.Helper()
	if more, err := c.reply(); err == nil {
		t.Errorf("still there: %q", more)
	}
}
