package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// pluginScripts keep suppressed recipients out, log each message, and hand an event
// of it to a queue.
const pluginScripts = `
scripting:
  hooks:
    rcptto:
      - id: relay
        data: |
          import { suppression_list } from "extras://suppression-list";
          if (suppression_list("gone", $arguments["recipient"])) Reject("suppressed");
          Accept();
    eod:
      - id: relay
        data: |
          import { logger } from "extras://logger";
          import { http_bulk } from "extras://http-bulk";
          logger("mail", $transaction["sender"] . "\n");
          if (!http_bulk("events", json_encode(["sender" => $transaction["sender"]]))) Defer("no room for events");
          foreach ($transaction["recipients"] as $r)
              $arguments["mail"]->queue($transaction["senderaddress"], $r["address"], $r["transportid"]);
          Accept();
`

// pluginSettings name files in the folder of the MTA, and where events go.
func (m *mta) pluginSettings(url string) {
	m.startup(fmt.Sprintf(`plugins:
  - { id: logger, config: { logs: [ { id: mail, path: %q, header: "sender\n" } ] } }
  - { id: suppression-list, config: { lists: [ { id: gone, path: %q } ] } }
  - { id: http-bulk, config: { queues: [ { id: events, path: %q, url: %q, max_items: 10 } ] } }
`, m.path("mail.log"), m.path("gone.txt"), m.path("events"), url))
}

func (m *mta) hasLine(name, text string) bool {
	data, err := os.ReadFile(m.path(name))
	return err == nil && strings.Contains("\n"+string(data), "\n"+text+"\n")
}

// TestPlugins: a log that is moved away and begun anew by command and by signal, a
// list that a reload reads again, and events that survive the death of the process.
func TestPlugins(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newMTA(t)
	m.running(transportTo(far.Addr()))
	m.running(pluginScripts)
	m.write("gone.txt", "first@example.net\n")
	m.pluginSettings("http://" + freeAddress(t) + "/")
	m.start()

	refused := func(recipient, code string) {
		t.Helper()
		conn, err := net.Dial("tcp", m.smtp)
		must(t, err)
		c := newClient(t, conn)
		c.expect("220")
		c.say("EHLO client.test", "250")
		c.say("MAIL FROM:<x@example.org>", "250")
		c.say("RCPT TO:<"+recipient+">", code)
		c.say("QUIT", "221")
	}
	refused("first@example.net", "554")
	refused("second@example.net", "250")
	m.write("gone.txt", "second@example.net\n")
	m.reload()
	refused("first@example.net", "250")
	refused("second@example.net", "554")
	m.write("gone.txt", "nonsense\n")
	p := m.tryCtl("config", "reload").expectCode(1)
	expectContains(t, p.err.String(), "plug-in suppression-list", "line 1: want an address")
	refused("second@example.net", "554")

	submit(t, m.smtp, "a@example.org", "to@example.net")
	if !m.hasLine("mail.log", "a@example.org") || !m.hasLine("mail.log", "sender") {
		t.Error("the first message is not in the log")
	}
	must(t, os.Rename(m.path("mail.log"), m.path("mail.log.1")))
	expectText(t, "reopen", m.ctl("plugin", "command", "logger", "reopen", "mail"), "OK\n")
	submit(t, m.smtp, "b@example.org", "to@example.net")
	if !m.hasLine("mail.log", "b@example.org") || m.hasLine("mail.log", "a@example.org") {
		t.Error("the second message is not in a new log")
	}
	must(t, os.Rename(m.path("mail.log"), m.path("mail.log.2")))
	m.signal(syscall.SIGUSR1)
	eventually(t, "a new log", func() bool { _, err := os.Stat(m.path("mail.log")); return err == nil })

	expectText(t, "count", m.ctl("plugin", "command", "http-bulk", "count", "events"), "2\n")
	m.kill()
	got := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
	}))
	defer server.Close()
	m.write("gone.txt", "")
	m.pluginSettings(server.URL)
	m.start()
	var events string
	eventually(t, "the events", func() bool {
		select {
		case events = <-got:
			return true
		default:
			return false
		}
	})
	expectText(t, "events", events, `[{"sender":"a@example.org"},{"sender":"b@example.org"}]`)
}
