package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/metric"
)

func get(m *Monitor, path, key, from string) (int, string) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr = from
	if key != "" {
		r.Header.Set("X-API-Key", key)
	}
	w := httptest.NewRecorder()
	m.mux().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

const here, elsewhere = "127.0.0.1:4000", "192.0.2.1:4000"

func TestMonitor(t *testing.T) {
	var r metric.Registry
	seen := new(struct {
		Seen metric.Counter `name:"things_seen" help:"Things seen."`
	})
	r.Register(seen, metric.Label{Name: "serverid", Value: "a"})
	seen.Seen.Add(3)
	var sick error
	m := NewMonitor(&r, nil, func() error { return sick }, slog.New(slog.DiscardHandler))
	m.Debug("/debug/page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "page") })

	check := func(path, key, from string, code int, text string) {
		t.Helper()
		got, body := get(m, path, key, from)
		if got != code || !strings.Contains(body, text) {
			t.Errorf("%s from %s: %d %q, want %d with %q", path, from, got, body, code, text)
		}
	}
	check("/ready", "", here, 503, "starting")
	check("/healthy", "", here, 503, "starting")
	m.SetReady()
	check("/ready", "", elsewhere, 200, "ready")
	check("/healthy", "", elsewhere, 200, "healthy")
	check("/metrics", "", elsewhere, 200, `halon_things_seen{serverid="a"} 3`)
	check("/metrics", "", elsewhere, 200, "halon_monitor_healthy 1")
	sick = errors.New("stopping")
	check("/healthy", "", here, 503, "stopping")
	check("/ready", "", here, 200, "ready")
	check("/metrics", "", here, 200, "halon_monitor_healthy 0")

	check("/debug/page", "", here, 200, "page")
	check("/debug/page", "", elsewhere, 404, "")
	check("/debug/pprof/cmdline", "", elsewhere, 404, "")

	m.SetKeys([]string{"one", "two"})
	check("/metrics", "", here, 401, "X-API-Key")
	check("/metrics", "wrong", here, 401, "X-API-Key")
	check("/metrics", "two", here, 200, "halon_things_seen")
	check("/healthy", "", here, 401, "X-API-Key")
}

func TestMonitorServes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := NewMonitor(new(metric.Registry), nil, func() error { return nil }, slog.New(slog.DiscardHandler))
	m.SetReady()
	ended := make(chan error, 1)
	go func() { ended <- m.Serve(l) }()
	r, err := http.Get("http://" + l.Addr().String() + "/ready")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if err := m.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve ended with %v", err)
	}
}

// TestMonitorClosedFirst: a process that is stopped right after its start may
// close the monitor before the goroutine that serves has run.
func TestMonitorClosedFirst(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := NewMonitor(new(metric.Registry), nil, func() error { return nil }, slog.New(slog.DiscardHandler))
	if err := m.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := m.Serve(l); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("the socket is still open")
	}
}
