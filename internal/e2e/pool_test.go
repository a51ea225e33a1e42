package e2e

import (
	"net"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// slowScripts has one place for the scripts of the server. What a client says
// after EHLO decides how long its script takes.
const slowScripts = `
servers:
  - id: inbound
    transport: out
    hostname: mta.test
    resolve: { ptr: false }
    phases: { helo: { hook: h }, mailfrom: { hook: m, timelimit: 1 } }
scripting:
  hooks:
    helo:
      - { id: h, data: 'if ($arguments["host"] == "slow.test") sleep(3600); if ($arguments["host"] == "busy.test") while (true) $i++; Accept();' }
    mailfrom:
      - { id: m, data: 'if ($arguments["sender"] == "slow@example.org") sleep(3600); Accept();' }
`

// hello sends EHLO and does not wait for the answer.
func hello(t *testing.T, m *mta, host string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", m.smtp)
	must(t, err)
	newClient(t, conn).expect("220")
	_, err = conn.Write([]byte("EHLO " + host + "\r\n"))
	must(t, err)
	return conn
}

// TestSlowScriptsStallNobody: with one place for scripts, those that sleep or
// compute without end hold up neither other clients nor the queue; they end when
// their clients leave, and at their limits.
func TestSlowScriptsStallNobody(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newMTA(t)
	m.startup(`servers: [ { id: inbound, listeners: [ { address: 127.0.0.1, port: ` + m.smtp[strings.LastIndexByte(m.smtp, ':')+1:] + ` } ], threads: { script: 1 } } ]`)
	m.running(transportTo(far.Addr()))
	m.running(slowScripts)
	m.start()
	var clients []net.Conn
	for _, host := range []string{"slow.test", "slow.test", "busy.test"} {
		clients = append(clients, hello(t, m, host))
	}
	const helo = "halon_servers_scripts_helo_"
	eventually(t, "scripts that sleep", func() bool { return m.metric(helo+"suspended") == 2 && m.metric(helo+"running") == 1 })
	if n := m.metric(helo + "threads"); n != 1 {
		t.Errorf("%v threads", n)
	}
	submit(t, m.smtp, "a@example.org", "b@example.net")
	far.wait(t, 1)

	conn, err := net.Dial("tcp", m.smtp)
	must(t, err)
	c := newClient(t, conn)
	c.expect("220")
	c.say("EHLO client.test", "250")
	c.say("MAIL FROM:<slow@example.org>", "450")
	eventually(t, "the limit in the log", func() bool {
		return strings.Contains(m.err.String(), "mailfrom script failed: mailfrom/m.hsl:1:49: script exceeded its time limit of 1s")
	})
	if n := m.metric("halon_servers_scripts_mailfrom_errors"); n != 1 {
		t.Errorf("%v errors counted", n)
	}

	for _, conn := range clients {
		conn.Close()
	}
	eventually(t, "the scripts of clients that left end", func() bool {
		return m.metric(helo+"suspended") == 0 && m.metric(helo+"running") == 0 && m.metric("halon_threads_scripts_scripts") == 0
	})
	if n := m.metric(helo + "errors"); n != 0 {
		t.Errorf("%v scripts of clients that left count as errors", n)
	}
	expectContains(t, m.err.String(), "helo script ended early: session: the client has left")
	stats := m.ctl("process-stats")
	for _, line := range []string{"servers.inbound.scripts.helo.running: 0", "queue.scripts.predelivery.running: 0", "threads.scripts.server:inbound.maxrunning: 1"} {
		expectContains(t, stats, line)
	}
}
