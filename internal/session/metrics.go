package session

import "github.com/posthaste-mta/posthaste/internal/metric"

// Metrics counts what the sessions of one virtual server do; the label serverid
// tells them apart.
type Metrics struct {
	Messages           metric.Counter `name:"servers_messages_accepted" help:"Messages taken, discarded ones included."`
	MessagesRejected   metric.Counter `name:"servers_messages_rejected" help:"Messages refused after their end, for good."`
	MessagesDeferred   metric.Counter `name:"servers_messages_deferred" help:"Messages refused after their end, for now."`
	Bytes              metric.Counter `name:"servers_messages_bytes" help:"Message text received." unit:"bytes"`
	Recipients         metric.Counter `name:"servers_recipients_accepted" help:"Recipients taken at RCPT."`
	RecipientsRejected metric.Counter `name:"servers_recipients_rejected" help:"Recipients refused at RCPT, for good or for now."`
	TLS                metric.Counter `name:"servers_tls_handshakes" help:"TLS handshakes that went well."`
	TLSFailed          metric.Counter `name:"servers_tls_failed" help:"TLS handshakes that failed."`
	Auth               metric.Counter `name:"servers_auth_accepted" help:"Clients authenticated."`
	AuthFailed         metric.Counter `name:"servers_auth_failed" help:"Attempts to authenticate that failed."`
	Timeouts           metric.Counter `name:"servers_sessions_timeouts" help:"Sessions ended because the client was silent or too slow."`
	BadCommands        metric.Counter `name:"servers_commands_bad" help:"Commands that were unknown, malformed or out of place."`
}
