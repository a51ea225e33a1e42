package delivery

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// Outcome says how one attempt ended for one recipient. What the peer said
// (Reply) stays apart from our own cause (Err).
type Outcome struct {
	Status     Status
	Stage      Stage
	Reply      smtp.Reply // said by the peer, or by us in its place
	FromPeer   bool       // Reply was said by the peer
	Err        error      // cause, for our log only; nil when the peer replied
	Kind       Kind       // what Err is about; zero when the peer replied
	DNS        DNSCause   // set when Kind is KindDNS
	Connection Connection
	Relayed    bool // delivered to a host without DSN, so a "relayed" report is ours to send (RFC 3461 §5.2.2)
	Duration   time.Duration
}

// EnhancedCode returns the status code for reports. It is the peer's if that
// sent one of the right class, and otherwise says no more than the reply code
// does: success, failure that may pass or failure that will not, of a kind that
// is not known (RFC 3463 §3.1).
func (o *Outcome) EnhancedCode() smtp.EnhancedCode {
	class := uint16(5)
	switch o.Status {
	case Delivered:
		class = 2
	case Deferred:
		class = 4
	}
	if o.Reply.Enhanced[0] == class {
		return o.Reply.Enhanced
	}
	return smtp.EnhancedCode{class, 0, 0}
}

// Status is the verdict on one recipient.
type Status uint8

const (
	Delivered Status = iota + 1
	Deferred
	Failed
)

var statusNames = []string{"", "delivered", "deferred", "failed"}

func (s Status) String() string { return name(statusNames, s) }

// Stage is how far an attempt came: the SMTP states of spec operations.md 9.3
// and what precedes them. The order is that of a conversation up to StageEOD.
type Stage uint8

const (
	StageResolve Stage = iota + 1
	StageConnect
	StageBanner
	StageEHLO
	StageHELO
	StageLHLO
	StageSTARTTLS
	StageXCLIENT
	StageAuthCRAMMD5
	StageAuthPlain
	StageAuthLogin
	StageAuthLoginUser // after the user name
	StageAuth          // last step of a login
	StageMail
	StageRcpt
	StageData
	StageEOD // end of DATA, or the last chunk of BDAT
	StageRSET
	StageNOOP
	StageQUIT

	stages = iota + 1
)

var stageNames = []string{
	"", "RESOLVE", "CONNECT", "BANNER", "EHLO", "HELO", "LHLO", "STARTTLS", "XCLIENT",
	"AUTH-CRAM-MD5", "AUTH-PLAIN", "AUTH-LOGIN", "AUTH-LOGIN-USER", "AUTH",
	"MAIL", "RCPT", "DATA", "EOD", "RSET", "NOOP", "QUIT",
}

func (s Stage) String() string { return name(stageNames, s) }

// ParseStage reads a state as String writes it, in any case.
func ParseStage(s string) (Stage, error) {
	for i, n := range stageNames {
		if i > 0 && strings.EqualFold(s, n) {
			return Stage(i), nil
		}
	}
	return 0, fmt.Errorf("delivery: unknown SMTP state %q", s)
}

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

var kindNames = []string{"", "config", "dns", "network", "dane", "protocol", "smtp", "tls", "plugin"}

func (k Kind) String() string { return name(kindNames, k) }

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

var dnsNames = []string{"", "other", "nxdomain", "nullmx", "ipfamily", "nodata", "excluded"}

func (d DNSCause) String() string { return name(dnsNames, d) }

// Connection describes the connection that an attempt used, for logs, hooks and
// metrics. When none could be made, ID and Transactions are zero and the rest
// says what was tried last.
type Connection struct {
	ID           uint64
	Transactions int        // messages carried so far, this one included
	LocalIP      netip.Addr // behind a proxy that on the proxy; zero: the system was to choose, and there is no connection
	LocalID      string     // id of the configured source address, if any
	Helo         string
	RemoteIP     netip.Addr
	RemotePort   uint16
	RemoteMX     string
	Proxy        netip.AddrPort // that the connection goes through; zero: none
	Greeting     []string
	TLS          TLSInfo
}

// TLSInfo describes the TLS layer of a Connection.
type TLSInfo struct {
	Started  bool
	Protocol string // "TLSv1.3"
	Cipher   string
	KeySize  int    // bits
	Verified bool   // the certificate was checked and is good
	Error    string // why opportunistic TLS was not used, if it failed
	// Report is the result type of RFC 8460 §4.3 for what went wrong with TLS,
	// such as "starttls-not-supported"; empty: nothing did, or it was not wanted.
	Report string
	// Unvalidated: the policy is one with DANE, and whether the host publishes TLSA
	// records could not be found out.
	Unvalidated bool
	// TLSA are the validated records of the host that can be used, where the policy
	// is one with DANE.
	TLSA []dns.TLSA
	// Certificates are what the host has shown, its own first. They are not to be
	// changed.
	Certificates []*x509.Certificate

	trust func() error
}

// Trust says what is wrong with the certificate of the host, whether or not the
// policy asked: that no authority of the transport has signed it, or that it is
// for none of the names wanted, or else for the host. It returns nil for a good
// one and without TLS. The first call for a connection checks, and all others
// have the answer of that.
func (t *TLSInfo) Trust() error {
	if t.trust == nil {
		return nil
	}
	return t.trust()
}

func name[T ~uint8](names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return strconv.Itoa(int(v))
}

func portText(p uint16) string { return strconv.Itoa(int(p)) }
