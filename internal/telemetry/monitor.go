package telemetry

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/posthaste-mta/posthaste/internal/metric"
)

// Monitor is the HTTP endpoint for metrics and health (spec operations.md
// 20.1): /metrics, /ready and /healthy for anyone who has the key, and /debug/
// for clients on the loopback interface.
type Monitor struct {
	registry *metric.Registry
	health   func() error
	debug    *http.ServeMux
	root     *http.ServeMux
	keys     atomic.Pointer[[]string]
	ready    atomic.Bool
	server   http.Server
	gauges   monitorMetrics
	users    *UserMetrics
}

type monitorMetrics struct {
	Ready   metric.Func `name:"monitor_ready" help:"1 once the process has fully started."`
	Healthy metric.Func `name:"monitor_healthy" help:"1 while the process is healthy."`
}

// NewMonitor returns a Monitor. health says why the process is not healthy, or
// nil; it is asked on every request. users may be
// nil.
func NewMonitor(r *metric.Registry, users *UserMetrics, health func() error, log *slog.Logger) *Monitor {
	m := &Monitor{registry: r, users: users, health: health, debug: http.NewServeMux()}
	m.keys.Store(new([]string))
	m.gauges = monitorMetrics{
		Ready:   func() float64 { return truth(m.ready.Load()) },
		Healthy: func() float64 { return truth(m.unhealthy() == nil) },
	}
	r.Register(&m.gauges)
	m.debug.HandleFunc("/debug/pprof/", pprof.Index)
	m.debug.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	m.debug.HandleFunc("/debug/pprof/profile", pprof.Profile)
	m.debug.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	m.debug.HandleFunc("/debug/pprof/trace", pprof.Trace)
	// Here and not in Serve, so that Close has something to close when it comes
	// before a Serve on another goroutine.
	m.root = m.mux()
	m.server = http.Server{
		Handler: m.root, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	return m
}

// SetKeys replaces the accepted X-API-Key values; none opens the endpoint.
func (m *Monitor) SetKeys(keys []string) { m.keys.Store(&keys) }

// SetReady makes /ready answer 200 from now on.
func (m *Monitor) SetReady() { m.ready.Store(true) }

// Debug adds a page below /debug/.
func (m *Monitor) Debug(pattern string, h http.HandlerFunc) { m.debug.HandleFunc(pattern, h) }

// Public adds a page that needs no key, such as answers for authorities that
// certify our names.
func (m *Monitor) Public(pattern string, h http.Handler) { m.root.Handle(pattern, h) }

// Serve answers on l until Close, and does not return before. After Close it
// closes l and returns at once.
func (m *Monitor) Serve(l net.Listener) error {
	if err := m.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("telemetry: monitor: %w", err)
	}
	return nil
}

// Close lets running requests end until ctx does.
func (m *Monitor) Close(ctx context.Context) error {
	if err := m.server.Shutdown(ctx); err != nil {
		return m.server.Close()
	}
	return nil
}

func (m *Monitor) mux() *http.ServeMux {
	gatherer := prometheus.NewRegistry()
	gatherer.MustRegister(collector{m.registry})
	if m.users != nil {
		gatherer.MustRegister(m.users)
	}
	metrics := promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorHandling: promhttp.ContinueOnError})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.keyed(metrics))
	mux.Handle("GET /ready", m.keyed(http.HandlerFunc(m.serveReady)))
	mux.Handle("GET /healthy", m.keyed(http.HandlerFunc(m.serveHealthy)))
	mux.Handle("/debug/", local(m.debug))
	return mux
}

func (m *Monitor) serveReady(w http.ResponseWriter, _ *http.Request) {
	if !m.ready.Load() {
		http.Error(w, "starting", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

func (m *Monitor) serveHealthy(w http.ResponseWriter, _ *http.Request) {
	if err := m.unhealthy(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "healthy")
}

func (m *Monitor) unhealthy() error {
	if !m.ready.Load() {
		return errors.New("starting")
	}
	return m.health()
}

// keyed asks for a key where any is configured.
func (m *Monitor) keyed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys := *m.keys.Load()
		for _, k := range keys {
			if subtle.ConstantTimeCompare([]byte(k), []byte(r.Header.Get("X-API-Key"))) == 1 {
				h.ServeHTTP(w, r)
				return
			}
		}
		if len(keys) == 0 {
			h.ServeHTTP(w, r)
			return
		}
		http.Error(w, "a valid X-API-Key is needed", http.StatusUnauthorized)
	})
}

// local hides h from everybody but clients on this host: what it shows is more
// than a monitor needs.
func local(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !peer.Addr().Unmap().IsLoopback() {
			http.NotFound(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
