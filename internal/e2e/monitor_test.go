package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/posthaste-mta/posthaste/internal/daemon"
	"github.com/posthaste-mta/posthaste/internal/sink"
	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// metric is the value of the first sample of that name, or -1.
func (m *mta) metric(name string) float64 {
	m.t.Helper()
	_, body := get(m.monitor, "/metrics", nil)
	found := regexp.MustCompile(`(?m)^` + name + `(?:\{[^}]*\})? (\S+)$`).FindStringSubmatch(body)
	if found == nil {
		return -1
	}
	value, err := strconv.ParseFloat(found[1], 64)
	must(m.t, err)
	return value
}

// TestMetrics reads the metrics with Prometheus' own parser and compares a few
// with what has happened, also under the names of process statistics.
func TestMetrics(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newRelay(t, far.Addr())
	m.running("queues: { concurrency: { total: 7 }, maxmessages: 1000 }")
	m.start()
	submit(t, m.smtp, "a@example.org", "b@example.net", "451@example.net")
	m.waitTried(1, 1)
	open := dial(t, m.smtp)

	_, text := get(m.monitor, "/metrics", nil)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	must(t, err)
	for name, f := range families {
		if !strings.HasPrefix(name, "halon_") || f.GetHelp() == "" || f.GetType().String() == "UNTYPED" {
			t.Errorf("%s: help %q, type %v", name, f.GetHelp(), f.GetType())
		}
	}
	for name, want := range map[string]float64{
		"halon_process_pid": float64(m.pid()), "halon_monitor_ready": 1, "halon_monitor_healthy": 1,
		"halon_queue_delivery_delivered": 1, "halon_queue_delivery_delayed": 1, "halon_queue_delivery_failed": 0,
		"halon_queue_queue_defer_size": 1, "halon_queue_queue_active_size": 0, "halon_queue_freeze_hold_size": 0,
		"halon_queue_loader_active": 1, "halon_queue_loader_maxactive": 1000, "halon_queue_connections_maxconcurrent": 7,
		`halon_servers_connections_concurrent`: 1,
	} {
		if got := m.metric(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	expectContains(t, text, `halon_servers_connections_concurrent{serverid="inbound"} 1`)
	expectContains(t, m.ctl("process", "stats"), "servers.inbound.connections.concurrent: 1\n", "queue.queue.defer.size: 1\n", fmt.Sprintf("process.pid: %d\n", m.pid()))
	open.say("QUIT", "221")

	code, body := get(m.monitor, "/metrics", http.Header{"Accept": {"application/openmetrics-text; version=1.0.0"}})
	if code != 200 || !strings.HasSuffix(body, "# EOF\n") {
		t.Errorf("OpenMetrics: %d, ends with %q", code, tail(body)[max(0, len(tail(body))-40):])
	}
	m.stop()
}

// TestHealthy turns unhealthy above the upper mark, and healthy again below the
// lower one only.
func TestHealthy(t *testing.T) {
	t.Parallel()
	m := newRelay(t, refusing(t))
	m.running("monitor: { healthy: { maxmessages: { upper: 3, lower: 2 } } }")
	m.start()
	for step, want := range []int{200, 200, 200, 503} { // after 1, 2, 3, 4 entries
		submit(t, m.smtp, "a@example.org", fmt.Sprintf("b%d@example.net", step))
		m.waitCount(step+1, "--state", "DEFER")
		if code, body := get(m.monitor, "/healthy", nil); code != want {
			t.Errorf("with %d entries /healthy is %d %s, want %d", step+1, code, body, want)
		}
	}
	if got := m.metric("halon_monitor_healthy"); got != 0 {
		t.Errorf("halon_monitor_healthy is %v", got)
	}
	for step, want := range []int{503, 503, 200} { // down to 3, 2, 1 entries
		m.ctl("queue", "delete", "--recipient", fmt.Sprintf("b%d@example.net", step))
		m.waitCount(3 - step)
		if code := status(m.monitor, "/healthy"); code != want {
			t.Errorf("with %d entries /healthy is %d, want %d", 3-step, code, want)
		}
	}
	if code := status(m.monitor, "/ready"); code != 200 {
		t.Errorf("/ready is %d", code)
	}
	m.stop()
}

// TestMonitorKey asks for the key where one is configured, from the next reload
// on.
func TestMonitorKey(t *testing.T) {
	t.Parallel()
	m := newMTA(t).start()
	m.running("monitor: { apikeys: [ first, second ] }")
	m.reload()
	for _, path := range []string{"/metrics", "/ready", "/healthy"} {
		for key, want := range map[string]int{"": 401, "wrong": 401, "first": 200, "second": 200} {
			if code, _ := get(m.monitor, path, http.Header{"X-Api-Key": {key}}); code != want {
				t.Errorf("%s with key %q is %d, want %d", path, key, code, want)
			}
		}
	}
	m.running("monitor: { apikeys: [] }")
	m.reload()
	if code := status(m.monitor, "/metrics"); code != 200 {
		t.Errorf("without keys /metrics is %d", code)
	}
	m.stop()
}

// TestDebugPages shows sessions that are open, the version and profiles.
func TestDebugPages(t *testing.T) {
	t.Parallel()
	m := newMTA(t).start()
	c := dial(t, m.smtp)
	c.ehlo()
	c.say("MAIL FROM:<a@example.org>", "250")
	_, body := get(m.monitor, "/debug/sessions", nil)
	var session map[string]any
	if err := json.Unmarshal([]byte(body), &session); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	expectContains(t, body, c.conn.LocalAddr().String())
	c.say("QUIT", "221")
	eventually(t, "the session to go", func() bool { _, body := get(m.monitor, "/debug/sessions", nil); return body == "" })
	_, body = get(m.monitor, "/debug/version", nil)
	expectContains(t, body, daemon.Version(), m.path("smtpd-app.yaml"))
	if code, body := get(m.monitor, "/debug/pprof/goroutine?debug=1", nil); code != 200 || !strings.Contains(body, "goroutine profile") {
		t.Errorf("profile: %d", code)
	}
	m.stop()
}

// TestDebugIsLocal hides the pages from other hosts. A namespace with another
// address plays the other host.
func TestDebugIsLocal(t *testing.T) {
	t.Parallel()
	testenv.Root(t)
	m := newMTA(t)
	port := portOf(m.monitor)
	m.startup(fmt.Sprintf("monitor: { listener: { address: 0.0.0.0, port: %d } }", port))
	ip := testenv.Program(t, "ip")
	setup := ip + " link set lo up && " + ip + " address add 192.0.2.1/32 dev lo && exec \"$@\""
	m.program = startCommand(t, exec.Command(testenv.Program(t, "unshare"), append([]string{"--net", "sh", "-c", setup, "sh", binary}, m.arguments()...)...))
	eventually(t, "the control socket", func() bool { return m.tryCtl("queue", "count").code == 0 })
	ask := func(host, path string) string {
		script := fmt.Sprintf("exec 3<>/dev/tcp/%s/%d && printf 'GET %s HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3", host, port, path)
		return runCommand(t, exec.Command(testenv.Program(t, "nsenter"), "--net", "--target", fmt.Sprint(m.pid()), "bash", "-c", script)).expectCode(0).out.String()
	}
	for _, tt := range []struct{ host, path, want string }{
		{"127.0.0.1", "/debug/version", "200"}, {"192.0.2.1", "/debug/version", "404"}, {"192.0.2.1", "/debug/pprof/", "404"},
		{"192.0.2.1", "/debug/sessions", "404"}, {"192.0.2.1", "/ready", "200"}, {"192.0.2.1", "/metrics", "200"},
	} {
		if got := ask(tt.host, tt.path); !strings.Contains(got, " "+tt.want+" ") {
			t.Errorf("%s from %s: %q, want %s", tt.path, tt.host, got, tt.want)
		}
	}
	m.stop()
}
