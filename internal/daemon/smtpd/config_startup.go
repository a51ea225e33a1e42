package smtpd

import (
	"net/netip"
	"time"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// Startup is smtpd.yaml: what is read once, as root, before privileges are
// dropped (spec config.md 2). Settings that a file leaves out hold the default
// of the schema; Optional ones stay unset.
type Startup struct {
	Version     string           `yaml:"version"`
	Servers     []StartupServer  `yaml:"servers"`
	Environment Environment      `yaml:"environment"`
	Spool       Spool            `yaml:"spool"`
	Plugins     []StartupPlugin  `yaml:"plugins"`
	Scripting   StartupScripting `yaml:"scripting"`
	PKI         StartupPKI       `yaml:"pki"`
	Threads     StartupThreads   `yaml:"threads"`
	Queues      StartupQueues    `yaml:"queues"`
	Cluster     ClusterClient    `yaml:"cluster"`
	Monitor     StartupMonitor   `yaml:"monitor"`
	Path        string           `yaml:"-"` // the file that was loaded
	document    *config.Document // for positions in cross checks
	layout      config.Layout    // where unset paths lead
}

// Kinds of server.
const (
	ServerSMTP   = "smtp"
	ServerHTTP   = "http"   // HTTP submission
	ServerHTTPS  = "https"  // HTTP submission over TLS
	ServerPlugin = "plugin" // no listener
)

// StartupServer is a virtual server and its sockets.
type StartupServer struct {
	ID        string        `yaml:"id"`
	Type      string        `yaml:"type"` // ServerSMTP, ServerHTTP, ServerHTTPS or ServerPlugin
	Listeners []Listener    `yaml:"listeners"`
	Threads   ServerThreads `yaml:"threads"`
}

// Listener is one listening socket: a TCP port, or a Unix socket when Path is
// set.
type Listener struct {
	ID            string                       `yaml:"id"`
	Port          uint16                       `yaml:"port"`
	Address       netip.Addr                   `yaml:"address"` // zero: all IPv4 and IPv6 addresses
	Path          string                       `yaml:"path"`
	Owner         string                       `yaml:"owner"`
	Group         string                       `yaml:"group"`
	Chmod         config.Optional[config.Mode] `yaml:"chmod"`
	Backlog       config.Optional[int]         `yaml:"backlog"`
	ProxyProtocol ProxyTrust                   `yaml:"proxyprotocol"`
	NonLocal      bool                         `yaml:"nonlocal"`
}

// ProxyTrust says whether a listener expects a PROXY header, and from whom. A
// peer that it does not trust is refused (spec tls.md 14.2).
type ProxyTrust struct {
	Enabled bool
	From    []netip.Prefix // empty: from anyone
}

// ServerThreads sizes the pools of one server.
type ServerThreads struct {
	Event  int                         `yaml:"event"`
	Script config.Optional[ScriptPool] `yaml:"script"`
}

// ScriptPool is a pool of scripts: a size of its own, or the ID of a shared
// pool.
type ScriptPool struct {
	Size int
	ID   string
}

// Environment is what the process needs from the system.
type Environment struct {
	AppConf       string                       `yaml:"appconf"`
	PolicyConf    string                       `yaml:"policyconf"`
	SuspendConf   string                       `yaml:"suspendconf"`
	DeliveryConf  string                       `yaml:"deliveryconf"`
	ControlSocket ControlSocket                `yaml:"controlsocket"`
	PrivDrop      PrivDrop                     `yaml:"privdrop"`
	Umask         config.Optional[config.Mode] `yaml:"umask"`
	Rlimit        Rlimit                       `yaml:"rlimit"`
	UUID          UUID                         `yaml:"uuid"`
	Syslog        Syslog                       `yaml:"syslog"`
	LicenseKey    string                       `yaml:"licensekey"`
	PublicSuffix  string                       `yaml:"publicsuffix"` // empty: the built-in list
	TmpDir        string                       `yaml:"tmpdir"`
}

// ControlSocket is where control clients connect: the Unix socket Path, or TCP
// when Port is set.
type ControlSocket struct {
	Path    string           `yaml:"path"`
	Owner   string           `yaml:"owner"`
	Group   string           `yaml:"group"`
	Chmod   config.Mode      `yaml:"chmod"`
	Port    uint16           `yaml:"port"`
	Address netip.Addr       `yaml:"address"`
	TLS     ControlSocketTLS `yaml:"tls"`
}

// ControlSocketTLS holds both ends of the TCP control connection: ours and that
// of the clients that read this file.
type ControlSocketTLS struct {
	Server config.Optional[ControlServerTLS] `yaml:"server"`
	Client config.Optional[ControlClientTLS] `yaml:"client"`
}

// ControlServerTLS is the listening end.
type ControlServerTLS struct {
	Certificate config.Source   `yaml:"certificate"`
	PrivateKey  config.Source   `yaml:"privatekey"`
	ClientCerts []config.Source `yaml:"clientcerts"` // accepted certificates or CAs; empty: no client certificate asked
}

// ControlClientTLS is the connecting end.
type ControlClientTLS struct {
	Certificate config.Source `yaml:"certificate"`
	PrivateKey  config.Source `yaml:"privatekey"`
	Verify      bool          `yaml:"verify"`
	VerifyName  string        `yaml:"verifyname"`
}

// PrivDrop names whom to become after binding. Empty: stay who we are.
type PrivDrop struct {
	User  string `yaml:"user"`
	Group string `yaml:"group"`
}

// Rlimit raises process limits. Unset: as inherited.
type Rlimit struct {
	NoFile config.Optional[uint64]       `yaml:"nofile"`
	Core   config.Optional[config.Bytes] `yaml:"core"`
}

// UUID selects the flavour of connection and transaction ids.
type UUID struct {
	Version int `yaml:"version"` // 1 or 4
}

// Syslog says which priorities are kept and under which facility they go.
type Syslog struct {
	Mask     int    `yaml:"mask"` // bit n keeps priority n
	Facility string `yaml:"facility"`
}

// What to do with a corrupt record that is found at load.
const (
	CorruptUnlink = "unlink"
	CorruptRename = "rename"
	CorruptIgnore = "ignore"
)

// Spool says where messages are kept and how safely.
type Spool struct {
	Path      string      `yaml:"path"`
	Fsync     bool        `yaml:"fsync"`
	Corrupt   string      `yaml:"corrupt"` // CorruptUnlink, CorruptRename or CorruptIgnore
	Loader    SpoolLoader `yaml:"loader"`
	MinFree   MinFree     `yaml:"minfree"`
	HashDepth int         `yaml:"hashdepth"`
}

// SpoolLoader sizes the start-up scan.
type SpoolLoader struct {
	Threads config.Optional[int] `yaml:"threads"` // unset: one per core
}

// MinFree is the room below which mail is refused. Zero: not checked.
type MinFree struct {
	Inodes uint64       `yaml:"inodes"`
	Bytes  config.Bytes `yaml:"bytes"`
}

// StartupPlugin is a plug-in to load and its start-up settings.
type StartupPlugin struct {
	ID     string         `yaml:"id"`
	Path   string         `yaml:"path"`
	Config map[string]any `yaml:"config"`
}

// StartupScripting holds the limits of scripts that a reload cannot change.
type StartupScripting struct {
	RootPath string `yaml:"rootpath"`
	FFI      bool   `yaml:"ffi"`
}

// StartupPKI holds the private keys, read as root, and sockets.
type StartupPKI struct {
	Private []KeyPair   `yaml:"private"`
	ACME    StartupACME `yaml:"acme"`
}

// StartupACME holds the sockets that answer the challenges of authorities.
type StartupACME struct {
	Listeners []ChallengeListener `yaml:"listeners"`
}

// ChallengeListener is one of them.
type ChallengeListener struct {
	Port    uint16     `yaml:"port"`
	Address netip.Addr `yaml:"address"` // zero: all IPv4 and IPv6 addresses
	TLS     bool       `yaml:"tls"`
}

// KeyPair is a private key and its certificate chain. The startup file mostly
// holds the key and the running file the certificate, under the same ID.
type KeyPair struct {
	ID          string        `yaml:"id"`
	PrivateKey  config.Source `yaml:"privatekey"`
	Certificate config.Source `yaml:"certificate"`
}

// StartupThreads holds the shared pools.
type StartupThreads struct {
	Scripts []ThreadPool `yaml:"scripts"`
}

// The pools that exist without being configured.
const (
	DefaultPool = "_default"
	QueuesPool  = "_queues"
)

// ThreadPool is a named pool of scripts. Unset sizes follow the number of cores.
type ThreadPool struct {
	ID         string               `yaml:"id"`
	Size       config.Optional[int] `yaml:"size"`       // scripts running at once; unset: 2 × cores
	MaxScripts config.Optional[int] `yaml:"maxscripts"` // running and suspended; unset: 64 × size
	Nice       int                  `yaml:"nice"`
}

// StartupQueues is the part of the queue's settings that may stand in the
// startup file.
type StartupQueues struct {
	Threads QueueThreads `yaml:"threads"`
}

// ClusterClient is Halon's connection to clusterd. It is accepted so that its
// folders load; the cluster of this MTA needs no such daemon.
type ClusterClient struct {
	Address   string        `yaml:"address"`
	Port      uint16        `yaml:"port"`
	ID        string        `yaml:"id"`
	TLS       ClusterTLS    `yaml:"tls"`
	Reconnect time.Duration `yaml:"reconnect"`
}

// ClusterTLS secures the connection to clusterd.
type ClusterTLS struct {
	Enabled     bool          `yaml:"enabled"`
	Certificate config.Source `yaml:"certificate"`
	PrivateKey  config.Source `yaml:"privatekey"`
	Verify      bool          `yaml:"verify"`
	VerifyName  string        `yaml:"verifyname"`
}

// StartupMonitor is the endpoint for metrics and health.
type StartupMonitor struct {
	Listener MonitorListener `yaml:"listener"`
}

// MonitorListener is the monitor's socket. A zero port means that there is none.
type MonitorListener struct {
	Port    uint16     `yaml:"port"`
	Address netip.Addr `yaml:"address"`
	Type    string     `yaml:"type"` // "http" or "https"
}
