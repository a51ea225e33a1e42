package smtpd

import (
	"net/netip"
	"time"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// Running is smtpd-app.yaml together with the three small files beside it: what
// a reload replaces (spec config.md 3). It is immutable once loaded.
type Running struct {
	Version         string                         `yaml:"version"`
	Servers         []Server                       `yaml:"servers"`
	TransportGroups []TransportGroup               `yaml:"transportgroups"`
	Addresses       []SourceAddress                `yaml:"addresses"`
	Resolver        Resolver                       `yaml:"resolver"`
	PKI             RunningPKI                     `yaml:"pki"`
	Lists           map[string]map[string][]string `yaml:"lists"` // by queue field, then by name
	Queues          Queues                         `yaml:"queues"`
	Scripting       Scripting                      `yaml:"scripting"`
	Plugins         []RunningPlugin                `yaml:"plugins"`
	Monitor         Monitor                        `yaml:"monitor"`
	DKIM            []DKIMKey                      `yaml:"dkim"`

	Policy   *Policy   `yaml:"-"` // smtpd-policy.yaml, never nil once loaded
	Suspend  *Suspend  `yaml:"-"` // smtpd-suspend.yaml, likewise
	Delivery *Delivery `yaml:"-"` // smtpd-delivery.yaml, likewise

	document *config.Document // for positions in cross checks
}

// Transports lists the transports of all groups in the order of the file, each
// with the settings that it inherits.
func (r *Running) Transports() []Transport {
	var all []Transport
	for _, group := range r.TransportGroups {
		for _, t := range group.Transports {
			t.Group = group.ID
			all = append(all, t)
		}
	}
	return all
}

// Resolver says how DNS is asked.
type Resolver struct {
	Cache       ResolverCache `yaml:"cache"`
	Concurrency int           `yaml:"concurrency"`
	Servers     []Upstream    `yaml:"servers"` // empty: as /etc/resolv.conf has them
	Timeout     time.Duration `yaml:"timeout"` // per try
	Retries     int           `yaml:"retries"`
	DomainCache DomainCache   `yaml:"domaincache"`
}

// Upstream is a DNS server. Its port is 53 unless the file gives another.
type Upstream struct{ netip.AddrPort }

// ResolverCache bounds the cache of DNS answers.
type ResolverCache struct {
	Size int      `yaml:"size"` // 0: no cache
	TTL  CacheTTL `yaml:"ttl"`
}

// CacheTTL bounds how long answers are kept.
type CacheTTL struct {
	Min      time.Duration                  `yaml:"min"`
	Max      time.Duration                  `yaml:"max"`
	Negative config.Optional[time.Duration] `yaml:"negative"` // unset: as the SOA record says
}

// DomainCache bounds the cache of resolved destinations.
type DomainCache struct {
	Size config.Optional[int] `yaml:"size"` // unset: as Cache.Size
}

// Queues steers the queue engine.
type Queues struct {
	Grouping    Grouping          `yaml:"grouping"`
	Pooling     Pooling           `yaml:"pooling"`
	Concurrency QueuesConcurrency `yaml:"concurrency"`
	MaxMessages int               `yaml:"maxmessages"` // recipient entries in memory; 0: no bound
	Threads     QueueThreads      `yaml:"threads"`
	Quotas      []Quota           `yaml:"quotas"`
	Shutdown    QueuesShutdown    `yaml:"shutdown"`
	Proxy       QueuesProxy       `yaml:"proxy"`
}

// Grouping rolls destinations up to providers.
type Grouping struct {
	Default   string          `yaml:"default"` // "", "remotemx" or "recipientdomain"
	Groupings []GroupingEntry `yaml:"groupings"`
}

// GroupingEntry names one provider. Its kinds of matchers are alternatives.
type GroupingEntry struct {
	ID              string   `yaml:"id"`
	RemoteMX        []string `yaml:"remotemx"`
	RecipientDomain []string `yaml:"recipientdomain"`
	RemoteIP        []string `yaml:"remoteip"`
}

// Pooling bounds idle outbound connections.
type Pooling struct {
	Size   int    `yaml:"size"`   // 0: none are kept
	Policy string `yaml:"policy"` // the queue field that an idle connection is filed under
}

// QueuesConcurrency bounds outbound connections.
type QueuesConcurrency struct {
	Total int `yaml:"total"`
}

// QueueThreads sizes the pools of the queue.
type QueueThreads struct {
	Script config.Optional[ScriptPool] `yaml:"script"` // unset: the pool QueuesPool
	Event  config.Optional[int]        `yaml:"event"`  // unset: 4
}

// Quota bounds a counter that scripts check. Zero: no bound.
type Quota struct {
	ID       string       `yaml:"id"`
	MaxCount int          `yaml:"maxcount"`
	MaxBytes config.Bytes `yaml:"maxbytes"`
}

// QueuesShutdown bounds how long running attempts may still take.
type QueuesShutdown struct {
	Timeout time.Duration `yaml:"timeout"`
}

// QueuesProxy says how long a proxy that failed is avoided.
type QueuesProxy struct {
	HoldDown time.Duration `yaml:"holddown"`
}

// Scripting holds the scripts, mostly put there by `posthaste config`.
type Scripting struct {
	Hooks  Hooks        `yaml:"hooks"`
	Files  []ScriptFile `yaml:"files"`
	Limits ScriptLimits `yaml:"limits"`
}

// ScriptLimits are what one run of a script may use. Zero: no bound.
type ScriptLimits struct {
	Time         time.Duration                  `yaml:"time"`
	PreDelivery  config.Optional[time.Duration] `yaml:"predelivery"`  // unset: as Time
	PostDelivery config.Optional[time.Duration] `yaml:"postdelivery"` // unset: as Time
	Instructions int                            `yaml:"instructions"`
	Memory       config.Bytes                   `yaml:"memory"`
	Output       config.Bytes                   `yaml:"output"`
}

// Hooks holds the scripts by phase.
type Hooks struct {
	Connect      []Script `yaml:"connect"`
	Disconnect   []Script `yaml:"disconnect"`
	Proxy        []Script `yaml:"proxy"`
	HELO         []Script `yaml:"helo"`
	Auth         []Script `yaml:"auth"`
	MailFrom     []Script `yaml:"mailfrom"`
	RcptTo       []Script `yaml:"rcptto"`
	EOD          []Script `yaml:"eod"`
	PreDelivery  string   `yaml:"predelivery"`
	PostDelivery string   `yaml:"postdelivery"`
}

// Script is a hook and its source text.
type Script struct {
	ID   string `yaml:"id"`
	Data string `yaml:"data"`
}

// ScriptFile is a file that scripts may import.
type ScriptFile struct {
	ID     string `yaml:"id"`
	Data   string `yaml:"data"` // base64 when Binary
	Binary bool   `yaml:"binary"`
	Path   string `yaml:"path"` // read from disk instead of Data
}

// RunningPlugin holds the running settings of a plug-in.
type RunningPlugin struct {
	ID     string         `yaml:"id"`
	Config map[string]any `yaml:"config"`
}

// Monitor is the running part of the monitor endpoint.
type Monitor struct {
	APIKeys []string                `yaml:"apikeys"`
	Type    config.Optional[string] `yaml:"type"` // older place of the startup file's monitor.listener.type
	TLS     MonitorTLS              `yaml:"tls"`
	Metrics []UserMetric            `yaml:"metrics"`
	Healthy Healthy                 `yaml:"healthy"`
}

// MonitorTLS names the certificate of an https monitor.
type MonitorTLS struct {
	Certs MonitorCerts `yaml:"certs"`
}

// MonitorCerts joins the monitor with the PKI.
type MonitorCerts struct {
	Cert string `yaml:"cert"`
}

// UserMetric is a metric that scripts count.
type UserMetric struct {
	Name    string    `yaml:"name"`
	Type    string    `yaml:"type"` // "counter", "gauge" or "histogram"
	Help    string    `yaml:"help"`
	Buckets []float64 `yaml:"buckets"`
}

// Healthy bounds the queue of a healthy process.
type Healthy struct {
	MaxMessages HealthyMessages `yaml:"maxmessages"`
}

// HealthyMessages is a band with hysteresis. Unset: not checked.
type HealthyMessages struct {
	Upper config.Optional[int] `yaml:"upper"`
	Lower config.Optional[int] `yaml:"lower"`
}

// DKIMKey asks for a signature without a script.
type DKIMKey struct {
	Domain   string      `yaml:"domain"`
	Selector string      `yaml:"selector"`
	Key      string      `yaml:"key"`
	Headers  DKIMHeaders `yaml:"headers"`
}

// DKIMHeaders selects what the signature covers.
type DKIMHeaders struct {
	Oversign []string `yaml:"oversign"`
}
