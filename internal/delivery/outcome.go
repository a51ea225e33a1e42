package delivery

import (
	"net/netip"
	"time"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// Outcome says how one attempt ended for one recipient. What the peer said
// (Reply) stays apart from our own cause (Err).
type Outcome struct {
	Status     Status
	Stage      Stage
	Reply      smtp.Reply // said by the peer, or by us in its place
	FromPeer   bool       // Reply was said by the peer
	Err        error      // cause, for our log only
	Kind       Kind       // what Err is about; zero when the peer replied
	DNS        DNSCause   // set when Kind is KindDNS
	Connection Connection
	Relayed    bool // delivered to a host without DSN, so a "relayed" report is ours to send (RFC 3461 §5.2.2)
	Duration   time.Duration
}

// Status is the verdict on one recipient.
type Status uint8

const (
	Delivered Status = iota + 1
	Deferred
	Failed
)

// Stage is how far an attempt came: the SMTP states of spec operations.md 9.3
// and what precedes them.
type Stage uint8

const (
	StageResolve Stage = iota + 1
	StageConnect
	StageBanner
	StageEHLO
	StageHELO
	StageLHLO
	StageSTARTTLS
	StageAuth
	StageXCLIENT
	StageMail
	StageRcpt
	StageData
	StageEOD
	StageRSET
	StageNOOP
	StageQUIT
)

// Kind groups causes that are not a reply of the peer (spec operations.md 9.2,
// error.type).
type Kind uint8

const (
	KindConfig Kind = iota + 1
	KindDNS
	KindNetwork
	KindDANE
	KindProtocol
	KindSMTP
	KindTLS
	KindPlugin
)

// DNSCause details KindDNS (spec operations.md 9.2, error.dns).
type DNSCause uint8

const (
	DNSOther DNSCause = iota + 1
	DNSNXDomain
	DNSNullMX
	DNSIPFamily
	DNSNoData
	DNSExcluded
)

// Connection describes the connection that an attempt used, for logs, hooks and
// metrics. It is zero when none was made.
type Connection struct {
	ID           uint64
	Transactions int // messages carried so far, this one included
	LocalIP      netip.Addr
	LocalID      string // id of the configured source address, if any
	Helo         string
	RemoteIP     netip.Addr
	RemotePort   uint16
	RemoteMX     string
	Greeting     []string
	TLS          TLSInfo
}

// TLSInfo describes the TLS layer of a Connection.
type TLSInfo struct {
	Started  bool
	Protocol string // "TLSv1.3"
	Cipher   string
	KeySize  int
	Error    string // why opportunistic TLS was not used, if it failed
}
