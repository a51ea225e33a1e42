package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/sink"
	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// TestSourcesPage runs the two configurations of docs/sources.md, the one of
// HAProxy by HAProxy itself, with addresses of loopback in place of those of the
// page.
func TestSourcesPage(t *testing.T) {
	t.Parallel()
	testenv.Root(t) // HAProxy binds addresses that are not its own
	haproxy := testenv.Program(t, "haproxy")
	page, err := os.ReadFile("../../docs/sources.md")
	must(t, err)
	far := newFarEnd(t, sink.Options{})
	egress := freeAddress(t)
	here := strings.NewReplacer("192.0.2.10", "127.0.6.10", "198.51.100.", "127.0.6.", "10.0.0.0/8", "127.0.0.0/8",
		"10.0.0.2:2525", egress, "10.0.0.2, port: 2525", fmt.Sprintf("127.0.0.1, port: %d", portOf(egress)))
	block := func(language string) string {
		t.Helper()
		m := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$").FindSubmatch(page)
		if m == nil {
			t.Fatalf("the page has no %s", language)
		}
		return here.Replace(string(m[1]))
	}

	m := newMTA(t)
	m.running(block("yaml"))
	host, port, _ := net.SplitHostPort(far.Addr().String())
	m.running(`
servers: [ { id: inbound, transport: direct, hostname: mta.test, resolve: { ptr: false } } ]
scripting:
  hooks:
    eod:
      - id: relay
        data: |
          foreach ($transaction["recipients"] as $r)
              $arguments["mail"]->queue($transaction["senderaddress"], $r["address"], $r["address"]["localpart"]);
          Accept();
    predelivery: 'Try(["host" => "` + host + `", "port" => ` + port + `]);'
`)
	m.write("haproxy.cfg", block("haproxy"))
	startCommand(t, exec.Command(haproxy, "-db", "-f", m.path("haproxy.cfg")))
	eventually(t, "HAProxy", func() bool {
		conn, err := net.Dial("tcp", egress)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
	m.start()
	submit(t, m.smtp, "s@example.org", "direct@example.net")
	seen := map[string]string{}
	sent := 1
	eventually(t, "mail from both addresses of the proxy", func() bool {
		submit(t, m.smtp, "s@example.org", "bulk@example.net")
		sent++
		for _, got := range far.wait(t, sent) {
			remote, _, _ := net.SplitHostPort(got.Remote.String())
			seen[remote] = got.Helo
		}
		return seen["127.0.6.20"] != "" && seen["127.0.6.21"] != ""
	})
	for from, helo := range map[string]string{"127.0.6.10": "mta1.example.com", "127.0.6.20": "out1.example.com", "127.0.6.21": "out2.example.com"} {
		if seen[from] != helo {
			t.Errorf("%s greeted as %q, want %q; seen %v", from, seen[from], helo, seen)
		}
	}
	eventually(t, "the ways in the log", func() bool {
		log := m.err.String()
		via := fmt.Sprintf("by [127.0.0.1]:%s via [127.0.0.1]:%d", port, portOf(egress))
		return strings.Contains(log, "from [127.0.6.20] "+via) && strings.Contains(log, "from [127.0.6.21] "+via) &&
			strings.Contains(log, "delivered <direct@example.net> from [127.0.6.10] by [127.0.0.1]:"+port+" in")
	})
	if strings.Contains(m.err.String(), "does not have the address") {
		t.Errorf("warned of addresses that are there:\n%s", m.err.String())
	}
}
