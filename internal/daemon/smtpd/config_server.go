package smtpd

import (
	"net/netip"
	"time"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// Server is the running part of a virtual server. The startup part with the
// same ID holds its sockets.
type Server struct {
	ID          string            `yaml:"id"`
	Type        string            `yaml:"type"`
	Transport   string            `yaml:"transport"` // default transport of accepted recipients; empty: relaying denied
	Hostname    string            `yaml:"hostname"`  // empty: the system's
	Concurrency ServerConcurrency `yaml:"concurrency"`
	Timeout     ServerTimeout     `yaml:"timeout"`
	Protocol    string            `yaml:"protocol"` // ProtocolSMTP or ProtocolLMTP
	Priority    int               `yaml:"priority"`
	Logging     ServerLogging     `yaml:"logging"`
	Resolve     ServerResolve     `yaml:"resolve"`
	TLS         ServerTLS         `yaml:"tls"`
	Extensions  Extensions        `yaml:"extensions"`
	Phases      Phases            `yaml:"phases"`
	APIKeys     []string          `yaml:"apikeys"`
	HTTP        ServerHTTPLimits  `yaml:"http"`
}

// ServerConcurrency bounds simultaneous connections. Zero: no bound.
type ServerConcurrency struct {
	Total    int            `yaml:"total"`
	RemoteIP int            `yaml:"remoteip"`
	Networks []NetworkLimit `yaml:"networks"`
}

// NetworkLimit bounds the connections from one network.
type NetworkLimit struct {
	Network netip.Prefix `yaml:"network"`
	Limit   int          `yaml:"limit"`
}

// ServerTimeout bounds silence.
type ServerTimeout struct {
	Idle time.Duration `yaml:"idle"` // between commands
	Data time.Duration `yaml:"data"` // inside DATA and BDAT
}

// ServerLogging selects what is logged about conversations.
type ServerLogging struct {
	Verbose bool `yaml:"verbose"`
}

// ServerResolve selects look-ups about the client.
type ServerResolve struct {
	PTR bool `yaml:"ptr"`
}

// ServerTLS is the TLS of inbound connections.
type ServerTLS struct {
	Certs      ServerCerts      `yaml:"certs"`
	Implicit   ImplicitTLS      `yaml:"implicit"`
	Protocols  string           `yaml:"protocols"`
	Ciphers    string           `yaml:"ciphers"`
	Required   bool             `yaml:"required"`
	ClientCert ServerClientCert `yaml:"clientcert"`
}

// ServerCerts names the certificates. STARTTLS is offered when Cert is set.
type ServerCerts struct {
	Cert string    `yaml:"cert"`
	SNI  []SNICert `yaml:"sni"`
}

// SNICert is the certificate for one name, which may be a wildcard.
type SNICert struct {
	Hostname string `yaml:"hostname"`
	Cert     string `yaml:"cert"`
}

// ImplicitTLS says which listeners speak TLS at once (RFC 8314).
type ImplicitTLS struct {
	All       bool
	Listeners []string // ids
}

// ServerClientCert asks clients for certificates.
type ServerClientCert struct {
	Request bool `yaml:"request"`
}

// Extensions switches what EHLO announces.
type Extensions struct {
	Pipelining          bool           `yaml:"pipelining"`
	EightBitMIME        bool           `yaml:"8bitmime"`
	SMTPUTF8            bool           `yaml:"smtputf8"`
	EnhancedStatusCodes bool           `yaml:"enhancedstatuscodes"`
	Size                bool           `yaml:"size"`
	Chunking            bool           `yaml:"chunking"`
	DSN                 bool           `yaml:"dsn"`
	XCLIENT             []netip.Prefix `yaml:"xclient"` // who may use it
}

// Phases holds the hooks and limits of each phase of a conversation.
type Phases struct {
	Connect    ConnectPhase  `yaml:"connect"`
	Disconnect Phase         `yaml:"disconnect"`
	Proxy      Phase         `yaml:"proxy"`
	HELO       Phase         `yaml:"helo"`
	Auth       AuthPhase     `yaml:"auth"`
	MailFrom   MailFromPhase `yaml:"mailfrom"`
	RcptTo     RcptToPhase   `yaml:"rcptto"`
	Data       DataPhase     `yaml:"data"`
	EOD        Phase         `yaml:"eod"`
}

// Phase names the script of one phase. Empty: none.
type Phase struct {
	Hook      string                         `yaml:"hook"`
	TimeLimit config.Optional[time.Duration] `yaml:"timelimit"` // unset: scripting.limits.time
}

// ConnectPhase is the beginning of a connection.
type ConnectPhase struct {
	TimeLimit    config.Optional[time.Duration] `yaml:"timelimit"` // unset: scripting.limits.time
	Hook         string                         `yaml:"hook"`
	GreetDelay   time.Duration                  `yaml:"greetdelay"`   // how long clients are watched before the banner
	EarlyTalkers string                         `yaml:"earlytalkers"` // Refuse or "allow"
}

// What to do with what should not be.
const (
	Refuse = "refuse"
	Repair = "repair"
)

// AuthPhase is the AUTH command, which is announced only when Hook is set.
type AuthPhase struct {
	TimeLimit  config.Optional[time.Duration] `yaml:"timelimit"` // unset: scripting.limits.time
	Hook       string                         `yaml:"hook"`
	Mechanisms []string                       `yaml:"mechanisms"`
	TLSOnly    config.Optional[bool]          `yaml:"tlsonly"` // unset: true where STARTTLS is offered
}

// MailFromPhase is the MAIL command.
type MailFromPhase struct {
	TimeLimit   config.Optional[time.Duration] `yaml:"timelimit"` // unset: scripting.limits.time
	Hook        string                         `yaml:"hook"`
	MaxMessages int                            `yaml:"maxmessages"` // transactions per connection; 0: no bound
}

// RcptToPhase is the RCPT command.
type RcptToPhase struct {
	TimeLimit     config.Optional[time.Duration] `yaml:"timelimit"` // unset: scripting.limits.time
	Hook          RecipientHook                  `yaml:"hook"`
	MaxRecipients int                            `yaml:"maxrecipients"` // per transaction; 0: no bound beyond the built-in one
}

// RecipientHook is a hook that may depend on the recipient's domain. Keys of
// RecipientDomains are domains or "*.domain"; exact ones win over wildcards and
// those over ID.
type RecipientHook struct {
	ID               string            `yaml:"id"`
	RecipientDomains map[string]string `yaml:"recipientdomains"`
}

// DataPhase bounds messages.
type DataPhase struct {
	MaxSize   config.Bytes `yaml:"maxsize"` // 0: no bound
	MaxHops   int          `yaml:"maxhops"`
	LineEnds  string       `yaml:"lineends"` // of a bare CR or LF: Refuse or Repair
	NULs      string       `yaml:"nuls"`     // Refuse or Repair
	Multipart bool         `yaml:"multipart"`
}

// ServerHTTPLimits bounds HTTP submission.
type ServerHTTPLimits struct {
	MaxSize config.Optional[config.Bytes] `yaml:"maxsize"` // unset: as Phases.Data.MaxSize
}
