package smtpd

import (
	"net/netip"
	"time"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// LookupMX is the destination that means "by MX records".
const LookupMX = "lookup-mx"

// TransportGroup is a set of transports and the settings that they share.
type TransportGroup struct {
	ID         string      `yaml:"id"`
	Transports []Transport `yaml:"transports"`
}

// Transport is a way out. Loading has already laid its own keys over those of
// its group, leaf by leaf, and those over the defaults.
type Transport struct {
	ID         string     `yaml:"id"`
	Group      string     `yaml:"-"` // id of the group
	Connection Connection `yaml:"connection"`
	Session    Session    `yaml:"session"`
	Retry      Retry      `yaml:"retry"`
	DSN        DSN        `yaml:"dsn"`
}

// Connection says where to connect and from where.
type Connection struct {
	Server        []string      `yaml:"server"` // LookupMX, hosts or addresses
	Port          uint16        `yaml:"port"`
	Timeout       time.Duration `yaml:"timeout"`
	SourceIP      SourceIP      `yaml:"sourceip"`
	ProxyProtocol OutboundProxy `yaml:"proxyprotocol"`
}

// SourceIP selects source addresses.
type SourceIP struct {
	IPv4      bool     `yaml:"ipv4"`
	IPv6      bool     `yaml:"ipv6"`
	Addresses []string `yaml:"addresses"` // ids of Addresses, or IP literals; empty: the system's choice
	Random    bool     `yaml:"random"`    // false: in the order given
	NonLocal  bool     `yaml:"nonlocal"`
}

// OutboundProxy is a proxy that connects in our place. An empty Server means
// that there is none.
type OutboundProxy struct {
	Server  string `yaml:"server"`
	Port    uint16 `yaml:"port"`
	Version int    `yaml:"version"` // of the PROXY header, 1 or 2
}

// Protocols of a session.
const (
	ProtocolSMTP = "smtp"
	ProtocolLMTP = "lmtp"
)

// Session says how to speak to the peer.
type Session struct {
	Protocol string                   `yaml:"protocol"` // ProtocolSMTP or ProtocolLMTP
	HELO     string                   `yaml:"helo"`     // from addresses without a host name of their own; empty: the system's
	TLS      TransportTLS             `yaml:"tls"`
	Auth     SessionAuth              `yaml:"auth"`
	XCLIENT  map[string]string        `yaml:"xclient"`
	Timeout  map[string]time.Duration `yaml:"timeout"` // by SMTP state, such as "EHLO"; absent: RFC 5321 §4.5.3.2
	MX       MXFilter                 `yaml:"mx"`
}

// Outbound TLS modes (spec config.md 3.2).
const (
	TLSDisabled                  = "disabled"
	TLSOptional                  = "optional"
	TLSOptionalVerify            = "optional_verify"
	TLSDANE                      = "dane"
	TLSDANERequire               = "dane_require"
	TLSDANEFallbackRequireVerify = "dane_fallback_require_verify"
	TLSRequire                   = "require"
	TLSRequireVerify             = "require_verify"
)

// TransportTLS is the TLS policy of a transport.
type TransportTLS struct {
	Mode       string   `yaml:"mode"`
	Protocols  string   `yaml:"protocols"`
	Ciphers    string   `yaml:"ciphers"`
	SNI        SNI      `yaml:"sni"`
	VerifyHost bool     `yaml:"verifyhost"`
	VerifyName []string `yaml:"verifyname"`
	DefaultCA  bool     `yaml:"defaultca"`
	ClientCert string   `yaml:"clientcert"`
}

// SNI is the server name that we send: none, that of the host connected to, or
// a fixed one.
type SNI struct {
	Host bool
	Name string
}

// SessionAuth is the login that we present. An empty user name means none.
type SessionAuth struct {
	Username string `yaml:"username"`
	Password string `yaml:"password"`
}

// MXFilter keeps or drops MX hosts by pattern.
type MXFilter struct {
	Include []string `yaml:"include"`
	Exclude []string `yaml:"exclude"`
}

// Retry says when a deferred message is tried again and when it expires.
type Retry struct {
	Count     int                            `yaml:"count"`     // 0: never
	Intervals []RetryInterval                `yaml:"intervals"` // by number of the retry; the last one repeats
	During    config.Optional[time.Duration] `yaml:"during"`    // since acceptance; unset: Count alone decides
}

// RetryInterval is the wait before one retry.
type RetryInterval struct {
	Interval time.Duration `yaml:"interval"`
	Notify   bool          `yaml:"notify"` // tell the sender about the delay
}

// DSN says how delivery status notifications are made. An empty Transport means
// that none are.
type DSN struct {
	Transport string                   `yaml:"transport"`
	From      string                   `yaml:"from"` // empty: MAILER-DAEMON at our host name
	FromName  string                   `yaml:"fromname"`
	Ret       string                   `yaml:"ret"` // "HDRS", "FULL" or empty: as the envelope asked, else HDRS
	DKIM      config.Optional[DSNSign] `yaml:"dkim"`
}

// DSNSign is the DKIM signature of notifications.
type DSNSign struct {
	Selector string `yaml:"selector"`
	Domain   string `yaml:"domain"`
	Key      string `yaml:"key"`
}

// SourceAddress is an address that mail leaves from.
type SourceAddress struct {
	ID            string        `yaml:"id"`
	Address       netip.Addr    `yaml:"address"`
	Hostname      string        `yaml:"hostname"`      // EHLO name; empty: the transport's, else the system's
	ProxyProtocol OutboundProxy `yaml:"proxyprotocol"` // that has the address; without a server that of the transport, if any
	NonLocal      bool          `yaml:"nonlocal"`
}
