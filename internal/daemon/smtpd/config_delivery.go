package smtpd

import (
	"time"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// Delivery is smtpd-delivery.yaml: settings by destination, looked up after DNS
// (spec config.md 7). They go over those of the transport, key by key.
type Delivery struct {
	Version  string        `yaml:"version"`
	Delivery DeliveryRules `yaml:"delivery"`
}

// DeliveryRules are the conditions, of which the first that matches is taken
// alone, and what holds otherwise.
type DeliveryRules struct {
	Conditions []DeliveryCondition `yaml:"conditions"`
	Default    DeliverySettings    `yaml:"default"`
}

// DeliveryCondition supplies the settings of the destinations that match.
type DeliveryCondition struct {
	If   Match            `yaml:"if"`
	Then DeliverySettings `yaml:"then"`
}

// DeliverySettings are those that a destination may have of its own. Whatever
// is unset comes from the transport.
type DeliverySettings struct {
	TLS     DeliveryTLS     `yaml:"tls"`
	Pooling DeliveryPooling `yaml:"pooling"`
	Timeout DeliveryTimeout `yaml:"timeout"`
	Retry   DeliveryRetry   `yaml:"retry"`
}

// DeliveryTLS overrides TransportTLS.
type DeliveryTLS struct {
	Mode       config.Optional[string] `yaml:"mode"`
	Protocols  config.Optional[string] `yaml:"protocols"`
	Ciphers    config.Optional[string] `yaml:"ciphers"`
	SNI        config.Optional[SNI]    `yaml:"sni"`
	VerifyHost config.Optional[bool]   `yaml:"verifyhost"`
	VerifyName []string                `yaml:"verifyname"`
	DefaultCA  config.Optional[bool]   `yaml:"defaultca"`
}

// DeliveryPooling says whether and how long a connection is kept for reuse.
type DeliveryPooling struct {
	Enabled      bool          `yaml:"enabled"`
	Timeout      time.Duration `yaml:"timeout"`
	Transactions int           `yaml:"transactions"`
	Evictable    bool          `yaml:"evictable"`
}

// DeliveryTimeout overrides the time limits of connection and session.
type DeliveryTimeout struct {
	Connect config.Optional[time.Duration] `yaml:"connect"`
	SMTP    map[string]time.Duration       `yaml:"smtp"` // by SMTP state
}

// DeliveryRetry overrides Retry.
type DeliveryRetry struct {
	Count     config.Optional[int] `yaml:"count"`
	Intervals []RetryInterval      `yaml:"intervals"` // empty: the transport's
}
