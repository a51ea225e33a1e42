package e2e

import (
	wireorder "encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/sink"
)

// frames is a connection to the control socket that speaks Halon's framing.
type frames struct {
	net.Conn
	t testing.TB
}

func (m *mta) frames() *frames {
	m.t.Helper()
	conn, err := net.Dial("unix", m.socket())
	must(m.t, err)
	m.t.Cleanup(func() { conn.Close() })
	_, err = conn.Write([]byte("\x05\x07"))
	must(m.t, err)
	return &frames{conn, m.t}
}

// send sends a command, with a message unless it is nil.
func (f *frames) send(command byte, request proto.Message) {
	f.t.Helper()
	b := []byte{command}
	if request != nil {
		body, err := proto.Marshal(request)
		must(f.t, err)
		b = append(wireorder.LittleEndian.AppendUint64(b, uint64(len(body))), body...)
	}
	_, err := f.Write(b)
	must(f.t, err)
}

// next reads one frame.
func (f *frames) next() (kind byte, body []byte) {
	f.t.Helper()
	var head [9]byte
	_, err := io.ReadFull(f, head[:])
	must(f.t, err)
	body = make([]byte, wireorder.LittleEndian.Uint64(head[1:]))
	_, err = io.ReadFull(f, body)
	must(f.t, err)
	return head[0], body
}

// ask sends a command and decodes the answer, which must be a good one.
func (f *frames) ask(command byte, request, into proto.Message) {
	f.t.Helper()
	f.send(command, request)
	kind, body := f.next()
	if kind != '+' {
		f.t.Fatalf("command %c: %c %s", command, kind, body)
	}
	if into != nil {
		must(f.t, proto.Unmarshal(body, into))
	}
}

const sharing = `
servers:
  - id: inbound
    transport: out
    hostname: mta.test
    resolve: { ptr: false }
    phases: { helo: { hook: h }, eod: { hook: e } }
monitor:
  metrics:
    - { name: messages_seen, type: counter, help: "Messages seen." }
    - { name: message_age, type: gauge, help: "Age." }
    - { name: message_recipients, type: histogram, help: "Recipients.", buckets: [ 1, 10 ] }
scripting:
  hooks:
    helo:
      - id: h
        data: |
          function slow($name) { return memory_inc("calls of slow"); }
          $n = memory_inc("greetings");
          barrier "names" => $names { $names[] = $arguments["host"]; }
          $first = cache ["ttl" => 3600, "namespace" => "greet", "size" => 5] slow($arguments["host"]);
          Accept(["reason" => "greeting $n, call $first, " . server_concurrency("inbound") . " and " .
              server_concurrency("inbound", "127.0.0.1") . " and " . server_concurrency("inbound", "10.0.0.0/8") . " connected"]);
    eod:
      - id: e
        data: |
          metrics_increment("messages_seen", ["to" => "x"]);
          metrics_set("message_age", [], 7);
          metrics_decrement("message_age", [], 3);
          metrics_set("message_recipients", [], count($transaction["recipients"]));
          $mail = $arguments["mail"];
          foreach ($transaction["recipients"] as $r)
              $mail->queue($transaction["senderaddress"], $r["address"], $r["transportid"], ["quotas" => ["q1"], "hold" => true]);
          Accept(["reason" => queue_quota("q1")["count"] . " before, seen " . metrics_get("messages_seen", ["to" => "x"])["value"]]);
`

// TestScriptsShare: what scripts leave in shared memory, in the cache and in
// metrics is there for later scripts, for operators and for monitors, and
// outlives a reload.
func TestScriptsShare(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newMTA(t)
	m.running(transportTo(far.Addr()))
	m.running(sharing)
	m.start()
	for i, want := range []string{"greeting 1, call 1, 1 and 1 and 0 connected", "greeting 2, call 1, 2 and 2 and 0 connected"} {
		conn, err := net.Dial("tcp", m.smtp)
		must(t, err)
		c := newClient(t, conn)
		c.expect("220")
		c.say("EHLO client.test", "250-"+want)
		if i == 0 {
			m.ctl("config", "reload")
		}
		c.say("MAIL FROM:<a@example.org>", "250")
		c.say("RCPT TO:<b@example.net>", "250")
		c.say("DATA", "354")
		c.say("Subject: x\r\n\r\nx\r\n.", "250 2.0.0 "+[]string{"0 before, seen 1", "1 before, seen 2"}[i])
	}
	_, page := get(m.monitor, "/metrics", nil)
	for _, line := range []string{`messages_seen{to="x"} 2`, "message_age 4", `message_recipients_bucket{le="1"} 2`, "message_recipients_count 2"} {
		if !strings.Contains(page, "\n"+line+"\n") {
			t.Errorf("the monitor has no line %s", line)
		}
	}

	expectContains(t, m.ctl("hsl", "memory", "list"), "│ greetings     │ number │")
	for _, c := range []struct{ command, want string }{
		{"fetch greetings", "2"}, {"fetch names", `["client.test","client.test"]`},
		{"store greetings 41", "OK"}, {"store --parse greetings 9", "OK"},
	} {
		if got := strings.TrimSpace(m.ctl(append([]string{"hsl", "memory"}, strings.Fields(c.command)...)...)); got != c.want {
			t.Errorf("%s printed %s", c.command, got)
		}
	}
	m.ctl("hsl", "memory", "store", "--parse", "greetings", "9")
	expectContains(t, m.ctl("hsl", "cache", "list"), "│ greet     │")
	f := m.frames()
	var list controlpb.HSLMemoryListResponse
	f.ask('y', nil, &list)
	if len(list.Entries) != 3 || list.Entries[1].Key != "greetings" || list.Entries[1].Value != "9" {
		t.Errorf("shared memory is %v", list.Entries)
	}
	var caches controlpb.HSLCacheListResponse
	f.ask('g', nil, &caches)
	if len(caches.Caches) != 1 || caches.Caches[0].Hits != 1 || caches.Caches[0].Misses != 1 || caches.Caches[0].MaxSize != 5 {
		t.Errorf("caches are %v", caches.Caches)
	}
	var stored controlpb.HSLMemoryStoreResponse
	f.ask('z', &controlpb.HSLMemoryStoreRequest{Key: "greetings", Value: "99"}, &stored)
	var deleted controlpb.HSLMemoryDeleteResponse
	f.ask('A', &controlpb.HSLMemoryDeleteRequest{Key: "names"}, &deleted)
	var cleared controlpb.HSLCacheClearResponse
	f.ask('h', &controlpb.HSLCacheClearRequest{Namespace: proto.String("greet")}, &cleared)
	if !stored.Replaced || !deleted.Deleted || cleared.Cleared != 1 {
		t.Errorf("replaced %v, deleted %v, cleared %d", stored.Replaced, deleted.Deleted, cleared.Cleared)
	}
	conn, err := net.Dial("tcp", m.smtp)
	must(t, err)
	c := newClient(t, conn)
	c.expect("220")
	c.say("EHLO client.test", "250-greeting 100, call 2, 3 and")
	expectContains(t, m.ctl("hsl", "cache", "clear", "--function", "nothing"), "0 calls forgotten")
	expectContains(t, m.tryCtl("hsl", "memory", "delete", "nothing").expectCode(1).err.String(), "nothing is stored")
}
