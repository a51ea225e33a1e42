package sink

import "github.com/posthaste-mta/posthaste/internal/metric"

// Metrics counts what a sink has seen.
type Metrics struct {
	Connections        metric.Counter `name:"sink_connections" help:"Connections accepted."`
	ConnectionsRefused metric.Counter `name:"sink_connections_refused" help:"Connections turned away with 421 because there were too many."`
	ConnectionsOpen    metric.Gauge   `name:"sink_connections_open" help:"Connections open now."`
	ConnectionsPeak    metric.Gauge   `name:"sink_connections_peak" help:"Most connections open at once."`
	Messages           metric.Counter `name:"sink_messages" help:"Messages accepted."`
	MessagesRejected   metric.Counter `name:"sink_messages_rejected" help:"Messages answered with an error after their body or at DATA."`
	Recipients         metric.Counter `name:"sink_recipients" help:"Recipients of accepted messages."`
	RecipientsRejected metric.Counter `name:"sink_recipients_rejected" help:"Recipients answered with an error at RCPT or, under LMTP, after the body."`
	Bytes              metric.Counter `name:"sink_bytes" unit:"bytes" help:"Bytes of accepted messages."`
	Replies            metric.Counter `name:"sink_fault_replies" help:"Replies replaced by a rule."`
	Delays             metric.Counter `name:"sink_fault_delays" help:"Delays made by a rule."`
	Drops              metric.Counter `name:"sink_fault_drops" help:"Connections closed or reset by a rule."`
	Stalls             metric.Counter `name:"sink_fault_stalls" help:"Connections stalled by a rule."`
	Violations         metric.Counter `name:"sink_violations" help:"Commands that broke the protocol: unknown, malformed, out of order, or using what was not offered."`
}

// rise counts an open connection and keeps the peak.
func (m *Metrics) rise(open int64) {
	m.Connections.Inc()
	m.ConnectionsOpen.Set(open)
	if open > m.ConnectionsPeak.Load() {
		m.ConnectionsPeak.Set(open)
	}
}
