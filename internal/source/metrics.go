package source

import "github.com/posthaste-mta/posthaste/internal/metric"

// Metrics counts what a source has done.
type Metrics struct {
	Connections        metric.Counter `name:"source_connections" help:"Connections that came as far as being ready for mail."`
	ConnectionsFailed  metric.Counter `name:"source_connections_failed" help:"Connections that could not be made ready for mail."`
	ConnectionsLost    metric.Counter `name:"source_connections_lost" help:"Connections lost in the middle of a message."`
	Started            metric.Counter `name:"source_started" help:"Messages that a session has taken up."`
	Messages           metric.Counter `name:"source_messages" help:"Messages acknowledged for at least one recipient."`
	Recipients         metric.Counter `name:"source_recipients" help:"Recipients acknowledged."`
	Bytes              metric.Counter `name:"source_bytes" unit:"bytes" help:"Bytes of acknowledged messages, without doubled dots."`
	RefusedTemporarily metric.Counter `name:"source_refused_temporarily" help:"Recipients given up after a 4xx reply."`
	RefusedForGood     metric.Counter `name:"source_refused_for_good" help:"Recipients given up after a 5xx reply."`
	Retries            metric.Counter `name:"source_retries" help:"Further tries after a 4xx reply."`
	Unacknowledged     metric.Counter `name:"source_unacknowledged" help:"Recipients whose connection was lost between the body and its reply, so that nobody knows."`
	Unsent             metric.Counter `name:"source_unsent" help:"Recipients of messages whose session ended before they could be sent."`
}
