package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.yaml.in/yaml/v4"
)

// mta is a folder of configuration with the ports and paths in it, and the
// process that runs it, if any.
type mta struct {
	*program // nil before start

	t       testing.TB
	dir     string
	smtp    string // addresses that it listens on
	monitor string
}

// What every MTA of the tests begins with. A test lays its own settings over
// these with startup and running.
const (
	startupYAML = `
version: "6.9"
servers: [ { id: inbound, listeners: [ { address: 127.0.0.1, port: %d } ] } ]
environment:
  uuid: { version: 4 }
  controlsocket: { path: %q }
  tmpdir: %q
spool: { path: %q }
monitor: { listener: { address: 127.0.0.1, port: %d } }
`
	runningYAML = `
version: "6.9"
servers: [ { id: inbound, transport: out, hostname: mta.test, resolve: { ptr: false } } ]
transportgroups:
  - { id: all, retry: { count: 30, intervals: [ { interval: 3600 } ] }, dsn: { transport: out }, transports: [ { id: out } ] }
resolver: { servers: [ "127.0.0.1:9" ] }
queues: { shutdown: { timeout: 10 } }
scripting:
  hooks:
    rcptto:
      - id: relay
        data: |
          if (!isset($connection["remoteip"]))
              Accept(); // a process on this host
          foreach (["127.0.0.0/8", "::1"] as $network)
              if (inet_includes($connection["remoteip"], $network))
                  Accept();
          Reject("relaying denied", ["reply_codes" => ["code" => 550, "enhanced" => [5, 7, 1]]]);
    eod:
      - id: relay
        data: |
          foreach ($transaction["recipients"] as $r)
              $arguments["mail"]->queue($transaction["senderaddress"], $r["address"], $r["transportid"]);
          Accept();
`
)

// newMTA writes a folder of configuration. Nothing runs yet.
func newMTA(t testing.TB) *mta {
	t.Helper()
	m := &mta{t: t, dir: t.TempDir(), smtp: freeAddress(t), monitor: freeAddress(t)}
	for _, sub := range []string{"queue", "tmp"} {
		must(t, os.Mkdir(filepath.Join(m.dir, sub), 0o700))
	}
	m.write("smtpd.yaml", fmt.Sprintf(startupYAML, portOf(m.smtp), m.socket(), m.path("tmp"), m.path("queue"), portOf(m.monitor)))
	m.write("smtpd-app.yaml", runningYAML)
	m.running("{}")
	return m
}

// newRelay writes a folder of configuration in which all mail goes to one host.
func newRelay(t testing.TB, nextHop net.Addr) *mta {
	t.Helper()
	m := newMTA(t)
	m.running(transportTo(nextHop, "retry: { count: 30, intervals: [ { interval: 3600 } ] }"))
	return m
}

// transportTo is a running configuration with one transport to a host; more are
// further settings of it.
func transportTo(nextHop net.Addr, more ...string) string {
	host, port, _ := net.SplitHostPort(nextHop.String()) // of a listener, so well formed
	settings := append(more, fmt.Sprintf("connection: { server: %q, port: %s }", host, port))
	return "transportgroups: [ { id: all, dsn: { transport: out }, transports: [ { id: out, " + strings.Join(settings, ", ") + " } ] } ]"
}

// pool keeps idle connections to next hops for further messages.
func (m *mta) pool() {
	m.t.Helper()
	m.running("queues: { pooling: { size: 100 } }")
	m.write("smtpd-delivery.yaml", "version: \"6.9\"\ndelivery: { default: { pooling: { enabled: true, timeout: 10, transactions: 1000 } } }\n")
}

func (m *mta) path(name string) string { return filepath.Join(m.dir, name) }

func (m *mta) socket() string { return m.path("ctl.sock") }

func (m *mta) write(name, text string) {
	m.t.Helper()
	must(m.t, os.WriteFile(m.path(name), []byte(text), 0o644))
}

// startup lays settings over the startup file: maps merge, lists replace.
func (m *mta) startup(text string) { m.t.Helper(); m.lay("smtpd.yaml", text) }

// running does that with the running file.
func (m *mta) running(text string) { m.t.Helper(); m.lay("smtpd-app.yaml", text) }

func (m *mta) lay(name, text string) {
	m.t.Helper()
	below, err := os.ReadFile(m.path(name))
	must(m.t, err)
	values := merge(m.decode(below), m.decode([]byte(text)))
	relayByScript(values)
	merged, err := yaml.Marshal(values)
	must(m.t, err)
	m.write(name, string(merged))
}

// relayByScript gives every server without scripts of its own those that relay
// for this host and 192.0.2.0/24: without one for the end of data nothing is
// ever queued.
func relayByScript(values map[string]any) {
	servers, _ := values["servers"].([]any)
	for _, s := range servers {
		server, _ := s.(map[string]any)
		if server == nil || server["transport"] == nil {
			continue // of the startup file
		}
		merge(server, map[string]any{"phases": merge(
			map[string]any{"rcptto": map[string]any{"hook": "relay"}, "eod": map[string]any{"hook": "relay"}},
			section(server, "phases"))})
	}
}

func section(values map[string]any, name string) map[string]any {
	if inner, ok := values[name].(map[string]any); ok {
		return inner
	}
	return map[string]any{}
}

func (m *mta) decode(text []byte) (values map[string]any) {
	m.t.Helper()
	if err := yaml.Unmarshal(text, &values); err != nil {
		m.t.Fatalf("%v in\n%s", err, text)
	}
	return values
}

func merge(below, above map[string]any) map[string]any {
	for key, value := range above {
		inner, ok := value.(map[string]any)
		if under, both := below[key].(map[string]any); ok && both {
			value = merge(under, inner)
		}
		below[key] = value
	}
	return below
}

// start runs smtpd in the foreground and waits until it is ready.
func (m *mta) start() *mta {
	m.t.Helper()
	return m.startCommand(exec.Command(binary, m.arguments()...))
}

func (m *mta) arguments() []string { return []string{"smtpd", "-f", "-c", m.path("smtpd.yaml")} }

func (m *mta) startCommand(cmd *exec.Cmd) *mta {
	m.t.Helper()
	m.program = startCommand(m.t, cmd)
	m.waitReady()
	return m
}

func (m *mta) waitReady() {
	m.t.Helper()
	eventually(m.t, "/ready", func() bool {
		if m.program != nil && m.ended() {
			m.t.Fatalf("smtpd ended with %d:\n%s", m.code, tail(m.program.err.String()))
		}
		return status(m.monitor, "/ready") == http.StatusOK
	})
}

// ctl runs a control command that succeeds and returns its output.
func (m *mta) ctl(args ...string) string {
	m.t.Helper()
	return m.tryCtl(args...).expectCode(0).out.String()
}

func (m *mta) tryCtl(args ...string) *program {
	m.t.Helper()
	return run(m.t, append([]string{"ctl", "--socket", m.socket()}, args...)...)
}

// list returns the entries in the queue as ctl shows them in JSON.
func (m *mta) list(conditions ...string) (entries []entry) {
	m.t.Helper()
	for line := range strings.Lines(m.ctl(append([]string{"--json", "queue", "list", "-F", entryFields}, conditions...)...)) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			m.t.Fatalf("%v in %q", err, line)
		}
		entries = append(entries, e)
	}
	return entries
}

// count is the number of entries that meet the conditions.
func (m *mta) count(conditions ...string) int {
	m.t.Helper()
	text := m.ctl(append([]string{"queue", "count"}, conditions...)...)
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		m.t.Fatalf("queue count printed %q", text)
	}
	return n
}

func (m *mta) waitCount(want int, conditions ...string) {
	m.t.Helper()
	eventually(m.t, fmt.Sprintf("%d entries with %v", want, conditions), func() bool { return m.count(conditions...) == want })
}

// status is the answer of a monitor to a GET request, or 0.
func status(address, path string) int {
	code, _ := get(address, path, nil)
	return code
}

func get(address, path string, header http.Header) (code int, body string) {
	request, err := http.NewRequest(http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

// A run takes its ports from a block below those that the kernel gives to
// clients, so that nobody takes a port between its choice and its use. It holds
// the first port of the block as long as it lasts: another run at the same time
// then chooses another block.
const (
	firstBlock = 12000
	blocks     = 40
	blockSize  = 500
)

var portBlock = sync.OnceValues(func() (base int, err error) {
	for range blocks {
		base = firstBlock + rand.IntN(blocks)*blockSize
		var guard net.Listener
		if guard, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base)); err == nil {
			blockGuard = guard
			return base, nil
		}
	}
	return 0, err
})

var (
	blockGuard net.Listener // nobody looks at it; the garbage collector must not close it
	nextPort   atomic.Int32
)

// freeAddress returns an address on loopback that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	base, err := portBlock()
	must(t, err)
	for range blockSize {
		address := fmt.Sprintf("127.0.0.1:%d", base+1+int(nextPort.Add(1))%(blockSize-1))
		if l, err := net.Listen("tcp", address); err == nil {
			must(t, l.Close())
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

func portOf(address string) int {
	_, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
