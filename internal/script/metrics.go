package script

import (
	"github.com/posthaste-mta/posthaste/internal/metric"
	"github.com/posthaste-mta/posthaste/internal/session"
)

// hookMetrics count the runs of the scripts of one phase. The types below are
// the same with the names and texts that each phase has.
type hookMetrics struct {
	Pending   metric.Gauge
	Running   metric.Gauge
	Suspended metric.Gauge
	Threads   metric.Gauge
	Finished  metric.Counter
	Errors    metric.Counter
}

// ServerMetrics count the scripts of one virtual server, by phase.
type ServerMetrics struct {
	phases [session.PhaseDisconnect + 1]*hookMetrics
	sets   []any
}

// NewServerMetrics returns counters that are 0.
func NewServerMetrics() *ServerMetrics {
	auth, connect, disconnect, eod := new(authMetrics), new(connectMetrics), new(disconnectMetrics), new(eodMetrics)
	helo, mailFrom, proxy, rcptTo := new(heloMetrics), new(mailFromMetrics), new(proxyMetrics), new(rcptToMetrics)
	return &ServerMetrics{
		phases: [...]*hookMetrics{
			session.PhaseConnect: (*hookMetrics)(connect), session.PhaseProxy: (*hookMetrics)(proxy),
			session.PhaseHelo: (*hookMetrics)(helo), session.PhaseAuth: (*hookMetrics)(auth),
			session.PhaseMailFrom: (*hookMetrics)(mailFrom), session.PhaseRcptTo: (*hookMetrics)(rcptTo),
			session.PhaseEndOfData: (*hookMetrics)(eod), session.PhaseDisconnect: (*hookMetrics)(disconnect),
		},
		sets: []any{auth, connect, disconnect, eod, helo, mailFrom, proxy, rcptTo},
	}
}

// Sets returns the structs to register, one per phase.
func (m *ServerMetrics) Sets() []any { return m.sets }

// QueueMetrics count the scripts of the queue.
type QueueMetrics struct {
	pre  preDeliveryMetrics
	post postDeliveryMetrics
}

// Sets returns the structs to register, one per phase.
func (m *QueueMetrics) Sets() []any { return []any{&m.pre, &m.post} }

type authMetrics struct {
	Pending   metric.Gauge   `name:"servers_scripts_auth_pending" help:"AUTH scripts that wait for a place in their pool."`
	Running   metric.Gauge   `name:"servers_scripts_auth_running" help:"AUTH scripts that run."`
	Suspended metric.Gauge   `name:"servers_scripts_auth_suspended" help:"AUTH scripts that wait for something outside, such as DNS."`
	Threads   metric.Gauge   `name:"servers_scripts_auth_threads" help:"Size of the pool of AUTH scripts."`
	Finished  metric.Counter `name:"servers_scripts_auth_finished" help:"AUTH scripts that ended, errors included."`
	Errors    metric.Counter `name:"servers_scripts_auth_errors" help:"AUTH scripts that ended with an error."`
}

type connectMetrics struct {
	Pending   metric.Gauge   `name:"servers_scripts_connect_pending" help:"Connect scripts that wait for a place in their pool."`
	Running   metric.Gauge   `name:"servers_scripts_connect_running" help:"Connect scripts that run."`
	Suspended metric.Gauge   `name:"servers_scripts_connect_suspended" help:"Connect scripts that wait for something outside, such as DNS."`
	Threads   metric.Gauge   `name:"servers_scripts_connect_threads" help:"Size of the pool of connect scripts."`
	Finished  metric.Counter `name:"servers_scripts_connect_finished" help:"Connect scripts that ended, errors included."`
	Errors    metric.Counter `name:"servers_scripts_connect_errors" help:"Connect scripts that ended with an error."`
}

type disconnectMetrics struct {
	Pending   metric.Gauge   `name:"servers_scripts_disconnect_pending" help:"Disconnect scripts that wait for a place in their pool."`
	Running   metric.Gauge   `name:"servers_scripts_disconnect_running" help:"Disconnect scripts that run."`
	Suspended metric.Gauge   `name:"servers_scripts_disconnect_suspended" help:"Disconnect scripts that wait for something outside, such as DNS."`
	Threads   metric.Gauge   `name:"servers_scripts_disconnect_threads" help:"Size of the pool of disconnect scripts."`
	Finished  metric.Counter `name:"servers_scripts_disconnect_finished" help:"Disconnect scripts that ended, errors included."`
	Errors    metric.Counter `name:"servers_scripts_disconnect_errors" help:"Disconnect scripts that ended with an error."`
}

type eodMetrics struct {
	Pending   metric.Gauge   `name:"servers_scripts_eod_pending" help:"End-of-data scripts that wait for a place in their pool."`
	Running   metric.Gauge   `name:"servers_scripts_eod_running" help:"End-of-data scripts that run."`
	Suspended metric.Gauge   `name:"servers_scripts_eod_suspended" help:"End-of-data scripts that wait for something outside, such as DNS."`
	Threads   metric.Gauge   `name:"servers_scripts_eod_threads" help:"Size of the pool of end-of-data scripts."`
	Finished  metric.Counter `name:"servers_scripts_eod_finished" help:"End-of-data scripts that ended, errors included."`
	Errors    metric.Counter `name:"servers_scripts_eod_errors" help:"End-of-data scripts that ended with an error."`
}

type heloMetrics struct {
	Pending   metric.Gauge   `name:"servers_scripts_helo_pending" help:"HELO scripts that wait for a place in their pool."`
	Running   metric.Gauge   `name:"servers_scripts_helo_running" help:"HELO scripts that run."`
	Suspended metric.Gauge   `name:"servers_scripts_helo_suspended" help:"HELO scripts that wait for something outside, such as DNS."`
	Threads   metric.Gauge   `name:"servers_scripts_helo_threads" help:"Size of the pool of HELO scripts."`
	Finished  metric.Counter `name:"servers_scripts_helo_finished" help:"HELO scripts that ended, errors included."`
	Errors    metric.Counter `name:"servers_scripts_helo_errors" help:"HELO scripts that ended with an error."`
}

type mailFromMetrics struct {
	Pending   metric.Gauge   `name:"servers_scripts_mailfrom_pending" help:"MAIL FROM scripts that wait for a place in their pool."`
	Running   metric.Gauge   `name:"servers_scripts_mailfrom_running" help:"MAIL FROM scripts that run."`
	Suspended metric.Gauge   `name:"servers_scripts_mailfrom_suspended" help:"MAIL FROM scripts that wait for something outside, such as DNS."`
	Threads   metric.Gauge   `name:"servers_scripts_mailfrom_threads" help:"Size of the pool of MAIL FROM scripts."`
	Finished  metric.Counter `name:"servers_scripts_mailfrom_finished" help:"MAIL FROM scripts that ended, errors included."`
	Errors    metric.Counter `name:"servers_scripts_mailfrom_errors" help:"MAIL FROM scripts that ended with an error."`
}

type proxyMetrics struct {
	Pending   metric.Gauge   `name:"servers_scripts_proxy_pending" help:"Proxy scripts that wait for a place in their pool."`
	Running   metric.Gauge   `name:"servers_scripts_proxy_running" help:"Proxy scripts that run."`
	Suspended metric.Gauge   `name:"servers_scripts_proxy_suspended" help:"Proxy scripts that wait for something outside, such as DNS."`
	Threads   metric.Gauge   `name:"servers_scripts_proxy_threads" help:"Size of the pool of proxy scripts."`
	Finished  metric.Counter `name:"servers_scripts_proxy_finished" help:"Proxy scripts that ended, errors included."`
	Errors    metric.Counter `name:"servers_scripts_proxy_errors" help:"Proxy scripts that ended with an error."`
}

type rcptToMetrics struct {
	Pending   metric.Gauge   `name:"servers_scripts_rcptto_pending" help:"RCPT TO scripts that wait for a place in their pool."`
	Running   metric.Gauge   `name:"servers_scripts_rcptto_running" help:"RCPT TO scripts that run."`
	Suspended metric.Gauge   `name:"servers_scripts_rcptto_suspended" help:"RCPT TO scripts that wait for something outside, such as DNS."`
	Threads   metric.Gauge   `name:"servers_scripts_rcptto_threads" help:"Size of the pool of RCPT TO scripts."`
	Finished  metric.Counter `name:"servers_scripts_rcptto_finished" help:"RCPT TO scripts that ended, errors included."`
	Errors    metric.Counter `name:"servers_scripts_rcptto_errors" help:"RCPT TO scripts that ended with an error."`
}

type preDeliveryMetrics struct {
	Pending   metric.Gauge   `name:"queue_scripts_predelivery_pending" help:"Pre-delivery scripts that wait for a place in their pool."`
	Running   metric.Gauge   `name:"queue_scripts_predelivery_running" help:"Pre-delivery scripts that run."`
	Suspended metric.Gauge   `name:"queue_scripts_predelivery_suspended" help:"Pre-delivery scripts that wait for something outside, such as DNS."`
	Threads   metric.Gauge   `name:"queue_scripts_predelivery_threads" help:"Size of the pool of pre-delivery scripts."`
	Finished  metric.Counter `name:"queue_scripts_predelivery_finished" help:"Pre-delivery scripts that ended, errors included."`
	Errors    metric.Counter `name:"queue_scripts_predelivery_errors" help:"Pre-delivery scripts that ended with an error."`
}

type postDeliveryMetrics struct {
	Pending   metric.Gauge   `name:"queue_scripts_postdelivery_pending" help:"Post-delivery scripts that wait for a place in their pool."`
	Running   metric.Gauge   `name:"queue_scripts_postdelivery_running" help:"Post-delivery scripts that run."`
	Suspended metric.Gauge   `name:"queue_scripts_postdelivery_suspended" help:"Post-delivery scripts that wait for something outside, such as DNS."`
	Threads   metric.Gauge   `name:"queue_scripts_postdelivery_threads" help:"Size of the pool of post-delivery scripts."`
	Finished  metric.Counter `name:"queue_scripts_postdelivery_finished" help:"Post-delivery scripts that ended, errors included."`
	Errors    metric.Counter `name:"queue_scripts_postdelivery_errors" help:"Post-delivery scripts that ended with an error."`
}
