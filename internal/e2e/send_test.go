package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/pires/go-proxyproto"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// egress is a proxy that connects onward from the address in the PROXY header, as
// HAProxy does with "usesrc clientip".
type egress struct {
	net.Listener
	wg sync.WaitGroup

	mu      sync.Mutex
	headers []string // "VERSION SOURCE DESTINATION"
}

func newEgress(t testing.TB) *egress {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	e := &egress{Listener: l}
	e.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			e.wg.Go(func() { e.pass(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); e.wg.Wait() })
	return e
}

func (e *egress) pass(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	h, err := proxyproto.Read(r)
	if err != nil {
		return
	}
	from, to, _ := h.TCPAddrs()
	e.mu.Lock()
	e.headers = append(e.headers, fmt.Sprintf("%d %s %s", h.Version, from.IP, to))
	e.mu.Unlock()
	far, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from.IP}}).Dial("tcp", to.String())
	if err != nil {
		return
	}
	defer far.Close()
	e.wg.Go(func() {
		_, _ = io.Copy(far, r)
		_ = far.(*net.TCPConn).CloseWrite()
	})
	_, _ = io.Copy(conn, far)
}

func (e *egress) seen() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.headers...)
}

// TestHSHSend sends from a script outside the MTA through a proxy, and compares
// what is printed with what the manual of the proxy set-up shows.
func TestHSHSend(t *testing.T) {
	t.Parallel()
	far, proxy := newFarEnd(t, sink.Options{}), newEgress(t)
	m := newMTA(t)
	m.write("send.hsl", fmt.Sprintf(`#!/usr/bin/env hsh
$mime = MIME()->addHeader("Subject", "Hello")->setBody("Hi")->addHeader("To", "user@example.com");
echo json_encode($mime->send("<>", ["user@example.com"], ["server" => "127.0.0.1", "port" => %d, "sourceip" => "127.0.4.68",
    "proxyprotocol" => ["server" => "127.0.0.1", "port" => %d]]), ["pretty_print" => true]);
`, portOf(far.Addr().String()), portOf(proxy.Addr().String())))
	p := run(t, "hsh", m.path("send.hsl")).expectCode(0)
	want := `{
    "result": {
        "code": 250,
        "enhanced": [
            2,
            0,
            0
        ],
        "reason": [
            "taken"
        ],
        "state": "EOD"
    },
    "connection": {
        "localip": "127.0.4.68",
        "remoteip": "127.0.0.1",
        "remotemx": "",
        "tls": {
            "started": false
        }
    },
    "duration": SECONDS
}
`
	if got := regexp.MustCompile(`"duration": [0-9.e-]+`).ReplaceAllString(p.out.String(), `"duration": SECONDS`); got != want {
		t.Errorf("printed\n%s", got)
	}
	line := fmt.Sprintf("hsh: send: Connecting from [127.0.4.68] to [127.0.0.1]:%d via [127.0.0.1]:%d\n", portOf(far.Addr().String()), portOf(proxy.Addr().String()))
	if got := p.err.String(); got != line {
		t.Errorf("standard error is %q, want %q", got, line)
	}
	got := far.wait(t, 1)[0]
	if host, _, _ := net.SplitHostPort(got.Remote.String()); host != "127.0.4.68" || got.to() != "user@example.com" || !strings.Contains(got.text, "\r\n\r\nHi") {
		t.Errorf("from %s came %+v", got.Remote, got.Message)
	}
	if headers := proxy.seen(); len(headers) != 1 || headers[0] != "1 127.0.4.68 "+far.Addr().String() {
		t.Errorf("the proxy read %q", headers)
	}
}

// TestHSHConfiguration: scripts outside the MTA refer to the addresses and
// transports of a configuration that is named.
func TestHSHConfiguration(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newMTA(t)
	m.running(transportTo(far.Addr(), "session: { helo: transport.test }"))
	m.running("addresses: [ { id: second, address: 127.0.0.2, hostname: second.test } ]")
	script := fmt.Sprintf(`
echo MIME()->setBody("a")->send("", ["a@example.com"], "out")["result"]["code"];
echo MIME()->setBody("b")->send("", ["b@example.com"], ["host" => "127.0.0.1", "port" => %d, "sourceipid" => "second"])["connection"]["localip"];
echo smtp_lookup_rcpt("out", "", "c@example.com");
try { smtp_lookup_rcpt("other", "", "c@example.com"); } catch ($e) { echo $e->message(); }
`, portOf(far.Addr().String()))
	m.write("configured.hsl", script)
	p := run(t, "hsh", "-c", m.path("smtpd.yaml"), m.path("configured.hsl")).expectCode(0)
	if want := "250\n127.0.0.2\n1\nsmtp_lookup_rcpt: there is no transport \"other\"\n"; p.out.String() != want {
		t.Errorf("printed %q", p.out.String())
	}
	expectContains(t, p.err.String(), "hsh: lookup: Connecting from [any] to [127.0.0.1]:")
	if all := far.wait(t, 2); all[0].Helo != "transport.test" || all[1].Helo != "second.test" || len(all) != 2 {
		t.Errorf("greeted as %s and %s", all[0].Helo, all[1].Helo)
	}
}

// TestScriptSends: scripts of the MTA send by themselves, by its transports and
// past them, and ask servers for recipients before they take mail for them.
func TestScriptSends(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newMTA(t)
	m.running(transportTo(far.Addr()))
	m.running(`
servers: [ { id: inbound, transport: out, hostname: mta.test, resolve: { ptr: false }, phases: { rcptto: { hook: ask }, eod: { hook: pass } } } ]
scripting:
  hooks:
    rcptto:
      - id: ask
        data: |
          $known = smtp_lookup_rcpt("out", $transaction["senderaddress"], $arguments["address"]);
          if ($known == 0) Reject("nobody there");
          if ($known == -1) Defer("ask again");
          Accept();
    eod:
      - id: pass
        data: |
          $sent = $arguments["mail"]->send($transaction["senderaddress"], ["x@open.example", "y@open.example"], "out");
          MIME()->addHeader("Subject", "note")->setBody("passed on")->send("", ["note@open.example"], "out");
          Accept(["reason" => "sent " . $sent["result"]["reason"][0]]);
`)
	m.start()
	conn, err := net.Dial("tcp", m.smtp)
	must(t, err)
	c := newClient(t, conn)
	c.expect("220")
	c.say("EHLO client.test", "250")
	c.say("MAIL FROM:<a@example.org>", "250")
	c.say("RCPT TO:<550@open.example>", "554 5.7.1 nobody there")
	c.say("RCPT TO:<451@open.example>", "450")
	c.say("RCPT TO:<b@open.example>", "250")
	c.say("DATA", "354")
	c.say("Subject: x\r\n\r\nsent at once\r\n.", "250 2.0.0 sent taken")
	all := far.wait(t, 2)
	if len(all) != 2 || len(all[0].Recipients) != 2 || !strings.Contains(all[0].text, "sent at once") || !strings.Contains(all[1].text, "passed on") {
		t.Errorf("the far end took %+v", all)
	}
	if n := m.count(); n != 0 {
		t.Errorf("%d entries are in the queue", n)
	}
}

// TestProxiedTransports: mail of the queue leaves through the proxies of its
// transport and addresses, from addresses of these, and log and scripts say so.
func TestProxiedTransports(t *testing.T) {
	t.Parallel()
	far, common, own := newFarEnd(t, sink.Options{}), newEgress(t), newEgress(t)
	m := newMTA(t)
	host, port, _ := net.SplitHostPort(far.Addr().String())
	m.running(fmt.Sprintf(`
addresses:
  - { id: one, address: 127.0.5.1, hostname: one.test }
  - { id: two, address: 127.0.5.2, hostname: two.test, proxyprotocol: { server: 127.0.0.1, port: %d, version: 2 } }
transportgroups:
  - id: all
    connection: { server: %s, port: %s, proxyprotocol: { server: 127.0.0.1, port: %d } }
    dsn: { transport: out }
    transports:
      - { id: out, connection: { sourceip: { addresses: [ one ] } } }
      - { id: second, connection: { sourceip: { addresses: [ two ] } } }
scripting:
  hooks:
    eod:
      - id: relay
        data: |
          foreach ($transaction["recipients"] as $r)
              $arguments["mail"]->queue($transaction["senderaddress"], $r["address"], $r["address"]["localpart"] == "b" ? "second" : "out");
          Accept();
    predelivery: |
      if ($message["recipientaddress"]["localpart"] == "c")
          Try(["sourceip" => [["address" => "127.0.5.3", "helo" => "three.test"]], "proxyprotocol" => ["server" => "127.0.0.1", "port" => %d]]);
      Try();
    postdelivery: 'throw Exception("left by " . $arguments["attempt"]["connection"]["localip"] . " " . $arguments["attempt"]["connection"]["helo"]);'
`, portOf(own.Addr().String()), host, port, portOf(common.Addr().String()), portOf(own.Addr().String())))
	m.start()
	submit(t, m.smtp, "s@example.org", "a@example.net", "b@example.net", "c@example.net")
	from := map[string]string{}
	for _, got := range far.wait(t, 3) {
		remote, _, _ := net.SplitHostPort(got.Remote.String())
		from[got.to()] = remote + " " + got.Helo
	}
	for to, want := range map[string]string{"a@example.net": "127.0.5.1 one.test", "b@example.net": "127.0.5.2 two.test", "c@example.net": "127.0.5.3 three.test"} {
		if from[to] != want {
			t.Errorf("%s came from %s, want %s", to, from[to], want)
		}
		eventually(t, "the script of "+to, func() bool { return strings.Contains(m.err.String(), "left by "+want) })
	}
	via := func(e *egress) string {
		return fmt.Sprintf("by [127.0.0.1]:%s via [127.0.0.1]:%d", port, portOf(e.Addr().String()))
	}
	eventually(t, "the way in the log", func() bool {
		return strings.Count(m.err.String(), via(common)) >= 1 && strings.Count(m.err.String(), via(own)) >= 2
	})
	expectContains(t, m.err.String(), "delivered <a@example.net> from [127.0.5.1] "+via(common))
	if a, b := common.seen(), own.seen(); len(a) != 1 || a[0] != "1 127.0.5.1 "+far.Addr().String() || len(b) != 2 {
		t.Errorf("the proxies read %q and %q", a, b)
	}
}

// TestAbsentSource: an address that this host lacks is named on load and with each
// attempt, and the mail waits.
func TestAbsentSource(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newMTA(t)
	host, port, _ := net.SplitHostPort(far.Addr().String())
	m.running(fmt.Sprintf("transportgroups: [ { id: all, retry: { count: 3, intervals: [ { interval: 3600 } ] }, transports: [ { id: out, connection: { server: %s, port: %s, sourceip: { addresses: [ 192.0.2.7 ] } } } ] } ]", host, port))
	m.start()
	expectContains(t, m.err.String(), "this host does not have the address 192.0.2.7")
	submit(t, m.smtp, "s@example.org", "a@example.net")
	eventually(t, "the attempt in the log", func() bool { return strings.Contains(m.err.String(), "source address 192.0.2.7 cannot be used") })
	m.waitCount(1, "--state", "DEFER")
}
